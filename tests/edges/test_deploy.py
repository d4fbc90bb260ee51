import hashlib
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from kioskd.core.facts import DeployRead, Version
from kioskd.core.policy import Deploy
from kioskd.edges import deploy
from kioskd.edges.deploy import read_deploy


@pytest.fixture
def site(tmp_path):
    """A folder with a built dist."""
    (tmp_path / "dist" / "assets").mkdir(parents=True)
    (tmp_path / "dist" / "assets" / "one.js").write_text("whole")
    (tmp_path / "dist" / "index.html").write_text(INDEX)
    return tmp_path


INDEX = "<!doctype html><script src='/assets/one.js'></script>"


#: What bundlers wrote, and of each dist the files that its index names; after an empty line the others.
WRITTEN = sorted((Path(__file__).parent.parent / "wire" / "bundlers").glob("*.html"))


def deploy_of(site, **more):
    return Deploy(index=str(site / "dist" / "index.html"), **more)


def test_a_whole_deploy_is_read_with_mtime_and_digest(site):
    os.utime(site / "dist" / "index.html", ns=(0, 1_763_000_000_999_999_999))
    reading = read_deploy(deploy_of(site))
    fact, absent = reading.fact, reading.absent
    assert fact.version.mtime == 1_763_000_000
    assert fact.version.digest == "sha256:" + hashlib.sha256(INDEX.encode()).hexdigest()
    assert (fact.version.also, fact.missing, absent) == ("", (), ())


@pytest.mark.parametrize("index", WRITTEN, ids=lambda index: index.stem)
def test_what_a_bundler_wrote_is_whole_until_a_file_is_gone_that_its_index_names(index, tmp_path):
    dist, (named, others) = tmp_path / "dist", (part.split() for part in index.with_suffix(".txt").read_text().split("\n\n"))
    for name in (*named, *others):
        (dist / name).parent.mkdir(parents=True, exist_ok=True)
        (dist / name).touch()
    (dist / "index.html").write_bytes(index.read_bytes())
    assert read_deploy(deploy_of(tmp_path)).fact.missing == ()
    for name in others:
        (dist / name).unlink()
    assert read_deploy(deploy_of(tmp_path)).fact.missing == ()
    for name in named:
        (dist / name).rename(tmp_path / "aside")
        (missing,) = read_deploy(deploy_of(tmp_path)).fact.missing
        assert missing.endswith("/" + name)
        (tmp_path / "aside").rename(dist / name)


def test_an_empty_index_is_incomplete(site):
    (site / "dist" / "index.html").write_text(" \n")
    fact = read_deploy(deploy_of(site)).fact
    assert fact.version is not None and "is empty" in fact.missing[0]


@pytest.mark.parametrize("zeros", [b"\0" * 700, b"\0" * 350 + INDEX.encode()])
def test_an_index_of_zeros_is_incomplete(site, zeros):
    (site / "dist" / "index.html").write_bytes(zeros)
    fact = read_deploy(deploy_of(site)).fact
    assert fact.version is not None and "begins with zeros" in fact.missing[0]


@pytest.mark.parametrize("make", ["nothing", "folder", "pipe", "huge"])
def test_what_is_no_index_is_no_version_with_a_reason(site, make):
    index = site / "dist" / "index.html"
    index.unlink()
    match make:
        case "folder":
            index.mkdir()
        case "pipe":
            os.mkfifo(index)
        case "huge":
            with index.open("wb") as file:
                file.truncate(deploy.INDEX_LIMIT + 1)
    fact = read_deploy(deploy_of(site)).fact
    assert fact.version is None and str(index) in fact.missing[0]


def test_a_pipe_among_the_further_files_blocks_nobody(site):
    os.mkfifo(site / "pipe")
    reading = read_deploy(deploy_of(site, also=(str(site / "pipe"),)))
    assert reading.fact.version.also.startswith("sha256:") and reading.awaited == (str(site / "pipe"),)


def also_only(site):
    return Deploy(also=(str(site / "sleep.json"), str(site / "data" / "*.json")))


def versions(site, deploy, *changes):
    """The versions before and after each change."""
    before, found = {}, []
    for change in (lambda: None, *changes):
        change()
        reading = read_deploy(deploy, before)
        before = reading.also
        found.append(reading.fact.version)
    return found


def test_further_files_need_no_index(site):
    deploy = also_only(site)
    reading = read_deploy(deploy)
    assert reading.fact.version is None and "none of the files" in reading.fact.missing[0]
    assert reading.awaited == (str(site / "sleep.json"),)
    (site / "sleep.json").write_text("one")
    os.utime(site / "sleep.json", (1000, 1000))
    (site / "data").mkdir()
    (site / "data" / "a.json").write_text("a")
    os.utime(site / "data" / "a.json", (900, 900))
    first, changed, added = versions(
        site, deploy, lambda: (site / "sleep.json").write_text("two"), lambda: (site / "data" / "b.json").write_text("b")
    )
    assert (first.mtime, first.digest) == (1000, "") and len({first, changed, added}) == 3
    assert read_deploy(deploy).awaited == ()


@pytest.mark.parametrize("of", [also_only, lambda site: deploy_of(site, also=(str(site / "sleep.json"),))])
def test_a_further_file_that_is_gone_for_a_while_changes_nothing(site, of):
    file = site / "sleep.json"
    file.write_text("one")
    os.utime(file, (1000, 1000))

    def back():
        file.write_text("one")
        os.utime(file, (1000, 1000))

    first, gone, returned = versions(site, of(site), file.unlink, back)
    assert first == gone == returned


def test_further_files_come_to_what_an_endpoint_says(site):
    told = DeployRead(Version(7, "sha256:ab", "theirs"))
    assert read_deploy(Deploy(url="http://there/"), told=told).fact == told
    (site / "sleep.json").write_text("one")
    deploy = Deploy(url="http://there/", also=(str(site / "sleep.json"),))
    ours = read_deploy(deploy, told=told).fact.version
    others = read_deploy(deploy, told=DeployRead(Version(7, "sha256:ab", "other"))).fact.version
    assert (ours.mtime, ours.digest) == (7, "sha256:ab") and ours.also not in ("theirs", others.also)


def test_mtime_and_content_are_of_one_moment(site):
    """Another process swaps two builds as fast as it can; the mtime read always belongs to the content read."""
    index = site / "dist" / "index.html"
    swap = """
        import os, sys
        index = sys.argv[1]
        while True:
            for second, text in ((1000, "one"), (2000, "two")):
                with open(index + ".new", "w") as file:
                    file.write(text)
                os.utime(index + ".new", (second, second))
                os.rename(index + ".new", index)
        """
    swapper = subprocess.Popen([sys.executable, "-c", textwrap.dedent(swap), index])
    digests = {1000: hashlib.sha256(b"one").hexdigest(), 2000: hashlib.sha256(b"two").hexdigest()}
    seen = set()
    deadline = time.monotonic() + 20
    try:
        while len(seen) < 2 or time.monotonic() < deadline - 19:
            assert time.monotonic() < deadline
            fact = read_deploy(deploy_of(site)).fact
            if fact.version is not None and fact.version.mtime in digests and not fact.missing:
                seen.add(fact.version.mtime)
                assert fact.version.digest == "sha256:" + digests[fact.version.mtime]
    finally:
        swapper.kill()
        swapper.wait()

"""Builds of the demo's front end, in every manner in which real ones come into the world."""

import hashlib
import os
import random
import re
import shutil
import time
from collections.abc import Iterator
from enum import Enum
from importlib import resources
from pathlib import Path

PAGE = resources.files("kioskd.demo") / "page"
_BUILD = re.compile(r'<meta name="build" content="([^"]*)">')
_NAMED = re.compile(r'"/(assets/[^"]+)"')


class How(Enum):
    """The ways in which a dist changes."""

    RENAME = "rename"  # assets first, then index.html by an atomic rename
    IN_PLACE = "in_place"  # index.html rewritten in the same file
    REBUILD = "rebuild"  # dist removed and made again, as vite does
    SYMLINK = "symlink"  # dist is a link, switched to a new release folder
    TOUCH = "touch"  # the same bytes, a later mtime
    ROLLBACK = "rollback"  # another build, an hour older than the present one
    SAME_SECOND = "same_second"  # another build with the very mtime of the present one
    HALF = "half"  # index.html names assets that are not there yet
    ASSETS = "assets"  # only the assets: what HALF left out
    TORN = "torn"  # the first half of index.html; its assets are there
    EMPTY_INDEX = "empty_index"
    REMOVE = "remove"  # dist is gone


def build(dist: Path, version: str, how: How = How.RENAME) -> None:
    """Make a build of ``version`` at ``dist``. TOUCH, EMPTY_INDEX and REMOVE make none and leave ``version`` unread."""
    for _ in steps(dist, version, how):
        pass


def steps(dist: Path, version: str, how: How, dice: random.Random | None = None) -> Iterator[str]:
    """Make a build as ``build`` does, one change of the disk for each time it is asked to go on; tell each change in words.

    ``dice``: the order of the assets is theirs, and of all files of a REBUILD.
    """
    index, text = dist / "index.html", _index(version)
    match how:
        case How.TOUCH:
            if index.exists():
                moment = max(index.stat().st_mtime + 1, time.time())
                os.utime(index, (moment, moment))
                yield "index.html touched"
        case How.EMPTY_INDEX:
            _write(index, "")
            yield "index.html emptied"
        case How.REMOVE:
            _remove(dist)
            yield "dist removed"
        case How.IN_PLACE:
            yield from _write_assets(dist, version, dice)
            yield from _rewrite(index, text)
        case How.REBUILD:
            _remove(dist)
            yield "dist removed"
            yield from _write_all(dist, {**_in_assets(version), "index.html": text}, dice)
        case How.SYMLINK:
            release = dist.with_name(dist.name + ".releases") / version
            yield from _write_all(release, {**_in_assets(version), "index.html": text}, dice)
            yield _switch_link(dist, release)
        case How.ROLLBACK | How.SAME_SECOND:
            yield from _write_assets(dist, version, dice)
            was = index.stat().st_mtime if index.exists() else time.time()
            yield _rename_into_place(index, text, was - (3600 if how is How.ROLLBACK else 0))
        case How.HALF:
            yield _rename_into_place(index, text)
        case How.ASSETS:
            yield from _write_assets(dist, version, dice)
        case How.TORN:
            yield from _write_assets(dist, version, dice)
            _write(index, text[: len(text) // 2])
            yield "index.html torn"
        case How.RENAME:
            yield from _write_assets(dist, version, dice)
            yield _rename_into_place(index, text)


def version_in(dist: Path) -> str | None:
    """Return the version that ``dist/index.html`` says it is of; None where there is none to read."""
    try:
        return version_of((dist / "index.html").read_text(errors="replace"))
    except OSError:
        return None


def version_of(index: str) -> str | None:
    """Return the version that the text of an index says it is of; None where it says none."""
    found = _BUILD.search(index)
    return found[1] if found else None


def lacks(dist: Path, index: str) -> tuple[str, ...]:
    """Return what the text of an index lacks to be whole: assets that it names and that are not in ``dist`` now, and its own ends."""
    absent = [name for name in _NAMED.findall(index) if not (dist / name).is_file()]
    start = [] if index.startswith("<!doctype html>") else ["<!doctype html>"]
    end = [] if index.rstrip().endswith("</html>") else ["</html>"]
    return (*start, *absent, *end)


def _assets(version: str) -> dict[str, str]:
    """Names with a hash of what is in them, as bundlers give."""
    texts = {name: (PAGE / name).read_text().replace("@BUILD@", version) for name in ("app.js", "faults.js", "app.css")}
    digests = {name: hashlib.sha256(text.encode()).hexdigest()[:8] for name, text in texts.items()}
    return {name.replace(".", f"-{digests[name]}."): text for name, text in texts.items()}


def _index(version: str) -> str:
    text = (PAGE / "index.html").read_text().replace("@BUILD@", version)
    for name in _assets(version):
        stem, ending = name.split("-")[0], name.rsplit(".", 1)[1]
        text = text.replace(f"/assets/{stem}.{ending}", f"/assets/{name}")
    return text


def _in_assets(version: str) -> dict[str, str]:
    return {f"assets/{name}": text for name, text in _assets(version).items()}


def _write_assets(dist: Path, version: str, dice: random.Random | None) -> Iterator[str]:
    return _write_all(dist, _in_assets(version), dice)


def _write_all(folder: Path, files: dict[str, str], dice: random.Random | None) -> Iterator[str]:
    names = list(files)
    if dice is not None:
        dice.shuffle(names)
    for name in names:
        _write(folder / name, files[name])
        yield name


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)  # each time: another build may have removed it meanwhile
    path.write_text(text)


def _rewrite(index: Path, text: str) -> Iterator[str]:
    """Rewrite the index in the same file, which is empty first, and then torn."""
    index.parent.mkdir(parents=True, exist_ok=True)
    with index.open("w") as file:
        yield "index.html emptied"
        file.write(text[: len(text) // 2])
        file.flush()
        yield "index.html torn"
        file.write(text[len(text) // 2 :])
    yield "index.html"


def _rename_into_place(index: Path, text: str, moment: float | None = None) -> str:
    new = index.with_name(".index.html.new")
    _write(new, text)
    if moment is not None:
        os.utime(new, (moment, moment))
    new.replace(index)
    return "index.html"


def _switch_link(dist: Path, release: Path) -> str:
    if dist.is_dir() and not dist.is_symlink():
        dist.rename(release.with_name(f"before {release.name}"))
    link = dist.with_name(dist.name + ".new")
    link.symlink_to(release)
    link.replace(dist)
    return "dist linked"


def _remove(dist: Path) -> None:
    if dist.is_symlink():
        dist.unlink()
    elif dist.exists():
        shutil.rmtree(dist)

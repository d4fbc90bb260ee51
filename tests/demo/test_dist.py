"""Every way a dist comes into the world does what it says."""

import re
from pathlib import Path

import pytest

from kioskd.demo.dist import How, build, version_in


def missing(dist: Path) -> list[str]:
    """Assets that the index names and that are not there."""
    return [name for name in re.findall(r'"/(assets/[^"]+)"', (dist / "index.html").read_text()) if not (dist / name).exists()]


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    build(tmp_path / "dist", "1")
    return tmp_path / "dist"


def test_a_build_is_complete_and_its_names_carry_a_hash(dist: Path) -> None:
    assert version_in(dist) == "1"
    assert missing(dist) == []
    assert len(re.findall(r"/assets/(?:app|faults)-[0-9a-f]{8}\.(?:js|css)", (dist / "index.html").read_text())) == 3


@pytest.mark.parametrize("how", [How.RENAME, How.IN_PLACE, How.REBUILD, How.SYMLINK, How.ROLLBACK, How.SAME_SECOND])
def test_a_new_build_is_complete(dist: Path, how: How) -> None:
    build(dist, "2", how)
    build(dist, "3", how)
    assert version_in(dist) == "3"
    assert missing(dist) == []


def test_rename_makes_a_new_file_and_in_place_keeps_the_old(dist: Path) -> None:
    first = (dist / "index.html").stat().st_ino
    build(dist, "2", How.IN_PLACE)
    assert (dist / "index.html").stat().st_ino == first
    build(dist, "3", How.RENAME)
    assert (dist / "index.html").stat().st_ino != first


def test_symlink_switches_a_link(dist: Path) -> None:
    build(dist, "2", How.SYMLINK)
    first = dist.resolve()
    build(dist, "3", How.SYMLINK)
    assert dist.is_symlink() and dist.resolve() != first


def test_touch_changes_the_second_and_no_byte(dist: Path) -> None:
    text, moment = (dist / "index.html").read_bytes(), (dist / "index.html").stat().st_mtime
    build(dist, "", How.TOUCH)
    assert (dist / "index.html").read_bytes() == text
    assert int((dist / "index.html").stat().st_mtime) > int(moment)


def test_rollback_is_older_and_same_second_is_not(dist: Path) -> None:
    moment = (dist / "index.html").stat().st_mtime
    build(dist, "2", How.SAME_SECOND)
    assert int((dist / "index.html").stat().st_mtime) == int(moment)
    build(dist, "3", How.ROLLBACK)
    assert (dist / "index.html").stat().st_mtime < moment - 3000


def test_half_is_mended_by_its_assets(dist: Path) -> None:
    build(dist, "2", How.HALF)
    index = (dist / "index.html").read_bytes()
    assert version_in(dist) == "2" and missing(dist)
    build(dist, "2", How.ASSETS)
    assert missing(dist) == [] and (dist / "index.html").read_bytes() == index


def test_indexes_that_are_not_whole(dist: Path) -> None:
    whole = (dist / "index.html").read_text()
    build(dist, "1", How.TORN)
    assert whole.startswith((dist / "index.html").read_text()) and (dist / "index.html").read_text() != whole
    build(dist, "", How.EMPTY_INDEX)
    assert (dist / "index.html").read_bytes() == b"" and version_in(dist) is None
    build(dist, "", How.REMOVE)
    assert not dist.exists() and version_in(dist) is None

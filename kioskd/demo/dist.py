"""Builds of the demo's front end, in every manner in which real ones come into the world."""

import hashlib
import os
import re
import shutil
import time
from enum import Enum
from importlib import resources
from pathlib import Path

PAGE = resources.files("kioskd.demo") / "page"
_BUILD = re.compile(r'<meta name="build" content="([^"]*)">')


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
    index = dist / "index.html"
    match how:
        case How.TOUCH:
            moment = max(index.stat().st_mtime + 1, time.time())
            os.utime(index, (moment, moment))
        case How.EMPTY_INDEX:
            index.write_bytes(b"")
        case How.REMOVE:
            _remove(dist)
        case How.IN_PLACE:
            _write_assets(dist, version)
            index.write_text(_index(version))
        case How.REBUILD:
            _remove(dist)
            _write_assets(dist, version)
            index.write_text(_index(version))
        case How.SYMLINK:
            _switch_link(dist, version)
        case How.ROLLBACK | How.SAME_SECOND:
            was = index.stat().st_mtime - (3600 if how is How.ROLLBACK else 0)
            _write_assets(dist, version)
            _rename_into_place(index, _index(version), was)
        case How.HALF:
            dist.mkdir(parents=True, exist_ok=True)
            _rename_into_place(index, _index(version))
        case How.ASSETS:
            _write_assets(dist, version)
        case How.TORN:
            _write_assets(dist, version)
            text = _index(version)
            index.write_text(text[: len(text) // 2])
        case How.RENAME:
            _write_assets(dist, version)
            _rename_into_place(index, _index(version))


def version_in(dist: Path) -> str | None:
    """Return the version that ``dist/index.html`` says it is of; None where there is none to read."""
    try:
        found = _BUILD.search((dist / "index.html").read_text(errors="replace"))
    except OSError:
        return None
    return found[1] if found else None


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


def _write_assets(dist: Path, version: str) -> None:
    (dist / "assets").mkdir(parents=True, exist_ok=True)
    for name, text in _assets(version).items():
        (dist / "assets" / name).write_text(text)


def _rename_into_place(index: Path, text: str, moment: float | None = None) -> None:
    new = index.with_name(".index.html.new")
    new.write_text(text)
    if moment is not None:
        os.utime(new, (moment, moment))
    new.replace(index)


def _switch_link(dist: Path, version: str) -> None:
    releases = dist.with_name(dist.name + ".releases")
    release = releases / version
    _write_assets(release, version)
    (release / "index.html").write_text(_index(version))
    if dist.is_dir() and not dist.is_symlink():
        dist.rename(releases / "first")
    link = dist.with_name(dist.name + ".new")
    link.symlink_to(release)
    link.replace(dist)


def _remove(dist: Path) -> None:
    if dist.is_symlink():
        dist.unlink()
    elif dist.exists():
        shutil.rmtree(dist)


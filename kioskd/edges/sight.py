"""One look at the files that matter: what they are like, which folders tell of them, and by which names. Nothing is compared here."""

import contextlib
import os
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from kioskd.core.policy import Deploy
from kioskd.edges.deploy import expand

Stamp = tuple[str, int, int, int, int]  # path, inode, mtime ns, ctime ns, size


@dataclass(slots=True)
class Sight:
    """What one look saw."""

    deploy: set[Stamp] = field(default_factory=set)
    config: set[Stamp] = field(default_factory=set)
    folders: dict[str, tuple[int, int]] = field(default_factory=dict)  # those to watch, and which ones they are
    names: set[str] = field(default_factory=set)  # whose events matter, in whichever folder
    way: set[str] = field(default_factory=set)  # the index, and what leads to it
    dist: str = ""  # the index's folder, where every event matters


def look(deploy: Deploy, config: str | None, missing: Iterable[str]) -> Sight:
    """Look at the deploy, at the assets ``missing`` from it, and at the configuration file. Blocks: a disk may be slow."""
    sight = Sight()
    if deploy.index is not None:
        sight.dist = _walk(sight, os.path.abspath(deploy.index), sight.deploy)
        sight.way = set(sight.names)
        if sight.dist:
            _stamp(sight.dist, sight.deploy)
            _folder(sight, os.path.dirname(sight.dist))  # where it is renamed, removed and made again
    for path in (*missing, *expand(deploy.also)):
        _walk(sight, path, sight.deploy)
    for pattern in map(os.path.abspath, deploy.also):
        sight.names.add(pattern)
        _folder(sight, os.path.dirname(pattern))
    if config is not None:
        _walk(sight, config, sight.config)
    return sight


def _walk(sight: Sight, path: str, stamps: set[Stamp]) -> str:
    """Note the file, the links on the way to it and the folders to watch; return its real folder, ``""`` where there is none."""
    here, todo, links = "/", path.split("/")[::-1], 0
    while todo:
        name = todo.pop()
        if name in ("", ".", ".."):
            here = os.path.dirname(here) if name == ".." else here
            continue
        entry = os.path.join(here, name)
        sight.names.add(entry)
        found = _stamp(entry, None if todo else stamps)
        if found is None:
            break
        if stat.S_ISLNK(found.st_mode) and links < 40:
            links += 1
            _stamp(entry, stamps)
            _folder(sight, here)
            with contextlib.suppress(OSError):  # replaced this moment: inotify, or the next look, will tell
                target = os.readlink(entry)
                here = "/" if target.startswith("/") else here
                todo += target.split("/")[::-1]
        elif todo:
            here = entry
    _folder(sight, here)
    return "" if todo else here


def _stamp(path: str, stamps: set[Stamp] | None) -> os.stat_result | None:
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return None
    if stamps is not None:
        stamps.add((path, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size))
    return found


def _folder(sight: Sight, path: str) -> None:
    found = _stamp(path, None)
    # watchdog takes EACCES for success and then waits for ever
    if found is not None and stat.S_ISDIR(found.st_mode) and os.access(path, os.R_OK):
        sight.folders[path] = (found.st_dev, found.st_ino)


def age(stamps: set[Stamp], paths: Iterable[str], settle: float) -> float:
    """Return how long ago the newest of these was changed, seconds: ``settle`` at most, for the wall clock may jump."""
    for path in paths:
        _stamp(path, stamps)
    newest = max((stamp[3] for stamp in stamps), default=None)
    return 0.0 if newest is None else min(max(time.time() - newest / 1e9, 0.0), settle)

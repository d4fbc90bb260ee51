"""The deploy on disk: its index, what that names, and the further files. When to read them is not known here."""

import glob
import hashlib
import itertools
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from kioskd.core.facts import DeployRead, Version
from kioskd.core.policy import Deploy
from kioskd.wire.dist import assets, local_paths

INDEX_LIMIT = 4 << 20  # bytes; what is larger is no index
ALSO_LIMIT = 1000  # files; a pattern that matches more is a mistake
READS = 5  # of an index that is being written; it is touched again anyhow


State = tuple[int, str]  # mtime (s) and digest of a file: as of an index, both count


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading found."""

    fact: DeployRead
    absent: tuple[str, ...] = ()  # where missing assets are expected
    also: dict[str, State] = field(default_factory=dict)  # the further files, as they last were
    awaited: tuple[str, ...] = ()  # those that have never been there
    newest: float = 0.0  # when the last of the assets came or was changed, by the wall clock


def read_deploy(deploy: Deploy, before: Mapping[str, State] | None = None, told: DeployRead | None = None) -> Reading:
    """Read the deploy on disk. Blocks.

    ``before``: ``Reading.also`` of the last time; a named file that is gone is waited for, and counts as it last was. ``told``: what
    the endpoint elsewhere said of the build, to which the further files come.
    """
    names = expand(deploy.also)
    also = _also(names, before or {})
    awaited = tuple(path for path in names if path not in also)
    if told is not None:
        found = Reading(told)
    else:
        found = _index(deploy.index) if deploy.index is not None else Reading(_of_files(also))
    fact = found.fact
    if fact.version is not None and deploy.also:
        total = _digest(repr((fact.version.also, sorted(also.items()))).encode())
        fact = replace(fact, version=replace(fact.version, also=total))
    return replace(found, fact=fact, also=also, awaited=awaited)


def _of_files(also: Mapping[str, State]) -> DeployRead:
    newest = max((mtime for mtime, _ in also.values()), default=None)
    return DeployRead(None, ("none of the files of deploy.also is there",)) if newest is None else DeployRead(Version(newest, ""))


def _index(path: str) -> Reading:
    index = os.path.abspath(path)
    try:
        content, mtime, steady = _steady(index)
    except (OSError, ValueError) as error:
        return Reading(DeployRead(None, (f"Cannot read {index}: {getattr(error, 'strerror', None) or error}",)))
    version = Version(mtime, _digest(content))
    folder = os.path.dirname(index)
    absent: dict[str, str] = {}
    newest = 0.0
    for asset in assets(content.decode("utf-8", "replace")):
        places = [os.path.join(folder, path) for path in local_paths(asset)]
        changed = next(filter(None, map(_changed, places)), None)
        if changed is not None:
            newest = max(newest, changed)
        elif places:
            absent[asset] = places[0]
    # Zeros are what a power cut leaves, and what two leave who write at once: a hole where nobody wrote.
    bad: tuple[str, ...] = ("is empty",) if not content.strip() else ("begins with zeros",) if content.startswith(b"\0") else ()
    bad += () if steady else ("is being written",)
    missing = tuple(f"{index} {why}" for why in bad) + tuple(absent)
    return Reading(DeployRead(version, missing), tuple(absent.values()), newest=newest)


def _changed(path: str) -> float | None:
    """Return when a file came or was changed; None where there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_ctime if stat.S_ISREG(status.st_mode) else None


def _steady(path: str) -> tuple[bytes, int, bool]:
    """Return content, mtime (s) and whether nobody wrote meanwhile. Both are of one open file, whatever the name leads to by then."""
    content, mtime, steady = b"", 0, False
    for _ in range(READS):
        with open(path, "rb", opener=_without_waiting) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise OSError(0, "not a file")
            if before.st_size > INDEX_LIMIT:
                raise OSError(0, f"larger than {INDEX_LIMIT >> 20} MB")
            content, mtime = file.read(INDEX_LIMIT), before.st_mtime_ns // 1_000_000_000
            after = os.fstat(file.fileno())
        steady = (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size) and len(content) == after.st_size
        if steady:
            break
    return content, mtime, steady


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe is to be refused, not waited for


def _also(names: Iterable[str], before: Mapping[str, State]) -> dict[str, State]:
    """Return the states of these files. One that is not there counts as it was; one that never was is left out."""
    found: dict[str, State] = {}
    for path in names:
        try:
            with open(path, "rb", opener=_without_waiting) as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):  # the reading of a pipe would never end
                    raise OSError(0, "not a file")
                found[path] = (status.st_mtime_ns // 1_000_000_000, hashlib.file_digest(file, "sha256").hexdigest())
        except OSError:
            if path in before:
                found[path] = before[path]
    return found


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def expand(patterns: Iterable[str]) -> list[str]:
    """Return the files that the patterns match, and every plain name, there or not."""
    found: set[str] = set()
    for pattern in map(os.path.abspath, patterns):
        found.update(itertools.islice(glob.iglob(pattern, recursive=True), ALSO_LIMIT) if glob.has_magic(pattern) else (pattern,))
    return sorted(found)

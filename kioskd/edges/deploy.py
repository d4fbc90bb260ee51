"""The deploy on disk: its index, what that names, and the further files. When to read them is not known here."""

import contextlib
import glob
import hashlib
import itertools
import os
import stat
from collections.abc import Iterable

from kioskd.core.facts import DeployRead, Version
from kioskd.core.policy import Deploy
from kioskd.wire.dist import assets, local_paths

INDEX_LIMIT = 4 << 20  # bytes; what is larger is no index
ALSO_LIMIT = 1000  # files; a pattern that matches more is a mistake
READS = 5  # of an index that is being written; it is touched again anyhow


def read_deploy(deploy: Deploy) -> tuple[DeployRead, tuple[str, ...]]:
    """Read the deploy on disk; also return where its missing assets are expected. Blocks."""
    if deploy.index is None:
        return DeployRead(None, ("no index is configured",)), ()
    index = os.path.abspath(deploy.index)
    try:
        content, mtime, steady = _steady(index)
    except (OSError, ValueError) as error:
        return DeployRead(None, (f"Cannot read {index}: {getattr(error, 'strerror', None) or error}",)), ()
    version = Version(mtime, _digest(content), _also(deploy.also))
    folder = os.path.dirname(index)
    absent: dict[str, str] = {}
    for asset in assets(content.decode("utf-8", "replace")):
        places = [os.path.join(folder, path) for path in local_paths(asset)]
        if places and not any(map(os.path.isfile, places)):
            absent[asset] = places[0]
    missing = (() if content.strip() else (f"{index} is empty",)) + (() if steady else (f"{index} is being written",)) + tuple(absent)
    return DeployRead(version, missing), tuple(absent.values())


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


def _also(patterns: tuple[str, ...]) -> str:
    """Return one digest over these files, ``""`` where none are configured."""
    if not patterns:
        return ""
    total = hashlib.sha256()
    for path in expand(patterns):
        total.update(os.fsencode(path) + b"\0")
        if os.path.isfile(path):  # not a pipe, whose reading would never end
            with contextlib.suppress(OSError), open(path, "rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
    return "sha256:" + total.hexdigest()


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def expand(patterns: Iterable[str]) -> list[str]:
    """Return the files that the patterns match, and every plain name, there or not."""
    found: set[str] = set()
    for pattern in map(os.path.abspath, patterns):
        found.update(itertools.islice(glob.iglob(pattern, recursive=True), ALSO_LIMIT) if glob.has_magic(pattern) else (pattern,))
    return sorted(found)

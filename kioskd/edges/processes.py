"""The processes of one browser, found and ended for certain.

A process belongs to the browser of a profile when it carries our marker in its environment (inherited by everything, the crash handler
too), or names the profile on its command line (Chromium's children overwrite their environment), or descends from one that
does. None of these depends on process groups, sessions or parents, so a predecessor's orphans are found as well.
"""

import asyncio
import ctypes
import logging
import os
import re
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from kioskd.wire.flags import MARKER

log = logging.getLogger(__name__)

#: Until the last thread of a process that was killed has gone, too.
HANDED_OVER_S = 0.5

_PR_SET_CHILD_SUBREAPER = 36
_KIND = re.compile(r"[\0 ]--type=([a-z-]+)")
_SERVICE = re.compile(r"[\0 ]--utility-sub-type=([A-Za-z.]+)")

NETWORK = "network.mojom.NetworkService"


@dataclass(frozen=True, slots=True)
class Process:
    """One process of a browser."""

    pid: int
    parent: int
    command: str  # arguments, with NUL or, where Chromium rewrote them, a blank between them

    @property
    def kind(self) -> str:
        """``renderer``, ``gpu-process``, ``zygote``, ``utility`` …; empty for the browser itself."""
        found = _KIND.search(self.command)
        return found[1] if found else ""

    @property
    def service(self) -> str:
        """What a ``utility`` process is for; else empty."""
        found = _SERVICE.search(self.command)
        return found[1] if found else ""


def adopt_orphans() -> None:
    """Let what our children leave behind come to us instead of init, so that it can be reaped."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        log.debug("Cannot become the reaper of orphans: %s", os.strerror(ctypes.get_errno()))


def tree(profile: str, marker: str, started: int | None = None) -> list[Process]:
    """Return the living processes of the profile's browser, whoever started it. Takes some milliseconds.

    ``started``: the one that we started ourselves and have not reaped. In the middle of an ``exec`` a process shows neither command
    line nor environment, and a launcher script makes one.
    """
    named = re.compile(re.escape(os.fsencode(f"--user-data-dir={profile}")) + rb"(?:[\0 ]|$)")
    marked = f"{MARKER}={marker}\0".encode()
    children: dict[int, list[Process]] = {}
    found: dict[int, Process] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid() and (parent := _living_parent(name)) is not None:
            command = _read(name, "cmdline")
            process = Process(int(name), parent, command.decode(errors="replace"))
            children.setdefault(parent, []).append(process)
            if process.pid == started or named.search(command) or marked in _read(name, "environ"):
                found[process.pid] = process
    unseen = list(found)
    while unseen:
        for child in children.get(unseen.pop(), []):
            if child.pid not in found:
                found[child.pid] = child
                unseen.append(child.pid)
    return list(found.values())


def kill(processes: Iterable[Process]) -> None:
    """SIGKILL, which a stopped process obeys too."""
    for process in processes:
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        except PermissionError as error:
            log.warning("Cannot kill process %d of the browser: %s", process.pid, error.strerror)


async def end_tree(profile: str, marker: str, started: Callable[[], int | None], session: int, killed: set[int]) -> None:
    """Kill the profile's browser and return when nothing of it lives.

    ``started`` tells which one is ours and not reaped yet. What was adopted of it is reaped: those in ``killed`` (emptied by this) and
    the last browser's ``session``.
    """
    pause = 0.002
    while processes := tree(profile, marker, started()):
        kill(processes)
        killed.update(process.pid for process in processes)
        await asyncio.sleep(pause)  # nothing tells of the end of a process that is not our child
        pause = min(pause * 2, 0.05)
    # A process counts as dead when its first thread is; what it leaves behind comes to us only with its last one.
    deadline = time.monotonic() + HANDED_OVER_S
    while _reap(killed, session) and time.monotonic() < deadline:
        await asyncio.sleep(pause)
    killed.clear()


def _reap(killed: set[int], session: int) -> bool:
    """Take the exit codes that nobody else waits for; tell whether one is still to come. Other edges' children are left to them.

    Nobody waits for what was handed over to us from a session that has no leader any more: crash handlers make themselves one, and end
    with their browser.
    """
    left = False
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        state, parent, _, sid, *_ = (*_stat(name), b"", b"", b"", b"")
        if state != b"Z":
            continue
        ours, doomed = int(parent) == os.getpid(), int(name) in killed or int(sid) == session
        if ours and (doomed or not _stat(sid.decode())):
            with suppress(ChildProcessError):
                left |= os.waitpid(int(name), os.WNOHANG) == (0, 0)
        else:
            left |= doomed
    return left


def memory(processes: Iterable[Process]) -> int:
    """Return the bytes the processes hold, shared pages counted once (PSS). Takes milliseconds for each: for a thread."""
    return sum(_proportional(process.pid) for process in processes)


def unit_memory(groups: str = "/sys/fs/cgroup", own: str = "/proc/self/cgroup") -> int | None:
    """Return the bytes of memory that our unit holds, files left out, which the kernel drops when it needs the room (cgroup v2).

    None where we are no unit, or the kernel counts no memory: Raspberry Pi OS tells it not to.
    """
    try:
        with open(own, encoding="utf-8") as file:
            group = next(line.rstrip("\n")[3:] for line in file if line.startswith("0::"))
        if "INVOCATION_ID" not in os.environ or not group.endswith(".service"):
            return None  # a terminal's group, or a session's, holds other programs too
        with open(f"{groups}{group}/memory.stat", encoding="ascii") as file:
            counted = dict(line.split() for line in file)
        return int(counted["anon"]) + int(counted["shmem"])
    except (OSError, ValueError, KeyError, StopIteration):
        return None


def _proportional(pid: int) -> int:
    for name, key in (("smaps_rollup", b"Pss:"), ("status", b"VmRSS:")):  # a sandboxed renderer shows only the second
        for line in _read(str(pid), name).splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * 1024
    return 0


def _living_parent(pid: str) -> int | None:
    fields = _stat(pid)
    return None if len(fields) < 2 or fields[0] in b"ZX" else int(fields[1])


def _stat(pid: str) -> list[bytes]:
    """State, parent, group, session and so on, after the name, which may hold anything."""
    return _read(pid, "stat").rpartition(b")")[2].split()


def _read(pid: str, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb", buffering=0) as file:
            return file.read()
    except OSError:  # ended meanwhile, or another user's
        return b""

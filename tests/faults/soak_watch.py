"""What is measured of a kioskd in the soak: whether it answers in time, and whether it grows."""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any

import psutil

from kioskd.edges import processes
from tests.faults.scene import Missed

#: So much may memory grow after the warm-up.
GROWTH = 0.05

#: kioskd's loop never stands still for longer. It is asked so often, so of a block as much is seen but a pace: an answer that
#: takes longer than the difference may have waited for a block of ``LATE_S``, and is too late. That is the resolution.
LATE_S, PACE_S = 1.0, 0.1

#: How often the asker looks for an answer, at least, and how many times as long a look takes by which the asker was late itself.
LOOK_S, LATER = 0.05, 1.5

MOMENTS = 15

#: asyncio's pool, which grows to this with use, and those that wait for inotify.
THREADS = min(32, (os.cpu_count() or 1) + 4) + 6

#: What the present browser may have left: it is reaped with the next start.
ZOMBIES = 3

#: Of each kind of process so many may have come since the warm-up: a renderer in reserve, and a helper with what needs it.
SPARE = 1


def looked(took: float) -> float:
    """Return how many of a look's seconds count: where it took far longer than ``LOOK_S``, on a busy machine, no more than these."""
    return took if took < LATER * LOOK_S else LOOK_S


async def answered(asking: Coroutine[Any, Any, object], within: float) -> float:
    """Return after how many seconds an answer came, less those that the asker was late; raise Missed beyond ``within``."""
    task, seconds, clock = asyncio.ensure_future(asking), 0.0, asyncio.get_running_loop().time
    try:
        while not task.done() and seconds <= within:
            began = clock()
            await asyncio.wait({task}, timeout=LOOK_S)
            seconds += looked(clock() - began)
        if seconds > within:
            raise Missed(f"kioskd had not answered after {seconds:.2f} s: its loop stood still for {LATE_S:g} s, or nearly")
        await task
    finally:
        task.cancel()
    return seconds


@dataclass(frozen=True, slots=True)
class Reading:
    """kioskd's own process, and the processes that it keeps: bytes, and how many."""

    memory: float
    descriptors: int
    threads: int
    processes: Counter[str]  # by kind


def grown(warm: Reading, now: Reading) -> list[str]:
    """Return what has grown since kioskd was warm."""
    said = []
    if now.memory > warm.memory * (1 + GROWTH):
        said.append(f"memory grew from {warm.memory / 1e6:.1f} to {now.memory / 1e6:.1f} MB")
    if now.descriptors > warm.descriptors:
        said.append(f"descriptors grew from {warm.descriptors} to {now.descriptors}")
    if now.threads > THREADS:
        said.append(f"{now.threads} threads, and {THREADS} are the most that its pool has")
    for kind, many in sorted(now.processes.items()):
        if many > warm.processes[kind] + SPARE:
            said.append(f"processes grew from {warm.processes[kind]} to {many} of the kind {kind}")
    return said


class Watch:
    """What is measured of kioskd's own process and of those that it keeps, and how it stood when it was warm."""

    def __init__(self, pid: int, profile: Path) -> None:
        self._process, self._profile = psutil.Process(pid), str(profile)
        self.warm: Reading | None = None
        self.now: Reading | None = None
        self._open_then: Counter[str] = Counter()
        self.compared = 0  # how often
        self.late = 0.0  # the latest answer, in seconds

    async def follow(self, ask: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Ask for a sign of life, again and again; raise Missed where one is too late."""
        while True:
            self.late = max(self.late, await answered(ask(), LATE_S - PACE_S))
            await asyncio.sleep(PACE_S)  # the pace of the asking

    async def measure(self) -> Reading:
        """The least of some moments, for probes, clients and Chromium's helpers come and go."""
        taken = []
        for _ in range(MOMENTS):
            taken.append((self._process.memory_info().rss, self.open().total(), self._process.num_threads(), self.kinds()))
            await asyncio.sleep(0.13)  # between two moments
        memory, descriptors, threads, kinds = zip(*taken, strict=True)
        self.now = Reading(min(memory), min(descriptors), min(threads), reduce(and_, kinds))
        return self.now

    def kinds(self) -> Counter[str]:
        """How many processes there are below kioskd, or on its browser's profile, of each kind: Chromium's word for it, or the program."""
        found = processes.tree(self._profile, "", self._process.pid)
        named = ((each, Path(each.command.split("\0")[0].split(" ")[0]).name) for each in found if each.pid != self._process.pid)
        return Counter(each.service or each.kind or name for each, name in named)

    def open(self) -> Counter[str]:
        """What kioskd has open, each by what it is; but for what watches a folder that nothing else watches.

        Of these there are as many as folders on the way to a build: one more where that is a link.
        """
        sockets = {each.fd: f"{each.laddr or 'unix'} - {each.raddr} {each.status}" for each in self._process.connections("all")}
        names: Counter[str] = Counter()
        for fd in Path(f"/proc/{self._process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                name = sockets.get(int(fd.name)) or os.readlink(fd)
                names[f"{name} {_watched(fd)}" if "inotify" in name else name] += 1
        return Counter({name: many if "inotify" not in name or "ino:" not in name else many - 1 for name, many in names.items()})

    def zombies(self) -> list[psutil.Process]:
        """The children of kioskd's that have ended and are not reaped."""
        found = []
        for each in self._process.children():
            with contextlib.suppress(psutil.NoSuchProcess):  # reaped meanwhile
                if each.status() == psutil.STATUS_ZOMBIE:
                    found.append(each)
        return found

    def warmed(self) -> None:
        """It is warm as it was measured last."""
        self.warm, self._open_then = self.now, self.open()

    def compare(self) -> list[str]:
        """Return what has grown since it was warm, by what was measured last."""
        assert self.warm is not None and self.now is not None
        self.compared += 1
        said = grown(self.warm, self.now)
        if self.now.descriptors > self.warm.descriptors:
            said.append(f"open and new are {sorted((self.open() - self._open_then).elements())}")
        return said


def _watched(fd: Path) -> str:
    """Return which folder an inotify descriptor watches: "" for none, as of one that somebody has forgotten."""
    lines = Path(str(fd).replace("/fd/", "/fdinfo/")).read_text().splitlines()
    return " ".join(word for line in lines if line.startswith("inotify") for word in line.split()[2:4])

"""The soak: random faults, overlapping, against one kioskd for as long as wanted. ``scripts/soak`` runs this.

A *round* is some faults at random moments, then everything outside is mended, then quiet. At the end of every quiet the right page is
back, by the server's word; and kioskd has grown neither in memory nor in descriptors nor in processes, was never late by a second, and
has restarted the browser no more often than its ladder allows. A run that fails tells its seed, and what it did.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from kioskd.demo.dist import How, lacks
from kioskd.demo.kiosk import Kiosk, merged
from tests.faults.case import quick
from tests.faults.scene import Missed, Scene, scene

#: So much may memory grow after the warm-up; so late may kioskd answer.
GROWTH, LATE_S = 0.05, 1.0

#: The ladder's slowest pace is a reload every five minutes, once an incident has had its three restarts.
BACK_S, LAST_PACE_S = 45.0, 300.0
RESTARTS = 3  # in one incident

#: Until all is imported that is imported when it is needed.
WARM_UP = 0.4

MOMENTS = 15

#: asyncio's pool, which grows to this with use, and those that wait for inotify.
THREADS = min(32, (os.cpu_count() or 1) + 4) + 6

#: What the present browser may have left: it is reaped with the next start.
ZOMBIES = 3

Fault = Callable[[Scene, float], Awaitable[None]]


def told(verb: str, **arguments: Any) -> Fault:
    """The page is told to do something."""

    async def fault(it: Scene, seconds: float) -> None:
        await it.dashboard.do(verb, **arguments)

    return fault


def switched(**switches: Any) -> Fault:
    """The server misbehaves for some seconds."""

    async def fault(it: Scene, seconds: float) -> None:
        await it.dashboard.switch(**switches)
        await it.dashboard.do("drop")
        await asyncio.sleep(seconds)

    return fault


def struck(number: int, kind: str | None) -> Fault:
    """The browser, or one kind of its processes, gets a signal; if there is any."""

    async def fault(it: Scene, seconds: float) -> None:
        for process in it.victim.processes(kind):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)

    return fault


def deployed(how: How) -> Fault:
    """A build comes in one of the ways builds come in."""

    async def fault(it: Scene, seconds: float) -> None:
        await asyncio.to_thread(it.dashboard.deploy, f"{it.chance.getrandbits(32)}", how)

    return fault


async def server_killed(it: Scene, seconds: float) -> None:
    """The server is gone for some seconds."""
    await it.dashboard.kill()
    await asyncio.sleep(seconds)
    await it.dashboard.start()


async def server_stopped(it: Scene, seconds: float) -> None:
    """The server accepts, and answers nothing, for some seconds."""
    it.dashboard.freeze()
    await asyncio.sleep(seconds)
    it.dashboard.thaw()


async def configuration_broken(it: Scene, seconds: float) -> None:
    """Somebody's editor leaves a broken file for some seconds."""
    assert it.kiosk is not None
    it.kiosk.write("url: [")
    await asyncio.sleep(seconds)
    it.kiosk.configure()


async def reload_wanted(it: Scene, seconds: float) -> None:
    """A deploy hook calls."""
    assert it.kiosk is not None
    await it.kiosk.reload()


async def hung_up_on(it: Scene, seconds: float) -> None:
    """The configuration is to be read again."""
    assert it.kiosk is not None
    it.kiosk.strike(signal.SIGHUP)


FAULTS: dict[str, Fault] = {
    "browser killed": struck(signal.SIGKILL, ""),
    "browser frozen": struck(signal.SIGSTOP, None),
    "main process frozen": struck(signal.SIGSTOP, ""),
    "renderer killed": struck(signal.SIGKILL, "renderer"),
    "renderer frozen": struck(signal.SIGSTOP, "renderer"),
    "GPU process killed": struck(signal.SIGKILL, "gpu-process"),
    "network service killed": struck(signal.SIGKILL, "network.mojom.NetworkService"),
    "endless loop": told("endless_loop"),
    "page busy": told("busy", seconds=2),
    "gave up": told("give_up"),
    "half open": told("half_open"),
    "connection dropped": told("drop"),
    "went away": told("navigate_away"),
    "error page": told("error_page"),
    "closes itself": told("window_close"),
    "reloads itself": told("reload_self"),
    "alert": told("alert"),
    "confirm": told("confirm"),
    "prompt": told("prompt"),
    "download": told("download"),
    "blank": told("blank"),
    "not alive": told("alive", value=False),
    "sockets refused": switched(socket="refuse"),
    "sockets closed at once": switched(socket="accept_and_close"),
    "server error": switched(http="500"),
    "bad gateway": switched(http="502"),
    "server silent": switched(http="hang"),
    "portal": switched(http="portal"),
    "sign-in": switched(http="basic_auth"),
    "login elsewhere": switched(index="redirect_login"),
    "assets missing": switched(http="blank"),
    "server killed": server_killed,
    "server stopped": server_stopped,
    "configuration broken": configuration_broken,
    "reload wanted": reload_wanted,
    "hung up on": hung_up_on,
    **{f"deploy: {how.value.replace('_', ' ')}": deployed(how) for how in How if how is not How.ASSETS},
}

#: These end the browser, or it is ended for them: a restart each is no fault of the ladder's.
FATAL = {name for name in FAULTS if "killed" in name or "frozen" in name or name in ("closes itself", "endless loop")}


@dataclass
class Watch:
    """What is measured of kioskd's own process, and how it stood when it was warm."""

    process: psutil.Process
    warm: dict[str, float] = field(default_factory=dict)
    open_then: Counter[str] = field(default_factory=Counter)
    late: float = 0.0

    async def measure(self) -> dict[str, float]:
        """Memory in bytes, descriptors, threads: the least of some moments, for probes and clients come and go."""
        taken = []
        for _ in range(MOMENTS):
            process = self.process
            taken.append((float(process.memory_info().rss), float(self.open().total()), float(process.num_threads())))
            await asyncio.sleep(0.13)  # between two moments
        return dict(zip(("memory", "descriptors", "threads"), map(min, zip(*taken, strict=True)), strict=True))

    async def follow(self, kiosk: Kiosk) -> None:
        """Ask for a sign of life, again and again; keep how late the latest was."""
        while True:
            began = time.monotonic()
            await kiosk.status()
            self.late = max(self.late, time.monotonic() - began)
            await asyncio.sleep(0.5)  # the pace of the asking

    def open(self) -> Counter[str]:
        """What kioskd has open, each by what it is; but for what watches a folder that nothing else watches.

        Of these there are as many as folders on the way to a build: one more where that is a link.
        """
        sockets = {each.fd: f"{each.laddr or 'unix'} - {each.raddr} {each.status}" for each in self.process.connections("all")}
        names: Counter[str] = Counter()
        for fd in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                name = sockets.get(int(fd.name)) or os.readlink(fd)
                names[f"{name} {_watched(fd)}" if "inotify" in name else name] += 1
        return Counter({name: many if "inotify" not in name or "ino:" not in name else many - 1 for name, many in names.items()})

    def compare(self, now: dict[str, float]) -> None:
        """Raise Missed where it has grown since it was warm."""
        if now["memory"] > self.warm["memory"] * (1 + GROWTH):
            raise Missed(f"memory grew from {self.warm['memory'] / 1e6:.1f} to {now['memory'] / 1e6:.1f} MB")
        if now["descriptors"] > self.warm["descriptors"]:
            new = sorted((self.open() - self.open_then).elements())
            raise Missed(f"descriptors grew from {self.warm['descriptors']:.0f} to {now['descriptors']:.0f}, and new are {new}")
        if now["threads"] > THREADS:
            raise Missed(f"{now['threads']:.0f} threads")


def _watched(fd: Path) -> str:
    """Return which folder an inotify descriptor watches: "" for none, as of one that somebody has forgotten."""
    lines = Path(str(fd).replace("/fd/", "/fdinfo/")).read_text().splitlines()
    return " ".join(word for line in lines if line.startswith("inotify") for word in line.split()[2:4])


class Soak:
    """One run."""

    def __init__(self, it: Scene, minutes: float) -> None:
        self._it, self._began, self._ends = it, time.monotonic(), time.monotonic() + minutes * 60
        self._minutes = minutes
        self.story: list[str] = []
        self.tally: Counter[str] = Counter()
        self.rounds, self.slowest = 0, 0.0
        self._bag: list[str] = []
        self._started, self._allowed = 1, 1

    @property
    def kiosk(self) -> Kiosk:
        """The one kioskd."""
        assert self._it.kiosk is not None
        return self._it.kiosk

    async def run(self) -> None:
        """Round after round, until the time is up; raises Missed."""
        assert self.kiosk.process is not None
        self.watch = Watch(psutil.Process(self.kiosk.process.pid))
        async with asyncio.TaskGroup() as group:
            following = group.create_task(self.watch.follow(self.kiosk))
            while time.monotonic() < self._ends:
                await self._round()
            following.cancel()

    async def _round(self) -> None:
        it = self._it
        self.rounds += 1
        async with asyncio.TaskGroup() as group:
            for _ in range(it.chance.randint(1, 4)):
                name = self._next()
                group.create_task(self._fault(name, it.chance.uniform(0, 8), it.chance.uniform(1, 10)))
        await self._mend()
        await self._quiet()

    def _next(self) -> str:
        """Every kind in turn, in another order each time."""
        if not self._bag:
            self._bag = it = sorted(FAULTS)
            self._it.chance.shuffle(it)
        return self._bag.pop()

    async def _fault(self, name: str, after: float, seconds: float) -> None:
        await asyncio.sleep(after)
        self._note(name)
        self.tally[name] += 1
        self._allowed += RESTARTS if name in FATAL else 0
        try:
            await FAULTS[name](self._it, seconds)
        except Exception as error:  # a server that is away cannot be told anything: two faults at a time are allowed
            self._note(f"{name}: {error}")

    async def _mend(self) -> None:
        """All is well outside; what the page does is kioskd's matter."""
        dashboard = self._it.dashboard
        with contextlib.suppress(ProcessLookupError):
            dashboard.thaw()
        await dashboard.switch(socket="normal", http="normal", index="normal", transport="websocket")
        if lacks(dashboard.dist, dashboard.index.read_text() if dashboard.index.exists() else ""):  # not otherwise: it would be a cure
            await asyncio.to_thread(dashboard.deploy, f"{self._it.chance.getrandbits(32)}", How.REBUILD)
        self._note("all is mended")

    async def _quiet(self) -> None:
        moment = time.monotonic()
        try:
            seconds = await self._it.dashboard.back(BACK_S, after=moment)
        except TimeoutError as error:
            if not (await self.kiosk.status())["needs_person"]:
                raise Missed(f"round {self.rounds}: {error}") from error
            seconds = await self._it.dashboard.back(LAST_PACE_S + BACK_S, after=moment)
        self.slowest = max(self.slowest, seconds)
        known = await self.kiosk.shows(BACK_S, verdict="HEALTHY", rung="CALM")
        self._note(f"back after {seconds:.1f} s")
        await self._judge(known)

    async def _judge(self, known: dict[str, Any]) -> None:
        """Nothing of kioskd has grown, and nothing was done too often."""
        self._allowed += RESTARTS
        self._started = known["browser"]["generation"]
        if self._started > self._allowed:
            raise Missed(f"{self._started} browsers started, and {self._allowed} are allowed")
        if len(self._it.victim.processes("")) != 1:
            raise Missed(f"{len(self._it.victim.processes(''))} browsers at a time")
        zombies = [each for each in self.watch.process.children() if each.status() == psutil.STATUS_ZOMBIE]
        if len(zombies) > ZOMBIES:
            raise Missed(f"zombies: {zombies}")
        if self.watch.late > LATE_S:
            raise Missed(f"an answer came {self.watch.late:.2f} s late")
        now = await self.watch.measure()
        if time.monotonic() - self._began < WARM_UP * self._minutes * 60 or not self.watch.warm:
            self.watch.warm, self.watch.open_then = now, self.watch.open()
        else:
            self.watch.compare(now)
        if sys.stderr.isatty():
            left = max(0.0, self._ends - time.monotonic()) / 60
            print(f"\r{self.rounds} rounds, {self.tally.total()} faults, {left:.0f} min left ", end="", file=sys.stderr, flush=True)

    def _note(self, what: str) -> None:
        self.story.append(f"{time.monotonic() - self._began:8.2f}  {what}")


@contextlib.asynccontextmanager
async def stage(folder: Path, seed: int) -> AsyncIterator[Scene]:
    """A kioskd with a page that gives up easily."""
    async with scene("kioskd", folder, dataclasses.replace(quick(), cold=0.0), seed) as it:
        it.follows_deploys()
        it.config = merged(it.config, {"health": {"websocket": {"silence": 4}}})
        await it.dashboard.switch(retry="weak", tries=5, retry_s=0.5)
        await it.start()
        yield it


async def run(minutes: float, seed: int, folder: Path) -> int:
    """Soak; tell; return the exit status."""
    async with stage(folder, seed) as it:
        soak, said = Soak(it, minutes), ""
        try:
            await soak.run()
        except* Missed as missed:
            said = "; ".join(map(str, missed.exceptions))
        now = await soak.watch.measure()
        print(f"\n{soak.rounds} rounds, {soak.tally.total()} faults of {len(soak.tally)} kinds, seed {seed}")
        print(f"slowest return {soak.slowest:.1f} s, latest answer {soak.watch.late:.2f} s")
        warm = soak.watch.warm.get("memory", 0.0)
        print(f"memory {warm / 1e6:.1f} MB when warm, {now['memory'] / 1e6:.1f} MB now; {now['descriptors']:.0f} descriptors")
        if said:
            print("\n".join(soak.story[-60:]))
            print(soak.kiosk.log()[-20_000:])
            print(f"MISSED: {said}\nAgain: scripts/soak --minutes {minutes:g} --seed {seed}")
            _, name = tempfile.mkstemp(prefix=f"kioskd-soak-{seed}-", suffix=".story", dir="/tmp")
            print(f"What was decided, and why: kioskd replay {await soak.kiosk.story(Path(name))}")
        return 1 if said else 0


def main() -> int:
    """``scripts/soak``."""
    says = "Random faults, overlapping, against one kioskd, for as long as wanted; its invariants are checked all along."
    parser = argparse.ArgumentParser(prog="scripts/soak", description=says)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default: 30)")
    parser.add_argument("--seed", type=int, default=random.getrandbits(32), help="of all chance (default: a new one; it is said)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kioskd-soak-") as folder:
        return asyncio.run(run(options.minutes, options.seed, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())

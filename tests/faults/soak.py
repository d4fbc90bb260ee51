"""The soak: random faults, overlapping, against one kioskd for as long as wanted. ``scripts/soak`` runs this.

A *round* is some faults at random moments, then everything outside is mended, then quiet. What found nobody to befall, because another
fault had been there first, is injected once more when the page is back. At the end of every quiet the right page is back, by the
server's word; kioskd has grown neither in memory nor in descriptors nor in processes, and has restarted the browser no more often than
its ladder allows. All along it answers within a second. A run that fails tells its seed, what it did, and what kioskd decided.

The seed decides which faults come, in which order, when and for how long: nothing that depends on how fast the machine is.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import math
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import aiohttp

from kioskd.demo.dist import How, lacks
from kioskd.demo.kiosk import Kiosk, merged
from kioskd.errors import EdgeUnavailable
from tests.faults.case import quick
from tests.faults.scene import Missed, Scene, scene
from tests.faults.soak_faults import (
    AFTER_S,
    EVERY_KIND_MIN,
    FAULTS,
    LASTS_S,
    RATE,
    REST_S,
    STUCK_TEXT,
    Injection,
    Round,
    allowed,
    lacking,
    rounds,
    the_kiosk,
    visiting,
)
from tests.faults.soak_watch import ZOMBIES, Watch
from tests.faults.visitor import admitting

#: The ladder's slowest pace is a reload every five minutes, once an incident has had its three restarts.
BACK_S, LAST_PACE_S = 45.0, 300.0

#: Until all is imported that is imported when it is needed: a part of the time.
WARM_UP = 0.4

#: So long a round takes at most, but for the ladder's slowest pace: twice all faults and the way back, and the quiet.
ROUND_S = REST_S[1] + 2 * (AFTER_S[1] + LASTS_S[1] + BACK_S) + BACK_S + 20.0

#: kioskd has told its story within so many seconds, or does not.
TOLD_S = 10.0

#: A page is silent after so many seconds. It is the longest of what kioskd waits for before it holds that something is wrong: of a page
#: that is empty, or says that it is stuck, the server sees nothing, and kioskd nothing sooner than it asks.
SILENCE_S = 4.0
NOTICED_S = SILENCE_S + 2 * quick().interval

#: The page sends an echo each second: one that is there still is heard of within so many.
STILL_S = 5.0


class Soak:
    """One run."""

    def __init__(self, it: Scene, minutes: float, seed: int) -> None:
        self._it, self._minutes, self._rounds = it, minutes, rounds(seed)
        self._began = time.monotonic()
        self._ends = math.inf
        self.story: list[str] = []
        self.tally: Counter[str] = Counter()  # of what took effect
        self.number, self.slowest = 0, 0.0  # of the round; the slowest return, in seconds
        self.watch: Watch | None = None
        self._generation = 0

    @property
    def kiosk(self) -> Kiosk:
        """The one kioskd."""
        return the_kiosk(self._it)

    async def run(self) -> None:
        """Start kioskd; round after round, until the time is up and kioskd was compared with itself; raises Missed, or whatever it is."""
        await self._it.start()
        process = self.kiosk.process
        assert process is not None
        self.watch = watch = Watch(process.pid, self._it.profile)
        self._generation = (await self.kiosk.status())["browser"]["generation"]
        self._began = time.monotonic()
        self._ends = self._began + self._minutes * 60
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(watch.follow(self.kiosk.status)), group.create_task(_lives(process))]
            while time.monotonic() < self._ends or not watch.compared:
                await self._round(next(self._rounds))
            for task in beside:
                task.cancel()
        if said := lacking(self.tally, self._minutes):
            raise Missed("; ".join(said))

    async def _round(self, this: Round) -> None:
        self.number, before = this.number, self._generation
        await asyncio.sleep(this.pause)  # chance
        befell, not_yet = await self._inject(this.injections)
        await self._mend(this.build)
        if not_yet:
            await self._back()
            late, never = await self._inject(not_yet)
            befell += late
            for each in never:
                self._note(f"{each.name}: not in this round")
            await self._mend(this.build)
        known = await self._quiet()
        self._generation = known["browser"]["generation"]
        await self._judge(self._generation - before, allowed(each.name for each in befell))

    async def _inject(self, injections: Iterable[Injection]) -> tuple[list[Injection], list[Injection]]:
        """Inject them; return which took effect, and which did not."""
        async with asyncio.TaskGroup() as group:
            tasks = [(each, group.create_task(self._fault(each))) for each in injections]
        return [each for each, task in tasks if task.result()], [each for each, task in tasks if not task.result()]

    async def _fault(self, this: Injection) -> bool:
        fault = FAULTS[this.name]
        await asyncio.sleep(this.after)  # chance
        try:
            befell = await fault.begins(self._it, this)
        except (EdgeUnavailable, OSError) as error:  # who is away cannot be told anything: several faults at a time are allowed
            self._note(f"{this.name}: not now: {error}")
            return False
        if not befell:
            self._note(f"{this.name}: not now: nobody is there")
            return False
        self._note(this.name)
        self.tally[this.name] += 1
        if fault.lasts:
            await asyncio.sleep(this.seconds)
        if fault.ends is not None:
            await fault.ends(self._it)
        return True

    async def _mend(self, build: str) -> None:
        """All is well outside; what the page does is kioskd's matter."""
        dashboard = self._it.dashboard
        with contextlib.suppress(ProcessLookupError):
            dashboard.thaw()
        await dashboard.switch(socket="normal", http="normal", index="normal", transport="websocket")
        if lacks(dashboard.dist, dashboard.index.read_text() if dashboard.index.exists() else ""):  # not otherwise: it would be a cure
            await asyncio.to_thread(dashboard.deploy, build, How.REBUILD)
        self._note("all is mended")

    async def _back(self) -> None:
        """Wait for the right page: where the ladder is at its slowest pace, until that has come round, which is no time of the soak's."""
        moment = time.monotonic()
        try:
            seconds = await self._it.dashboard.back(BACK_S, after=moment)
        except TimeoutError as error:
            if not (await self.kiosk.status())["needs_person"]:
                raise Missed(str(error)) from error
            seconds = await self._it.dashboard.back(LAST_PACE_S + BACK_S, after=moment)
            self._ends += seconds
        self.slowest = max(self.slowest, seconds)
        self._note(f"back after {seconds:.1f} s")

    async def _quiet(self) -> dict[str, Any]:
        """Wait until the right page is back and kioskd has found nothing wrong with it, and it is there still; return kioskd's status."""
        await self._back()
        await asyncio.sleep(NOTICED_S)  # or kioskd could be calm because it does not know yet
        try:
            calm = await self.kiosk.shows(BACK_S, verdict="HEALTHY", rung="CALM")
        except TimeoutError:
            known = await self.kiosk.status()
            raise Missed(f"the page is back, and kioskd not calm: {known['verdict']} ({known['rung']}): {known['why']}") from None
        await self._it.dashboard.back(STILL_S)
        return calm

    async def _judge(self, restarts: int, most: int) -> None:
        """Nothing of kioskd has grown, and nothing was done too often."""
        watch = self.watch
        assert watch is not None
        if restarts > most:
            raise Missed(f"the browser was restarted {restarts} times in one round, and {most} times are allowed")
        if (many := len(self._it.victim.processes(""))) != 1:
            raise Missed(f"{many} browsers at a time")
        async with visiting(self._it) as visitor:
            if len(pages := await visitor.pages()) != 1:
                raise Missed(f"{len(pages)} pages in one browser: {pages}")
        if len(zombies := watch.zombies()) > ZOMBIES:
            raise Missed(f"zombies: {zombies}")
        await watch.measure()
        if watch.warm is None or time.monotonic() - self._began < WARM_UP * self._minutes * 60:
            watch.warmed()
        elif said := watch.compare():
            raise Missed("; ".join(said))
        if sys.stderr.isatty():
            left = max(0.0, self._ends - time.monotonic()) / 60
            print(f"\r{self.number} rounds, {self.tally.total()} faults, {left:.0f} min left ", end="", file=sys.stderr, flush=True)

    def _note(self, what: str) -> None:
        self.story.append(f"{time.monotonic() - self._began:8.2f}  {what}")

    def lines(self) -> Iterator[str]:
        """Say what came to pass."""
        yield f"{self.number} rounds, {self.tally.total()} faults of {len(self.tally)} kinds took effect"
        yield f"slowest return {self.slowest:.1f} s"
        watch = self.watch
        if watch is not None:
            yield f"latest answer {watch.late:.2f} s; compared with itself {watch.compared} times"
            for which, read in (("when warm", watch.warm), ("last", watch.now)):
                if read is not None:
                    size = f"{read.memory / 1e6:.1f} MB, {read.descriptors} descriptors, {read.threads} threads"
                    kinds = ", ".join(f"{many} {kind}" for kind, many in sorted(read.processes.items()))
                    yield f"{which}: {size}; {kinds}"


async def _lives(process: asyncio.subprocess.Process) -> None:
    raise Missed(f"kioskd has ended by itself, with status {await process.wait()}")


@contextlib.asynccontextmanager
async def stage(folder: Path, seed: int) -> AsyncIterator[Scene]:
    """A kioskd that is not started yet, with a page that gives up easily, whichever process of the server serves it."""
    async with scene("kioskd", folder, dataclasses.replace(quick(), cold=0.0), seed) as it:
        it.follows_deploys()
        it.command = admitting(it.folder)
        it.config = merged(it.config, {"health": {"websocket": {"silence": SILENCE_S}, "page": {"stuck_text": STUCK_TEXT}}})
        it.dashboard.insists = {"retry": "weak", "tries": 5, "retry_s": 0.5}
        await it.dashboard.switch()
        yield it


def reasons(error: BaseException) -> list[str]:
    """Return what was wrong, each in a line; what nobody has thought of by its name, and print where it came from."""
    if isinstance(error, BaseExceptionGroup):
        return [line for each in error.exceptions for line in reasons(each)]
    if isinstance(error, Missed):
        return [str(error)]
    traceback.print_exception(error)
    return [f"{type(error).__name__}: {error}"]


async def replay(kiosk: Kiosk, seed: int) -> str:
    """Return how to go through what kioskd decided, as long as it answers."""
    handle, name = tempfile.mkstemp(prefix=f"kioskd-soak-{seed}-", suffix=".story", dir="/tmp")
    os.close(handle)
    try:
        async with asyncio.timeout(TOLD_S):
            return f"What was decided, and why: kioskd replay {await kiosk.story(Path(name))}"
    except (aiohttp.ClientError, OSError) as error:
        os.unlink(name)
        return f"kioskd tells its story no more ({type(error).__name__}): what it said is above"


async def run(minutes: float, seed: int, folder: Path) -> int:
    """Soak; tell; return the exit status. Whatever is raised is a miss."""
    again = f"scripts/soak --minutes {minutes:g} --seed {seed}"
    print(f"seed {seed}; the same faults again: {again}", flush=True)
    missed: list[str] = []
    try:
        async with stage(folder, seed) as it:
            soak = Soak(it, minutes, seed)
            try:
                await soak.run()
            except Exception as error:
                missed = [f"round {soak.number}: {line}" for line in reasons(error)]
                print("\n".join(soak.story[-60:]))
                if it.kiosk is not None:
                    print(it.kiosk.log()[-20_000:])
                    print(await replay(it.kiosk, seed))
            print("\n".join(soak.lines()))
    except Exception as error:  # of the stage: it could not be set up, or kioskd has left something behind
        missed += reasons(error)
    for line in missed:
        print(f"MISSED: {line}")
    if missed:
        print(f"Again: {again}")
    return 1 if missed else 0


def duration(text: str) -> float:
    """Return minutes; for argparse."""
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no time to soak for: give minutes, more than 0, as in --minutes 30")
    return minutes


def main() -> int:
    """``scripts/soak``."""
    says = "Random faults, overlapping, against one kioskd, for as long as wanted; its invariants are checked all along."
    says += f" At least {RATE:g} faults a minute take effect; from {EVERY_KIND_MIN:g} minutes on every kind of them."
    parser = argparse.ArgumentParser(prog="scripts/soak", description=says)
    parser.add_argument("--minutes", type=duration, default=30.0, help="how long (default: 30)")
    parser.add_argument("--seed", type=int, default=random.getrandbits(32), help="of all chance (default: a new one; it is said)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kioskd-soak-") as folder:
        return asyncio.run(run(options.minutes, options.seed, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())

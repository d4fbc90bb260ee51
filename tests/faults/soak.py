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
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import count
from operator import and_
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from kioskd.demo.dist import How, lacks, steps
from kioskd.demo.kiosk import Kiosk, merged
from kioskd.edges import processes
from kioskd.errors import EdgeUnavailable
from tests.faults.case import quick
from tests.faults.scene import Missed, Scene, scene
from tests.faults.visitor import Visitor, admitting

#: So much may memory grow after the warm-up.
GROWTH = 0.05

#: kioskd's loop never stands still for longer. It is asked so often, so of a block as much is seen but a pace: an answer that
#: takes longer than the difference may have waited for a block of ``LATE_S``, and is too late. That is the resolution.
LATE_S, PACE_S = 1.0, 0.1

#: How often the asker looks for an answer, at least, and how many times as long a look takes by which the asker was late itself.
LOOK_S, LATER = 0.05, 1.5

#: The ladder's slowest pace is a reload every five minutes, once an incident has had its three restarts.
BACK_S, LAST_PACE_S = 45.0, 300.0
RESTARTS = 3  # in one incident

#: Until all is imported that is imported when it is needed: a part of the time.
WARM_UP = 0.4

MOMENTS = 15

#: asyncio's pool, which grows to this with use, and those that wait for inotify.
THREADS = min(32, (os.cpu_count() or 1) + 4) + 6

#: What the present browser may have left: it is reaped with the next start.
ZOMBIES = 3

#: Of each kind of process so many may have come since the warm-up: a renderer in reserve, and a helper with what needs it.
SPARE = 1

#: Faults that took effect, a minute, at least.
RATE = 2.0

#: Of a round: how many faults, when they begin and for how long, and the pause before it (seconds).
SIZE, AFTER_S, LASTS_S, REST_S = (2, 5), (0.0, 8.0), (1.0, 10.0), (0.0, 10.0)

#: So long a round takes at most, but for the ladder's slowest pace: twice all faults and the way back, and the quiet.
ROUND_S = REST_S[1] + 2 * (AFTER_S[1] + LASTS_S[1] + BACK_S) + BACK_S + 20.0

#: A person has touched the page, or has seen which pages there are, within so many seconds, or does not come to it.
PERSON_S = 5.0

#: kioskd has told its story within so many seconds, or does not.
TOLD_S = 10.0

#: A page is silent after so many seconds. It is the longest of what kioskd waits for before it holds that something is wrong: of a page
#: that is empty, or says that it is stuck, the server sees nothing, and kioskd nothing sooner than it asks.
SILENCE_S = 4.0
NOTICED_S = SILENCE_S + 2 * quick().interval

#: The page sends an echo each second: one that is there still is heard of within so many.
STILL_S = 5.0

#: Shown by the page when it is told to, and at no other time: a page that gives up says so in English, and is to be known by its socket.
STUCK_TEXT = "Ingen anslutning till servern"


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault of a round: so many seconds after the round began, for so many seconds. ``build``: the version of what is deployed."""

    name: str
    after: float
    seconds: float
    build: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault.

    ``begins`` returns how many it befell (pages, processes, changes of the disk): 0 where there was nobody. One that ``lasts`` does so
    for some seconds; then it ``ends``, or it is there until all is mended. ``fatal``: it ends the browser, or the browser is ended for it,
    so that a restart is no fault of the ladder's.
    """

    begins: Callable[[Scene, Injection], Awaitable[int]]
    ends: Callable[[Scene], Awaitable[None]] | None = None
    lasts: bool = False
    fatal: bool = False


def told(verb: str, fatal: bool = False, **arguments: Any) -> Fault:
    """The page is told to do something."""

    async def begins(it: Scene, one: Injection) -> int:
        return await it.dashboard.do(verb, **arguments)

    return Fault(begins, fatal=fatal)


def touched(verb: str) -> Fault:
    """The page is told to do what Chromium lets it do only after a person has touched it."""

    async def begins(it: Scene, one: Injection) -> int:
        async with visiting(it) as visitor:
            await visitor.click()
            return await it.dashboard.do(verb)

    return Fault(begins)


def switched(**switches: Any) -> Fault:
    """The server misbehaves until it is mended."""

    async def begins(it: Scene, one: Injection) -> int:
        await it.dashboard.switch(**switches)
        await it.dashboard.do("drop")
        return 1

    return Fault(begins, lasts=True)


def struck(number: int, kind: str | None) -> Fault:
    """The browser, or one kind of its processes, gets a signal."""

    async def begins(it: Scene, one: Injection) -> int:
        hit = 0
        for process in it.victim.processes(kind):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
                hit += 1
        return hit

    return Fault(begins, fatal=True)


def deployed(how: How) -> Fault:
    """A build comes in one of the ways builds come in."""

    async def begins(it: Scene, one: Injection) -> int:
        return len(await asyncio.to_thread(list, steps(it.dashboard.dist, one.build, how)))

    return Fault(begins)


async def _server_killed(it: Scene, one: Injection) -> int:
    await it.dashboard.kill()
    return 1


async def _server_started(it: Scene) -> None:
    await it.dashboard.start()


async def _server_stopped(it: Scene, one: Injection) -> int:
    it.dashboard.freeze()  # it accepts, and answers nothing
    return 1


async def _server_goes_on(it: Scene) -> None:
    with contextlib.suppress(EdgeUnavailable, ProcessLookupError):  # it was killed meanwhile
        it.dashboard.thaw()


async def _configuration_broken(it: Scene, one: Injection) -> int:
    """Somebody's editor leaves a broken file."""
    _kiosk(it).write("url: [")
    return 1


async def _configuration_written(it: Scene) -> None:
    _kiosk(it).configure()


async def _reload_wanted(it: Scene, one: Injection) -> int:
    """A deploy hook calls."""
    await _kiosk(it).reload()
    return 1


async def _hung_up_on(it: Scene, one: Injection) -> int:
    """The configuration is to be read again."""
    _kiosk(it).strike(signal.SIGHUP)
    return 1


FAULTS: dict[str, Fault] = {
    "browser killed": struck(signal.SIGKILL, ""),
    "browser frozen": struck(signal.SIGSTOP, None),
    "main process frozen": struck(signal.SIGSTOP, ""),
    "renderer killed": struck(signal.SIGKILL, "renderer"),
    "renderer frozen": struck(signal.SIGSTOP, "renderer"),
    "GPU process killed": struck(signal.SIGKILL, "gpu-process"),
    "network service killed": struck(signal.SIGKILL, processes.NETWORK),
    "endless loop": told("endless_loop", fatal=True),
    "page busy": told("busy", seconds=2),
    "gave up": told("give_up"),
    "half open": told("half_open"),
    "connection dropped": told("drop"),
    "went away": told("navigate_away"),
    "error page": told("error_page"),
    "closes itself": told("window_close", fatal=True),
    "reloads itself": told("reload_self"),
    "alert": told("alert"),
    "confirm": told("confirm"),
    "prompt": told("prompt"),
    "asks before it is left": touched("beforeunload"),
    "prints": told("print"),
    "pop-up": touched("popup"),
    "download": told("download"),
    "blank": told("blank"),
    "says that it is stuck": told("stuck_text", text=STUCK_TEXT),
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
    "server killed": Fault(_server_killed, _server_started, lasts=True),
    "server stopped": Fault(_server_stopped, _server_goes_on, lasts=True),
    "configuration broken": Fault(_configuration_broken, _configuration_written, lasts=True),
    "reload wanted": Fault(_reload_wanted),
    "hung up on": Fault(_hung_up_on),
    **{f"deploy: {how.value.replace('_', ' ')}": deployed(how) for how in How if how is not How.ASSETS},
}

#: At the least rate so many minutes pass until every kind has had its turn: from then on each must have taken effect.
EVERY_KIND_MIN = len(FAULTS) / RATE


def _kiosk(it: Scene) -> Kiosk:
    assert it.kiosk is not None, "it is started"
    return it.kiosk


@contextlib.asynccontextmanager
async def visiting(it: Scene) -> AsyncIterator[Visitor]:
    """A person at the browser; raises EdgeUnavailable, or TimeoutError, where it is about to end, or stands still."""
    visitor = Visitor(it.profile)
    try:
        async with asyncio.timeout(PERSON_S), visitor:
            yield visitor
    except (aiohttp.ClientError, KeyError, TypeError, ValueError) as error:
        raise EdgeUnavailable(f"Cannot come to the browser: {error!r}") from error
    finally:
        await visitor.__aexit__(None, None, None)  # nobody else lets go where it did not get in


# --- what comes ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Round:
    """What a round is to be. ``build``: the version of what is built where a deploy has left less than a whole one."""

    number: int
    pause: float
    injections: tuple[Injection, ...]
    build: str


def rounds(seed: int) -> Iterator[Round]:
    """Deal rounds without end: every kind in turn, in another order each time, and never one twice in a round.

    Every round and every fault has dice of its own, so that the same seed gives the same whatever happens meanwhile.
    """
    bag: list[str] = []
    for number in count(1):
        dice = random.Random(f"{seed}/{number}")
        if not bag:
            bag = sorted(FAULTS)
            dice.shuffle(bag)
        size = min(dice.randint(*SIZE), len(bag))
        size += len(bag) - size == 1  # or the last one would be alone
        names = [bag.pop() for _ in range(size)]
        injections = tuple(_injection(name, random.Random(f"{seed}/{number}/{nth}")) for nth, name in enumerate(names, 1))
        yield Round(number, dice.uniform(*REST_S), injections, f"{dice.getrandbits(32)}")


def _injection(name: str, dice: random.Random) -> Injection:
    return Injection(name, dice.uniform(*AFTER_S), dice.uniform(*LASTS_S), f"{dice.getrandbits(32)}")


# --- what must hold -----------------------------------------------------------------------------


def allowed(names: Iterable[str]) -> int:
    """Return how many restarts of the browser a round may cost in which these faults took effect."""
    return RESTARTS * (1 + sum(FAULTS[name].fatal for name in names))


def lacking(tally: Counter[str], minutes: float) -> list[str]:
    """Return what has not befallen kioskd as often as it must in so many minutes."""
    said = []
    if tally.total() < RATE * minutes:
        said.append(f"{tally.total()} faults took effect, and {RATE * minutes:g} are the least in {minutes:g} minutes")
    if minutes >= EVERY_KIND_MIN and (absent := sorted(FAULTS.keys() - tally.keys())):
        said.append(f"of these none took effect in {minutes:g} minutes: {', '.join(absent)}")
    return said


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


# --- what is seen -------------------------------------------------------------------------------


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


# --- one run ------------------------------------------------------------------------------------


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
        return _kiosk(self._it)

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

"""The cases of the fault matrix: how one is written, and how it is played.

A case is a coroutine: *prepare*, ``await scene.start()``, *break*. Its first line says what happens; its decorator says which row of
the table it belongs to, and what is expected::

    @case("5", within=lambda t: t.reload_after + 7, touches=Touches.PAGE)
    async def gave_up_its_socket(scene: Scene) -> None:
        \"\"\"The page gives up its WebSocket; the server is up.\"\"\"
        await scene.start()
        await scene.dashboard.do("give_up")

The same case is played with kioskd, with the control (a Chromium that nobody keeps) and with the peers. Only the dashboard's server is
asked whether the page is back. Seconds count from the end of the coroutine, or from ``scene.begins()``.
"""

import asyncio
import dataclasses
import random
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from kioskd.core.policy import Health, Word
from kioskd.demo.dashboard import Dashboard
from kioskd.demo.dist import How
from kioskd.demo.kiosk import Kiosk, Victim, merged
from tests.faults import inside
from tests.faults.stage import QUICK, SMALL, START_S, TRIED_AGAIN_S, remember, tell, until

Seconds = Callable[["Times"], float]

HOLDING = "data:text/html;charset=utf-8;kioskd=holding"


@dataclass(frozen=True, slots=True)
class Times:
    """The patience a case is played with, in seconds; bounds are made of these."""

    interval: float
    reload_after: float
    restart_after: float
    load_timeout: float
    hang_after: float
    blank_after: float
    outage: float  # of a server that is away for long
    settle: float = 1.0
    quick: bool = False
    cold: float = 0.0  # C: a bare Chromium, from its start to the first nonce

    @property
    def health(self) -> dict[str, Any]:
        """The section of kioskd's configuration that goes with it."""
        return QUICK if self.quick else {}


def shipped() -> Times:
    """The patience as shipped, and ten minutes of outage."""
    health = Health()
    page, websocket = health.page, health.websocket
    assert not isinstance(page.blank_after, Word)
    return Times(
        health.interval, websocket.reload_after, websocket.restart_after, page.load_timeout, page.hang_after, page.blank_after, 600.0
    )  # fmt: skip


def quick() -> Times:
    """A patience of seconds: the relations between the times stay."""
    page, websocket = QUICK["page"], QUICK["websocket"]
    times = (websocket["reload_after"], websocket["restart_after"], page["load_timeout"], page["hang_after"], page["blank_after"])
    return Times(QUICK["interval"], *times, outage=3.0 * websocket["restart_after"], quick=True)


class Touches(Enum):
    """The smallest thing that helps, which is what kioskd has to do."""

    NOTHING = "the same document"
    PAGE = "the same process"
    BROWSER = "another process"
    EITHER = "either"


class Control(Enum):
    """What becomes of the page where nobody keeps the browser."""

    STAYS_AWAY = "stays away"
    HEALS = "self-healing"
    NONE = "no control"  # the fault is one of kioskd's own parts: there is nothing to break without it


@dataclass(frozen=True, slots=True)
class Case:
    """One way in which a fault can happen."""

    name: str
    row: str
    says: str
    play: Callable[["Scene"], Awaitable[None]]
    within: Seconds | None  # back within; None: nothing may happen
    undisturbed: Seconds | None  # nothing happens for so long
    touches: Touches
    control: Control
    why: str  # there is no control, or the control heals
    same_document: bool  # the page comes back by itself: the document may be the one from before
    once: bool  # one load, and no second
    not_before: Seconds | None  # the page is given so long to help itself
    alone: bool  # its bound is a cold start and a second
    slow: bool  # also where patience is short
    inside: bool  # needs a network and mounts of its own
    machine: bool  # needs a booted machine, whose systemd keeps kioskd
    unheard: bool  # the page has closed its connection on purpose: that it still stands is all that can be said at the end

    def bound(self, times: Times) -> float:
        """How soon the page is to be back, or for how long nothing is to happen, in seconds."""
        seconds = self.within or self.undisturbed
        assert seconds is not None
        return seconds(times)

    @property
    def needs_cold(self) -> bool:
        """Whether a cold start is part of what is expected."""
        times, cold = quick(), dataclasses.replace(quick(), cold=1.0)
        return any(each(times) != each(cold) for each in (self.within, self.undisturbed, self.not_before) if each is not None)


CASES: dict[str, Case] = {}


def case(
    row: str,
    *,
    within: Seconds | None = None,
    undisturbed: Seconds | None = None,
    touches: Touches = Touches.EITHER,
    control: Control = Control.STAYS_AWAY,
    why: str = "",
    same_document: bool = False,
    once: bool = False,
    not_before: Seconds | None = None,
    alone: bool = False,
    slow: bool = False,
    inside: bool = False,
    machine: bool = False,
    unheard: bool = False,
    name: str = "",
    **each: Any,
) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., Awaitable[None]]]:
    """Enter a case into the table (see ``Case``). ``name`` and further keywords: one of several, played with those."""
    assert (within is None) != (undisturbed is None), "either it comes back, or nothing happens"
    same_document = same_document or touches is Touches.NOTHING
    assert (control is Control.STAYS_AWAY) == (not why), "a control that does not stay away has its reason"
    if undisturbed is not None:
        assert control is not Control.STAYS_AWAY, "where nothing happens, nothing is wrong with the control either"

    def enter(play: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        slug = (name or play.__name__).replace("_", "-")
        said = (play.__doc__ or "").strip().split("\n")[0].format(**each)
        assert slug not in CASES and said.endswith("."), slug

        async def played(scene: "Scene") -> None:
            await play(scene, **each)

        CASES[slug] = Case(
            slug, row, said, played, within, undisturbed, touches, control, why, same_document, once, not_before,
            alone, slow, inside, machine, unheard,
        )  # fmt: skip
        return play

    return enter


class Missed(AssertionError):
    """What was expected did not happen."""


class Away(Exception):
    """The page was not back."""


def _known(value: object) -> bool:
    return value is not None


def _pid(victim: Victim) -> int | None:
    main = victim.processes("")
    return int(main[0].pid) if len(main) == 1 else None


@dataclass
class Scene:
    """A dashboard, who looks at it, and what a case may do to both. Up to ``start`` it can be told how they are to be."""

    dashboard: Dashboard
    who: str
    times: Times
    chance: random.Random
    folder: Path
    stack: AsyncExitStack
    url: str = ""
    config: dict[str, Any] = field(default_factory=dict)  # of kioskd, laid over the rest
    environment: dict[str, str] = field(default_factory=dict)
    flags: list[str] = field(default_factory=lambda: list(SMALL))
    command: str = "chromium"
    machine: bool = False  # kioskd is a unit there
    learnt: bool = True  # kioskd remembers the page's connection from an earlier run
    profile: Path = Path()
    _victim: Victim | None = None
    document: str | None = None  # before the fault
    pid: int = 0
    loads: int = 0
    moment: float | None = None

    @property
    def victim(self) -> Victim:
        """Whose browser it is."""
        assert self._victim is not None, "it is started"
        return self._victim

    @property
    def kiosk(self) -> Kiosk | None:
        """Kioskd; None in front of the control and the peers."""
        return self._victim if isinstance(self._victim, Kiosk) else None

    @property
    def kept(self) -> bool:
        """Whether it is kioskd that keeps the browser."""
        return self.who == "kioskd"

    def follows_deploys(self, **section: Any) -> None:
        """Let kioskd watch the dashboard's dist."""
        self.config = merged(self.config, {"deploy": {"index": str(self.dashboard.index), **section}})

    def script(self, name: str, text: str) -> str:
        """Write a command; return its path."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)
        return str(path)

    async def start(self, waits: bool = True) -> None:
        """Start whoever keeps the browser. ``waits``: until the page is there, and all is settled."""
        from tests.faults.victims import victim  # noqa: PLC0415 - they know scenes, too

        made = await victim(self)
        if self.kept and self.learnt:
            assert isinstance(made, Kiosk)
            remember(made.state, self.url, self.url.replace("http", "ws", 1) + "ws")
        self._victim = await self.stack.enter_async_context(made)
        if waits:
            await self.settled()

    async def settled(self) -> None:
        """Wait until the page is there and kioskd holds it for sound; then a moment of chance, so that no two runs are alike."""
        await self.dashboard.back(START_S)
        await self.shows(START_S, verdict="HEALTHY", rung="CALM", page__connection__dead_since=None)
        if self.config.get("health", {}).get("websocket", {}).get("url") != "off":
            await self.shows(START_S, page__connection__expected=_known, page__connection__open_since=_known, server__socket=_known)
        with suppress(TimeoutError):
            await self.dashboard.back(self.chance.uniform(0, self.times.interval), other_than=await self.dashboard.document())
        await self.note()

    async def note(self) -> None:
        """Note what there is before the fault."""
        self.document, self.pid, self.loads = await self.dashboard.document(), self.victim.pid, len(await self.dashboard.loads())

    def begins(self) -> None:
        """The fault begins now, or has been mended just now: seconds count from here."""
        self.moment = time.monotonic()

    async def lasts(self, seconds: float) -> None:
        """Let the fault last so long. The page cannot be back meanwhile."""
        try:
            await self.dashboard.back(seconds, other_than=self.document)
        except TimeoutError:
            return
        if self.kept:
            raise Missed("another document is there while the fault lasts")

    async def untouched(self) -> None:
        """Kioskd has left page and browser alone so far."""
        if self.kept:
            if self.victim.pid != self.pid:
                raise Missed("the browser was restarted")
            if len(await self.dashboard.loads()) != self.loads:
                raise Missed("the page was loaded again")

    async def shows(self, within: float, **wanted: Any) -> dict[str, Any]:
        """Wait until kioskd's status has these values (see ``Kiosk.shows``); the others have none."""
        return await self.kiosk.shows(within, **wanted) if self.kiosk is not None else {}

    async def logged(self, words: str, within: float = 5.0) -> None:
        """Wait until kioskd has said so in its log; the others have none."""
        if (kiosk := self.kiosk) is not None:
            try:
                await until(lambda: words in kiosk.log(), within)
            except TimeoutError as error:
                raise Missed(f"the log does not say: {words}") from error

    async def holds(self, **wanted: Any) -> None:
        """Wait until kioskd shows the holding page. From then on this browser is the one that is to stay."""
        if self.kept:
            await self.shows(START_S, page__url=HOLDING, **wanted)
            self.pid = self.victim.pid

    async def asks_for(self, path: str, within: float, after: float) -> None:
        """Wait until a browser asks for a path, which is what is expected first."""
        try:
            await self.dashboard.asked_for(path, within, after)
        except TimeoutError as error:
            raise Away(str(error)) from error

    async def restarted(self, after: float, within: float, since: float | None = None) -> None:
        """Wait for another process of the browser, which is what is expected first, and note it. ``since``: a monotonic moment."""
        since = time.monotonic() if since is None else since
        while (pid := _pid(self.victim)) in (None, self.pid):
            if time.monotonic() - since > within:
                raise Away(f"the browser was not restarted within {within:g} s")
            await asyncio.sleep(0.1)  # a process tells nobody that it begins
        if time.monotonic() - since < after:
            raise Missed(f"the browser was restarted after {time.monotonic() - since:.2f} s, and the page is given {after:g} s")
        assert pid is not None
        self.pid = pid

    async def deploy(self, version: str, how: How = How.RENAME) -> None:
        """Deploy a build; whoever has a hook is told."""
        self.dashboard.deploy(version, how)
        await self.victim.deployed()

    async def again(self, within: float) -> None:
        """Wait until the page is back between two faults of the same case."""
        try:
            await self.dashboard.back(within, other_than=self.document)
        except TimeoutError as error:
            raise Away(str(error)) from error
        await self.note()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended. Times in seconds."""

    case: str
    who: str
    seed: int
    quick: bool
    cold: float
    bound: float
    waited: float  # at most
    seconds: float | None  # until the page was back; None: it was not
    well: bool  # as expected: of kioskd and the control; the peers are only looked at
    said: str = ""  # what was otherwise
    steps: tuple[str, ...] | list[str] = ()  # of kioskd's ladder: "CRASHED: reload the page"


async def play(case: Case, who: str, folder: Path, times: Times, seed: int, waits: float = 1.0) -> Outcome:
    """Play a case with ``who``; ``waits``: how many times the bound is waited for the page."""
    if case.inside and not inside.here():
        return Outcome(**await inside.run(case.name, who, str(folder), dataclasses.asdict(times), seed, waits))
    bound, limit = case.bound(times), max(1.0, waits) * case.bound(times)
    outcome = Outcome(case.name, who, seed, times.quick, times.cold, bound, limit, None, False)
    async with scene(who, folder, times, seed) as it:
        it.machine = case.machine
        try:
            await case.play(it)
            seconds = await (_back(case, it, limit) if case.within else _undisturbed(case, it, bound))
        except Away as error:
            outcome = dataclasses.replace(outcome, well=not it.kept and case.control is Control.STAYS_AWAY, said=str(error))
        except (Missed, TimeoutError) as error:  # also in the midst of the preparations
            outcome = dataclasses.replace(outcome, said=str(error))
        else:
            said = await _wrong(case, it, seconds, bound) if it.kept else ""
            heals = it.kept or case.control is not Control.STAYS_AWAY
            outcome = dataclasses.replace(outcome, seconds=round(seconds, 3), well=heals and not said, said=said)
        if it.kiosk is not None:
            outcome = dataclasses.replace(outcome, steps=_steps(it.kiosk.log()))
            if not outcome.well:
                print(it.kiosk.log(), file=sys.stderr)
                await tell(it.kiosk)
    return outcome


async def _back(case: Case, it: Scene, limit: float) -> float:
    moment = time.monotonic() if it.moment is None else it.moment
    try:
        return await it.dashboard.back(limit, after=moment, other_than=None if case.same_document else it.document)
    except TimeoutError as error:
        raise Away(str(error)) from error


async def _undisturbed(case: Case, it: Scene, seconds: float) -> float:
    """Return 0 where for so long the document stays, in the same process, loaded once; and still lives at the end."""
    with suppress(TimeoutError):
        await it.dashboard.back(seconds, other_than=it.document)
        raise Missed("the document was replaced")
    if it.victim.pid != it.pid:
        raise Missed("the browser was restarted")
    if len(await it.dashboard.loads()) != it.loads:
        raise Missed("the page was loaded again")
    if not case.unheard:
        await it.dashboard.back(3.0)
    return 0.0


async def _wrong(case: Case, it: Scene, seconds: float, bound: float) -> str:
    """Return what kioskd has done beside bringing the page back in time."""
    if case.within is None:
        return ""
    if seconds > bound:
        return f"late: {seconds:.2f} s, and the bound is {bound:.2f} s"
    if case.not_before is not None and seconds < case.not_before(it.times):
        return f"early: after {seconds:.2f} s, and the page is given {case.not_before(it.times):g} s"
    if it.pid and case.touches is not Touches.EITHER and (it.victim.pid != it.pid) != (case.touches is Touches.BROWSER):
        return f"expected was {case.touches.value}"
    if case.touches is Touches.NOTHING and (await it.dashboard.document(), len(await it.dashboard.loads())) != (it.document, it.loads):
        return f"expected was {case.touches.value}"
    if case.once:
        document = await it.dashboard.document()
        with suppress(TimeoutError):
            await it.dashboard.back(it.times.settle + 3, other_than=document)
            return "a second document came"
        if len(await it.dashboard.loads()) != it.loads + 1:
            return f"{len(await it.dashboard.loads()) - it.loads} loads, and expected was one"
    return ""


def _steps(log: str) -> tuple[str, ...]:
    """The steps of the ladder that were taken, each once, as kioskd's log has them."""
    return tuple(dict.fromkeys(f"{verdict}: {remedy}" for remedy, verdict in re.findall(r"> ([a-z ]+) \(([A-Z_]+)\)", log)))


@asynccontextmanager
async def scene(who: str, folder: Path, times: Times, seed: int) -> AsyncIterator[Scene]:
    """A dashboard of its own, and nobody in front of it yet."""
    folder = folder / who
    folder.mkdir(parents=True)
    async with AsyncExitStack() as stack:
        dashboard = await stack.enter_async_context(Dashboard(folder / "dist"))
        it = Scene(dashboard, who, times, random.Random(seed), folder, stack, url=dashboard.url, profile=folder / "profile")
        it.config = {"health": dict(times.health)}
        yield it


async def tried_again(it: Scene) -> None:
    """Wait until Chromium's own tries of an error page (1 s, 5 s) are over: they are not what helps anybody here."""
    await it.lasts(2 * it.times.interval if it.kept else TRIED_AGAIN_S)


def limit_s(case: Case, times: Times) -> float:
    """Within how many seconds a case has ended, whatever happens: it only turns a hang into a failure."""
    return 3 * START_S + 2 * times.outage + 4 * case.bound(times) + 60.0

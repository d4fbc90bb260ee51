"""The scene of a case: a dashboard, who looks at it, and what a case may do to both."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kioskd.demo.dashboard import Dashboard
from kioskd.demo.dist import How
from kioskd.demo.kiosk import Kiosk, Victim, merged
from tests.faults.case import Times
from tests.faults.stage import SMALL, START_S, TRIED_AGAIN_S, remember, until

HOLDING = "data:text/html;charset=utf-8;kioskd=holding"


class Missed(AssertionError):
    """What was expected did not happen."""


class Away(Exception):
    """The page was not back. ``waited``: for so many seconds, where that is not as long as the case would have waited for it."""

    def __init__(self, said: str, waited: float | None = None) -> None:
        super().__init__(said)
        self.waited = waited


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
    bound: float = 0.0  # within so many seconds kioskd is to have the page back
    waits: float = 1.0  # how many times as long as kioskd is allowed the others are waited for
    profile: Path = Path()
    _victim: Victim | None = None
    document: str | None = None  # before the fault
    pid: int = 0
    loads: int = 0
    noted_at: float | None = None  # monotonic, when that was noted
    moment: float | None = None
    burns: bool = False  # a script of the page takes all that a processor has
    calm_at: float | None = None  # monotonic, when it was noted for the first time: before any fault

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

        made = victim(self)
        if self.kept and self.learnt:
            assert isinstance(made, Kiosk)
            remember(made.state, self.url, self.url.replace("http", "ws", 1) + "ws")
        self._victim = await self.stack.enter_async_context(made)
        if waits:
            await self.settled()

    async def settled(self) -> None:
        """Wait until the page is there and kioskd holds it for sound; then a moment of chance, so that no two runs are alike."""
        await self.dashboard.back(START_S)
        calm = {} if self.times.quick else {"rung": "CALM"}  # ten seconds more: the start is forgotten, which was held against nobody
        await self.shows(START_S, verdict="HEALTHY", page__connection__dead_since=None, **calm)
        if self.config.get("health", {}).get("websocket", {}).get("url") != "off":
            await self.shows(START_S, page__connection__expected=_known, page__connection__open_since=_known, server__socket=_known)
        with suppress(TimeoutError):
            await self.dashboard.back(self.chance.uniform(0, self.times.interval), other_than=await self.dashboard.document())
        await self.note()

    async def note(self) -> None:
        """Note what there is before the fault."""
        self.noted_at = time.monotonic()
        self.document, self.pid, self.loads = await self.dashboard.document(), self.victim.pid, len(await self.dashboard.loads())
        self.calm_at = self.calm_at or self.noted_at

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

    async def recorded(self, words: str, within: float = 5.0) -> None:
        """Wait until kioskd's story tells so, which tells more than its log; the others have none."""
        if self.kiosk is None:
            return
        deadline = time.monotonic() + within
        while words not in (await self.kiosk.story()).read_text():
            if time.monotonic() > deadline:
                raise Missed(f"the story does not tell: {words}")
            await asyncio.sleep(0.2)  # it has no events

    async def holds(self, **wanted: Any) -> None:
        """Wait until kioskd shows the holding page. From then on this browser is the one that is to stay."""
        if self.kept:
            await self.shows(START_S, page__url=HOLDING, **wanted)
            self.pid = self.victim.pid

    async def asks_for(self, path: str, within: float, after: float, ends: bool = False) -> None:
        """Wait until a browser asks for a path, which is what is expected of kioskd first; where others do not, the fault goes on.

        ``ends``: by that alone the fault ends, so they are waited for as for the page; and whose page is back has come without it.
        """
        limit = self._limit(within, ends)
        waiting = [asyncio.create_task(self.dashboard.asked_for(path, limit, after))]
        if ends and not self.kept:
            waiting.append(asyncio.create_task(self.dashboard.back(limit, opened_after=self.noted_at)))
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            await done.pop()
        except TimeoutError as error:
            if self.kept or ends:
                raise Away(str(error), limit) from error
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def restarted(self, after: float, within: float, since: float | None = None, ends: bool = False) -> None:
        """Wait for another process of the browser, which is what is expected of kioskd first, and note it; as ``asks_for``.

        ``since``: a monotonic moment.
        """
        since = time.monotonic() if since is None else since
        limit = self._limit(within, ends)
        while (pid := _pid(self.victim)) in (None, self.pid):
            if time.monotonic() - since > limit:
                if self.kept or ends:
                    raise Away(f"the browser was not restarted within {limit:g} s", limit)
                return
            await asyncio.sleep(0.1)  # a process tells nobody that it begins
        if self.kept and time.monotonic() - since < after:
            raise Missed(f"the browser was restarted after {time.monotonic() - since:.2f} s, and the page is given {after:g} s")
        assert pid is not None
        self.pid = pid

    def _limit(self, within: float, ends: bool = True) -> float:
        """How long whoever plays is waited for; the others, where nothing comes after it, as long as for the page itself."""
        return self.waits * max(within, self.bound) if ends and not self.kept else within

    async def deploy(self, version: str, how: How = How.RENAME) -> None:
        """Deploy a build; whoever has a hook is told."""
        self.dashboard.deploy(version, how)
        await self.victim.deployed()

    async def again(self, within: float) -> None:
        """Wait until the page is back between two faults of the same case."""
        limit = self._limit(within)
        try:
            await self.dashboard.back(limit, opened_after=self.noted_at)
        except TimeoutError as error:
            raise Away(str(error), limit) from error
        await self.note()


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

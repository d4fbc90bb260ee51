"""The loop, with a real inbox and real tasks, and rooms that do as they are told."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable

import pytest

from kioskd.core import actions as a
from kioskd.core.facts import Answer, BrowserGone, BrowserStarted, ConfigRead, Done, Fact, Failed, ServerAnswered
from kioskd.core.policy import Policy
from kioskd.core.verdict import Judgement, Verdict
from kioskd.edges.notify import Notify, NullNotify
from kioskd.errors import BrowserGone as Gone
from kioskd.shell import Shell
from tests.aio import asynctest

HOME = "http://127.0.0.1:1/"


class Systemd(NullNotify):
    """Hears what systemd would hear, in order."""

    def __init__(self, watchdog_period_s: float | None = None) -> None:
        self.heard: list[str] = []
        self.watchdog_period_s = watchdog_period_s
        self.pinged = asyncio.Event()

    def status(self, text: str) -> None:
        self.heard.append(text)

    def watchdog(self) -> None:
        self.heard.append("WATCHDOG=1")
        self.pinged.set()

    def _send(self, message: str) -> bool:
        self.heard.append(message)
        return True


class Rooms:
    """Every verb there is: each writes down its order, and does what the test says, or nothing."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.orders: list[a.Action] = []
        self.ordered = asyncio.Event()
        self.does: dict[type, Callable[[a.Action], Awaitable[None]]] = {}
        kinds = [kind for kind in a.Action.__args__ if kind is not a.Steps]
        shell.serve({kind: self._verb for kind in kinds})

    async def _verb(self, action: a.Action) -> None:
        self.orders.append(action)
        self.ordered.set()
        if type(action) in self.does:
            await self.does[type(action)](action)

    async def wait_for(self, kind: type, times: int = 1) -> None:
        async with asyncio.timeout(10):
            while sum(isinstance(order, kind) for order in self.orders) < times:
                self.ordered.clear()
                await self.ordered.wait()


class Story:
    """A shell that runs while the test speaks to it."""

    def __init__(self, watchdog_period_s: float | None = None) -> None:
        self.systemd = Systemd(watchdog_period_s)
        self.shell = Shell(self.systemd)
        self.rooms = Rooms(self.shell)
        self.facts: list[Fact] = []
        handle = self.shell.kernel.handle

        def overheard(fact: Fact, now: float) -> tuple[list[a.Action], float]:
            self.facts.append(fact)
            return handle(fact, now)

        self.shell.kernel.handle = overheard  # type: ignore[method-assign]

    async def __aenter__(self) -> "Story":
        self._running = asyncio.get_running_loop().create_task(self.shell.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.shell.stop()
        async with asyncio.timeout(10):
            await self._running


#: The first thing that is done.
START = a.Steps((a.StartDisplay(1), a.StartBrowser(1)))


async def answers(story: Story, action: a.Action) -> None:
    assert isinstance(action, a.ProbeServer)
    story.shell.emit(ServerAnswered(action.probe, action.url, Answer(200, html=True, at_home=True)))


async def starts(story: Story, action: a.Action) -> None:
    assert isinstance(action, a.StartBrowser)
    story.shell.emit(BrowserStarted(action.generation, 1, "Chrome/1"))


@asynctest
async def test_a_fact_leads_to_actions_and_they_end_in_facts() -> None:
    async with Story() as story:
        story.rooms.does = {a.ProbeServer: lambda act: answers(story, act), a.StartBrowser: lambda act: starts(story, act)}
        story.shell.emit(ConfigRead(Policy(url=HOME)))
        await story.rooms.wait_for(a.Navigate)
    assert story.rooms.orders[:2] == [a.StartDisplay(1), a.StartBrowser(1)]
    assert Done(START) in story.facts


@asynctest
async def test_what_a_room_cannot_do_ends_in_failed_with_its_sentence() -> None:
    async def cannot(action: a.Action) -> None:
        raise Gone("there is no Chromium")

    async with Story() as story:
        story.rooms.does = {a.StartBrowser: cannot}
        story.shell.emit(ConfigRead(Policy(url=HOME)))
        await story.rooms.wait_for(a.StartBrowser)
        story.shell.emit(ConfigRead(Policy(url=HOME)))
        await story.rooms.wait_for(a.ProbeServer)
    assert Failed(START, "there is no Chromium") in story.facts


@asynctest
async def test_what_goes_wrong_again_and_again_is_told_once_and_again_when_all_was_well(caplog: pytest.LogCaptureFixture) -> None:
    def told(text: str) -> int:
        return sum(text in record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)

    async with Story() as story:
        for reason in ("no screen", "no screen", "no Chromium", "no screen"):
            story.shell._warn(reason, "! %s", reason)
        assert (told("no screen"), told("no Chromium")) == (1, 1)
        story.rooms.does = {a.ProbeServer: lambda act: answers(story, act), a.StartBrowser: lambda act: starts(story, act)}
        story.shell.emit(ConfigRead(Policy(url=HOME)))
        await story.rooms.wait_for(a.Navigate)
        assert told("start the browser") == 1
    story.shell.kernel.judgement = Judgement(Verdict.HEALTHY, 0.0, "well", None)
    story.shell._tell(0.0, [])
    story.shell._warn("no screen", "! %s", "no screen")
    assert told("no screen") == 2


@asynctest
async def test_a_bug_in_a_room_takes_nothing_else_down() -> None:
    async def bug(action: a.Action) -> None:
        raise ZeroDivisionError

    async with Story() as story:
        story.rooms.does = {a.StartBrowser: bug}
        story.shell.emit(ConfigRead(Policy(url=HOME)))
        await story.rooms.wait_for(a.StartBrowser)
        await story.rooms.wait_for(a.ProbeServer)
    assert any(isinstance(fact, Failed) and "bug" in fact.reason for fact in story.facts)


@asynctest
async def test_an_action_that_never_ends_is_cancelled_at_its_deadline() -> None:
    class Quick(a.ReadDeploy):
        deadline_s = 0.01

    forever = asyncio.Event()
    shell = Shell(NullNotify())

    async def hangs(action: a.Action) -> None:
        await forever.wait()

    shell.serve({Quick: hangs})
    await shell._perform(Quick())
    assert await shell._next(float("inf")) == Failed(Quick(), "not done within 0.01 s")


@asynctest
async def test_steps_stop_at_the_first_that_fails() -> None:
    shell, done = Shell(NullNotify()), []

    async def refused(action: a.Action) -> None:
        raise Gone("no")

    async def noted(action: a.Action) -> None:
        done.append(action)

    shell.serve({a.EndScript: refused, a.Reload: noted, a.StopLoading: noted})
    steps = a.Steps((a.StopLoading(1), a.EndScript(1), a.Reload(1)))
    await shell._perform(steps)
    assert done == [a.StopLoading(1)]
    assert await shell._next(float("inf")) == Failed(steps, "no")


@asynctest
async def test_of_several_steps_the_one_that_took_too_long_is_told() -> None:
    shell = Shell(NullNotify())

    async def hangs(action: a.Action) -> None:
        await asyncio.Event().wait()

    shell.serve({a.EndScript: hangs})
    steps = a.Steps((a.EndScript(1), a.Reload(1)))
    await shell._perform(steps)
    assert await shell._next(float("inf")) == Failed(steps, "EndScript not done within 1 s")


@asynctest
async def test_evidence_that_cannot_be_had_costs_no_step() -> None:
    shell, done = Shell(NullNotify()), []

    async def hangs(action: a.Action) -> None:
        await asyncio.Event().wait()

    async def noted(action: a.Action) -> None:
        done.append(action)

    shell.serve({a.KeepEvidence: hangs, a.Reload: noted})
    steps = a.Steps((a.KeepEvidence(1), a.Reload(1)))
    await shell._perform(steps)
    assert done == [a.Reload(1)] and await shell._next(float("inf")) == Done(steps)


@asynctest
async def test_ready_comes_after_the_first_turn_and_the_ping_from_a_finished_turn_only() -> None:
    async with Story() as story:
        assert story.systemd.heard == []
        story.shell.emit(ConfigRead(Policy()))
        await story.rooms.wait_for(a.StartBrowser)
    turn = story.systemd.heard[:3]
    assert turn[0].startswith("NO_BROWSER") and turn[1:] == ["WATCHDOG=1", "READY=1"]


@asynctest
async def test_the_watchdog_wakes_an_idle_loop_in_time() -> None:
    async with Story(watchdog_period_s=0.05) as story:
        for _ in range(3):
            story.systemd.pinged.clear()
            async with asyncio.timeout(1):
                await story.systemd.pinged.wait()


@asynctest
async def test_a_turn_that_comes_too_early_to_ping_puts_the_next_ping_off_by_little() -> None:
    period_s, pings = 1.2, asyncio.Queue[float]()

    class Notifier:
        def notify(self, message: str) -> None:
            if message == "WATCHDOG=1":
                pings.put_nowait(time.monotonic())

    shell = Shell(Notify(Notifier(), period_s))
    shell.kernel.handle = lambda fact, now: ([], math.inf)  # type: ignore[method-assign]
    running = asyncio.create_task(shell.run())
    first = await pings.get()
    asyncio.get_running_loop().call_later(period_s / 3 - 0.05, shell.emit, BrowserGone(1, "too early"))
    assert await pings.get() - first < 0.75 * period_s
    shell.stop()
    await running


@asynctest
async def test_a_bug_in_the_core_ends_the_loop_loudly_and_unfed() -> None:
    story = Story()
    story.shell.emit(object())  # type: ignore[arg-type]
    story.shell.kernel.handle = lambda fact, now: 1 / 0  # type: ignore[assignment,method-assign,return-value]
    with pytest.raises(ExceptionGroup):
        await story.shell.run()
    assert "WATCHDOG=1" not in story.systemd.heard


@asynctest
async def test_a_late_turn_is_known_as_late_before_any_fact_of_that_time() -> None:
    clock = [0.0]
    shell = Shell(NullNotify(), lambda: clock[0])
    shell.emit(BrowserGone(1, "while nobody looked"))
    clock[0] = 30.0
    woke = await shell._next(10.0)
    assert type(woke).__name__ == "Woke" and woke.due == 10.0  # type: ignore[union-attr]


@asynctest
async def test_stopping_cancels_what_is_under_way() -> None:
    cancelled = asyncio.Event()

    async def slow(action: a.Action) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with Story() as story:
        story.rooms.does = {a.StartBrowser: slow}
        story.shell.emit(ConfigRead(Policy(url=HOME)))
        await story.rooms.wait_for(a.StartBrowser)
    assert cancelled.is_set()
    assert story.shell.kernel.judgement.verdict is Verdict.NO_BROWSER

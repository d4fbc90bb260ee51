"""THE loop: takes facts from the inbox, hands them to the kernel, carries out what the kernel orders.

The only place with a timer and the only one that makes tasks. It decides nothing: not what is wrong, not what helps, not when
to look again. An action becomes a task with a deadline, and ends in ``Done`` or ``Failed``: facts like any other.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from kioskd.core.actions import Action, KeepEvidence, Steps
from kioskd.core.facts import Done, Fact, Failed, Woke
from kioskd.core.incidents import Chronicle, Entry, Kind
from kioskd.core.kernel import Kernel
from kioskd.core.story import ROUNDS, Story
from kioskd.core.verdict import Verdict
from kioskd.edges.log import message_id
from kioskd.edges.notify import NullNotify
from kioskd.errors import KioskdError
from kioskd.wire.status import Clocks, line

log = logging.getLogger(__name__)

Verb = Callable[[Any], Awaitable[None]]

#: A load is no news; recovery that works is a warning; the way back is news.
LEVELS = {Verdict.LOADING: logging.DEBUG, Verdict.HEALTHY: logging.INFO, Verdict.PAUSED: logging.INFO}

#: A screen that is missing is tried every 5 s, for ever: what was said is not said again within so many seconds, until all was well.
REPEAT_S = 600.0

#: The loop counts as turning when its last turn is not longer ago than this: it sleeps for a minute at most.
ALIVE_S = 90.0

#: In a watchdog's period, at least. A turn pings when the last ping is a third of the period old: so none comes later than half of it.
TURNS = 6


class Shell:
    """The loop around one kernel."""

    def __init__(self, notify: NullNotify, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` counts seconds and never jumps."""
        self.kernel = Kernel()
        self.story = Story(self.kernel)
        self.chronicle = Chronicle(self.kernel)
        self.record: Callable[[list[Entry]], int] = lambda entries: 0  # returns the number of the incident
        self.verbs: dict[type[Action], Verb] = {}
        self._notify = notify
        self._clock = clock
        self._inbox: asyncio.Queue[Fact | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._shown: tuple[Any, ...] = ()
        self._number = 0  # of the present incident
        self._warned: dict[object, float] = {}  # when
        self._ready = False
        self.ordered: Callable[[float, list[Action]], None] = lambda now, actions: None  # called in each turn
        self.turned: Callable[[], None] = lambda: None  # called at the end of each turn
        self.turned_at = self.healthy_at = clock()

    def serve(self, verbs: Mapping[type[Action], Verb]) -> None:
        """Add who carries out which action."""
        self.verbs.update(verbs)

    def emit(self, fact: Fact) -> None:
        """Put a fact into the inbox (from the loop's own thread)."""
        self._inbox.put_nowait(fact)

    def stop(self) -> None:
        """End the loop after the facts that are already in."""
        self._inbox.put_nowait(None)

    def alive(self) -> bool:
        """Tell whether the loop turns."""
        return self._clock() - self.turned_at < ALIVE_S

    async def run(self) -> None:
        """Turn until stopped. Actions under way are cancelled then."""
        wake_at = self._clock()
        async with asyncio.TaskGroup() as group:
            while (fact := await self._next(wake_at)) is not None:
                now = self._clock()
                actions, wake_at = self.kernel.handle(fact, now)
                self.story.add(now, fact, actions)
                entries = self.chronicle.turn(now, fact)
                if self._notify.watchdog_period_s is not None:
                    wake_at = min(wake_at, now + self._notify.watchdog_period_s / TURNS)
                for action in actions:
                    task = group.create_task(self._perform(action))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                self._tell(now, entries)
                self.ordered(now, actions)
            for task in self._tasks:
                task.cancel()

    async def _next(self, wake_at: float) -> Fact | None:
        """Return the next fact. The timer comes first when it is due, so that no flood of facts can hide how late it is."""
        if self._clock() >= wake_at and self._inbox.empty() is False:
            return Woke(wake_at)
        try:
            async with asyncio.timeout(max(0.0, wake_at - self._clock())):
                return await self._inbox.get()
        except TimeoutError:
            return Woke(wake_at)

    async def _perform(self, action: Action) -> None:
        log.debug("> %s", action)
        try:
            await self._carry_out(action)
        except TimeoutError as error:
            outcome: Done | Failed = Failed(action, str(error))
        except (KioskdError, OSError) as error:
            outcome = Failed(action, str(error) or type(error).__name__)
        except Exception as error:  # a bug in one edge must not take the screen away
            log.exception("Cannot carry out %s", action)
            outcome = Failed(action, f"bug: {error!r}")
        else:
            outcome = Done(action)
        if isinstance(outcome, Failed) and not isinstance(action, ROUNDS):
            self._warn((type(action), outcome.reason), "! %s: %s", action, outcome.reason)
        self.emit(outcome)

    async def _carry_out(self, action: Action) -> None:
        if isinstance(action, Steps):
            for part in action.actions:
                try:
                    await self._carry_out(part)
                except TimeoutError as error:
                    if not isinstance(part, KeepEvidence):  # which is never worth a step that helps
                        raise TimeoutError(f"{type(part).__name__} {error}") from error
            return
        try:
            async with asyncio.timeout(action.deadline_s):
                await self.verbs[type(action)](action)
        except TimeoutError as error:
            raise TimeoutError(f"not done within {action.deadline_s:g} s") from error

    def _warn(self, what: object, text: str, *more: object, **fields: object) -> None:
        now = self._clock()
        again = now - self._warned.get(what, -REPEAT_S) < REPEAT_S
        if not again:
            self._warned = {one: at for one, at in self._warned.items() if now - at < REPEAT_S}
            self._warned[what] = now
        log.log(logging.DEBUG if again else logging.WARNING, text, *more, extra=fields)

    def _tell(self, now: float, entries: list[Entry]) -> None:
        """End a turn: systemd hears of it here and nowhere else; the log gets a line for each change of verdict or rung, and each step."""
        self.turned_at = now
        judgement, ladder = self.kernel.judgement, self.kernel.ladder
        if entries:
            self._number = self.record(entries)
        fields = {"INCIDENT": self._number} if self.chronicle.telling else {}
        for entry in entries:
            if entry.kind is Kind.CURED:
                cure = entry.remedy.value if entry.remedy else "by itself"
                more = {"MESSAGE_ID": message_id("CURED"), "INCIDENT": self._number}
                log.info("+ CURED after %.1f s: %s", entry.seconds, cure, extra=more)
        if self._shown != (judgement.verdict, ladder.rung):
            self._shown = (judgement.verdict, ladder.rung)
            level, name = LEVELS.get(judgement.verdict, logging.WARNING), judgement.verdict.value
            log.log(level, "= %s (%s): %s", name, ladder.rung.name, judgement.why, extra={"MESSAGE_ID": message_id(name), **fields})
        incident = ladder.incident
        if incident is not None and incident.last is not None and incident.acted_at == now:
            verdict, remedy = incident.last
            self._warn(incident.last, "> %s (%s)", remedy.value, verdict.value, MESSAGE_ID=message_id("STEP"), **fields)
        if judgement.verdict is Verdict.HEALTHY:
            self.healthy_at = now
            self._warned.clear()
        self._notify.status(line(self.kernel, Clocks(now, time.time())))
        self._notify.watchdog()
        self.turned()
        if not self._ready:
            self._notify.ready()
            self._ready = True

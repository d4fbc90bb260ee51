"""The one door: ``Kernel.handle(fact, now) -> (actions, wake_at)``.

Theory of operation
===================

Everything that happens comes in as a fact, whoever saw it. A fact changes the view; the view is judged; the ladder takes the
verdict; the ladder's next step, if it is due, and the rounds give the actions. Then the kernel says when it must be
woken if nothing else happens. Waking it late or twice is harmless.

The kernel has no clock, does no I/O and keeps no reference to anything outside. The same facts at the same times give the
same actions: a story can be replayed.
"""

from dataclasses import replace

from kioskd.core import facts as f
from kioskd.core import rounds
from kioskd.core.actions import Action
from kioskd.core.facts import Command, Fact
from kioskd.core.ladder import Ladder, Plan, Remedy, Rung, Step, climb, plan, taken
from kioskd.core.observe import home_changed, observe
from kioskd.core.orders import OVERDUE_S, allowed, order, overdue
from kioskd.core.policy import Policy
from kioskd.core.verdict import Judgement, Verdict, judge
from kioskd.core.view import PROVEN_S, Life, View

#: The kernel is woken at least this often, so that the watchdog can be fed by a turn that was really taken.
LONGEST_SLEEP_S = 60.0


class Kernel:
    """What is known, where the ladder stands, and what comes next."""

    def __init__(self) -> None:
        """Know nothing yet, and do nothing until a configuration has been read or rejected."""
        self.policy = Policy()
        self.view = View()
        self.ladder = Ladder()
        self.judgement = Judgement(Verdict.NO_BROWSER, 0.0, "no configuration has been read yet", None)
        self.plan: Plan | None = None

    def handle(self, fact: Fact, now: float) -> tuple[list[Action], float]:
        """Take a fact at ``now`` (monotonic seconds); return what to do, and when to wake the kernel next."""
        self._take_in(fact, now)
        if self.view.goal is None:
            return [], now + LONGEST_SLEEP_S
        self.view, actions = rounds.answer(self.view, fact, now, self.policy)
        self._judge(now)
        actions += self._act(now)
        actions += self._act_on_wish(now)
        times: list[float | None] = [now + LONGEST_SLEEP_S, self.judgement.look_again, self.view.paused_until, *self._own_times()]
        for view, asked, later in self._rounds(now):
            self.view = view
            actions += asked
            times += later
        # What was due by now has been done, or waits for a fact: only the future wakes.
        return actions, min(time for time in times if time is not None and time > now)

    def _take_in(self, fact: Fact, now: float) -> None:
        view = observe(self.view, fact, now, self.policy)
        if isinstance(fact, f.ConfigRead):
            if fact.policy.url != self.policy.url or view.goal is not self.view.goal:
                view = home_changed(view, now)
            self.policy = fact.policy
        if view.paused_until is not None and now >= view.paused_until:
            view = replace(view, paused_until=None)
        if overdue(view, now) and view.busy is not None:
            view = observe(view, f.Failed(view.busy, "no answer"), now, self.policy)
        self.view = view

    def _judge(self, now: float) -> None:
        self.judgement = judge(self.view, now, self.policy)
        self.ladder = climb(self.ladder, self.judgement, self.view, now)
        self.plan = plan(self.ladder, self.judgement, self.view, now, self.policy)

    def _act(self, now: float) -> list[Action]:
        due = self.plan
        if due is None or due.due > now or self.view.busy is not None or not allowed(due, self.view, now, self.policy):
            return []
        verdict = self.judgement.verdict
        self.ladder = taken(self.ladder, verdict, due, now)
        self.view, action = order(self.view, verdict, due.remedy, now)
        self._judge(now)
        return [action]

    def _act_on_wish(self, now: float) -> list[Action]:
        """An operator's wish is done as soon as nothing else is under way: a reload guarded like any, a restart at once."""
        view = self.view
        if view.wish is None or view.busy is not None or view.browser.life is not Life.UP:
            return []
        remedy = Remedy.RELOAD_FRESH if view.wish is Command.RELOAD else Remedy.RESTART_GENTLY
        step = Step(Rung.CALM, remedy, lambda policy: 0.0, guarded=view.wish is Command.RELOAD)
        if not allowed(Plan(step, remedy, now), view, now, self.policy):
            return []
        self.view, action = order(replace(view, wish=None), self.judgement.verdict, remedy, now)
        self._judge(now)
        return [action]

    def _rounds(self, now: float) -> "list[rounds.Round]":
        first = rounds.ask_page(self.view, now, self.policy)
        second = rounds.ask_server(first[0], self.judgement, self.plan, now, self.policy)
        third = rounds.read_deploy(second[0], now, self.policy)
        return [first, second, third, rounds.read_memory(third[0], now, self.policy)]

    def _own_times(self) -> list[float | None]:
        """When the ladder and the pending action want to be looked at."""
        view = self.view
        times: list[float | None] = []
        if view.busy is not None:
            times.append(view.busy_since + view.busy.deadline_s + OVERDUE_S)
        elif self.plan is not None:
            times.append(self.plan.due)
        if self.ladder.well_since is not None:
            times.append(self.ladder.well_since + PROVEN_S)
        return times

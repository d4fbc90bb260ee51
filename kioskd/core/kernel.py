"""The one door: ``Kernel.handle(fact, now) -> (actions, wake_at)``.

Theory of operation
===================

Everything that happens comes in as a fact, whoever saw it. A fact changes the view; the view is judged; the ladder takes the
verdict; the ladder's next step, if it is due, and the rounds give the actions. Then the kernel says when it must be
woken if nothing else happens. Waking it late or twice is harmless.

The kernel has no clock, does no I/O and keeps no reference to anything outside. The same facts at the same times give the
same actions: a story can be replayed.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from math import inf

from kioskd.core import facts as f
from kioskd.core import rounds
from kioskd.core.actions import Action, KeepEvidence
from kioskd.core.complaints import endings, quieted
from kioskd.core.facts import Fact
from kioskd.core.ladder import Incident, Ladder, Plan, climb, plan, taken
from kioskd.core.observe import late, observe
from kioskd.core.orders import OVERDUE_S, allowed, order, overdue
from kioskd.core.policy import Policy
from kioskd.core.readings import CATCH_UP_S, catching_up, waits_for_build
from kioskd.core.verdict import Judgement, Verdict, judge
from kioskd.core.view import PROVEN_S, View
from kioskd.core.wishes import announce, granted, wished

#: The kernel is woken at least this often, so that the watchdog can be fed by a turn that was really taken.
LONGEST_SLEEP_S = 60.0

#: A turn this much later than asked for is late: what was not answered meanwhile says nothing.
LATE_S = 1.0


@dataclass(frozen=True, slots=True)
class State:
    """All that a turn depends on, besides its fact and its moment. (The verdict and the plan are made anew in each.)"""

    policy: Policy = field(default_factory=Policy)
    view: View = field(default_factory=View)
    ladder: Ladder = field(default_factory=Ladder)
    judgement: Judgement = Judgement(Verdict.NO_BROWSER, 0.0, "no configuration has been read yet", None)
    wake_at: float = inf


class Kernel:
    """What is known, where the ladder stands, and what comes next."""

    def __init__(self, state: State | None = None) -> None:
        """Go on from a state. Without one: know nothing yet, and do nothing until a configuration has been read or rejected."""
        state = state or State()
        self.policy, self.view, self.ladder = state.policy, state.view, state.ladder
        self.judgement, self.wake_at = state.judgement, state.wake_at
        self.plan: Plan | None = None

    @property
    def state(self) -> State:
        """Where the kernel stands now: another one goes on from there as this one does."""
        return State(self.policy, self.view, self.ladder, self.judgement, self.wake_at)

    def handle(self, fact: Fact, now: float) -> tuple[list[Action], float]:
        """Take a fact at ``now`` (monotonic seconds); return what to do, and when to wake the kernel next."""
        self._take_in(fact, now)
        times: list[float | None] = [now + LONGEST_SLEEP_S]
        actions: list[Action] = []
        if self.view.goal is not None:
            self.view, actions = rounds.answer(self.view, fact, now, self.policy)
            incident = self.ladder.incident
            self._judge(now)
            actions += self._after(incident)
            actions += self._act(now)
            times += [self.judgement.look_again, *self._own_times(now)]
            actions += self._ask(now, times)
        # What was due by now has been done, or waits for a fact: only the future wakes.
        self.wake_at = min(time for time in times if time is not None and time > now)
        return actions, self.wake_at

    def _take_in(self, fact: Fact, now: float) -> None:
        view = self.view
        if now - self.wake_at >= LATE_S:
            view = late(view, now - self.wake_at, now)
        view = observe(view, fact, now, self.policy)
        if isinstance(fact, f.ConfigRead):
            self.policy = fact.policy
        if view.paused_until is not None and now >= view.paused_until:
            view = replace(view, paused_until=None)
        if view.busy is not None and overdue(view, now):
            view = observe(view, f.Failed(view.busy, "no answer"), now, self.policy)
        self.view = quieted(view, now)

    def _judge(self, now: float) -> None:
        self.judgement = judge(self.view, now, self.policy)
        self.ladder = climb(self.ladder, self.judgement, self.view, now, self.policy)
        self.plan = plan(self.ladder, self.judgement, self.view, now, self.policy)

    def _after(self, incident: Incident | None) -> list[Action]:
        """Keep a picture of the cure, where an incident has just ended in which something was done."""
        ended = incident is not None and self.ladder.incident is None and incident.acted_at is not None
        return [KeepEvidence(self.view.browser.generation, after=True)] if ended else []

    def _act(self, now: float) -> list[Action]:
        """Take the ladder's step if it is due, else do what an operator wished for; never two things at once."""
        verdict, wish = self.judgement.verdict, wished(self.view, now)
        first = self.ladder.incident is None or self.ladder.incident.acted_at is None
        if self.plan is not None and self._free(self.plan, now):
            remedy = self.plan.remedy
            self.ladder = taken(self.ladder, verdict, self.plan, now)
        elif wish is not None and self._free(wish, now):
            remedy = wish.remedy
        else:
            return []
        self.view, action = order(self.view, verdict, remedy, now, first)
        self.view = granted(self.view, remedy)
        self._judge(now)
        return [action]

    def _free(self, due: Plan, now: float) -> bool:
        ready = due.due <= now and self.view.busy is None and not catching_up(self.view, now)
        return ready and allowed(due, self.view, now, self.policy)

    def _ask(self, now: float, times: list[float | None]) -> list[Action]:
        """Go the rounds; ``times`` gets the moments at which they want to go on."""
        plans = (self.plan, wished(self.view, now))
        actions: list[Action] = []
        for ask in (
            rounds.ask_page,
            partial(rounds.ask_server, self.judgement, plans),
            rounds.read_deploy,
            announce,
            rounds.read_memory,
            rounds.look_for_screen,
            partial(rounds.refill, self.ladder),
        ):
            self.view, asked, later = ask(self.view, now, self.policy)
            actions += asked
            times += later
        return actions

    def _own_times(self, now: float) -> list[float | None]:
        """When the ladder, the action under way and the pause want to be looked at."""
        view = self.view
        times = [view.paused_until, *endings(view), *(at + CATCH_UP_S for at in view.late_at[-1:])]
        if view.busy is not None:
            times.append(view.busy_since + view.busy.deadline_s + OVERDUE_S)
        elif self.plan is not None:
            times.append(self.plan.due)
        if self.plan is not None and self.plan.step.guarded:
            times.append(waits_for_build(view, self.plan.due, max(now, self.plan.due), self.policy))
        if self.ladder.well_since is not None and (proven := self.ladder.well_since + PROVEN_S) > now:  # else it is owed an answer
            times.append(proven)
        return times

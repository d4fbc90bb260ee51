"""What must hold after every turn of the kernel, whatever happened."""

from collections import deque
from dataclasses import dataclass, field
from math import isfinite

from kioskd.core import actions as a
from kioskd.core import facts as f
from kioskd.core.kernel import LONGEST_SLEEP_S, Kernel
from kioskd.core.ladder import Incident
from kioskd.core.steps import FORCED, LAST_RESORT, LAST_RESORT_HUNG, REBOOT, STEPS, WISHES, Rung, Step
from kioskd.core.verdict import Verdict
from kioskd.core.view import Life
from kioskd.core.wishes import wished

ON_BROWSER = (
    a.StartDisplay, a.StartBrowser, a.StopBrowser, a.SetProfileAside, a.OpenPage, a.Navigate, a.Reload, a.StopLoading,
    a.EndScript, a.KillRenderer, a.Steps, a.RebootHost,
)  # fmt: skip

#: No storm, whatever happens how often: at most so many actions on the browser, and so many starts of it, in so many seconds.
STORM = ((ON_BROWSER, 30, 10.0), ((a.Steps, a.StartBrowser), 24, 30.0))

#: Every step there is, by a name: the verdict and which one of its list.
STEP_NAMES: dict[int, str] = {
    **{id(step): f"{verdict.value} {number}" for verdict, steps in STEPS.items() for number, step in enumerate(steps, 1)},
    **{id(step): f"wish {command.value}" for command, step in WISHES.items()},
    id(LAST_RESORT): "last resort", id(LAST_RESORT_HUNG): "last resort, hung", id(REBOOT): "reboot", id(FORCED): "wish reload, not taken",
}  # fmt: skip


class Recorded(Kernel):
    """A kernel of which can be told which step it has taken in the last turn."""

    step: Step | None = None

    def _act(self, now: float) -> list[a.Action]:
        plans = (self.plan, wished(self.view, now))
        self.step = next((plan.step for plan in plans if plan is not None and self._free(plan, now)), None)
        actions = super()._act(now)
        assert len(actions) == (self.step is not None)
        return actions


def check(kernel: Kernel, now: float) -> None:
    """What holds of the kernel's state by itself."""
    view, ladder = kernel.view, kernel.ladder
    assert isfinite(kernel.wake_at) and now < kernel.wake_at <= now + LONGEST_SLEEP_S
    assert kernel.judgement.since <= now
    incident = ladder.incident
    assert (incident is None) == (ladder.rung is Rung.CALM)
    if incident is not None:
        assert incident.floor <= incident.rung
        assert incident.since <= now
    if ladder.well_since is not None:
        assert incident is not None
        assert kernel.judgement.verdict is Verdict.HEALTHY
    if not STEPS[kernel.judgement.verdict]:
        assert kernel.plan is None
    if view.browser.life is not Life.UP:
        assert view.browser.question is None and view.page.question is None and not view.page.present


@dataclass
class Watch:
    """What holds from turn to turn."""

    incident: Incident | None = None
    busy: a.Action | None = None
    reached: set[Verdict | Rung] = field(default_factory=set)
    highest: Rung = Rung.CALM
    taken: set[str] = field(default_factory=set)  # the steps, by their names
    lately: tuple[deque[float], ...] = field(default_factory=lambda: tuple(deque[float]() for _ in STORM))

    def check(self, kernel: Kernel, fact: f.Fact, actions: list[a.Action], wake_at: float, now: float) -> None:
        check(kernel, now)
        assert wake_at == kernel.wake_at
        self._one_at_a_time(kernel, fact, actions)
        self._no_storm(actions, now)
        if isinstance(kernel, Recorded) and kernel.step is not None:
            self.taken.add(STEP_NAMES[id(kernel.step)])
            kernel.step = None
        incident = kernel.ladder.incident
        if self.incident is not None and incident is not None and incident.since == self.incident.since:
            assert incident.rung >= self.incident.rung
            assert incident.floor >= self.incident.floor
        self.incident = incident
        self.highest = max(self.highest, kernel.ladder.rung)
        self.reached |= {kernel.judgement.verdict, kernel.ladder.rung}
        if incident is not None and incident.last is not None:
            self.reached.add(incident.last[0])

    def _one_at_a_time(self, kernel: Kernel, fact: f.Fact, actions: list[a.Action]) -> None:
        if isinstance(fact, f.Done | f.Failed) and fact.action == self.busy:
            self.busy = None
        mine = [action for action in actions if isinstance(action, ON_BROWSER)]
        if kernel.view.busy is None or mine:  # given up as overdue
            self.busy = None if kernel.view.busy is None or mine else self.busy
        assert len(mine) <= (self.busy is None)
        if mine:
            self.busy = mine[0]
        assert kernel.view.busy == self.busy

    def _no_storm(self, actions: list[a.Action], now: float) -> None:
        if not actions:
            return
        for (kinds, most, window), times in zip(STORM, self.lately, strict=True):
            times.extend(now for action in actions if isinstance(action, kinds))
            while times and times[0] <= now - window:
                times.popleft()
            assert len(times) <= most, f"a storm: {len(times)} in {window:g} s"

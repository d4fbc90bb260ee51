"""What must hold after every turn of the kernel, whatever happened."""

from dataclasses import dataclass, field
from math import isfinite

from kioskd.core import actions as a
from kioskd.core import facts as f
from kioskd.core.kernel import LONGEST_SLEEP_S, Kernel
from kioskd.core.ladder import Incident
from kioskd.core.steps import STEPS, Rung
from kioskd.core.verdict import Verdict
from kioskd.core.view import Life

ON_BROWSER = (
    a.StartDisplay, a.StartBrowser, a.StopBrowser, a.SetProfileAside, a.OpenPage, a.Navigate, a.Reload, a.StopLoading,
    a.EndScript, a.KillRenderer, a.Steps, a.RebootHost,
)  # fmt: skip


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

    def check(self, kernel: Kernel, fact: f.Fact, actions: list[a.Action], wake_at: float, now: float) -> None:
        check(kernel, now)
        assert wake_at == kernel.wake_at
        self._one_at_a_time(kernel, fact, actions)
        incident = kernel.ladder.incident
        if self.incident is not None and incident is not None and incident.since == self.incident.since:
            assert incident.rung >= self.incident.rung
            assert incident.floor >= self.incident.floor
        self.incident = incident
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

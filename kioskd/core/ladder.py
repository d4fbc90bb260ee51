"""What is done about it: one ladder, climbed by the steps of the verdict.

Theory of operation
===================

``CALM → SUSPECT → RELOADED → RESTARTED → REBOOTED``. A fault opens an *incident*; the incident ends after ``PROVEN_S`` of
health, with the action that cured it. Inside an incident the rung never falls.

Each verdict has its list of steps in ``steps.py``.

- Steps that *climb* raise the floor: later faults of the same incident start no lower. Starting a browser that is gone, and
  sending the page home, restore what should be there and do not climb; nor does a deploy.
- A fault that comes back within ``MEMORY_S`` of an incident of its kind starts at the rung that cured that one.
- A load is no trouble: it opens no incident, unless it has to be stopped.
- After ``RESTARTS`` restarts in one incident the machine is rebooted where the owner allows it; else the page is reloaded
  every ``LAST_PACE_S``.
- A server that is down is no reason to restart anything, unless ``during_outage: restart`` asks for it: once per outage.
"""

from dataclasses import dataclass, replace

from kioskd.core.actions import Place
from kioskd.core.policy import Outage, Policy
from kioskd.core.readings import home_good, owes, own_page, site, strain
from kioskd.core.steps import (
    JOURNEYS,
    LAST_RESORT,
    LAST_RESORT_HUNG,
    MEMORY_S,
    NEW_BROWSER,
    REBOOT,
    RESTARTS,
    SHORT_S,
    STEPS,
    Remedy,
    Rung,
    Step,
)  # fmt: skip
from kioskd.core.verdict import Judgement, Verdict
from kioskd.core.view import PROVEN_S, Life, Site, View


@dataclass(frozen=True, slots=True)
class Incident:
    """One stretch of trouble, from the first sign to ``PROVEN_S`` of health."""

    verdict: Verdict  # the first one
    since: float
    rung: Rung = Rung.SUSPECT
    floor: Rung = Rung.SUSPECT
    acted_at: float | None = None
    treated_at: float | None = None  # the same, but for a load that was stopped: that cures nothing, and puts off no other step
    last: tuple[Verdict, Remedy] | None = None
    climbed: Verdict | None = None  # what the last climbing step was for
    taken: tuple[tuple[Verdict, int], ...] = ()  # steps taken, by verdict
    why: str = ""  # it began
    restarts: int = 0
    journeys: int = 0
    outage_restarts: int = 0

    @property
    def needs_person(self) -> bool:
        """All that kioskd has was done; what is left is tried for ever, at a slow pace."""
        return self.restarts >= RESTARTS


@dataclass(frozen=True, slots=True)
class Ladder:
    """Where the ladder stands."""

    incident: Incident | None = None
    well_since: float | None = None
    cured: tuple[tuple[Verdict, Rung, float], ...] = ()  # the last incident of each kind: rung, when it ended
    calm_since: float | None = None  # when the last incident ended

    @property
    def rung(self) -> Rung:
        """The rung to show."""
        return self.incident.rung if self.incident else Rung.CALM


@dataclass(frozen=True, slots=True)
class Plan:
    """The next step and when it is due, if nothing changes."""

    step: Step
    remedy: Remedy
    due: float


def climb(ladder: Ladder, judgement: Judgement, view: View, now: float, policy: Policy) -> Ladder:
    """Return the ladder after a verdict: incidents begin and end here."""
    verdict = judgement.verdict
    if verdict is Verdict.PAUSED or (verdict is Verdict.LOADING and ladder.incident is None):
        return _not_well(ladder)
    if verdict is not Verdict.HEALTHY:
        incident = ladder.incident or Incident(verdict, min(judgement.since, now), why=judgement.why)
        return replace(ladder, incident=incident, well_since=None)
    if ladder.incident is None or not _well(view):
        return _not_well(ladder)
    since = now if ladder.well_since is None else ladder.well_since
    if now - since < PROVEN_S or owes(view, policy, now):  # it may hang, as it did: then nothing has helped, and the ladder goes on
        return replace(ladder, well_since=since)
    return Ladder(cured=_remember(ladder.cured, ladder.incident, now), calm_since=now)


def _not_well(ladder: Ladder) -> Ladder:
    return ladder if ladder.well_since is None else replace(ladder, well_since=None)


def _well(view: View) -> bool:
    """Healthy on evidence: the page has answered since it loaded, and its connection is proven where one is expected."""
    page = view.page
    complained = any(complaint.since is not None for complaint in view.complaints)
    return page.report is not None and page.report.ready and view.link.dead_since is None and page.blank_since is None and not complained


def _remember(cured: tuple[tuple[Verdict, Rung, float], ...], incident: Incident, now: float) -> tuple[tuple[Verdict, Rung, float], ...]:
    verdict = incident.climbed
    if verdict is None:
        return cured
    return (*(item for item in cured if item[0] is not verdict), (verdict, incident.floor, now))


def plan(ladder: Ladder, judgement: Judgement, view: View, now: float, policy: Policy) -> Plan | None:
    """Return the next step for the verdict, or None where there is nothing to do."""
    steps = STEPS[judgement.verdict]
    if not steps:
        return None
    incident = ladder.incident or Incident(judgement.verdict, judgement.since)
    match judgement.verdict:
        case Verdict.NO_BROWSER:
            return _restore(incident, judgement, view, policy)
        case Verdict.AWAY | Verdict.UNREADABLE:
            return _journey(incident, judgement, view, now, policy)
        case Verdict.SERVER_DOWN if policy.health.websocket.during_outage is not Outage.RESTART or incident.outage_restarts:
            return None
    step = _next(ladder, incident, judgement.verdict, view, policy)
    first = step if step is REBOOT else steps[0]
    due = judgement.since + first.after(policy) * strain(view, now)
    before = incident.acted_at if judgement.verdict is Verdict.LOADING else incident.treated_at
    if before is not None:
        due = max(due, before + step.after(policy))
    return Plan(step, step.remedy, due)


def _next(ladder: Ladder, incident: Incident, verdict: Verdict, view: View, policy: Policy) -> Step:
    steps = STEPS[verdict]
    floor = max([incident.floor, *(rung for kind, rung, ended in ladder.cured if kind is verdict and incident.since - ended < MEMORY_S)])
    index = min(dict(incident.taken).get(verdict, 0), len(steps) - 1)
    while index < len(steps) - 1 and steps[index].rung < floor:
        index += 1
    step = steps[index]
    if step.remedy is not Remedy.RESTART or incident.restarts < RESTARTS or verdict is Verdict.FROZEN:
        return step
    if policy.reboot.enabled and view.reboots < policy.reboot.per_boot:
        return REBOOT
    return LAST_RESORT_HUNG if verdict is Verdict.HUNG else LAST_RESORT


def _restore(incident: Incident, judgement: Judgement, view: View, policy: Policy) -> Plan:
    """There is no browser, or no page in it: at once where the last one had worked, else at the constant pace."""
    step = STEPS[Verdict.NO_BROWSER][0]
    lost_page = view.browser.life is Life.UP and not view.page.present
    if lost_page:
        remedy = Remedy.RESTART if incident.last == (Verdict.NO_BROWSER, Remedy.OPEN) else Remedy.OPEN
    else:
        remedy = Remedy.START
    due = judgement.since
    lost_display = view.display.life is Life.NONE and view.display.painted  # a start that was ordered onto it just then says nothing
    if remedy is Remedy.START and (view.browser.proved or lost_display):
        due = max(due, view.browser.ordered_at + SHORT_S)
    elif incident.acted_at is not None:
        due = max(due, incident.acted_at + (SHORT_S if remedy is Remedy.OPEN else step.after(policy)))
    return Plan(step, remedy, due)


def _journey(incident: Incident, judgement: Judgement, view: View, now: float, policy: Policy) -> Plan | None:
    """The page is not where it should be: home if home can be shown, else the holding page until it can."""
    step = STEPS[judgement.verdict][0]
    due = judgement.since + step.after(policy)
    if view.goal is not Place.HOME:
        return _travel(step, Remedy.GO_HOME, due, incident, policy)
    good = home_good(view, policy, now)
    if good is None:  # nothing moves, but from the dark start page: any page is better than none
        blind = due + policy.health.page.load_timeout
        return _travel(step, Remedy.GO_HOME, blind, incident, policy) if site(view, policy) is Site.START else None
    holding = own_page(view.page.url) == Place.HOLDING.value
    if holding and not good:
        return None
    tired = incident.journeys >= JOURNEYS
    if not good or (tired and not holding):
        return _travel(step, Remedy.HOLD, due, incident, policy)
    if tired and incident.acted_at is not None:
        due = max(due, incident.acted_at + policy.health.websocket.restart_after)
    return _travel(step, Remedy.GO_HOME, due, incident, policy)


def _travel(step: Step, remedy: Remedy, due: float, incident: Incident, policy: Policy) -> Plan:
    """The same journey again, and nothing else in between: at the constant pace."""
    if incident.acted_at is not None and incident.last is not None and incident.last[1] is remedy:
        due = max(due, incident.acted_at + policy.health.interval)
    return Plan(step, remedy, due)


def taken(ladder: Ladder, verdict: Verdict, plan: Plan, now: float) -> Ladder:
    """Return the ladder after a step has been taken."""
    incident = ladder.incident or Incident(verdict, now)
    step, counts = plan.step, dict(incident.taken)
    counts[verdict] = counts.get(verdict, 0) + 1
    restart = plan.remedy in (Remedy.RESTART, Remedy.RESTART_GENTLY)
    journey = plan.remedy is Remedy.GO_HOME and (incident.last is None or incident.last[1] not in NEW_BROWSER)
    incident = replace(
        incident,
        rung=max(incident.rung, step.rung),
        floor=max(incident.floor, step.rung) if step.climbs else incident.floor,
        acted_at=now,
        treated_at=incident.treated_at if plan.remedy is Remedy.STOP_LOADING else now,
        last=(verdict, plan.remedy),
        climbed=verdict if step.climbs else incident.climbed,
        taken=tuple(counts.items()),
        restarts=incident.restarts + restart,
        journeys=incident.journeys + journey,
        outage_restarts=incident.outage_restarts + (restart and verdict is Verdict.SERVER_DOWN),
    )
    return replace(ladder, incident=incident, well_since=None)

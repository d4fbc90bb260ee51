"""Which steps of the ladder are taken, and what is really ordered for them: of both each has a row in ``docs/faults.md``.

A step may end in another remedy than the one that it names (a new page in place of a new browser), and a remedy may be ordered with
something before it (the profile is set aside, and then the browser started). Neither can be told from the step alone.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kioskd.core import actions as a
from kioskd.core.kernel import State
from kioskd.core.ladder import Plan
from kioskd.core.steps import FORCED, LAST_RESORT, LAST_RESORT_HUNG, REBOOT, STEPS, WISHES, Remedy, Step
from kioskd.core.verdict import Verdict
from kioskd.core.wishes import wished
from tests.core.invariants import STEP_NAMES, Recorded
from tests.core.scenario import FILES, load, play
from tests.core.world import World


@dataclass(frozen=True, slots=True)
class With:
    """What may be ordered together with a remedy, whatever the verdict."""

    why: str
    what: str
    ordered: Callable[[Remedy, tuple[a.Action, ...]], bool]


def _has(kind: type, *remedies: Remedy) -> Callable[[Remedy, tuple[a.Action, ...]], bool]:
    return lambda remedy, parts: (not remedies or remedy in remedies) and any(isinstance(part, kind) for part in parts)


def _in_software(remedy: Remedy, parts: tuple[a.Action, ...]) -> bool:
    return any(isinstance(part, a.StartDisplay) and part.software for part in parts)


def _elsewhere(remedy: Remedy, parts: tuple[a.Action, ...]) -> bool:
    return remedy is Remedy.GO_HOME and any(isinstance(part, a.Navigate) and part.to is not a.Place.HOME for part in parts)


#: By a name, as steps have one.
WITH = {
    "evidence": With("the first step in an incident that can be seen", "keep evidence first", _has(a.KeepEvidence)),
    "display": With("a browser, where none has painted yet or its display is gone", "start the display first", _has(a.StartDisplay)),
    "software": With("the same, where that has failed", "start a display that paints in software", _in_software),
    "outlived": With("a browser, where the last one outlives its display", "end that one first", _has(a.StopBrowser, Remedy.START)),
    "profile": With("a browser, after three that died at their start", "set the profile aside first", _has(a.SetProfileAside)),
    "silent": With("a reload of a page whose connection is silent", "drop the connections first", _has(a.DropConnections, Remedy.RELOAD)),
    "failed": With("a way home, after one that failed", "drop the connections first", _has(a.DropConnections, Remedy.GO_HOME)),
    "own": With("a way home, where no page is named", "show a page of our own that says why", _elsewhere),
}

#: Steps that may end in another remedy than their own.
OTHERWISE = {
    Verdict.NO_BROWSER: (Remedy.OPEN, Remedy.RESTART),
    Verdict.AWAY: (Remedy.HOLD,),
    Verdict.UNREADABLE: (Remedy.HOLD,),
}


def rows() -> dict[str, tuple[str, str]]:
    """Return all that can be ordered, by its name: for which verdict or wish, and what it is."""
    steps: list[tuple[str, Step, tuple[Remedy, ...]]] = [
        (verdict.value, step, OTHERWISE.get(verdict, ())) for verdict, those in STEPS.items() for step in those
    ]
    steps += [("after three restarts", LAST_RESORT, ()), ("after three restarts, of a page that hangs", LAST_RESORT_HUNG, ())]
    steps += [("after three restarts, where it is allowed", REBOOT, ())]
    steps += [(f"asked to {command.value}", step, ()) for command, step in WISHES.items()]
    steps += [("the browser does not take a reload", FORCED, ())]
    found = {_name(step, remedy): (why, remedy.value) for why, step, others in steps for remedy in (step.remedy, *others)}
    return found | {f"with {name}": (each.why, each.what) for name, each in WITH.items()}


def _name(step: Step, remedy: Remedy) -> str:
    return f"{STEP_NAMES[id(step)]}: {remedy.value}"


def names(plan: Plan, action: a.Action) -> list[str]:
    """Return the names of what was ordered."""
    parts = action.actions if isinstance(action, a.Steps) else (action,)
    return [_name(plan.step, plan.remedy), *(f"with {name}" for name, each in WITH.items() if each.ordered(plan.remedy, parts))]


class Telling(Recorded):
    """A kernel that tells what it has ordered since it was last asked, by the names."""

    def __init__(self, state: State | None = None) -> None:
        super().__init__(state)
        self._ordered: list[str] = []

    def _act(self, now: float) -> list[a.Action]:
        plans = [plan for plan in (self.plan, wished(self.view, now)) if plan is not None and self._free(plan, now)]
        actions = super()._act(now)
        if actions:
            self._ordered += names(plans[0], actions[0])
        return actions

    def ordered(self) -> list[str]:
        """Tell it, once."""
        ordered, self._ordered = self._ordered, []
        return ordered


@functools.cache
def in_scenarios() -> dict[str, list[str]]:
    """Return all that can be ordered, by its name, with the scenarios in which it is."""
    found: dict[str, list[str]] = {name: [] for name in rows()}
    for file in FILES:
        for name in in_scenario(file):
            found[name].append(file.stem)
    return found


def in_scenario(file: Path) -> list[str]:
    """Return what is ordered in a scenario, each once, in order."""
    kernels: list[Telling] = []  # each start of kioskd has another

    class Kept(Telling):
        def __init__(self, state: State | None = None) -> None:
            super().__init__(state)
            kernels.append(self)

    before, World.kernel_type = World.kernel_type, Kept
    try:
        play(load(file))
    finally:
        World.kernel_type = before
    return list(dict.fromkeys(name for kernel in kernels for name in kernel.ordered()))

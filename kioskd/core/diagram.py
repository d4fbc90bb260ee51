"""The picture, drawn from the tables and never beside them: what ``docs/design.md`` says of verdicts and ladder.

``scripts/diagrams`` writes it there; a test holds that it is up to date.
"""

import re

from kioskd.core.policy import Policy
from kioskd.core.steps import LAST_RESORT, LAST_RESORT_HUNG, REBOOT, RESTARTS, SHORT_S, STEPS, Rung, Step
from kioskd.core.verdict import TABLE, Verdict

_DEFAULTS = Policy()
#: What a verdict's steps alone do not say: ``ladder.py`` has it.
_NOTES = {
    Verdict.NO_BROWSER: f" after a start that failed; else at once, {SHORT_S:g} s after the last order at the soonest",
    Verdict.SERVER_DOWN: ", once per outage, with `during_outage: restart` alone; else nothing is done",
}
_MARKED = re.compile(r"(<!-- generated: (verdicts|ladder) -->\n).*?(<!-- end -->)", re.DOTALL)


def drawn(text: str) -> str:
    """Return a document with what stands between its markers drawn anew."""
    drawings = {"verdicts": verdicts, "ladder": ladder}
    return _MARKED.sub(lambda found: f"{found.group(1)}{drawings[found.group(2)]()}\n{found.group(3)}", text)


def verdicts() -> str:
    """Return the table of verdicts, in its order, with the steps that each may take at the shipped patience."""
    lines = ["| | verdict | steps: rung, action, seconds after the one before (the first: after the fault began) |", "|--|--|--|"]
    for number, verdict in enumerate(TABLE, 1):
        steps = "; ".join(_step(step) for step in STEPS[verdict])
        lines.append(f"| {number} | {verdict.value} | {steps or 'nothing is done'}{_NOTES.get(verdict, '')} |")
    last = f"{_step(LAST_RESORT)} (a page that hangs: {LAST_RESORT_HUNG.remedy.value}), for ever."
    instead = f"in place of a restart ({Verdict.FROZEN.value} is restarted for ever)"
    lines += ["", f"After {RESTARTS} restarts in one incident, {instead}: {_step(REBOOT)} (where allowed); else {last}"]
    return "\n".join(lines)


def _step(step: Step) -> str:
    guarded = ", guarded" if step.guarded else ""
    return f"{step.rung.name} *{step.remedy.value}* {step.after(_DEFAULTS):g} s{guarded}"


def ladder() -> str:
    """Return the ladder as a Mermaid state diagram: who climbs where, by which step."""
    arrows: dict[tuple[Rung, Rung], list[str]] = {}
    for verdict, steps in STEPS.items():
        climbing = [step for step in steps if step.climbs]
        for before, step in zip([None, *climbing], climbing, strict=False):
            start = Rung.SUSPECT if before is None else before.rung
            if start is not step.rung:
                arrows.setdefault((start, step.rung), []).append(verdict.value)
    arrows[Rung.RESTARTED, Rung.REBOOTED] = [f"after {RESTARTS} restarts, where allowed"]
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> CALM", f"    {Rung.CALM.name} --> {Rung.SUSPECT.name}: any other verdict than"]
    lines[-1] += f" {Verdict.HEALTHY.value}, {Verdict.LOADING.value}, {Verdict.PAUSED.value}"
    lines += [f"    {start.name} --> {end.name}: {', '.join(names)}" for (start, end), names in sorted(arrows.items())]
    lines += [f"    {rung.name} --> {Rung.CALM.name}: 10 s {Verdict.HEALTHY.value}" for rung in Rung if rung is not Rung.CALM]
    return "\n".join([*lines, "```"])

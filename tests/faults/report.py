"""``docs/faults.md`` and its plot, from what ``scripts/faults --json`` wrote. Nothing in them is typed by hand."""

import html
import json
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tests.faults.cases  # noqa: F401 - enters them
from kioskd.core.steps import FORCED, LAST_RESORT, LAST_RESORT_HUNG, REBOOT, STEPS, WISHES, Step
from tests.core.invariants import STEP_NAMES
from tests.core.scenario import reached
from tests.faults.case import CASES, Case, Control, by_row
from tests.faults.play import NOT_PLAYED
from tests.faults.victims import NAMES, SAYS

DOCS = Path(__file__).parents[2] / "docs"
Played = list[dict[str, Any]]


@dataclass
class Results:
    """What was played: by case and by who."""

    runs: list[dict[str, Any]]
    played: dict[tuple[str, str], Played] = field(default_factory=lambda: defaultdict(list))

    def of(self, case: Case, who: str) -> Played:
        """The outcomes of a case; those that were played again alone take the place of the first try."""
        latest = {each["seed"]: each for each in self.played[case.name, who]}
        return list(latest.values())

    @property
    def whos(self) -> list[str]:
        """Who has played, in the order of the table."""
        there = {who for _, who in self.played}
        return [who for who in NAMES if who in there]

    @property
    def cases(self) -> list[Case]:
        """Which cases were played, in the order of the table."""
        there = {name for name, _ in self.played}
        return [each for each in by_row() if each.name in there]


def read(file: Path) -> Results:
    """Read the lines of one run, or of several, one after the other; of these the last one's machine is told."""
    results = Results([])
    for line in file.read_text().splitlines():
        said = json.loads(line)
        if "run" in said:
            results.runs.append(said["run"])
        else:
            assert results.runs, f"{file}: no run before its outcomes"
            results.played[said["outcome"]["case"], said["outcome"]["who"]].append(said["outcome"])
    assert results.runs, f"{file}: empty"
    return results


def was_played(outcome: dict[str, Any]) -> bool:
    """Whether there is something to tell of it."""
    return not outcome["said"].startswith(NOT_PLAYED)


def cell(case: Case, who: str, outcomes: Played) -> str:
    """How it went, in a word: seconds (of several, the worst), or that it was not back in so many."""
    if not outcomes:
        return "—"
    if not all(map(was_played, outcomes)):
        return NOT_PLAYED
    if case.within is None:
        return "undisturbed" if all(each["seconds"] is not None for each in outcomes) else "disturbed"
    away = [each for each in outcomes if each["seconds"] is None]
    if away:
        return f"not in {away[0]['waited']:.0f} s"
    worst = max(each["seconds"] for each in outcomes)
    text = f"{worst:.1f} s"
    return f"**{text}**" if who == "kioskd" and worst <= outcomes[0]["bound"] else text


def page(results: Results) -> str:
    """The whole page."""
    return "\n".join([*_head(results), *_table(results), *_legend(results), *_branches(results), ""])


def _head(results: Results) -> Iterator[str]:
    run, cases = results.runs[-1], results.cases
    kept = [each for case in cases for each in results.of(case, "kioskd")]
    well = sum(each["well"] for each in kept)
    repeats = max((len(results.of(case, "kioskd")) for case in cases), default=0)
    share = [each["seconds"] / each["bound"] for each in kept if each["seconds"] and CASES[each["case"]].within]
    yield "# Every fault of the field, injected"
    yield ""
    patience = "of seconds" if run["quick"] else "as shipped"
    made = _all(each["made"][:10] for each in results.runs)
    yield f"Made by `scripts/faults` on {made}: kioskd {run['kioskd']}, {run['chromium']}, {run['system']},"
    yield f"Linux {run['kernel']}, {run['cores']} cores, {run['memory'] / (1 << 30):.0f} GiB. Patience: {patience}. Seed {run['seed']}."
    cold = _all(f"{each['cold']:.2f}" for each in results.runs)
    yield f"A cold start of a bare Chromium until the page is there, C: {cold} s, before each run."
    yield ""
    yield f"**{len(cases)} ways to break a wall screen. With kioskd {well} of {len(kept)} came back as they should"
    yield f"(each case {repeats} times); at the median in {100 * statistics.median(share):.0f} % of the stated bound,"
    yield f"at worst in {100 * max(share):.0f} %.**"
    yield ""
    yield "A page is *back* when the dashboard's own server says so: a page of the newest version holds a live connection and has"
    yield "echoed a number of the server's from inside an animation frame. kioskd is never asked. Each fault is injected into a real"
    others = [each for case in cases for who in results.whos[1:] for each in results.of(case, who)]
    times = {1: "", 2: "twice "}.get(waits := max((round(each["waited"] / each["bound"]) for each in others), default=1), f"{waits} times ")
    yield f"Chromium before a real server; the others are waited for {times}as long as the bound. Seconds are the worst of all"
    yield "repeats."
    yield from _second_tries(results)
    yield ""
    yield "![Recovery times against their bounds](faults.svg)"
    yield ""


def _all(values: Iterable[str]) -> str:
    """Of one run, what it says; of several, the least and the most."""
    ordered = sorted(values)
    return ordered[0] if ordered[0] == ordered[-1] else f"{ordered[0]} to {ordered[-1]}"


def _second_tries(results: Results) -> Iterator[str]:
    """What kioskd missed at the first try, as may happen where several are played at a time, and did not miss alone."""
    for case in results.cases:
        first = {each["seed"]: each for each in reversed(results.played[case.name, "kioskd"])}
        for each in results.of(case, "kioskd"):
            if each["well"] and not (missed := first[each["seed"]])["well"]:
                yield f"`{case.name}` was played again, alone: it was {missed['said']}."


def _table(results: Results) -> Iterator[str]:
    whos = results.whos
    yield "## The table"
    yield ""
    yield f"| row | what happens | back within | {' | '.join(whos)} |"
    yield f"|---|---|---|{'---|' * len(whos)}"
    for case in results.cases:
        bound = next((f"{each['bound']:.1f} s" for each in results.of(case, "kioskd")), "")
        if case.within is None:
            bound = "left alone"
        cells = " | ".join(cell(case, who, results.of(case, who)) for who in whos)
        yield f"| {case.row} | {case.says} <br>`{case.name}` | {bound} | {cells} |"
    yield ""


def _legend(results: Results) -> Iterator[str]:
    yield "## Who plays"
    yield ""
    for who in results.whos:
        yield f"- **{who}**: {SAYS[who]}"
    yield "- **—**: there is nothing of that kind to break without kioskd."
    lacking = [who for who in results.whos if not all(was_played(each) for case in results.cases for each in results.of(case, who))]
    if lacking:
        yield f"- **{NOT_PLAYED}**: what is broken there, a network, a name or a disk, is not that of {' and '.join(lacking)}."
    yield ""
    healing = [case for case in results.cases if case.control is Control.HEALS]
    if healing:
        names = ", ".join(f"`{case.name}`" for case in healing)
        yield f"Chromium or the page heals these itself, and kioskd must do no harm: {names}."
        yield ""


def branches() -> dict[str, tuple[str, str]]:
    """Every step of the ladder, by its name: for which verdict or wish, and what is done."""
    steps: list[tuple[str, Step]] = [(verdict.value, step) for verdict, those in STEPS.items() for step in those]
    steps += [("after three restarts", LAST_RESORT), ("after three restarts, of a page that hangs", LAST_RESORT_HUNG), ("the same", REBOOT)]
    steps += [(f"asked to {command.value}", step) for command, step in WISHES.items()] + [("the browser does not take a reload", FORCED)]
    return {STEP_NAMES[id(step)]: (why, step.remedy.value) for why, step in steps}


#: No case: it would take along the machine that all the others are played on.
REBOOTED, IN_A_CONTAINER = STEP_NAMES[id(REBOOT)], "`tests/system/test_faults.py`, in a container"


def _branches(results: Results) -> Iterator[str]:
    by_step: dict[str, list[str]] = defaultdict(list)
    for case in results.cases:
        for step in dict.fromkeys(step for each in results.of(case, "kioskd") for step in each["steps"]):
            by_step[step].append(case.name)
    played = reached()
    yield "## Every step of the ladder, and where it is taken"
    yield ""
    yield "A step that nothing ever takes is a promise that nobody has tried. Scenarios are `tests/scenarios/`: the same core on a"
    yield "clock that is a number; a reboot is tried in a container (`tests/system/`)."
    yield ""
    yield "| why | what is done | cases | scenarios |"
    yield "|---|---|---|---|"
    for name, (why, remedy) in branches().items():
        cases = IN_A_CONTAINER if name == REBOOTED else _some(by_step[name])
        yield f"| {why} | {remedy} | {cases} | {_some(played[name])} |"


def _some(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return shown or "**none**"


# --- the plot: a panel for each who, its recoveries against their bounds, both on a logarithmic scale ---------------

PANEL_W, PANEL_H, COLUMNS = 225, 275, 4
PLOT_X, PLOT_Y, PLOT = 34, 62, 180  # within a panel: a square
STRIP = 22  # above the square: who was not back at all
FIRST_S, LAST_S = 0.1, 1000.0
STYLE = """
text { font: 10px system-ui, sans-serif; fill: #57606a }
.head { font-size: 15px; fill: #1f2328 }
.who { font-size: 13px; font-weight: 600; fill: #1f2328 }
.grid { stroke: #d0d7de; stroke-width: .5 }
.bound { stroke: #57606a; stroke-width: 1 }
.strip { fill: #d0d7de; opacity: .4 }
.well { fill: #1a7f37 }
.late { fill: #bf8700 }
.away { fill: none; stroke: #cf222e }
@media (prefers-color-scheme: dark) {
text { fill: #9198a1 }
.head, .who { fill: #f0f6fc }
.grid { stroke: #3d444d }
.bound { stroke: #9198a1 }
.strip { fill: #3d444d }
.well { fill: #3fb950 }
.late { fill: #d29922 }
.away { stroke: #f85149 }
}
"""


def along(seconds: float) -> float:
    """Where a number of seconds stands on an axis, from its beginning."""
    return PLOT * math.log(max(seconds, FIRST_S) / FIRST_S) / math.log(LAST_S / FIRST_S)


def plot(results: Results) -> str:
    """The picture."""
    whos = results.whos
    height = 50 + PANEL_H * math.ceil(len(whos) / COLUMNS)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * PANEL_W} {height}" role="img">',
        f"<title>Recovery times against their bounds</title><style>{STYLE}</style>",
        '<text class="head" x="8" y="20">Seconds until the right page is back, against the bound</text>',
        '<text x="8" y="38">across: the stated bound · up: until the page was back · the line: the bound itself · on top: not back</text>',
    ]
    for number, who in enumerate(whos):
        row, column = divmod(number, COLUMNS)
        parts += [f'<g transform="translate({column * PANEL_W} {50 + row * PANEL_H})">', *_panel(results, who), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _panel(results: Results, who: str) -> Iterator[str]:
    cases = [case for case in results.cases if case.within is not None and results.of(case, who)]
    played = [each for case in cases for each in results.of(case, who) if was_played(each)]
    well = sum(each["seconds"] is not None and each["seconds"] <= each["bound"] for each in played)
    yield f'<text class="who" x="{PLOT_X}" y="16">{html.escape(who)}</text>'
    yield f'<text x="{PLOT_X}" y="30">{well} of {len(played)} in time</text>'
    bottom, right = PLOT_Y + PLOT, PLOT_X + PLOT
    yield f'<rect class="strip" x="{PLOT_X}" y="{PLOT_Y - STRIP}" width="{PLOT}" height="{STRIP - 4}"/>'
    seconds = FIRST_S
    while seconds <= LAST_S:
        across, up = PLOT_X + along(seconds), bottom - along(seconds)
        yield f'<path class="grid" d="M{across:.1f} {PLOT_Y}V{bottom}M{PLOT_X} {up:.1f}H{right}"/>'
        if seconds < LAST_S:
            yield f'<text x="{across:.1f}" y="{bottom + 12}" text-anchor="middle">{seconds:g}</text>'
        yield f'<text x="{PLOT_X - 4}" y="{up + 3:.1f}" text-anchor="end">{seconds:g}</text>'
        seconds *= 10
    yield f'<path class="bound" d="M{PLOT_X} {bottom}L{right} {PLOT_Y}"/>'
    for number, each in enumerate(played):
        across = PLOT_X + along(each["bound"])
        if each["seconds"] is None:
            heap = (number * 7) % (STRIP - 10)  # beside each other, as far as there is room
            yield f'<circle class="away" cx="{across:.1f}" cy="{PLOT_Y - STRIP + 3 + heap}" r="2"/>'
        else:
            kind = "well" if each["seconds"] <= each["bound"] else "late"
            yield f'<circle class="{kind}" cx="{across:.1f}" cy="{bottom - along(each["seconds"]):.1f}" r="2.2"/>'


def main() -> None:
    """Write both."""
    results = read(Path(sys.argv[1]))
    (DOCS / "faults.md").write_text(page(results))
    (DOCS / "faults.svg").write_text(plot(results))


if __name__ == "__main__":
    main()

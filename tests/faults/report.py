"""``docs/faults.md`` and its plot, from what ``scripts/faults --into`` wrote. No number and no name in them is typed by hand.

First tries count, in the table and in the plot, too; what became of those that were played again is told beside them. What was written
is kept beside the page: who doubts a number counts for himself, and makes the page again.
"""

import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kioskd.errors import KioskdError
from tests.faults.case import CASES, Case, Control
from tests.faults.plan import WAITS
from tests.faults.play import NOT_PLAYED, Outcome
from tests.faults.plot import plot
from tests.faults.record import COMPANY, Record, Try, read, was_played
from tests.faults.taken import in_scenarios, rows
from tests.faults.victims import SAYS

DOCS = Path(__file__).parents[2] / "docs"
OUTCOMES = "faults.jsonl"
NONE = "**none**"

#: What no case can take, and why.
NO_CASE = {
    "reboot: reboot the machine": "it would take along the machine that all the others are played on. `tests/system/` reboots a container",
    "NO_BROWSER 1: restart the browser": "a real browser that lives and makes no page has yet to be found",
}


def results(file: str) -> Record:
    """Read what is to be told. Raises KioskdError where that cannot be done."""
    try:
        record = read(Path(file).read_bytes(), file)
    except OSError as error:
        raise KioskdError(f"{file}: cannot be read: {error.strerror}: name what scripts/faults --into wrote") from None
    if not record.kept:
        raise KioskdError(f"{file}: has no outcome of kioskd: let it play, too (scripts/faults --into {file})")
    return record


def cell(case: Case, who: str, outcomes: list[Outcome]) -> str:
    """How it went, in a word: seconds (of several, the worst), or that it was not back in so many."""
    if not outcomes:
        return "—"
    if not all(map(was_played, outcomes)):
        return NOT_PLAYED
    if case.within is None:
        return "undisturbed" if all(each.seconds is not None for each in outcomes) else "disturbed"
    if away := [each.waited for each in outcomes if each.seconds is None]:
        return f"not in {max(away):.0f} s"
    text = f"{max(each.seconds or 0.0 for each in outcomes):.1f} s"
    return f"**{text}**" if who == "kioskd" and all(each.well for each in outcomes) else text


def page(it: Record) -> str:
    """The whole page."""
    return "\n".join([*_head(it), *_missed(it), *_table(it), *_legend(it), *_bounds(it), *_steps(it), ""])


# --- in short ----------------------------------------------------------------------------------------


def _head(it: Record) -> Iterator[str]:
    yield "# Every fault of the field, injected"
    yield ""
    yield from _made(it)
    yield ""
    yield from _in_short(it)
    yield ""
    yield "A page is *back* when the dashboard's own server says so: a page of the newest version holds a live connection that was opened"
    yield "since the fault, and has echoed a number that the server sent since, from inside an animation frame. Where the page is to come"
    yield "back by itself, any live connection counts. That is the same whoever keeps the browser. kioskd is asked only whether it is calm"
    yield "before a fault, and what it shows where nothing but kioskd can know: the holding page, its problems. Each fault is injected into"
    yield "a real Chromium before a real server. All meet the same machine: as many at a time or, where the bound leaves no room for that,"
    yield "nobody beside them. The others play each case once; kioskd's seconds are the worst of its first tries. They count from the"
    yield "fault or, where a case mends it itself (a server that was down, a loop until another browser), from the mending. Where the old"
    yield "page lives on, and is too old, too big or says itself that it is wrong, *not in* means that nobody loaded it anew or restarted"
    yield "it. Where a window or a file is to go, not the page, that is what is looked for."
    if anew := [case for case in it.cases if case.anew]:
        yield f"A page that reconnects has not loaded anew what has changed: of {_named(anew)} another document is asked for."
    yield from _waited(it)
    yield "Who comes after that, as a unit that waits 5 s before it restarts or a job that looks every 5 minutes, is told as not back in"
    yield "that time."
    yield ""
    yield f"Each outcome is in [{OUTCOMES}]({OUTCOMES}): `scripts/faults --report docs/{OUTCOMES}` makes this page and its plot of that."
    yield ""
    yield "![Recovery times against their bounds](faults.svg)"
    yield ""


def _made(it: Record) -> Iterator[str]:
    run = it.runs[0]
    days = _all([run["made"][:10], max(each.at for tries in it.kept for each in tries)[:10]])
    sittings = f", in {len(it.runs)} sittings" * (len(it.runs) > 1)
    commits = ", ".join(dict.fromkeys(each["commit"] for each in it.runs))
    kioskd = f"{run['kioskd']} (`kioskd/` {run['tree']}, at {commits})"
    yield f"Made by `scripts/faults` on {days}{sittings}: kioskd {kioskd}, {run['chromium']},"
    memory = _all(f"{each['memory'] / (1 << 30):.0f}" for each in it.runs)
    yield f"{_said(it, 'system')}, Linux {_said(it, 'kernel')}, {_said(it, 'cores')} cores, {memory} GiB, {_said(it, 'jobs')} at a time."
    yield f"Patience: {'of seconds' if run['quick'] else 'as shipped'}. Seed {run['seed']}."
    if only := [f"`--row {row}`" for row in it.plan.rows] + [f"`--case {each}`" for each in it.plan.cases] + ["`--fast`"] * it.plan.fast:
        yield f"**Not all of the table: {', '.join(only)}.**"
    if beside := [f"{who} {_said(it, who)}" for who in it.others if who in run]:
        yield f"Beside it: {', '.join(beside)}."
    cold = _all(f"{each['cold']:.2f}" for each in it.runs)
    yield f"A cold start of a bare Chromium until the page is there, C: {cold} s, before each sitting."
    if left := it.left():
        yield f"**Not all is played yet: {len(left)} of {len(it.plan.jobs())} are missing.**"


def _said(it: Record, key: str) -> str:
    return _all(each[key] for each in it.runs)


def _all(values: Iterable[Any]) -> str:
    """Of one, what it is; of several, the least and the most."""
    ordered = sorted(values)
    return f"{ordered[0]}" if ordered[0] == ordered[-1] else f"{ordered[0]} to {ordered[-1]}"


def _in_short(it: Record) -> Iterator[str]:
    first = [tries[0].outcome for tries in it.kept]
    again = [tries[-1].outcome.well for tries in it.kept if not tries[0].outcome.well]
    repeats = max(len(it.of(case, "kioskd")) for case in it.cases)
    each = f"each case {repeats} times" if repeats > 1 else "each case once"
    more = f", and {sum(again)} more when it was played again, alone" * any(again)
    share = [100 * each.seconds / each.bound for each in first if each.seconds is not None and CASES[each.case].within]
    yield f"**{len(it.cases)} ways to break a wall screen. With kioskd {len(first) - len(again)} of {len(first)} went as they should,"
    yield f"back in time or rightly left alone, at the first try ({each}){more}." + ("" if share else "**")
    if share:
        yield f"That took {statistics.median(share):.0f} % of the stated bound at the median, and {max(share):.0f} % at worst.**"
    yield "The first try is that of a case as it stands: what was played before a case was mended is not told here."


def _waited(it: Record) -> Iterator[str]:
    """Say how long the others are waited for, and who was not: nobody is to be told of as away who has not had that time."""
    away = [each for case in it.cases if case.within for who in it.others for each in it.first(case, who) if each.seconds is None]
    short = [each for each in away if was_played(each) and each.waited < WAITS * each.bound - 0.01]
    if not it.others:
        return
    yield f"The others are waited for {WAITS:g} times as long as the bound{', but for these' * bool(short)}."
    if short:
        yield ""
    alike: dict[tuple[str, str], list[str]] = {}
    for each in short:
        why = _line(each.said).partition(": ")[0]  # behind it are the numbers of that one try
        alike.setdefault((each.case, f"given up after {each.waited:.1f} s, because {why}"), []).append(each.who)
    for (case, why), whos in alike.items():
        yield f"- `{case}` ({', '.join(whos)}): {why}"


def _missed(it: Record) -> Iterator[str]:
    """Tell each miss of kioskd's, and what came of it when it was played again."""
    missed = [tries for tries in it.kept if not tries[0].outcome.well]
    if not missed:
        return
    yield "## What kioskd missed at the first try"
    yield ""
    yield "What is missed in company is played once more, alone. What is missed alone is missed."
    yield ""
    for first, *again in missed:
        then = f"; again, and alone: {_went(again[-1])}" if again else "; not played again" * (first.remark == COMPANY)
        yield f"- `{first.outcome.case}`, {first.remark}: {_went(first)}{then}"
    yield ""


def _went(each: Try) -> str:
    if not each.outcome.well:
        return _line(each.outcome.said)
    return "undisturbed" if CASES[each.outcome.case].within is None else f"{each.outcome.seconds:.2f} s, as it should"


def _line(said: str) -> str:
    return " ".join(said.split())


# --- the tables and their legends --------------------------------------------------------------------


def _table(it: Record) -> Iterator[str]:
    whos = it.whos
    yield "## The table"
    yield ""
    yield f"| row | what happens | back within | {' | '.join(whos)} |"
    yield f"|---|---|---|{'---|' * len(whos)}"
    for case in it.cases:
        cells = " | ".join(cell(case, who, it.first(case, who)) for who in whos)
        yield f"| {case.row} | {case.says} <br>`{case.name}` | {_bound(it, case)} | {cells} |"
    yield ""


def _bound(it: Record, case: Case) -> str:
    """Of several sittings the longest: each has made it of its own C."""
    return "left alone" if case.within is None else f"{max(each.bound for who in it.whos for each in it.first(case, who)):.1f} s"


def _legend(it: Record) -> Iterator[str]:
    yield "## Who plays"
    yield ""
    yield f"- **kioskd**: {SAYS['kioskd']}; a case also sets what it is about (`silence`, `memory`, `stuck_text`, `during_outage` …), and"
    yield "  kioskd remembers the page's connection from an earlier run, but where a case is about that"
    for who in it.others:
        yield f"- **{who}**: {SAYS[who]}"
    yield from _not_played(it)
    if it.others and (none := list(_by_why(it, Control.NONE))):
        yield "- **—**: there is nothing to compare:"
        for why, names in none:
            yield f"  - *{why}*: {names}"
    yield ""
    if heals := [case for case in it.cases if case.control is Control.HEALS]:
        yield f"Chromium or the page heals these itself, and kioskd must do no harm: {_named(heals)}."
        yield ""
    if late := list(_by_why(it, Control.LATE)):
        yield "These come back by themselves, too, but later than the bound, or than three times it:"
        yield ""
        for why, names in late:
            yield f"- *{why}*: {names}"
        yield ""


def _not_played(it: Record) -> Iterator[str]:
    """Say why. A machine that is booted for a peer has neither the networks, names and disks that cases have of their own."""
    for who in it.whos:
        lacking = [case for case in it.cases if not all(map(was_played, it.first(case, who)))]
        if lacking and who == "systemd":
            yield f"- **{NOT_PLAYED}**, {who}: what is broken there, a network, a name or a disk, is not that of its machine"
        elif lacking:
            said = {_line(each.said) for case in lacking for each in it.first(case, who) if not was_played(each)}
            yield f"- **{NOT_PLAYED}**, {who}: {_named(lacking)}: {'; '.join(sorted(said))}"


def _by_why(it: Record, control: Control) -> Iterator[tuple[str, str]]:
    found: dict[str, list[Case]] = defaultdict(list)
    for case in it.cases:
        if case.control is control:
            found[case.why].append(case)
    return ((why, _named(cases)) for why, cases in found.items())


def _named(cases: Iterable[Case]) -> str:
    return ", ".join(f"`{case.name}`" for case in cases)


def _bounds(it: Record) -> Iterator[str]:
    others = [case for case in it.cases if case.instead]
    if not others:
        return
    yield "## Bounds that are not their row's"
    yield ""
    yield "| row | case | back within | why |"
    yield "|---|---|---|---|"
    for case in others:
        yield f"| {case.row} | `{case.name}` | {_bound(it, case)} | {case.instead} |"
    yield ""


def _steps(it: Record) -> Iterator[str]:
    taken: dict[str, dict[str, None]] = defaultdict(dict)
    for tries in it.kept:
        for name in (name for each in tries for name in each.outcome.steps):
            taken[name][tries[0].outcome.case] = None
    scenarios, every = in_scenarios(), rows()
    yield "## Every step of the ladder, and where it is taken"
    yield ""
    yield "A step that nothing ever takes is a promise that nobody has tried. Where a step has several ways, or is ordered with something"
    yield "before it, each has its row. A case counts where the step was ordered after the page had been there and kioskd calm; where it"
    yield "is about the start, after that. That it helped is shown by the page that is back. Scenarios are `tests/scenarios/`: the same"
    yield "core on a clock that is a number."
    yield ""
    for name, why in NO_CASE.items():
        yield f"*{every[name][1].capitalize()}* ({every[name][0]}) has no case: {why}."
    yield ""
    yield "| why | what is done | cases | scenarios |"
    yield "|---|---|---|---|"
    for name, (why, what) in every.items():
        yield f"| {why} | {what} | {_some(list(taken[name]), '—' if name in NO_CASE else NONE)} | {_some(scenarios[name], NONE)} |"


def _some(names: list[str], none: str) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return shown or none


def write(file: str) -> None:
    """Write both, and keep what they are made of. Raises KioskdError where the file is not what it should be: then nothing is written."""
    it = results(file)
    text, picture, outcomes = page(it), plot(it), Path(file).read_bytes()
    (DOCS / "faults.md").write_text(text)
    (DOCS / "faults.svg").write_text(picture)
    (DOCS / OUTCOMES).write_bytes(outcomes)
    print(f"{DOCS}: faults.md, faults.svg and {OUTCOMES} are of {len(it.cases)} cases now", file=sys.stderr)

"""What was played is kept, gone on with, and told: no number of ``docs/faults.md`` is better than it was."""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kioskd
from kioskd.core import facts as f
from kioskd.errors import KioskdError
from kioskd.wire import story
from kioskd.wire.status import Clocks
from tests.aio import asynctest
from tests.core.fake_page import HOME, SOCKET
from tests.core.test_properties import POLICY
from tests.core.test_story import recorded
from tests.core.world import World
from tests.faults import report
from tests.faults.case import CASES, Control, quick, shipped
from tests.faults.plan import WAITS, Job, Plan
from tests.faults.play import NOT_PLAYED, Outcome, _taken
from tests.faults.plot import plot
from tests.faults.record import AGAIN, ALONE, COMPANY, Record, Try, read, whole
from tests.faults.taken import in_scenarios, rows

DOCS = Path(__file__).parents[2] / "docs"
TIMES = dataclasses.replace(shipped(), cold=0.5)
PLAN = Plan(7, 2, ("kioskd", "nothing", "pm2"), ("browser-killed", "gave-up-socket", "alert", "went-back"))
MACHINE = {
    "made": "2026-11-26T23:50+00:00", "kioskd": "0.1.0", "commit": "abc1234", "tree": "7ee1234", "chromium": "Chromium 156",
    "system": "Debian 12", "kernel": "6.1", "python": "3.11", "cores": 2, "memory": 4 << 30,
    "supervisord": "4.2.5", "pm2": "7.0.4", "systemd": "252", "jobs": 4, "cold": 0.5,
}  # fmt: skip


def header(plan: Plan = PLAN, **more: Any) -> dict[str, Any]:
    return {**MACHINE, **dataclasses.asdict(plan), **more}


def went(job: Job, **otherwise: Any) -> Outcome:
    """As it should, and otherwise than that."""
    bound = job.case.bound(TIMES)
    kept = job.who == "kioskd"
    there = Outcome(job.case.name, job.who, job.seed, False, 0.5, bound, WAITS * bound, bound / 2 if kept else None, True)
    return dataclasses.replace(there, **otherwise)


def played(plan: Plan = PLAN) -> Record:
    """All that is to be played, in one sitting."""
    record = Record([header(plan)])
    for job in plan.jobs():
        record.add(Try(went(job), 0, job.repeat, ALONE if job.alone else COMPANY, "2026-11-27T01:10+00:00"))
    return record


def lines(record: Record) -> bytes:
    tries = [each for seeds in record.tries.values() for tries in seeds.values() for each in tries]
    parts = []
    for number, run in enumerate(record.runs):
        parts += [json.dumps({"run": run}), *(each.line() for each in tries if each.run == number)]
    return "".join(f"{part}\n" for part in parts).encode()


def first_of(record: Record, case: str, who: str = "kioskd") -> tuple[int, list[Try]]:
    return next(iter(record.tries[case, who].items()))


def missed(record: Record, case: str, said: str, again: bool | None = None, **otherwise: Any) -> None:
    """Let kioskd have missed a case at the first try; ``again``: how it went after that."""
    seed, (it,) = first_of(record, case)
    tries = [dataclasses.replace(it, outcome=dataclasses.replace(it.outcome, well=False, said=said, **otherwise))]
    if again is not None:
        after = dataclasses.replace(it.outcome, well=again, said="" if again else "late again")
        tries.append(dataclasses.replace(it, remark=AGAIN, outcome=after))
    record.tries[case, "kioskd"][seed] = tries


def told(record: Record) -> str:
    return report.page(record)


# --- what is kept ------------------------------------------------------------------------------------


def test_what_was_written_is_read_again() -> None:
    record = played()
    missed(record, "gave-up-socket", "late", again=True)
    assert lines(read(lines(record), "it")) == lines(record) and read(lines(record), "it").plan == PLAN
    assert not record.left() and not record.again()


def test_what_is_left_is_what_has_no_outcome() -> None:
    whole_run = lines(played()).splitlines(keepends=True)
    for number in range(1, len(whole_run) + 1):
        record = read(b"".join(whole_run[:number]), "it")
        assert len(record.left()) == len(whole_run) - number


def test_a_last_line_that_is_not_whole_is_none() -> None:
    content = lines(played())
    cut = content[:-20]
    assert whole(cut) == b"".join(content.splitlines(keepends=True)[:-1]) and whole(content) == content and whole(b"torn") == b""
    with pytest.raises(KioskdError, match="it: its last line is cut off"):
        read(cut, "it")


def test_only_what_was_missed_in_company_may_be_tried_again_and_only_once() -> None:
    record = played()
    missed(record, "gave-up-socket", "late")
    missed(record, "browser-killed", "late")  # it was alone
    assert [job.case.name for job in record.again()] == ["gave-up-socket"]
    missed(played_again := played(), "gave-up-socket", "late", again=False)
    assert not played_again.again()


BAD: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda it: b"", "it: is empty"),
    "no header": (lambda it: it.split(b"\n", 1)[1], "it:1: is an outcome without the header"),
    "an old one": (lambda it: it.replace(b'"run": 0, ', b"", 1), "it:2: is nothing that this scripts/faults writes"),
    "no JSON": (lambda it: it.replace(b'{"outcome', b'{outcome', 1), "it:2: is no whole line of JSON"),
    "no text": (lambda it: it.replace(b'{"outcome', b'{"\xff', 1), "it:2: is no whole line of JSON"),
    "a list": (lambda it: it + b"[1]\n", "is nothing that this scripts/faults writes"),
    "an unknown case": (lambda it: it.replace(b'"case": "alert"', b'"case": "alarm"', 1), "this tree does not know alarm"),
    "an unknown player": (lambda it: it.replace(b'"who": "pm2"', b'"who": "pm3"', 1), "or pm3"),
    "two runs": (lambda it: it + it.replace(b'"seed": 7', b'"seed": 8', 1), "begins another run than the first line"),
    "two kioskds": (lambda it: it + it.replace(b"7ee1234", b"7ee1235", 1), "begins another run than the first line"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_record_is_refused_with_its_line(what: str) -> None:
    spoil, said = BAD[what]
    with pytest.raises(KioskdError, match="^it:") as refused:
        read(spoil(lines(played())), "it")
    assert said in str(refused.value)


def test_what_tells_nothing_is_refused_and_the_page_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "DOCS", tmp_path)
    record = played()
    record.tries = {key: value for key, value in record.tries.items() if key[1] != "kioskd"}
    (file := tmp_path / "file").write_bytes(lines(record))
    for name, said in ((file, "no outcome of kioskd"), (tmp_path, "Is a directory"), (tmp_path / "none", "No such file")):
        with pytest.raises(KioskdError, match=f"^{name}: .*{said}"):
            report.write(str(name))
    assert not (tmp_path / "faults.md").exists()
    file.write_bytes(lines(played()))
    report.write(str(file))
    assert (tmp_path / "faults.md").read_text() == told(read(lines(played()), "it"))
    assert (tmp_path / "faults.svg").read_text() == plot(played())
    assert (tmp_path / "faults.jsonl").read_bytes() == file.read_bytes()
    report.write(str(tmp_path / "faults.jsonl"))
    assert (tmp_path / "faults.jsonl").read_bytes() == file.read_bytes(), "what is published makes the same page again"


# --- what is told ------------------------------------------------------------------------------------


def test_the_head_says_when_with_what_and_how_much() -> None:
    text = told(played())
    for part in (
        "on 2026-11-26 to 2026-11-27: kioskd 0.1.0 (`kioskd/` 7ee1234, at abc1234), Chromium 156,",
        "2 cores, 4 GiB, 4 at a time.", "Seed 7.",
        "Beside it: pm2 7.0.4.", "C: 0.50 s",
        "**4 ways to break a wall screen. With kioskd 8 of 8 went as they should,\n"
        "back in time or rightly left alone, at the first try (each case 2 times).",
        "50 % of the stated bound at the median, and 50 % at worst.", "waited for 3 times as long as the bound.",
    ):  # fmt: skip
        assert part in text
    assert "missed" not in text and "are missing" not in text and "sittings" not in text


def test_several_sittings_are_told_and_what_is_not_played_yet() -> None:
    record = played()
    record.runs.append(header(cold=0.61, jobs=10))
    seed, _ = first_of(record, "alert", "pm2")
    del record.tries["alert", "pm2"][seed]
    text = told(record)
    assert ", in 2 sittings: " in text and "C: 0.50 to 0.61 s" in text and "4 to 10 at a time" in text
    assert "**Not all is played yet: 1 of 14 are missing.**" in text


def test_first_tries_count_and_each_miss_is_named() -> None:
    record = played()
    missed(record, "gave-up-socket", "late: 30.00 s, and the bound is 27.00 s", again=True, seconds=30.0)
    missed(record, "browser-killed", "late: 2.00 s, and the bound is 1.50 s", seconds=2.0)
    missed(record, "alert", "expected was the same process")
    text = told(record)
    assert "With kioskd 5 of 8 went as they should,\n" in text
    assert "back in time or rightly left alone, at the first try (each case 2 times), and 1 more" in text
    assert "and 133 % at worst" in text
    assert "- `gave-up-socket`, in company: late: 30.00 s, and the bound is 27.00 s; again, and alone: 13.50 s, as it should" in text
    assert "- `browser-killed`, alone: late: 2.00 s, and the bound is 1.50 s\n" in text
    assert "- `alert`, in company: expected was the same process; not played again\n" in text
    assert text.index("- `browser-killed`, alone") < text.index("## The table")
    assert re.search(r"`gave-up-socket` \| 27.0 s \| 30.0 s \|", text), "the first try, and in no bold letters"


def test_a_miss_that_is_missed_again_says_both() -> None:
    record = played()
    missed(record, "alert", "late", again=False)
    assert "- `alert`, in company: late; again, and alone: late again" in told(record)
    assert "more when it was played again" not in told(record)


def test_who_was_given_up_too_soon_is_named_and_why() -> None:
    record = played()
    for number, who in enumerate(("nothing", "pm2")):
        seed, (it,) = first_of(record, "alert", who)
        short = dataclasses.replace(it.outcome, waited=4.0, said=f"Nobody asked\nfor it: {number} loads")
        record.tries["alert", who][seed] = [dataclasses.replace(it, outcome=short)]
    text = told(record)
    told_once = "- `alert` (nothing, pm2): given up after 4.0 s, because Nobody asked for it\n"
    assert f"3 times as long as the bound, but for these.\n\n{told_once}" in text


def test_what_is_not_played_is_told_with_why() -> None:
    record = played()
    seed, (it,) = first_of(record, "alert", "pm2")
    said = f"{NOT_PLAYED}: TimeoutError()"
    record.tries["alert", "pm2"][seed] = [dataclasses.replace(it, outcome=dataclasses.replace(it.outcome, waited=3.0, said=said))]
    text = told(record)
    assert f"- **{NOT_PLAYED}**, pm2: `alert`: {said}" in text and "given up" not in text


def test_a_case_that_has_no_control_says_why_and_one_that_comes_back_late(monkeypatch: pytest.MonkeyPatch) -> None:
    late = dataclasses.replace(CASES["alert"], control=Control.LATE, why="Chromium tries it once more")
    other = dataclasses.replace(CASES["browser-killed"], instead="the disk is slow")
    monkeypatch.setitem(CASES, "alert", late)
    monkeypatch.setitem(CASES, "browser-killed", other)
    text = told(played())
    assert f"  - *{CASES['went-back'].why}*: `went-back`\n" in text
    assert "later than the bound, or than three times it:\n\n- *Chromium tries it once more*: `alert`\n" in text
    assert "| 1 | `browser-killed` | 1.5 s | the disk is slow |" in text


def test_the_plot_is_of_first_tries() -> None:
    record = played()
    missed(record, "gave-up-socket", "late", again=True, seconds=30.0)
    assert "4 of 4 in time" not in plot(record) and "7 of 8 in time" in plot(record)


# --- the steps ---------------------------------------------------------------------------------------


def test_each_step_has_a_scenario_and_none_has_no_case() -> None:
    assert not [name for name, scenarios in in_scenarios().items() if not scenarios]
    assert set(report.NO_CASE) <= set(rows())
    text = (DOCS / "faults.md").read_text().partition("## Every step of the ladder")[2]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    assert len(table) > len(report.NO_CASE) + 2 and not [row for row in table if row[2] == report.NONE]


class Teller:
    """A kiosk whose story is that of a world."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "kioskd.story"
        world = World(POLICY)
        kept = recorded(world)
        world.wake_at = world.now
        world.tell(f.Remembered(((HOME, SOCKET),), 0))
        world.tell(f.ConfigRead(POLICY))
        world.run(world.now + 45.0)
        self.calm_at = world.now
        world.do("page.close")
        world.run(world.now + 45.0)
        self.file.write_text("".join(story.lines(kept.chapters(), kioskd.__version__, Clocks(world.now, 1_763_000_000.0))))

    async def story(self) -> Path:
        return self.file


@asynctest
async def test_a_step_counts_where_it_was_taken_after_the_page_was_calm(tmp_path: Path) -> None:
    kiosk: Any = Teller(tmp_path)
    assert await _taken(kiosk, None) == (
        "NO_BROWSER 1: start the browser", "with display", "UNREADABLE 1: go home", "NO_BROWSER 1: open a new page",
    )  # fmt: skip
    assert await _taken(kiosk, kiosk.calm_at) == ("NO_BROWSER 1: open a new page", "UNREADABLE 1: go home")


def test_what_was_played_of_a_later_commit_is_told_where_kioskd_is_the_same() -> None:
    record = played()
    record.runs += [header(commit="abc1239"), header()]
    assert "kioskd 0.1.0 (`kioskd/` 7ee1234, at abc1234, abc1239), Chromium 156," in told(read(lines(record), "it"))


def test_quick_and_shipped_are_told_apart() -> None:
    assert "Patience: of seconds." in told(played(dataclasses.replace(PLAN, quick=True))) and quick().quick


def test_what_is_published_is_what_comes_of_the_published_outcomes() -> None:
    it = report.results(str(DOCS / "faults.jsonl"))
    again = "it is no longer what the report makes: scripts/faults --report docs/faults.jsonl"
    assert (DOCS / "faults.md").read_text() == told(it), again
    assert (DOCS / "faults.svg").read_text() == plot(it), again
    assert not it.left() and "The others are waited for 3 times as long as the bound.\n" in told(it)

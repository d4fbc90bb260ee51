"""What was played, as lines of JSON: the header of each sitting, and after it the outcomes of that sitting, as they come.

A proof takes hours, and may be interrupted: who goes on with its file plays what is not in there yet, and begins a sitting of its own,
with a header of its own, since bounds are made from what a cold start takes then. A file is one plan, one kioskd and one Chromium;
with a case that has been added, or whose lines were taken out since it has been mended, it goes on::

    {"run": {"made": …, "commit": …, "tree": …, "chromium": …, "seed": …, "repeat": …, "peers": …, "cold": …, "jobs": …, …}}
    {"outcome": {…}, "run": 0, "repeat": 0, "remark": "in company", "at": …}
"""

import dataclasses
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kioskd.errors import KioskdError
from tests.faults.case import CASES, Case, by_row
from tests.faults.plan import Job, Plan
from tests.faults.play import NOT_PLAYED, Outcome
from tests.faults.victims import NAMES

COMPANY, ALONE, AGAIN = "in company", "alone", "again, and alone"

#: What has to be the same in every sitting, besides the plan.
SAME = ("tree", "chromium")


def moment() -> str:
    """Now, by the wall clock, for people."""
    return datetime.now(UTC).isoformat(timespec="minutes")


@dataclass(frozen=True, slots=True)
class Try:
    """One outcome, and how it came about."""

    outcome: Outcome
    run: int  # its sitting
    repeat: int
    remark: str
    at: str = ""

    def line(self) -> str:
        """As it is written."""
        return json.dumps(dataclasses.asdict(self))


@dataclass
class Record:
    """What was played so far: the sittings, and by case and by who all tries of each seed."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    tries: dict[tuple[str, str], dict[int, list[Try]]] = field(default_factory=dict)

    @property
    def plan(self) -> Plan:
        """What is to be played in all."""
        return plan_of(self.runs[0])

    def add(self, each: Try) -> None:
        """Enter what has been played."""
        it = each.outcome
        self.tries.setdefault((it.case, it.who), {}).setdefault(it.seed, []).append(each)

    def of(self, case: Case, who: str) -> list[list[Try]]:
        """The tries of a case, of each repeat."""
        return list(self.tries.get((case.name, who), {}).values())

    def first(self, case: Case, who: str) -> list[Outcome]:
        """Of these the first ones, which count."""
        return [tries[0].outcome for tries in self.of(case, who)]

    @property
    def kept(self) -> list[list[Try]]:
        """All that kioskd has played."""
        return [tries for case in self.cases for tries in self.of(case, "kioskd")]

    @property
    def whos(self) -> list[str]:
        """Who has played, in the order of the table."""
        there = {who for _, who in self.tries}
        return [who for who in NAMES if who in there]

    @property
    def others(self) -> list[str]:
        """The same, but for kioskd."""
        return [who for who in self.whos if who != "kioskd"]

    @property
    def cases(self) -> list[Case]:
        """Which cases were played, in the order of the table."""
        there = {name for name, _ in self.tries}
        return [each for each in by_row() if each.name in there]

    def left(self) -> list[Job]:
        """Return what of the plan is not played yet."""
        return [job for job in self.plan.jobs() if not self._of(job)]

    def again(self) -> list[Job]:
        """Return what kioskd has missed in company, and may try once more, alone."""
        return [job for job in self.plan.jobs() if job.who == "kioskd" and _may_try_again(self._of(job))]

    def _of(self, job: Job) -> list[Try]:
        return self.tries.get((job.case.name, job.who), {}).get(job.seed, [])


def was_played(outcome: Outcome) -> bool:
    """Whether there is something to tell of it."""
    return not outcome.said.startswith(NOT_PLAYED)


def _may_try_again(tries: list[Try]) -> bool:
    return [(each.remark, each.outcome.well) for each in tries] == [(COMPANY, False)]


def plan_of(run: dict[str, Any]) -> Plan:
    """Return the plan in a header. Raises KeyError where it has none."""
    names = [each.name for each in dataclasses.fields(Plan)]
    words: dict[str, Any] = {name: tuple(run[name]) if isinstance(run[name], list) else run[name] for name in names}
    return Plan(**words)


def whole(content: bytes) -> bytes:
    """Return all lines but a last one that is not whole, as a kill leaves it."""
    return content[: content.rfind(b"\n") + 1]


def read(content: bytes, name: str) -> Record:
    """Read what was written. Raises KioskdError with file, line, what is wrong and what to do."""
    if whole(content) != content:
        raise KioskdError(f"{name}: its last line is cut off: let it be played on (scripts/faults --into {name}), or remove that line")
    record = Record()
    for number, line in enumerate(content.splitlines(), 1):
        try:
            _enter(record, json.loads(line))
        except ValueError as error:
            said = "is no whole line of JSON: remove it" if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) else error
            raise KioskdError(f"{name}:{number}: {said}") from None
        except (KeyError, TypeError):
            raise KioskdError(f"{name}:{number}: is nothing that this scripts/faults writes: take the one that wrote it") from None
    if not record.runs:
        raise KioskdError(f"{name}: is empty: scripts/faults --into {name} plays the cases, and writes it")
    return record


def _enter(record: Record, said: dict[str, Any]) -> None:
    """Enter a line. Raises ValueError where it does not belong here, KeyError or TypeError where it is no such line."""
    if "outcome" not in said:
        run = said["run"]
        plan, first = plan_of(run), record.runs[0] if record.runs else run
        if plan != plan_of(first) or any(run[key] != first[key] for key in SAME):
            raise ValueError("begins another run than the first line: one file is one run; write this one into a file of its own")
        record.runs.append(run)
        return
    each = Try(**{**said, "outcome": Outcome(**said["outcome"])})
    if each.run != len(record.runs) - 1:
        raise ValueError("is an outcome without the header of its run: this is a part of a file; take the whole")
    if each.outcome.case not in CASES or each.outcome.who not in NAMES:
        raise ValueError(f"this tree does not know {each.outcome.case}, or {each.outcome.who}: take the one that it was played with")
    record.add(each)

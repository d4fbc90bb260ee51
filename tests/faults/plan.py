"""What is to be played: which cases, by whom, how often, and in which order. Chance comes from the seed alone."""

import fnmatch
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import tests.faults.cases  # noqa: F401 - enters them
from kioskd.errors import KioskdError
from tests.faults.case import Case, Control, Times, by_row
from tests.faults.victims import JUDGED, NAMES

#: Times the bound that all are waited for: so a miss has its figure, too, and a peer its chance.
WAITS = 3.0

#: About how long it takes until a page is there, its start is forgotten, and a moment of chance is over: seconds.
BEGINS_S = 20.0


@dataclass(frozen=True, slots=True)
class Job:
    """A case, and who plays it for the how manieth time."""

    case: Case
    who: str
    repeat: int
    seed: int

    @property
    def alone(self) -> bool:
        """Whether nothing may run beside it, whoever plays it: all meet the same machine."""
        return self.case.alone

    def takes_s(self, times: Times) -> float:
        """About how long it takes. (An outage that lasts for ten minutes is the case's own matter, and not known here.)"""
        away = self.who != "kioskd" and self.case.control in (Control.STAYS_AWAY, Control.LATE)
        return BEGINS_S + (WAITS if away else 1.0) * self.case.bound(times)


@dataclass(frozen=True)
class Plan:
    """What is to be played, in the words of the command. A run that goes on has the same."""

    seed: int
    repeat: int = 1  # how often by kioskd; by the others once
    peers: tuple[str, ...] = JUDGED
    cases: tuple[str, ...] = ()  # patterns; none: all
    rows: tuple[str, ...] = ()
    fast: bool = False
    quick: bool = False

    @cached_property
    def chosen(self) -> list[Case]:
        """The cases, in the order of the table. Raises KioskdError where a word fits none: it is misspelt."""
        every = by_row()
        for row in self.rows:
            if not any(case.row == row for case in every):
                raise KioskdError(f"--row {row}: the table has no such row: see scripts/faults --list")
        left = [case for case in every if (not self.rows or case.row in self.rows) and not (self.fast and case.slow)]
        for pattern in self.cases:
            if not fnmatch.filter((case.name for case in left), pattern):
                beside = " of these rows" * bool(self.rows) + " that is fast" * self.fast
                raise KioskdError(f"--case {pattern}: no case{beside} is called so: see scripts/faults --list")
        if not left:
            raise KioskdError("--fast: no case of these rows is: see scripts/faults --list")
        return [case for case in left if not self.cases or any(fnmatch.fnmatch(case.name, pattern) for pattern in self.cases)]

    def jobs(self) -> list[Job]:
        """Return what is to be played, in the order of the table."""
        jobs = []
        for repeat in range(self.repeat):
            for case in self.chosen:
                dice = random.Random(f"{self.seed} {repeat} {case.name}")  # whoever plays it, the same chance
                seed = dice.getrandbits(32)
                whos = [who for who in self.peers if who == "kioskd" or (repeat == 0 and case.control is not Control.NONE)]
                jobs += [Job(case, who, repeat, seed) for who in whos]
        if not jobs:
            raise KioskdError(f"--peer {self.peers[0]}: without kioskd there is nothing to break in these cases: see scripts/faults --list")
        return jobs


def several(given: Iterable[str]) -> tuple[str, ...]:
    """Return who is meant, in the order of the table."""
    return tuple(name for name in NAMES if name in given or "all" in given)


def mixed(jobs: list[Job], times: Times, seed: int, at_a_time: int) -> list[Job]:
    """Return in which order they begin where several are played at a time.

    It is chance, for what burns a processor, or starts many browsers, is not to be all at once. But what takes long begins so early that
    it ends with the rest, and nobody waits for it alone.
    """
    dice = random.Random(seed)
    in_all = sum(job.takes_s(times) for job in jobs) / at_a_time
    return sorted(jobs, key=lambda job: dice.uniform(0.0, max(0.0, in_all - job.takes_s(times))))

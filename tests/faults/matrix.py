"""The fault matrix for people: every case, with kioskd, without it, and with what people use today. ``scripts/faults`` runs this.

Several are played at a time, for most of a case is waiting; those whose bound is a cold start and a second are played alone. What kioskd
misses in company it may try again alone, once, and both are told.
"""

import argparse
import asyncio
import dataclasses
import fnmatch
import json
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

import tests.faults.cases  # noqa: F401 - enters them
from kioskd import __version__
from kioskd.errors import KioskdError
from tests.faults.case import Case, Control, Times, by_row, quick, shipped
from tests.faults.play import NOT_PLAYED, Outcome, limit_s, play
from tests.faults.stage import cached, cold_start
from tests.faults.victims import JUDGED, NAMES

COLD_STARTS = 5
APART_S = 1.0  # between the first starts: a start is what costs, the rest is waiting
WAITS = 3.0  # times the bound: so a miss has its figure, too, and a peer its chance


@dataclass(frozen=True, slots=True)
class Job:
    """A case, and who plays it for the how manieth time."""

    case: Case
    who: str
    repeat: int
    seed: int

    @property
    def alone(self) -> bool:
        """Whether nothing may run beside it."""
        return self.case.alone and self.who == "kioskd"


def chosen(options: argparse.Namespace) -> list[Job]:
    """Return what is to be played, in order; raises KioskdError where nothing fits."""
    cases = [each for each in by_row() if _wanted(each, options)]
    if not cases:
        raise KioskdError("No case fits: see scripts/faults --list")
    whos = NAMES if "all" in options.peer else tuple(dict.fromkeys(options.peer)) or JUDGED
    jobs = []
    for repeat in range(options.repeat):
        for case in cases:
            for who in whos:
                if who == "kioskd" or case.control is not Control.NONE:
                    dice = random.Random(f"{options.seed} {repeat} {case.name}")  # whoever plays it, the same chance
                    jobs.append(Job(case, who, repeat, dice.getrandbits(32)))
    return [job for job in jobs if job.who == "kioskd" or job.repeat == 0]


def _wanted(case: Case, options: argparse.Namespace) -> bool:
    by_name = not options.case or any(fnmatch.fnmatch(case.name, pattern) for pattern in options.case)
    return by_name and (not options.row or case.row in options.row) and not (options.fast and case.slow)


class Run:
    """One run of the matrix: its times, its folder, and what has come of it so far."""

    def __init__(self, options: argparse.Namespace, times: Times, folder: Path) -> None:
        self._options, self._times, self._folder = options, times, folder
        self._number = 0
        self.outcomes: list[Outcome] = []
        self._colours = sys.stderr.isatty() and "NO_COLOR" not in os.environ

    async def play(self, jobs: list[Job]) -> None:
        """Play all: in company, then alone, then again alone what kioskd has missed in company; then the peers, who have no bounds."""
        company = [job for job in jobs if job.who in JUDGED and not job.alone]
        await self._side_by_side(company)
        async with cached():
            for job in (job for job in jobs if job.alone):
                await self._one(job)
        missed = {(each.case, each.seed) for each in self.outcomes if each.who == "kioskd" and not each.well}
        for job in company:
            if job.who == "kioskd" and (job.case.name, job.seed) in missed:
                await self._one(job, "again, and alone")
        await self._side_by_side([job for job in jobs if job.who not in JUDGED], 2)

    async def _side_by_side(self, jobs: list[Job], crowd: int = 1) -> None:
        mixed = list(jobs)
        random.Random(self._options.seed).shuffle(mixed)  # what burns a processor, or starts many browsers, is not all at once
        waiting = iter(mixed)

        async def worker(number: int) -> None:
            await asyncio.sleep(number * APART_S)
            for job in waiting:
                await self._one(job)

        async with asyncio.TaskGroup() as group:
            for number in range(crowd * self._options.jobs):
                group.create_task(worker(number))

    async def _one(self, job: Job, remark: str = "") -> None:
        self._number += 1
        folder = self._folder / str(self._number)
        folder.mkdir()
        waits = 1.0 if job.who == "nothing" and not self._options.peer else WAITS  # that it stays away is all that is asked
        try:
            async with asyncio.timeout(limit_s(job.case, self._times)):
                outcome = await play(job.case, job.who, folder, self._times, job.seed, waits)
        except Exception as error:  # one case must not take the others along
            bound = job.case.bound(self._times)
            outcome = Outcome(
                job.case.name, job.who, job.seed, self._times.quick, self._times.cold, bound, bound, None, False, f"{NOT_PLAYED}: {error!r}"
            )  # fmt: skip
        self.outcomes.append(outcome)
        self._tell(job, outcome, remark)
        if self._options.json:
            print(json.dumps({"outcome": dataclasses.asdict(outcome), "repeat": job.repeat, "remark": remark}), flush=True)

    def _tell(self, job: Job, outcome: Outcome, remark: str) -> None:
        judged = job.who in JUDGED
        mark = {True: "ok", False: "MISSED"}[outcome.well] if judged else "  "
        colour = ("\033[32m" if outcome.well else "\033[31m") if judged and self._colours else ""
        if job.case.within is None:
            took = "undisturbed" if outcome.seconds is not None else "disturbed"
        else:
            took = f"not in {outcome.waited:.0f} s" if outcome.seconds is None else f"{outcome.seconds:.1f} s"
            took += f", the bound is {outcome.bound:.1f} s" if job.who == "kioskd" else ""
        said = "" if outcome.well or not judged else f": {outcome.said}"
        row = f"{job.case.row:>3}"
        line = f"{colour}{mark:6}{colour and chr(27) + '[0m'} {row} {job.case.name:34} {job.who:12} {took}{said} {remark}"
        print(line.rstrip(), file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    """Where, and with what, it is played."""
    return {
        "made": datetime.now(UTC).isoformat(timespec="minutes"),
        "kioskd": __version__,
        "chromium": _first_line("chromium", "--version"),
        "system": _system(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "memory": psutil.virtual_memory().total,
    }


def _first_line(*command: str) -> str:
    said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout
    return said.splitlines()[0].strip() if said else "unknown"


def _system() -> str:
    return str(platform.freedesktop_os_release().get("PRETTY_NAME", "unknown"))


async def cold(folder: Path) -> float:
    """C: the median of some cold starts, while nothing else runs."""
    return statistics.median([await cold_start(folder / f"cold-{number}") for number in range(COLD_STARTS)])


async def run(options: argparse.Namespace, jobs: list[Job]) -> int:
    """Play, tell, and return the exit status."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kioskd-faults-") as name:
        folder = Path(name)
        print(f"{len(jobs)} to play, {options.jobs} at a time, seed {options.seed}", file=sys.stderr)
        times = dataclasses.replace(quick() if options.quick else shipped(), cold=await cold(folder))
        print(f"C, a cold start of a bare Chromium: {times.cold:.2f} s", file=sys.stderr)
        if options.json:
            print(json.dumps({"run": {**machine(), "seed": options.seed, "cold": times.cold, "quick": options.quick}}), flush=True)
        it = Run(options, times, folder)
        await it.play(jobs)
    return summary(it.outcomes, time.monotonic() - began)


def summary(outcomes: Iterable[Outcome], seconds: float) -> int:
    """Say how it went: kioskd has to be back in time, the control has to do as is said of it."""
    last: dict[tuple[str, str, int], Outcome] = {}
    first: dict[tuple[str, str, int], Outcome] = {}
    for each in outcomes:
        last[each.case, each.who, each.seed] = each
        first.setdefault((each.case, each.who, each.seed), each)
    judged = [key for key in last if key[1] in JUDGED]
    missed = [key for key in judged if not last[key].well]
    lucky = [key for key in judged if last[key].well and not first[key].well]
    print(f"\n{len(judged) - len(missed)} of {len(judged)} as expected, in {seconds / 60:.0f} min", file=sys.stderr)
    for name, who, seed in lucky:
        print(f"  only alone: {name} ({who}, seed {seed}): {first[name, who, seed].said}", file=sys.stderr)
    for name, who, seed in missed:
        print(f"  MISSED: {name} ({who}, seed {seed}): {last[name, who, seed].said}", file=sys.stderr)
    return 1 if missed else 0


def parser() -> argparse.ArgumentParser:
    """The words of the command."""
    it = argparse.ArgumentParser(
        prog="scripts/faults",
        description="Break a real dashboard in every way of the table (--list) in front of a real Chromium: kept by kioskd, by "
        "nobody, and by what people use today. Only the dashboard's server is asked whether the page is back.",
        epilog="scripts/faults --quick --case 'browser-*'    a first look, in a minute.   scripts/faults --repeat 3    the proof.   "
        "scripts/faults --peer all --json >run.jsonl; scripts/faults --report run.jsonl    the page and the plot of docs/.",
    )
    it.add_argument("--list", action="store_true", help="say which cases there are, and play none")
    it.add_argument("--case", action="append", default=[], metavar="PATTERN", help="only cases with such names (again: more of them)")
    it.add_argument("--row", action="append", default=[], help="only cases of this row of the table")
    it.add_argument("--fast", action="store_true", help="leave out those that take minutes by their nature")
    it.add_argument("--quick", action="store_true", help="patience of seconds, in place of the shipped one")
    it.add_argument(
        "--peer", action="append", default=[], choices=(*NAMES, "all"), help="who keeps the browser (default: kioskd, and nothing)"
    )
    it.add_argument("--repeat", type=int, default=1, metavar="N", help="how often kioskd plays each, with another seed each time")
    it.add_argument("--seed", type=int, default=random.getrandbits(32), help="of all chance (default: a new one; it is said)")
    many = 2 * (os.cpu_count() or 1)
    it.add_argument("--jobs", type=int, default=many, metavar="N", help="how many at a time (default: twice the cores); peers: double")
    it.add_argument("--json", action="store_true", help="on standard output, one JSON object a line: the run, then each outcome")
    it.add_argument("--report", metavar="FILE", help="write docs/faults.md and its plot from such lines")
    return it


def main() -> int:
    """``scripts/faults``."""
    options = parser().parse_args()
    if options.list:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # who reads only the first lines has read enough
        for each in by_row():
            print(f"{each.row:>3}  {each.name:34} {each.says}")
        return 0
    try:
        jobs = chosen(options)
    except KioskdError as error:
        print(error, file=sys.stderr)
        return 2
    return asyncio.run(run(options, jobs))


if __name__ == "__main__":
    sys.exit(main())

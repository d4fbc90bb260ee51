"""The fault matrix for people: every case, with kioskd, without it, and with what people use today. ``scripts/faults`` runs this.

Twice: first to read the words, which asks for nothing that is not there, and then, with ``--play``, where all that it takes is there.

Several are played at a time, whoever plays, for most of a case is waiting; those whose bound leaves no room for company are played alone.
What kioskd misses in company it may try again alone, once: both are told, and the first try is what counts.
"""

import argparse
import asyncio
import dataclasses
import fcntl
import json
import math
import os
import random
import signal
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from io import FileIO
from pathlib import Path
from typing import Any

from kioskd.errors import KioskdError
from tests.faults import report
from tests.faults.case import Times, quick, shipped
from tests.faults.plan import WAITS, Job, Plan, mixed, several
from tests.faults.play import NOT_PLAYED, Outcome, limit_s, play
from tests.faults.record import AGAIN, ALONE, COMPANY, Record, Try, moment, read, was_played, whole
from tests.faults.remains import ended
from tests.faults.stage import cached
from tests.faults.victims import JUDGED, NAMES
from tests.faults.where import TREE, chromium, cold, commit, machine, tree

BEGINS = b'{"run": {'
APART_S = 1.0  # between the first starts: a start is what costs, the rest is waiting


class Run:
    """One sitting: its times, its folder, and what has come of it and of those before it."""

    def __init__(self, record: Record, at_a_time: int, times: Times, folder: Path, write: Callable[[str], None]) -> None:
        self._record, self._at_a_time, self._times, self._folder, self._write = record, at_a_time, times, folder, write
        self._number = 0
        self._colours = sys.stderr.isatty() and "NO_COLOR" not in os.environ

    async def play(self) -> None:
        """Play what is left: in company, then alone, then again alone what kioskd has missed in company."""
        left = self._record.left()
        company = [job for job in left if not job.alone]
        await self._side_by_side(mixed(company, self._times, self._record.plan.seed, self._at_a_time))
        if alone := [job for job in left if job.alone]:
            async with cached():
                for job in alone:
                    await self._one(job, ALONE)
        for job in self._record.again():
            await self._one(job, AGAIN)

    async def _side_by_side(self, jobs: list[Job]) -> None:
        waiting = iter(jobs)

        async def worker(number: int) -> None:
            await asyncio.sleep(number * APART_S)
            for job in waiting:
                await self._one(job, COMPANY if self._at_a_time > 1 else ALONE)

        async with asyncio.TaskGroup() as group:
            for number in range(self._at_a_time):
                group.create_task(worker(number))

    async def _one(self, job: Job, remark: str) -> None:
        self._number += 1
        folder = self._folder / str(self._number)
        folder.mkdir()
        try:
            async with asyncio.timeout(limit_s(job.case, self._times)):
                outcome = await play(job.case, job.who, folder, self._times, job.seed, WAITS)
        except Exception as error:  # one case must not take the others along
            bound = job.case.bound(self._times)
            outcome = Outcome(
                job.case.name, job.who, job.seed, self._times.quick, self._times.cold, bound, bound, None, False, f"{NOT_PLAYED}: {error!r}"
            )  # fmt: skip
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise asyncio.CancelledError  # who interrupts a run interrupts all that it has started: what comes of that is no outcome
        done = Try(outcome, len(self._record.runs) - 1, job.repeat, remark, moment())
        self._record.add(done)
        self._write(done.line())
        self._tell(job, outcome, remark)

    def _tell(self, job: Job, outcome: Outcome, remark: str) -> None:
        judged = job.who in JUDGED
        mark = {True: "ok", False: "MISSED"}[outcome.well] if judged else "  "
        colour = ("\033[32m" if outcome.well else "\033[31m") if judged and self._colours else ""
        if not was_played(outcome):
            took = NOT_PLAYED
        elif job.case.within is None:
            took = "undisturbed" if outcome.seconds is not None else "disturbed"
        else:
            took = f"not in {outcome.waited:.0f} s" if outcome.seconds is None else f"{outcome.seconds:.1f} s"
            took += f", the bound is {outcome.bound:.1f} s" if job.who == "kioskd" else ""
        said = "" if outcome.well or not judged else f": {outcome.said}"
        row = f"{job.case.row:>3}"
        line = f"{colour}{mark:6}{colour and chr(27) + '[0m'} {row} {job.case.name:34} {job.who:12} {took}{said}"
        print(f"{line} {remark}" if remark == AGAIN else line, file=sys.stderr, flush=True)


# --- the command -------------------------------------------------------------------------------------


def planned(options: argparse.Namespace, record: Record) -> Plan:
    """Return what is to be played: what the words say, or what was begun. Raises KioskdError where they say something else than that."""
    words = {each.name: getattr(options, each.name) for each in dataclasses.fields(Plan)}
    words |= {"peers": several(options.peers) or None, "cases": tuple(options.cases) or None, "rows": tuple(options.rows) or None}
    said = {name: value for name, value in words.items() if value is not None}
    if not record.runs:
        return Plan(**{"seed": random.getrandbits(32), **said})
    for name, value in said.items():
        if value != (begun := getattr(record.plan, name)):
            raise KioskdError(f"{options.into}: was begun with {name} {begun}, not {value}: leave that out, or name another FILE")
    return record.plan


def begin(options: argparse.Namespace) -> int:
    """Let ``scripts/faults`` see to all that it takes, and play; standard output is the file of ``--into`` then."""
    os.environ |= {"KIOSKD_COMMIT": commit(), "KIOSKD_TREE": tree()}
    script = str(TREE / "scripts" / "faults")
    with _locked(options.into) if options.into else nullcontext() as file:
        if file is not None:
            record = _begun(options, file)
            if record.runs and not record.left() and not record.again():
                return summary(record)
            os.dup2(file.fileno(), 1)
        os.execv(script, [script, "--play", *sys.argv[1:]])


@contextmanager
def _locked(name: str) -> Iterator[FileIO]:
    """The file of ``--into``, which nobody else writes for as long as anything that was started here has it open."""
    try:
        file = open(name, "a+b", buffering=0)
    except OSError as error:
        raise KioskdError(f"{name}: cannot be written: {error.strerror}") from None
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise KioskdError(f"{name}: is no file that can be gone on with: name another FILE")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise KioskdError(f"{name}: is being written by another run: wait for its end, or name another FILE") from None
        yield file


def _begun(options: argparse.Namespace, file: FileIO) -> Record:
    """Return what is in the file, which ends with a whole line then. Raises KioskdError where that is not to be gone on with."""
    name, record = options.into, Record()
    content = _content(file.fileno())
    if kept := whole(content):
        record = read(kept, name)
        planned(options, record)
        for key, now in (("tree", tree()), ("chromium", chromium())):
            if now != (then := record.runs[0][key]):
                raise KioskdError(f"{name}: was begun with {key} {then}, and here is {now}: go back to that, or name another FILE")
    if not content.startswith(BEGINS[: len(content)]):
        raise KioskdError(f"{name}: is not what scripts/faults --into has written, and stays as it is: name another FILE")
    if kept != content:
        print(f"{name}: its last line was cut off; what it told of is played again", file=sys.stderr)
        file.truncate(len(kept))
    return record


def _content(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)


async def run(options: argparse.Namespace) -> int:
    """Play, tell, and return the exit status."""
    began = time.monotonic()
    content = _content(1) if options.into else b""
    record = read(content, options.into) if content else Record()
    plan = planned(options, record)
    write = _lines(bool(options.into or options.json))
    with tempfile.TemporaryDirectory(prefix="kioskd-faults-") as name:
        folder = Path(name)
        times = dataclasses.replace(quick() if plan.quick else shipped(), cold=await cold(folder))
        header = {**machine(), **dataclasses.asdict(plan), "jobs": options.jobs, "cold": times.cold}
        record.runs.append(header)
        write(json.dumps({"run": header}))
        left = record.left()
        takes = math.ceil(sum(job.takes_s(times) / (1 if job.alone else options.jobs) for job in left) / 60)
        print(f"{len(left)} to play, {options.jobs} at a time, seed {plan.seed}: by their bounds {takes} min", file=sys.stderr)
        print(f"C, a cold start of a bare Chromium: {times.cold:.2f} s", file=sys.stderr)
        with ended(folder):
            await Run(record, options.jobs, times, folder, write).play()
    return summary(record, time.monotonic() - began)


async def interruptible(options: argparse.Namespace) -> int:
    """Play, and put away what was begun when that is to end early; the exit status then is as a shell has it."""
    playing, told = asyncio.create_task(run(options)), []

    def end(number: int) -> None:
        if not told:  # a second one would come amid the putting away
            told.append(number)
            playing.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end, number)
    try:
        return await playing
    except asyncio.CancelledError:
        if not told:
            raise
        print("\nInterrupted." + f" The same words go on with {options.into}." * bool(options.into), file=sys.stderr)
        return 128 + told[0]


def _lines(wanted: bool) -> Callable[[str], None]:
    """Return what writes a line to standard output, which is only ours from now on: what a child says there is none."""
    if not wanted:
        return lambda line: None
    ours = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return lambda line: print(line, file=ours, flush=True)


def summary(record: Record, seconds: float | None = None) -> int:
    """Say how it went: kioskd has to be back in time, the control has to do as is said of it."""
    judged = [tries for (_, who), seeds in record.tries.items() if who in JUDGED for tries in seeds.values()]
    missed = [tries for tries in judged if not tries[-1].outcome.well]
    took = "" if seconds is None else f", in {seconds / 60:.0f} min"
    print(f"\n{len(judged) - len(missed)} of {len(judged)} as expected{took}", file=sys.stderr)
    for tries in judged:
        first, last = tries[0].outcome, tries[-1].outcome
        if not first.well:
            how = "only alone" if last.well else "MISSED"
            said = first.said if last.well else last.said
            print(f"  {how}: {last.case} ({last.who}, seed {last.seed}): {said}", file=sys.stderr)
    return 1 if missed else 0


def named(word: str) -> str:
    """Return a file's name: none is what a variable that is not set leaves of it."""
    if not word:
        raise argparse.ArgumentTypeError("no FILE is named")
    return word


def positive(word: str) -> int:
    """Return a number of things to do."""
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word} is no whole number from 1 on")
    return int(word)


def parser() -> argparse.ArgumentParser:
    """The words of the command."""
    it = argparse.ArgumentParser(
        prog="scripts/faults",
        description="Break a real dashboard in every way of the table (--list) in front of a real Chromium: kept by kioskd, by "
        "nobody, and by what people use today. Only the dashboard's server is asked whether the page is back.",
        epilog="""\
scripts/faults --quick --case 'browser-*'                    a first look, in a minute
scripts/faults --repeat 3 --peer all --into proof.jsonl      the proof, as often as it takes until all is there
scripts/faults --report proof.jsonl                          the page and the plot of docs/

Ends with 0 where kioskd was back in its bounds, with 1 where it was not, with 2 where the words say nothing that can be played.""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    several_times: dict[str, Any] = {"action": "append", "default": []}
    it.add_argument("--case", **several_times, dest="cases", metavar="PATTERN", help="only cases with such names (again: more of them)")
    it.add_argument("--row", **several_times, dest="rows", metavar="ROW", help="only cases of this row of the table")
    it.add_argument("--fast", action="store_true", default=None, help="leave out those that take minutes by their nature")
    it.add_argument("--quick", action="store_true", default=None, help="patience of seconds, in place of the shipped one")
    it.add_argument(
        "--peer", **several_times, dest="peers", choices=(*NAMES, "all"), help="who keeps the browser (default: kioskd, and nothing)"
    )
    it.add_argument("--repeat", type=positive, metavar="N", help="how often kioskd plays each, with another seed each time (default: once)")
    it.add_argument("--seed", type=int, metavar="N", help="of all chance (default: a new one; it is said)")
    many = 2 * (os.cpu_count() or 1)
    it.add_argument(
        "--jobs", type=positive, default=many, metavar="N",
        help="how many at a time, whoever plays (default: twice the cores); one where the bound is a cold start and seconds",
    )  # fmt: skip
    instead = it.add_mutually_exclusive_group()
    instead.add_argument("--list", action="store_true", help="say which cases these are, and play none")
    instead.add_argument("--json", action="store_true", help="on standard output, one JSON object a line: the run, then each outcome")
    instead.add_argument(
        "--into", metavar="FILE", type=named,
        help="such lines into FILE; where it is there, only what is not in it yet, with its words: who was interrupted says the same again",
    )  # fmt: skip
    instead.add_argument("--report", metavar="FILE", type=named, help="write docs/faults.md and its plot from such lines, and play nothing")
    it.add_argument("--play", action="store_true", help=argparse.SUPPRESS)  # the words were read, and all that it takes is there
    return it


def main() -> int:
    """``scripts/faults``."""
    options = parser().parse_args()
    try:
        if options.report:
            report.write(options.report)
            return 0
        plan = planned(options, Record())
        if options.list:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # who reads only the first lines has read enough
            for each in plan.chosen:
                print(f"{each.row:>3}  {each.name:34} {each.says}")
            return 0
        plan.jobs()  # says what is misspelt
        return asyncio.run(interruptible(options)) if options.play else begin(options)
    except KioskdError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"Interrupted{': the same words go on with it' * bool(options.into)}.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

"""The command of the fault matrix: what is played, in which order, beside whom; and that who is interrupted goes on."""

import asyncio
import dataclasses
import fcntl
import heapq
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.faults import matrix, where
from tests.faults.case import CASES, Case, Control, Times, shipped
from tests.faults.plan import WAITS, Job, Plan, mixed, several
from tests.faults.play import Outcome
from tests.faults.record import AGAIN, ALONE, COMPANY, Try, read, whole
from tests.faults.victims import NAMES

TREE = Path(__file__).parents[2]
SCRIPT = TREE / "scripts" / "faults"
TIMES = dataclasses.replace(shipped(), cold=0.5)
WORDS = ("--repeat", "2", "--seed", "7", "--jobs", "2", "--case", "browser-killed", "--case", "gave-up-socket", "--case", "alert")


# --- the plan ----------------------------------------------------------------------------------------


def test_whoever_plays_has_the_same_chance_and_only_kioskd_plays_again() -> None:
    jobs = Plan(7, 3, several(["all"]), ("gave-up-socket", "went-back")).jobs()
    first = {(name, 0) for name in NAMES}
    assert {(job.who, job.repeat) for job in jobs if job.case.name == "gave-up-socket"} == first | {("kioskd", 1), ("kioskd", 2)}
    assert {job.who for job in jobs if job.case.name == "went-back"} == {"kioskd"}
    assert len({job.seed for job in jobs if job.repeat == 0 and job.case.name == "gave-up-socket"}) == 1
    assert len({job.seed for job in jobs}) == 6


def test_a_bound_without_room_for_company_is_so_for_everybody() -> None:
    jobs = Plan(7, 1, NAMES, ("browser-killed", "alert")).jobs()
    assert {(job.case.name, job.alone) for job in jobs} == {("browser-killed", True), ("alert", False)}


@pytest.mark.parametrize("at_a_time", [2, 4, 10])
def test_nobody_is_waited_for_alone_at_the_end_and_the_long_ones_do_not_all_begin_at_once(at_a_time: int) -> None:
    jobs = [job for job in Plan(7, 3, NAMES).jobs() if not job.alone]
    order = mixed(jobs, TIMES, 7, at_a_time)
    assert sorted(map(id, order)) == sorted(map(id, jobs)) and order == mixed(jobs, TIMES, 7, at_a_time) != mixed(jobs, TIMES, 8, at_a_time)
    ends = [0.0] * at_a_time
    for job in order:
        heapq.heappush(ends, heapq.heappop(ends) + job.takes_s(TIMES))
    assert max(ends) - min(ends) < max(job.takes_s(TIMES) for job in jobs) / 2
    loops = [number for number, job in enumerate(order) if job.case.name == "endless-loop-for-ever"]
    assert sum(number < len(order) / 4 for number in loops) < 0.7 * len(loops)


def test_what_takes_long_is_what_nobody_brings_back() -> None:
    takes = {who: Job(CASES["gave-up-socket"], who, 0, 0).takes_s(TIMES) for who in ("kioskd", "pm2")}
    assert takes["pm2"] - takes["kioskd"] == (WAITS - 1) * CASES["gave-up-socket"].bound(TIMES)
    assert CASES["heavy-loss"].control is Control.HEALS
    assert len({Job(CASES["heavy-loss"], who, 0, 0).takes_s(TIMES) for who in ("kioskd", "pm2")}) == 1


# --- the command -------------------------------------------------------------------------------------

REFUSED = {
    "--seed abc": "invalid int value: 'abc'",
    "--jobs 0": "0 is no whole number from 1 on",
    "--quick --jobs -1": "-1 is no whole number from 1 on",
    "--repeat 0": "0 is no whole number from 1 on",
    "--report": "expected one argument",
    "--report=": "argument --report: no FILE is named",
    "--into=": "argument --into: no FILE is named",
    "--into /dev/null": "/dev/null: is no file that can be gone on with",
    "--report nowhere.jsonl": "nowhere.jsonl: cannot be read: No such file",
    "--quick --report=nowhere.jsonl": "nowhere.jsonl: cannot be read: No such file",
    "--json --into x": "not allowed with argument --json",
    "--into /nowhere/x": "/nowhere/x: cannot be written: No such file",
    "--case nothing-of-that-name": "--case nothing-of-that-name: no case is called so",
    "--case gave-* --case nobody": "--case nobody: no case is called so",
    "--row 5 --case alert": "--case alert: no case of these rows is called so",
    "--row 99": "--row 99: the table has no such row",
    "--list --row 99": "--row 99: the table has no such row",
    "--row 20 --peer pm2": "--peer pm2: without kioskd there is nothing to break",
}


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int | str | None, str, str]]:
    """Call it; what it would have installed and played for is an error."""

    def called(*words: str) -> tuple[int | str | None, str, str]:
        monkeypatch.setattr("sys.argv", ["scripts/faults", *words])
        try:
            status: int | str | None = matrix.main()
        except SystemExit as ended:
            status = ended.code
        return status, *capfd.readouterr()

    def begun(script: str, words: list[str]) -> None:
        raise AssertionError(f"it is played: {words}")

    monkeypatch.setattr(os, "execv", begun)
    monkeypatch.setattr(os, "dup2", lambda *_: 0)
    monkeypatch.setenv("KIOSKD_COMMIT", "abc1234")
    monkeypatch.setenv("KIOSKD_TREE", "7ee1234")
    monkeypatch.setattr(matrix, "chromium", lambda: "Chromium 156")
    return called


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_misspelt_is_refused_before_anything_is_installed(command: Any, words: str) -> None:
    status, out, error = command(*words.split())
    assert (status, out) == (2, "") and REFUSED[words] in error


def test_what_is_not_misspelt_is_played(command: Any) -> None:
    with pytest.raises(AssertionError, match="it is played: .*'--play', '--case', 'gave-"):
        command("--case", "gave-*")


def test_the_list_is_of_what_was_asked_for(command: Any) -> None:
    status, out, _ = command("--row", "5", "--case", "gave-up-*", "--list")
    names = [line.split()[1] for line in out.splitlines()]
    assert status == 0 and "gave-up-socket" in names and "gave-up-and-a-router-forgot-the-rest" not in names
    every, fast = command("--list")[1].splitlines(), command("--fast", "--list")[1].splitlines()
    assert len(every) == len(CASES) > len(fast) == sum(not case.slow for case in CASES.values())


@pytest.mark.parametrize("words", [("--fast", "--report", "mine"), ("--into=mine", "--row", "99"), ("--quick", "--seed", "abc")])
def test_the_script_finds_a_file_where_it_was_named_and_installs_nothing(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "mine").touch()
    done = subprocess.run([SCRIPT, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith(("mine: is empty", "--row 99: the table", "scripts/faults: error: argument --seed"))


# --- a run that may be interrupted -------------------------------------------------------------------


class Sittings:
    """A file, and who plays into it: kioskd misses the first try of ``misses``, and the last one, too, of ``never``."""

    def __init__(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = file
        self.misses: set[str] = set()
        self.never: set[str] = set()
        self.now: set[str] = set()
        self.beside: dict[str, int] = {}
        monkeypatch.setattr(matrix, "play", self._play)
        monkeypatch.setattr(matrix, "cold", self._cold)
        monkeypatch.setattr(matrix, "cached", self._cached)
        monkeypatch.setattr(matrix, "APART_S", 0.0)
        monkeypatch.setattr(matrix, "_content", lambda file: self.file.read_bytes())
        monkeypatch.setattr(matrix, "_lines", lambda wanted: self._write)
        monkeypatch.setattr(where, "chromium", lambda: "Chromium 156")
        monkeypatch.setenv("KIOSKD_COMMIT", "abc1234")
        monkeypatch.setenv("KIOSKD_TREE", "7ee1234")
        file.touch()

    def sit(self, *words: str) -> int:
        options = matrix.parser().parse_args([*words, "--into", str(self.file), "--play"])
        return asyncio.run(matrix.interruptible(options))

    def tries(self) -> list[Try]:
        record = read(self.file.read_bytes(), "it")
        return [each for seeds in record.tries.values() for tries in seeds.values() for each in tries]

    def _write(self, line: str) -> None:
        with self.file.open("a") as file:
            file.write(f"{line}\n")

    async def _play(self, case: Case, who: str, folder: Path, times: Times, seed: int, waits: float) -> Outcome:
        self.now.add(str(folder))
        await asyncio.sleep(0)
        self.beside[f"{case.name} {who}"] = len(self.now) - 1
        self.now.discard(str(folder))
        bound = case.bound(times)
        well = who != "kioskd" or case.name not in self.misses | self.never
        if who == "kioskd":
            self.misses.discard(case.name)
        return Outcome(case.name, who, seed, False, times.cold, bound, waits * bound, bound / 2, well, "" if well else "late")

    async def _cold(self, folder: Path) -> float:
        return 0.5

    @asynccontextmanager
    async def _cached(self) -> AsyncIterator[None]:
        yield


@pytest.fixture
def sittings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sittings:
    return Sittings(tmp_path / "proof.jsonl", monkeypatch)


def test_a_run_that_was_killed_anywhere_is_gone_on_with(sittings: Sittings) -> None:
    sittings.misses = {"gave-up-socket"}
    assert sittings.sit(*WORDS) == 0
    content = sittings.file.read_bytes()
    every = content.splitlines(keepends=True)
    assert len(every) == 1 + 9 + 1 and [each.remark for each in sittings.tries()].count(AGAIN) == 1
    for number in range(1, len(every)):
        sittings.file.write_bytes(b"".join(every[:number]))
        assert sittings.sit() == 0
        record = read(sittings.file.read_bytes(), "it")
        assert not record.left() and not record.again() and len(record.runs) == 2
        first = {(each.outcome.case, each.outcome.who, each.outcome.seed) for each in sittings.tries() if each.remark != AGAIN}
        assert len(first) == sum(each.remark != AGAIN for each in sittings.tries()) == len(record.plan.jobs()) == 9


def test_each_sitting_has_its_header_and_each_outcome_says_whose_it_is(sittings: Sittings) -> None:
    sittings.sit(*WORDS)
    every = sittings.file.read_bytes().splitlines(keepends=True)
    sittings.file.write_bytes(b"".join(every[:4]))
    sittings.sit("--jobs", "5")
    said = [json.loads(line) for line in sittings.file.read_text().splitlines()]
    assert [number for number, line in enumerate(said) if "outcome" not in line] == [0, 4]
    assert [line["run"] for line in said if "outcome" in line] == [0, 0, 0, *[1] * 6]
    first, second = said[0]["run"], said[4]["run"]
    assert (first["jobs"], second["jobs"]) == (2, 5) and first["commit"] == "abc1234"
    assert (second["seed"], second["repeat"], second["peers"], second["cases"]) == (7, 2, ["kioskd", "nothing"], list(WORDS[7::2]))
    assert all(line["at"] for line in said if "outcome" in line)


def test_who_is_alone_is_and_what_is_missed_there_stays_missed(sittings: Sittings) -> None:
    sittings.misses = {"browser-killed"}
    assert sittings.sit(*WORDS, "--repeat", "1") == 1
    assert not sittings.beside["browser-killed kioskd"] and not sittings.beside["browser-killed nothing"]
    remarks = {each.outcome.case: each.remark for each in sittings.tries()}
    assert remarks == {"browser-killed": ALONE, "gave-up-socket": COMPANY, "alert": COMPANY} and len(sittings.tries()) == 6


def test_one_at_a_time_is_nobodys_company(sittings: Sittings) -> None:
    sittings.misses = {"alert"}
    assert sittings.sit("--case", "alert", "--jobs", "1") == 1
    assert {each.remark for each in sittings.tries()} == {ALONE} and len(sittings.tries()) == 2


def test_the_status_is_that_of_the_last_tries_of_all_sittings(sittings: Sittings, command: Any) -> None:
    sittings.never = {"alert"}
    assert sittings.sit(*WORDS) == 1
    status, _, error = command("--into", str(sittings.file))
    assert status == 1 and "7 of 9 as expected\n" in error and error.rpartition("expected\n")[2].count("MISSED: alert (kioskd") == 2


def test_what_is_all_there_is_summed_up_and_what_is_cut_off_is_played_again(sittings: Sittings, command: Any) -> None:
    sittings.sit(*WORDS)
    content = sittings.file.read_bytes()
    assert command("--into", str(sittings.file), *WORDS)[0] == 0 and sittings.file.read_bytes() == content
    sittings.file.write_bytes(content[:-9])
    with pytest.raises(AssertionError, match="it is played"):
        command("--into", str(sittings.file), *WORDS)
    assert sittings.file.read_bytes() == whole(content[:-9])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--seed", "8"), "was begun with seed 7, not 8"),
        (("--peer", "pm2"), "was begun with peers"),
        (("--quick",), "was begun with quick False, not True"),
    ],
)  # fmt: skip
def test_another_plan_is_refused(sittings: Sittings, command: Any, words: tuple[str, ...], said: str) -> None:
    sittings.sit(*WORDS)
    status, _, error = command("--into", str(sittings.file), *words)
    assert status == 2 and f"{sittings.file}: {said}" in error


def test_another_kioskd_and_another_chromium_are_refused(sittings: Sittings, command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sittings.sit(*WORDS)
    monkeypatch.setattr(matrix, "chromium", lambda: "Chromium 157")
    assert "was begun with chromium Chromium 156, and here is Chromium 157" in command("--into", str(sittings.file))[2]
    monkeypatch.setenv("KIOSKD_TREE", "7ee1234+")
    status, _, error = command("--into", str(sittings.file))
    assert status == 2 and "was begun with tree 7ee1234, and here is 7ee1234+" in error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])  # what a shell has begun in the background ignores the first
def test_what_an_interruption_makes_of_a_case_is_no_outcome(sittings: Sittings, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    async def interrupted(case: Case, who: str, folder: Path, *_: Any) -> Outcome:
        if folder.name == "2":
            os.kill(os.getpid(), number)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ConnectionError("what it had started was interrupted, too") from None
        raise AssertionError("it is interrupted")

    monkeypatch.setattr(matrix, "play", interrupted)
    assert sittings.sit(*WORDS) == 128 + number
    assert len(sittings.file.read_bytes().splitlines()) == 1, "the header"


def test_nothing_outlives_a_run_that_was_killed(tmp_path: Path) -> None:
    plays = f"""
import subprocess, sys
from pathlib import Path
from tests.faults.remains import ended
with ended(Path({str(tmp_path)!r})):
    loop = subprocess.Popen(["sh", "-c", "while true; do sleep 1000; done"], start_new_session=True)
    print(loop.pid, flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", plays], cwd=TREE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        loop = psutil.Process(int(it.stdout.readline()))
        assert loop.is_running()
        it.kill()
    loop.wait(20.0)


def test_two_do_not_write_into_one(sittings: Sittings, command: Any) -> None:
    with sittings.file.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        status, _, error = command("--into", str(sittings.file))
    assert status == 2 and "is being written by another run" in error


@pytest.mark.parametrize("foreign", [b'{"name": "mine"}', b"\x00\x01", b'{"name": "mine"}\n', b'{"runs'])
def test_a_file_of_somebody_else_stays_as_it_is(tmp_path: Path, command: Any, foreign: bytes) -> None:
    (mine := tmp_path / "mine").write_bytes(foreign)
    status, _, error = command("--into", str(mine))
    assert status == 2 and str(mine) in error and mine.read_bytes() == foreign


@pytest.mark.parametrize("begun", [b"", b'{"ru', b'{"run": {"made": "20'])
def test_a_header_that_was_cut_off_is_begun_anew(tmp_path: Path, command: Any, begun: bytes) -> None:
    (mine := tmp_path / "mine").write_bytes(begun)
    with pytest.raises(AssertionError, match="it is played"):
        command("--into", str(mine))
    assert mine.read_bytes() == b""


def test_who_could_not_play_is_told_as_that(sittings: Sittings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    async def play(*_: Any) -> Outcome:
        raise OSError("no network")

    monkeypatch.setattr(matrix, "play", play)
    sittings.sit("--case", "heavy-loss", "--peer", "pm2")
    line = next(line for line in capfd.readouterr().err.splitlines() if " pm2 " in line)
    assert line.split("pm2")[1].strip() == "not played"

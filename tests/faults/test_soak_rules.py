"""The soak's own rules: what comes by a seed, what must hold, and that nothing fails in silence. A run itself: ``test_soak.py``."""

import asyncio
import contextlib
import itertools
import re
import selectors
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import aiohttp
import psutil
import pytest

from kioskd.errors import EdgeUnavailable, KioskdError
from tests.aio import asynctest
from tests.faults import soak, soak_faults, soak_watch
from tests.faults.scene import Missed
from tests.faults.soak import Soak
from tests.faults.soak_faults import FAULTS, RESTARTS, Fault, Injection, Round
from tests.faults.soak_watch import LATE_S, LOOK_S, PACE_S, SPARE, Reading, Watch

T = TypeVar("T")

# --- what comes -----------------------------------------------------------------------------------


def test_a_seed_gives_the_same_faults_in_the_same_order() -> None:
    once, again, other = ([*itertools.islice(soak_faults.rounds(seed), 40)] for seed in (7, 7, 8))
    assert once == again and once != other
    assert len({each.pause for each in once}) == 40 and all(0 <= each.pause <= 10 for each in once)


def test_every_kind_has_its_turn_and_none_comes_twice_in_a_round() -> None:
    named = [[each.name for each in one.injections] for one in itertools.islice(soak_faults.rounds(7), 60)]
    assert all(2 <= len(names) <= 6 and len(names) == len(set(names)) for names in named)
    flat = list(itertools.chain(*named))
    first, second = flat[: len(FAULTS)], flat[len(FAULTS) : 2 * len(FAULTS)]
    assert set(first) == set(second) == set(FAULTS) and first != second


# --- what must hold -------------------------------------------------------------------------------


def test_a_round_may_cost_an_incidents_restarts_and_those_of_what_ends_the_browser() -> None:
    assert soak_faults.allowed([]) == soak_faults.allowed(["alert", "server killed"]) == RESTARTS
    assert soak_faults.allowed(["browser killed", "endless loop", "alert"]) == 3 * RESTARTS


def test_a_run_lacks_what_did_not_take_effect() -> None:
    every = Counter(list(FAULTS))
    assert soak_faults.lacking(Counter({"alert": 4}), 2.0) == []
    assert soak_faults.lacking(Counter({"alert": 3}), 2.0) == ["3 faults took effect, and 4 are the least in 2 minutes"]
    assert soak_faults.lacking(every, soak_faults.EVERY_KIND_MIN) == []
    (said,) = soak_faults.lacking(every - Counter(["alert"]) + Counter({"blank": 1}), soak_faults.EVERY_KIND_MIN)
    assert said.endswith("minutes: alert")
    assert soak_faults.lacking(every - Counter(["alert"]), soak_faults.EVERY_KIND_MIN - 1) == []


WARM = Reading(40e6, 11, 8, Counter({"renderer": 2, "gpu-process": 1}))


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (WARM, ""),
        (replace(WARM, memory=41.9e6, threads=soak_watch.THREADS, processes=Counter({"renderer": 2 + SPARE, "utility": SPARE})), ""),
        (replace(WARM, memory=42.1e6), "memory grew from 40.0 to 42.1 MB"),
        (replace(WARM, descriptors=12), "descriptors grew from 11 to 12"),
        (replace(WARM, threads=soak_watch.THREADS + 1), f"{soak_watch.THREADS + 1} threads"),
        (replace(WARM, processes=Counter({"renderer": 3 + SPARE})), f"processes grew from 2 to {3 + SPARE} of the kind renderer"),
        (replace(WARM, processes=Counter({"sleep": 1 + SPARE})), f"processes grew from 0 to {1 + SPARE} of the kind sleep"),
    ],
)
def test_what_has_grown_is_said(now: Reading, said: str) -> None:
    found = soak_watch.grown(WARM, now)
    assert len(found) == bool(said) and "".join(found).startswith(said)


def test_processes_are_counted_by_their_kind_wherever_they_belong() -> None:
    renderer, service = (f"sh -c 'sleep 60; :' chromium --type={kind} &" for kind in ("renderer", "utility --utility-sub-type=a.B"))
    with subprocess.Popen(["sh", "-c", f"{renderer} {service} echo; sleep 60"], stdout=subprocess.PIPE) as keeper:
        try:
            assert keeper.stdout is not None and keeper.stdout.readline()
            deadline, watch = time.monotonic() + 10, Watch(keeper.pid, Path("/nobody's"))
            while (kinds := watch.kinds())["sleep"] < 3 and time.monotonic() < deadline:
                time.sleep(0.01)  # a process tells nobody that it begins
            assert kinds == {"renderer": 1, "a.B": 1, "sleep": 3}
        finally:
            for each in [*psutil.Process(keeper.pid).children(recursive=True), keeper]:
                each.kill()


# --- lateness -------------------------------------------------------------------------------------


class Clock(selectors.SelectSelector):
    """Nobody waits: a clock moves on."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


def timed(story: Callable[[Clock], Coroutine[Any, Any, T]]) -> T:
    """Run a story in a loop whose clock is a number, so that no busy machine is part of it."""
    clock = Clock()

    class Loop(asyncio.SelectorEventLoop):
        def time(self) -> float:
            return clock.now

    with asyncio.Runner(loop_factory=lambda: Loop(clock)) as runner:
        return runner.run(story(clock))


def followed(clock: Clock, begins: float, seconds: float) -> Coroutine[Any, Any, float]:
    """Follow a kioskd that answers at once, but for a time in which its loop stands still; return the latest answer."""
    begins += clock.now

    async def status() -> None:
        if begins <= clock.now < begins + seconds:
            await asyncio.sleep(begins + seconds - clock.now)

    async def follow() -> float:
        watch = Watch(1, Path("/nobody's"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await watch.follow(status)
        return watch.late

    return follow()


@pytest.mark.parametrize("nth", range(20))
def test_a_loop_that_stood_still_for_more_than_a_second_is_late_whenever_that_began(nth: int) -> None:
    with pytest.raises(Missed, match="its loop stood still"):
        timed(lambda clock: followed(clock, 0.3 + nth * PACE_S / 7, LATE_S + 0.001))


@pytest.mark.parametrize("nth", range(20))
def test_a_loop_that_stood_still_for_less_is_not(nth: int) -> None:
    late = timed(lambda clock: followed(clock, 0.3 + nth * PACE_S / 7, 0.8))
    assert 0.8 - PACE_S <= late <= 0.801


def test_of_a_look_that_took_far_too_long_no_more_counts_than_a_look() -> None:
    took = (0.0, LOOK_S, 1.4 * LOOK_S, 1.5 * LOOK_S, 2.0)
    assert [soak_watch.looked(each) for each in took] == [0.0, LOOK_S, 1.4 * LOOK_S, LOOK_S, LOOK_S]


@pytest.mark.parametrize("answers", [0.12, 0.5])
def test_what_the_asker_is_late_by_itself_does_not_count(answers: float) -> None:
    async def busy(clock: Clock) -> float:
        def compute() -> None:
            clock.now += 30.0

        asyncio.get_running_loop().call_later(0.06, compute)
        return await soak_watch.answered(asyncio.sleep(answers), 1.0)

    assert timed(busy) < answers


@asynctest
async def test_an_answer_that_failed_is_no_answer() -> None:
    async def refused() -> None:
        raise aiohttp.ClientConnectionError("nobody listens")

    with pytest.raises(aiohttp.ClientConnectionError):
        await soak_watch.answered(refused(), 1.0)


# --- one run --------------------------------------------------------------------------------------


class FakeKiosk:
    """A kioskd that says what it is told to say; it may have died."""

    def __init__(self) -> None:
        self.process = SimpleNamespace(pid=1, wait=asyncio.Event().wait)
        self.dead = False

    def die(self) -> None:
        self.dead = True
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        ended.set_result(-11)
        self.process = SimpleNamespace(pid=1, wait=lambda: ended)

    def _answer(self) -> None:
        if self.dead:
            raise aiohttp.ClientConnectionError("nobody listens")

    async def status(self) -> dict[str, Any]:
        self._answer()
        return {"browser": {"generation": 1}}

    async def story(self, file: Path) -> Path:
        self._answer()
        file.write_text("a story")  # noqa: ASYNC240 - as the real one does
        return file

    def log(self) -> str:
        return "what kioskd has logged"


class FakeScene:
    """A scene in which nothing happens by itself."""

    def __init__(self) -> None:
        self.kiosk, self.profile = FakeKiosk(), Path("/nobody's")
        self.victim = SimpleNamespace(processes=lambda kind: [])

    async def start(self) -> None:
        pass


class Scripted(Soak):
    """A run of which only the rounds are as told."""

    rounds_to_compare = 1
    raises: Exception | None = None
    befalls: str = ""

    async def _round(self, this: Round) -> None:
        self.number = this.number
        self._note("something happened")
        self.tally["alert"] += 10
        if self.befalls:
            self._it.kiosk.die()  # type: ignore[union-attr]
            raise psutil.NoSuchProcess(1)
        if self.raises:
            raise self.raises
        assert self.watch is not None
        self._ends = 0.0  # the time is up
        self.watch.compared += this.number >= self.rounds_to_compare


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> FakeScene:
    it = FakeScene()

    @contextlib.asynccontextmanager
    async def stage(folder: Path, seed: int) -> AsyncIterator[FakeScene]:
        yield it

    monkeypatch.setattr(soak, "stage", stage)
    monkeypatch.setattr(soak, "Soak", Scripted)
    return it


AGAIN = "scripts/soak --minutes 0.001 --seed 7"


@pytest.mark.parametrize("error", [Missed("missed"), TimeoutError("not back"), psutil.NoSuchProcess(3), KioskdError("no"), KeyError("x")])
def test_whatever_is_raised_is_a_miss_that_tells_the_seed_and_the_story(
    error: Exception, scene: FakeScene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(Scripted, "raises", error)
    assert asyncio.run(soak.run(0.001, 7, tmp_path)) == 1
    said = capsys.readouterr().out
    assert said.startswith(f"seed 7; the same faults again: {AGAIN}\n") and said.endswith(f"Again: {AGAIN}\n")
    assert "something happened" in said and "what kioskd has logged" in said
    (line,) = re.findall(r"MISSED: (.*)", said)
    assert line.startswith("round 1: ") and str(error) in line
    (file,) = map(Path, re.findall(r"kioskd replay (\S+)", said))
    assert file.read_text() == "a story"
    file.unlink()


def test_a_kioskd_that_dies_is_a_miss_that_tells_the_seed_and_its_log(
    scene: FakeScene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(Scripted, "befalls", "death")
    assert asyncio.run(soak.run(0.001, 7, tmp_path)) == 1
    said = capsys.readouterr().out
    assert f"Again: {AGAIN}\n" in said and "what kioskd has logged" in said
    assert "kioskd replay" not in said and "kioskd tells its story no more" in said


@asynctest
async def test_a_kioskd_that_ends_by_itself_ends_the_run() -> None:
    it = FakeScene()
    it.kiosk.die()
    with pytest.raises(Missed, match="ended by itself, with status -11"):
        await soak._lives(it.kiosk.process)  # type: ignore[arg-type]


def test_what_cannot_be_set_up_is_a_miss_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def stage(folder: Path, seed: int) -> Any:
        raise EdgeUnavailable("no dashboard")

    monkeypatch.setattr(soak, "stage", stage)
    assert asyncio.run(soak.run(0.001, 7, tmp_path)) == 1
    said = capsys.readouterr().out
    assert said.startswith("seed 7;") and "MISSED: EdgeUnavailable: no dashboard" in said and f"Again: {AGAIN}" in said


def test_a_run_that_compared_nothing_goes_on_until_it_has(
    scene: FakeScene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(Scripted, "rounds_to_compare", 3)
    assert asyncio.run(soak.run(0.001, 7, tmp_path)) == 0
    assert "3 rounds" in capsys.readouterr().out


@asynctest
async def test_restarts_that_a_round_did_not_need_are_no_credit_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    run, generations = Soak(FakeScene(), 1.0, 7), iter((1, RESTARTS, 2 * RESTARTS - 1, 3 * RESTARTS))  # type: ignore[arg-type]

    async def mend(self: Soak, build: str) -> None:
        pass

    async def quiet(self: Soak) -> dict[str, Any]:
        return {"browser": {"generation": next(generations)}}

    monkeypatch.setattr(Soak, "_mend", mend)
    monkeypatch.setattr(Soak, "_quiet", quiet)
    run._generation, run.watch = 1, Watch(1, Path("/nobody's"))
    for said in (*["0 browsers"] * 3, f"restarted {RESTARTS + 1} times in one round, and {RESTARTS} times are allowed"):
        with pytest.raises(Missed, match=said):
            await run._round(Round(1, 0.0, (), "1"))


@pytest.mark.parametrize(
    ("befell", "counts"),
    [(2, True), (0, False), (EdgeUnavailable("the server is away"), False), (FileNotFoundError("another build"), False)],
)
def test_only_what_took_effect_is_counted(befell: int | Exception, counts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async def begins(it: Any, one: Injection) -> int:
        if isinstance(befell, Exception):
            raise befell
        return befell

    monkeypatch.setitem(FAULTS, "alert", Fault(begins))
    one, it = Injection("alert", 0.0, 0.0, "1"), Soak(FakeScene(), 1.0, 7)  # type: ignore[arg-type]
    did, did_not = asyncio.run(it._inject([one]))
    assert (did, did_not) == (([one], []) if counts else ([], [one]))
    assert it.tally == ({"alert": 1} if counts else {}) and "alert" in it.story[0]


def test_a_mistake_of_our_own_is_not_taken_for_a_fault_that_found_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async def begins(it: Any, one: Injection) -> int:
        raise KioskdError("Unknown verb 'alrt'")

    monkeypatch.setitem(FAULTS, "alert", Fault(begins))
    with pytest.raises(ExceptionGroup) as group:
        asyncio.run(Soak(FakeScene(), 1.0, 7)._inject([Injection("alert", 0.0, 0.0, "1")]))  # type: ignore[arg-type]
    assert soak.reasons(group.value) == ["KioskdError: Unknown verb 'alrt'"]


@pytest.mark.parametrize("kind", ["", None, "renderer"])
def test_a_signal_befalls_nobody_where_there_is_no_such_process(kind: str | None) -> None:
    one = Injection("renderer killed", 0.0, 0.0, "1")
    assert asyncio.run(soak_faults.struck(9, kind).begins(FakeScene(), one)) == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "-inf", "soon"])
def test_no_time_to_soak_for_is_said(minutes: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["soak", f"--minutes={minutes}"])
    monkeypatch.setattr(soak, "run", None)
    with pytest.raises(SystemExit) as left:
        soak.main()
    assert left.value.code == 2
    assert f"argument --minutes: {minutes!r} is no time to soak for: give minutes" in capsys.readouterr().err

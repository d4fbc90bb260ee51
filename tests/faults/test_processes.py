"""Rows 1 to 4 and 23: the browser's processes are killed, frozen, kept busy; and no process outlives its time."""

import os
import signal
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from tests.aio import asynctest
from tests.faults.stage import HANG_AFTER, Stage, bare, cold_start, comes_back, kept, stays_away

pytestmark = pytest.mark.chromium

Fault = Callable[[Stage], Awaitable[None]]


async def killed(stage: Stage) -> None:
    stage.victim.kill()


async def frozen(stage: Stage) -> None:
    stage.victim.freeze()


async def main_process_frozen(stage: Stage) -> None:
    stage.victim.freeze("")


async def renderers_killed(stage: Stage) -> None:
    stage.victim.crash_renderers()


async def endless_loop(stage: Stage) -> None:
    await stage.dashboard.do("endless_loop")


async def renderers_frozen(stage: Stage) -> None:
    stage.victim.freeze("renderer")


async def gpu_killed(stage: Stage) -> None:
    stage.victim.signal(signal.SIGKILL, "gpu-process")


async def network_service_killed(stage: Stage) -> None:
    stage.victim.signal(signal.SIGKILL, "network.mojom.NetworkService")


# --- row 1


@pytest.mark.alone
@asynctest
async def test_a_killed_browser_is_back(tmp_path: Path) -> None:
    cold = await cold_start(tmp_path)
    async with kept(tmp_path) as stage:
        await comes_back(stage, cold + 1, killed)


@pytest.mark.alone
@asynctest
async def test_a_browser_killed_ten_times_in_a_row_is_back_each_time(tmp_path: Path) -> None:
    cold = await cold_start(tmp_path)
    with tempfile.TemporaryDirectory() as temporary:  # a short name: there is a socket in it
        async with kept(tmp_path, environment={"TMPDIR": temporary}) as stage:
            for _ in range(10):
                await comes_back(stage, cold + 1, killed)
            assert len(os.listdir(temporary)) == 1, "the living one's: the killed ones' are not left lying about"


# --- row 2


@pytest.mark.parametrize("freeze", [frozen, main_process_frozen])
@asynctest
async def test_a_frozen_browser_is_restarted(tmp_path: Path, freeze: Fault) -> None:
    cold = await cold_start(tmp_path)
    async with kept(tmp_path) as stage:
        pid = stage.victim.pid
        await comes_back(stage, HANG_AFTER + cold + 7, freeze)
        assert stage.victim.pid != pid


# --- row 3


@asynctest
async def test_a_page_whose_renderer_is_killed_is_reloaded(tmp_path: Path) -> None:
    async with kept(tmp_path) as stage:
        pid = stage.victim.pid
        await comes_back(stage, 3, renderers_killed)
        assert stage.victim.pid == pid, "a reload is enough"


@asynctest
async def test_a_page_in_an_endless_loop_is_reloaded(tmp_path: Path) -> None:
    async with kept(tmp_path) as stage:
        pid = stage.victim.pid
        await comes_back(stage, HANG_AFTER + 5, endless_loop)
        assert stage.victim.pid == pid, "the script is ended, not the browser"


@asynctest
async def test_a_page_whose_renderer_is_frozen_is_back(tmp_path: Path) -> None:
    cold = await cold_start(tmp_path)
    async with kept(tmp_path) as stage:
        await comes_back(stage, HANG_AFTER + 5 + cold, renderers_frozen)


# --- the controls of rows 1 to 3


@pytest.mark.parametrize(
    ("fault", "bound"),
    [
        (killed, 1),
        (frozen, HANG_AFTER + 7),
        (main_process_frozen, HANG_AFTER + 7),
        (renderers_killed, 3),
        (endless_loop, HANG_AFTER + 5),
        (renderers_frozen, HANG_AFTER + 5),
    ],
)
@asynctest
async def test_without_kioskd_the_page_stays_away(tmp_path: Path, fault: Fault, bound: float) -> None:
    cold = await cold_start(tmp_path)
    async with bare(tmp_path) as stage:
        await stays_away(stage, bound + cold, fault)


# --- row 4: Chromium heals these itself, so the control is back, too; what counts is that kioskd does no harm


@pytest.mark.parametrize("fault", [gpu_killed, network_service_killed])
@pytest.mark.parametrize("times", [1, 5])
@asynctest
async def test_a_killed_service_process_is_back(tmp_path: Path, fault: Fault, times: int) -> None:
    cold = await cold_start(tmp_path)
    async with kept(tmp_path) as stage:
        for _ in range(times):
            await fault(stage)
            await stage.dashboard.back(cold + 5)


@pytest.mark.parametrize("fault", [gpu_killed, network_service_killed])
@asynctest
async def test_without_kioskd_a_killed_service_process_is_back_by_itself(tmp_path: Path, fault: Fault) -> None:
    cold = await cold_start(tmp_path)
    async with bare(tmp_path) as stage:
        await fault(stage)
        await stage.dashboard.back(cold + 5)


# --- row 23: the pipe ends, the browser does not. No control: without kioskd there is no pipe, and nothing is wrong with the page

RELAYED = """#!/bin/sh
# Between kioskd and its browser: two relays. Chromium itself holds both ends of its pipes, and so never sees them close.
cd "$(mktemp -d)" && mkfifo commands answers
cat <&3 >commands &
cat <answers >&4 &
exec chromium "$@" 3<>commands 4<>answers
"""


async def pipe_closed(stage: Stage) -> None:
    relays = [child for child in psutil.Process(stage.victim.pid).children() if child.name() == "cat"]
    assert len(relays) == 2
    for relay in relays:
        relay.kill()


@pytest.mark.alone
@asynctest
async def test_a_browser_whose_pipe_closes_while_it_lives_is_replaced(tmp_path: Path) -> None:
    cold, command = await cold_start(tmp_path), tmp_path / "relayed"
    command.write_text(RELAYED)
    command.chmod(0o755)
    async with kept(tmp_path, browser={"command": str(command)}) as stage:
        assert stage.kiosk is not None
        old = psutil.Process(stage.victim.pid)
        await comes_back(stage, cold + 1, pipe_closed)
        assert "The browser closed its DevTools pipe" in stage.kiosk.log(), "the browser must not have ended first"
        assert not old.is_running() and len(stage.victim.processes("")) == 1


# --- kioskd itself is killed, ended, stopped


def family(stage: Stage) -> list[psutil.Process]:
    """Everything that kioskd has started, by the kernel's word."""
    assert stage.kiosk is not None and stage.kiosk.process is not None
    return psutil.Process(stage.kiosk.process.pid).children(recursive=True)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


async def nothing(stage: Stage) -> None:
    """Break nothing more."""


@pytest.mark.parametrize("and_the_browser_is", [nothing, frozen])
@asynctest
async def test_a_killed_kioskd_leaves_no_orphan_once_it_is_back(tmp_path: Path, and_the_browser_is: Fault) -> None:
    async def kioskd_killed(stage: Stage) -> None:
        assert stage.kiosk is not None and stage.kiosk.process is not None
        await and_the_browser_is(stage)
        stage.kiosk.strike(signal.SIGKILL)
        await stage.kiosk.process.wait()
        await stage.kiosk.start()

    cold = await cold_start(tmp_path)
    async with kept(tmp_path) as stage:
        old = family(stage)
        await comes_back(stage, cold + 5, kioskd_killed)
        assert not alive(old) and len(stage.victim.processes("")) == 1


@pytest.mark.parametrize("and_the_browser_is", [nothing, frozen])
@asynctest
async def test_an_ended_kioskd_leaves_no_orphan(tmp_path: Path, and_the_browser_is: Fault) -> None:
    async with kept(tmp_path) as stage:
        assert stage.kiosk is not None
        old = family(stage)
        await and_the_browser_is(stage)
        await stage.kiosk.stop()
        assert not alive(old)


@pytest.mark.parametrize("stops", [(20.0,), (4.0, 4.0, 4.0)])
@asynctest
async def test_a_kioskd_that_was_stopped_blames_nobody_for_the_lost_time(tmp_path: Path, stops: tuple[float, ...]) -> None:
    async with kept(tmp_path) as stage:
        assert stage.kiosk is not None
        document, pid = await stage.dashboard.document(), stage.victim.pid
        for seconds in stops:
            stage.kiosk.strike(signal.SIGSTOP)
            await stage.stays(seconds, document)
            stage.kiosk.strike(signal.SIGCONT)
            await stage.stays(1, document)
        await stage.stays(HANG_AFTER + 2, document)
        await stage.dashboard.back(3)
        await stage.nothing_changed(document, pid, loads=1)

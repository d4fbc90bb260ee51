"""Row 17 and what kioskd leaves behind: no process outlives its time, and no folder either. What breaks the browser is in ``cases``."""

import os
import signal
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from tests.aio import asynctest
from tests.faults.stage import START_S, Stage, cold_start, comes_back, kept

pytestmark = pytest.mark.chromium

Fault = Callable[[Stage], Awaitable[None]]


async def killed(stage: Stage) -> None:
    stage.victim.kill()


async def frozen(stage: Stage) -> None:
    stage.victim.freeze()


@asynctest
async def test_killed_browsers_leave_no_temporary_folders_behind(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:  # a short name: there is a socket in it
        async with kept(tmp_path, environment={"TMPDIR": temporary}) as stage:
            for _ in range(2):
                await comes_back(stage, START_S, killed)
            assert len(os.listdir(temporary)) == 1, "the living one's"


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

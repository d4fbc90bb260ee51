"""Row 18: kioskd's own compositor is killed, frozen, or hangs at its start. A real cage, on wlroots' headless backend."""

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from kioskd.edges.compositor import UP_S
from tests.aio import asynctest
from tests.faults.stage import HANG_AFTER, Stage, cold_start, comes_back, kept, until

pytestmark = pytest.mark.chromium

NO_SCREEN_NEEDED = {"WLR_BACKENDS": "headless", "WLR_LIBINPUT_NO_DEVICES": "1", "WLR_RENDERER": "pixman"}
FIRST_ANSWER_S = 20.0  # of a browser that hangs at its start


@contextlib.asynccontextmanager
async def on_cage(folder: Path, **more: object) -> AsyncIterator[Stage]:
    """A kioskd whose picture goes to a cage of its own."""
    with tempfile.TemporaryDirectory(prefix="kioskd-run-") as run:  # the path of a socket has to be short
        environment = {"XDG_RUNTIME_DIR": run, **NO_SCREEN_NEEDED}
        async with kept(folder, environment=environment, display={"mode": "cage"}, **more) as stage:  # type: ignore[arg-type]
            yield stage


def cages(stage: Stage) -> Iterator[psutil.Process]:
    """The compositors that this kioskd has started."""
    assert stage.kiosk is not None and stage.kiosk.process is not None, "it was started"
    for child in psutil.Process(stage.kiosk.process.pid).children():
        with contextlib.suppress(psutil.Error):
            if child.name() == "cage":
                yield child


async def cage_killed(stage: Stage) -> None:
    next(cages(stage)).kill()


async def cage_frozen(stage: Stage) -> None:
    next(cages(stage)).suspend()


@asynctest
async def test_killed_it_and_the_page_are_back(tmp_path: Path) -> None:
    cold = await cold_start(tmp_path)
    async with on_cage(tmp_path) as stage:
        for _ in range(2):
            await comes_back(stage, cold + 5.0, cage_killed)
        assert len(list(cages(stage))) == 1


@asynctest
async def test_frozen_it_is_ended_and_the_page_is_back(tmp_path: Path) -> None:
    """No row of its own: the page's frames stop, a browser that restarts on it hangs, and so it goes."""
    cold = await cold_start(tmp_path)
    async with on_cage(tmp_path) as stage:
        await stage.proven()
        await comes_back(stage, 3 * HANG_AFTER + FIRST_ANSWER_S + cold + 10.0, cage_frozen)


@asynctest
async def test_browsers_come_and_go_and_it_stays(tmp_path: Path) -> None:
    async def killed(stage: Stage) -> None:
        stage.victim.kill()

    cold = await cold_start(tmp_path)
    async with on_cage(tmp_path) as stage:
        before = next(cages(stage))
        await comes_back(stage, cold + 1.0, killed)
        assert [each.pid for each in cages(stage)] == [before.pid]


@asynctest
async def test_hanging_at_its_start_it_is_started_again(tmp_path: Path) -> None:
    """The first time it is a program that never says that it is up; then a cage."""
    tools = tmp_path / "tools"
    tools.mkdir()
    real = shutil.which("cage")
    assert real is not None
    (tools / "cage").write_text(f'#!/bin/sh\n[ -e "{tmp_path}/again" ] && exec {real} "$@"\ntouch "{tmp_path}/again"\nexec sleep 600\n')
    (tools / "cage").chmod(0o755)
    cold = await cold_start(tmp_path)
    with tempfile.TemporaryDirectory(prefix="kioskd-run-") as run:
        environment = {"XDG_RUNTIME_DIR": run, **NO_SCREEN_NEEDED, "PATH": f"{tools}:{os.environ['PATH']}"}

        async def nothing(_: object) -> None: ...

        async with kept(tmp_path, environment=environment, display={"mode": "cage"}, trouble=nothing) as stage:
            await until((tmp_path / "again").exists, 10.0)
            seconds = await stage.dashboard.back(15.0 + cold)
            assert seconds > UP_S - 2.0, "it never hung"


@asynctest
async def test_kioskd_gone_no_cage_is_left(tmp_path: Path) -> None:
    async with on_cage(tmp_path) as stage:
        cage = next(cages(stage))
        assert stage.kiosk is not None
        stage.kiosk.strike(signal.SIGKILL)
        await until(lambda: not cage.is_running() or cage.status() == psutil.STATUS_ZOMBIE, 5.0)
        await until(lambda: not stage.victim.processes(), 5.0)

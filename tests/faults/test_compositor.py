"""Row 18: the compositor goes with kioskd. What breaks it is in ``cases``."""

import signal
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.aio import asynctest
from tests.faults.cases.compositor import NO_SCREEN_NEEDED
from tests.faults.stage import kept, until

pytestmark = pytest.mark.chromium


@asynctest
async def test_kioskd_gone_no_cage_is_left(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="kioskd-run-") as run:  # the path of a socket has to be short
        environment = {"XDG_RUNTIME_DIR": run, **NO_SCREEN_NEEDED}
        async with kept(tmp_path, environment=environment, display={"mode": "cage"}) as stage:
            assert stage.kiosk is not None and stage.kiosk.process is not None
            (cage,) = (each for each in psutil.Process(stage.kiosk.process.pid).children() if each.name() == "cage")
            stage.kiosk.strike(signal.SIGKILL)
            await until(lambda: not cage.is_running() or cage.status() == psutil.STATUS_ZOMBIE, 5.0)
            await until(lambda: not stage.victim.processes(), 5.0)

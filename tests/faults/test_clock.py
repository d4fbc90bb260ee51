"""Row 21: the wall clock jumps ten years, either way, and nothing happens.

kioskd alone is deceived (libfaketime, CLOCK_REALTIME only): the machine's clock is everybody's. There is no control: the page
itself does not care (self-healing).
"""

from pathlib import Path

import pytest

from kioskd.demo.dashboard import Dashboard
from kioskd.demo.kiosk import Kiosk
from tests.aio import asynctest
from tests.faults.stage import QUICK, RESTART_AFTER, START_S, Stage, remember

pytestmark = pytest.mark.chromium

TEN_YEARS_S = 10 * 365 * 86400


def deceived(folder: Path) -> dict[str, str]:
    """Return the environment in which the wall clock is off by what stands in the file ``clock``."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def honest_browser(folder: Path) -> Path:
    """Return a Chromium that is told the time."""
    command = folder / "chromium"
    command.write_text('#!/bin/sh\nunset LD_PRELOAD\nexec chromium "$@"\n')
    command.chmod(0o755)
    return command


@pytest.mark.parametrize("jump", [TEN_YEARS_S, -TEN_YEARS_S], ids=["ahead", "back"])
@asynctest
async def test_the_wall_clock_jumps_and_nothing_happens(tmp_path: Path, jump: int) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    async with Dashboard(tmp_path / "dist") as dashboard:
        settings = {"health": QUICK, "deploy": {"index": str(dashboard.index)}, "browser": {"command": str(honest_browser(tmp_path))}}
        kiosk = Kiosk(dashboard.url, tmp_path, deceived(tmp_path), **settings)
        remember(kiosk.state, dashboard.url, dashboard.socket_url)
        async with kiosk:
            await dashboard.back(START_S)
            stage = Stage(dashboard, kiosk, kiosk)
            await stage.proven()
            year = await year_told(kiosk)
            document, pid = await dashboard.document(), kiosk.pid
            clock.write_text(f"{jump:+d}")
            await kiosk.shows(5, page__asked=lambda asked: abs(int(asked[:4]) - year) in (9, 10, 11))
            await stage.stays(RESTART_AFTER + 4, document)
            await stage.nothing_changed(document, pid, 1)
            assert (await kiosk.status())["rung"] == "CALM"
            # It goes on deciding as before: a deploy is shown in its time.
            dashboard.deploy("2")
            await dashboard.back(4)


async def year_told(kiosk: Kiosk) -> int:
    return int((await kiosk.status())["page"]["asked"][:4])

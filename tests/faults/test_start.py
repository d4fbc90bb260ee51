"""Row 22: what cannot be started is tried again at the shipped pace. In how many ways it cannot is in ``cases``."""

import time
from pathlib import Path

import pytest

from kioskd.demo.dashboard import Dashboard
from tests.aio import asynctest
from tests.faults.stage import kept

pytestmark = pytest.mark.chromium

SHIPPED_INTERVAL = 5.0


async def no_page_yet(dashboard: Dashboard) -> None:
    """The start is what is broken."""


@asynctest
async def test_it_is_tried_at_the_shipped_pace(tmp_path: Path) -> None:
    browser, health = {"command": str(tmp_path / "browser")}, {"interval": SHIPPED_INTERVAL, "timeout": 4}
    async with kept(tmp_path, trouble=no_page_yet, browser=browser, health=health) as stage:
        moments = []
        first = (await stage.shows(15, verdict="NO_BROWSER"))["browser"]["generation"]
        for more in range(1, 4):
            await stage.shows(SHIPPED_INTERVAL + 1, browser__generation=lambda number, least=first + more: number >= least)
            moments.append(time.monotonic())
        assert all(4 < later - earlier < 6 for earlier, later in zip(moments, moments[1:], strict=False)), moments

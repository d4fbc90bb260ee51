"""The largest house: two thousand other screens listen to one kioskd, and each is told."""

from pathlib import Path

import pytest

from kioskd.demo.bench import LISTENERS
from kioskd.demo.listeners import Crowd
from tests.aio import asynctest
from tests.faults.stage import START_S, kept

pytestmark = pytest.mark.chromium

TOLD_S = 5.0  # what a screen may notice; some tenths of a second where nothing else runs (scripts/bench)


@asynctest
async def test_two_thousand_listeners_all_have_the_message(tmp_path: Path) -> None:
    async with kept(tmp_path) as stage:
        assert stage.kiosk is not None
        await stage.shows(START_S, verdict="HEALTHY")
        async with Crowd(stage.kiosk.port, LISTENERS) as crowd:
            for number in range(3):
                heard = await crowd.hear(f"menu {number}", stage.kiosk.reload)  # fails unless the answer says so many, and all have it
                assert len(heard) == LISTENERS == 2000 and heard[-1] < TOLD_S
                await stage.dashboard.back(START_S)
        assert (await stage.kiosk.reload())["clients"] < LISTENERS, "those that have gone are no clients"

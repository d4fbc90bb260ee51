"""Two minutes of the soak; ``scripts/soak`` does it for as long as wanted."""

import os
import random
from pathlib import Path

import pytest

from tests.aio import lasting
from tests.faults.soak import LAST_PACE_S, ROUND_S, run
from tests.faults.stage import START_S

MINUTES = 2.0


@pytest.mark.defaults
@lasting(3 * START_S + MINUTES * 60 + 2 * (LAST_PACE_S + ROUND_S))  # two rounds that begin just before the time is up, or where it is
async def test_two_minutes_of_everything(tmp_path: Path) -> None:
    seed = int(os.environ.get("KIOSKD_SEED") or random.getrandbits(32))
    assert await run(MINUTES, seed, tmp_path) == 0, f"KIOSKD_SEED={seed}"

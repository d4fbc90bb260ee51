"""Bad input: pages that are a load on everybody. kioskd stays small, and kills nothing. A host that has no time is in ``cases``.

There is no control: nothing is broken that somebody would have to bring back.
"""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.aio import asynctest
from tests.faults.stage import Stage, kept

pytestmark = pytest.mark.chromium

MEASURED_S = 15.0
CORE_SHARE = 0.01
GROWTH = 3 << 20


@dataclass(frozen=True, slots=True)
class Cost:
    """What kioskd's own process took."""

    share: float  # of one core
    growth: int  # bytes of resident memory


async def cost(stage: Stage, seconds: float = MEASURED_S) -> Cost:
    """Measure kioskd for some seconds."""
    assert stage.kiosk is not None and stage.kiosk.process is not None
    process = psutil.Process(stage.kiosk.process.pid)

    def used() -> float:
        times = process.cpu_times()
        return float(times.user + times.system)

    spent, held, began = used(), process.memory_info().rss, time.monotonic()
    await asyncio.sleep(seconds)  # the measurement
    return Cost((used() - spent) / (time.monotonic() - began), process.memory_info().rss - held)


HOSTILE = {
    "a thousand sockets": {"verb": "thousand_sockets"},
    "a flooded console": {"verb": "console_flood"},
    "reloads itself in a loop": {"verb": "self_reload_loop", "seconds": 0.05},
    "reloads itself at once": {"verb": "self_reload_loop", "seconds": 0},
}


@pytest.mark.parametrize("what", HOSTILE.values(), ids=HOSTILE)
@asynctest
async def test_a_hostile_page_costs_kioskd_next_to_nothing(tmp_path: Path, what: dict[str, object]) -> None:
    async with kept(tmp_path, quick=False) as stage:
        pid = stage.victim.pid
        await stage.dashboard.do(**what)
        taken = await cost(stage)
        assert taken.share < CORE_SHARE and taken.growth < GROWTH, taken
        assert stage.victim.pid == pid

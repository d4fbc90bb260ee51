"""Row 26 and bad input: pages that are a load on everybody, and a host that has no time. kioskd stays small, and kills nothing.

There is no control: nothing is broken that somebody would have to bring back.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
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


@contextlib.asynccontextmanager
async def starved(processes: int) -> AsyncIterator[None]:
    """A host on which so many processes never rest."""
    spinning = [await asyncio.create_subprocess_exec(sys.executable, "-c", "while True: pass") for _ in range(processes)]
    try:
        yield
    finally:
        for each in spinning:
            each.kill()
            await each.wait()


@pytest.mark.alone
@asynctest
async def test_on_a_starved_host_nothing_is_killed(tmp_path: Path) -> None:
    async with kept(tmp_path) as stage:
        document, pid = await stage.dashboard.document(), stage.victim.pid
        async with starved(8):
            await stage.stays(20, document)
        await stage.nothing_changed(document, pid, 1)
        await stage.dashboard.back(5)

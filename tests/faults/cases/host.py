"""Row 26: kioskd, or everybody, gets no time."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator

from tests.faults.case import Control, case
from tests.faults.scene import Scene

NOTHING_LOST = "nothing is broken that somebody would have to bring back"


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


@case("26", undisturbed=lambda t: t.hang_after + 2, alone=True, control=Control.HEALS, why=NOTHING_LOST)
async def host_starved(scene: Scene) -> None:
    """Eight processes that never rest leave the rest of the host next to no time, for 20 s at least."""
    await scene.start()
    async with starved(8):
        await scene.lasts(max(20.0, 2 * scene.times.hang_after))
        await scene.untouched()


for name, stops, words in (("long", (20.0,), "for 20 s"), ("often", (4.0, 4.0, 4.0), "three times for 4 s, as on a host that swaps")):

    @case(
        "26",
        name=f"kioskd-stopped-{name}",
        undisturbed=lambda t: t.hang_after + 2,
        control=Control.NONE,
        why="it is kioskd that has no time",
        stops=stops,
        words=words,
    )
    async def kioskd_stopped(scene: Scene, stops: tuple[float, ...], words: str) -> None:
        """Kioskd itself gets no time {words}, and blames nobody for it."""
        await scene.start()
        for seconds in stops:
            assert scene.kiosk is not None
            scene.kiosk.strike(signal.SIGSTOP)
            await scene.lasts(seconds)
            scene.kiosk.strike(signal.SIGCONT)
            await scene.lasts(1)
        await scene.untouched()


@case("26", undisturbed=lambda t: t.hang_after + 2, control=Control.HEALS, why=NOTHING_LOST)
async def machine_stopped(scene: Scene) -> None:
    """The whole machine gets no time for a while, as one of a host that is being moved: kioskd, the browser and the server."""
    await scene.start()
    if scene.kiosk is not None:
        scene.kiosk.strike(signal.SIGSTOP)
    scene.victim.freeze()
    scene.dashboard.freeze()
    await asyncio.sleep(4 * scene.times.hang_after)  # what is waited for is this time
    scene.dashboard.thaw()
    scene.victim.signal(signal.SIGCONT, None)
    if scene.kiosk is not None:
        scene.kiosk.strike(signal.SIGCONT)

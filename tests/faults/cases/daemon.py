"""Row 17: kioskd itself is killed, or hangs. Its systemd, a real one, starts it again."""

import signal

from tests.faults.case import Control, case
from tests.faults.scene import Scene
from tests.faults.unit import seconds

RESTART_S, WATCHDOG_S = seconds("RestartSec"), seconds("WatchdogSec")
OWN = "the fault is kioskd's own"


@case("17", within=lambda t: RESTART_S + t.cold + 5, alone=True, machine=True, control=Control.NONE, why=OWN)
async def kioskd_killed(scene: Scene) -> None:
    """kioskd is killed."""
    await scene.start()
    scene.kiosk.strike(signal.SIGKILL)


@case("17", within=lambda t: WATCHDOG_S + RESTART_S + t.cold + 5, alone=True, machine=True, control=Control.NONE, why=OWN)
async def kioskd_hung(scene: Scene) -> None:
    """kioskd stands still: its loop does not turn any more."""
    await scene.start()
    scene.kiosk.strike(signal.SIGSTOP)

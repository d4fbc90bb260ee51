"""Row 7 and its kin: between the page and its server packets are lost, late, or none at all."""

from kioskd.demo.kiosk import merged
from tests.faults import inside
from tests.faults.case import Scene, Touches, case

SILENCE_S = 3.0


@case("7", within=lambda t: SILENCE_S + t.reload_after + 7, touches=Touches.PAGE, inside=True)
async def packets_dropped(scene: Scene) -> None:
    """A router has forgotten the page's connection: its packets are dropped, and both ends hold it for open (`silence` set)."""
    scene.config = merged(scene.config, {"health": {"websocket": {"silence": SILENCE_S}}})
    await scene.start()
    await inside.half_open(scene.dashboard.port)

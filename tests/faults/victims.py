"""Who keeps the browser in a case: kioskd, nobody, or what people use today."""

from kioskd.demo.kiosk import Bare, Kiosk, Victim, merged
from tests.faults.case import Scene

SAYS = {"kioskd": "this project", "nothing": "Chromium, started once: the control"}
NAMES = tuple(SAYS)


async def victim(scene: Scene) -> Victim:
    """Return whoever is asked for, as the case wants the browser to be, not yet started."""
    if scene.who == "kioskd":
        browser = {"flags": scene.flags, "profile": str(scene.profile)}
        if scene.command != "chromium":
            browser["command"] = scene.command
        return Kiosk(scene.url, scene.folder, scene.environment, **merged({"browser": browser}, scene.config))
    assert scene.who == "nothing", scene.who
    return Bare(
        scene.url, scene.folder, profile=scene.profile, flags=scene.flags, display=scene.environment, command=scene.command
    )

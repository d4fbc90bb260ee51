"""Who keeps the browser in a case: kioskd, nobody, or what people use today."""

from kioskd.demo.kiosk import Kiosk, Victim, merged
from tests.faults.peers import PEERS, Launch
from tests.faults.scene import Scene
from tests.faults.unit import Unit

SAYS = {"kioskd": "this project, configured with the page's URL (and the folder of its build, where a case is about deploys)"}
SAYS |= {peer.name: peer.says for peer in PEERS}

NAMES = tuple(SAYS)

#: These have to do as expected; the peers are only looked at.
JUDGED = NAMES[:2]


async def furnish(scene: Scene) -> None:
    """Have the server serve the page of whoever is asked for: now, because a case may stop it before anybody starts; and for good."""
    for peer in PEERS:
        if peer.name == scene.who and peer.switches:
            scene.dashboard.insists = dict(peer.switches)
            await scene.dashboard.switch()


def victim(scene: Scene) -> Victim:
    """Return whoever is asked for, as the case wants the browser to be, not yet started."""
    if scene.who == "kioskd":
        browser = {"flags": scene.flags, "profile": str(scene.profile)}
        if scene.command != "chromium":
            browser["command"] = scene.command
        kind = Unit if scene.machine else Kiosk
        return kind(scene.url, scene.folder, scene.environment, **merged({"browser": browser}, scene.config))
    (peer,) = [each for each in PEERS if each.name == scene.who]
    phase = scene.chance.random()
    return peer(Launch(scene.url, scene.folder, scene.profile, scene.command, tuple(scene.flags), scene.environment, phase))

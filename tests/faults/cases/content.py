"""Row 14 and its kin: the page is there, and what it shows is nothing, or a sentence that it is stuck, or it says so itself."""

import re

from kioskd.demo.kiosk import merged
from tests.faults.case import Touches, case
from tests.faults.scene import Scene
from tests.faults.stage import START_S

STUCK_TEXT = "Ingen anslutning till servern"

AS_STUCK = "it is not blank, it says that it is stuck: as in row 5"

#: So that only its blankness speaks against a page.
NO_SOCKET = {"health": {"websocket": {"url": "off"}}}


async def script_not_found(scene: Scene, version: str) -> None:
    """A deploy whose scripts are not found when the page loads itself for it."""
    await scene.dashboard.switch(http="blank")
    await scene.deploy(version)
    await scene.dashboard.do("reload_self")
    await scene.dashboard.asked_for(re.findall(r'src="(.*?)"', scene.dashboard.index.read_text())[-1], 5)
    await scene.note()


@case("14", within=lambda t: t.blank_after + 5, touches=Touches.PAGE, once=True)
async def blank_after_a_deploy(scene: Scene) -> None:
    """After a deploy the page's scripts are not found: it is blank; the server is mended meanwhile."""
    scene.follows_deploys()
    scene.config = merged(scene.config, NO_SOCKET)
    await scene.start()
    await script_not_found(scene, "2")
    scene.begins()
    await scene.dashboard.switch(http="normal")


@case("14", within=lambda t: t.blank_after + 5, touches=Touches.PAGE)
async def blank_from_the_start(scene: Scene) -> None:
    """The page's scripts are not found when the browser starts: it is blank; the server is mended meanwhile."""
    scene.config = merged(scene.config, NO_SOCKET)
    await scene.dashboard.switch(http="blank")
    await scene.start(waits=False)
    await scene.dashboard.asked_for(re.findall(r'src="(.*?)"', scene.dashboard.index.read_text())[-1], 60)
    scene.begins()
    await scene.dashboard.switch(http="normal")


@case("14", within=lambda t: t.settle + 3, touches=Touches.PAGE, instead="what helps is a deploy, as in row 13")
async def blank_until_the_next_deploy(scene: Scene) -> None:
    """A deploy that stays blank: it is reloaded for that once, and then only the next build helps."""
    scene.follows_deploys()
    scene.config = merged(scene.config, NO_SOCKET)
    await scene.start()
    known = await scene.shows(1)
    await script_not_found(scene, "2")
    # Where it was loaded amid the deploy, as far as kioskd can tell, it is loaded once more for that.
    await scene.shows(START_S, versions__screen=lambda version: version not in (None, known["versions"]["screen"]))
    before = len(await scene.dashboard.loads())
    await scene.lasts(scene.times.blank_after + 5)
    await scene.note()
    assert not scene.kept or scene.loads == before + 1, "it is reloaded once"
    await scene.lasts(3 * scene.times.blank_after)
    await scene.untouched()
    await scene.dashboard.switch(http="normal")
    scene.begins()
    await scene.deploy("3")


@case("14", within=lambda t: t.blank_after + 5, touches=Touches.PAGE, not_before=lambda t: t.blank_after)
async def emptied(scene: Scene) -> None:
    """A script of the page has removed all that could be seen; its connection lives."""
    await scene.start()
    scene.begins()
    await scene.dashboard.do("blank")


@case("14", within=lambda t: t.reload_after + 7, touches=Touches.PAGE, not_before=lambda t: t.reload_after, instead=AS_STUCK)
async def says_that_it_is_stuck(scene: Scene) -> None:
    """The page shows the sentence that it is stuck (`stuck_text`); its connection lives."""
    scene.config = merged(scene.config, {"health": {"page": {"stuck_text": STUCK_TEXT}}})
    await scene.start()
    scene.begins()
    await scene.dashboard.do("stuck_text", text=STUCK_TEXT)


@case("14", within=lambda t: t.reload_after + 7, touches=Touches.PAGE, not_before=lambda t: t.reload_after, instead=AS_STUCK)
async def says_that_it_is_not_alive(scene: Scene) -> None:
    """The page's own `kioskd.alive()` says no; its connection lives."""
    await scene.start()
    scene.begins()
    await scene.dashboard.do("alive", value=False)

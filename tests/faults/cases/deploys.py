"""Rows 13 and 13b: a new front end is shown, once, whole, and whatever the page's connection is worth."""

import asyncio
import os
import shutil

from kioskd.demo.dist import How
from kioskd.demo.kiosk import merged
from tests.faults.case import Times, Touches, case
from tests.faults.scene import Scene
from tests.faults.stage import START_S

#: In words.
WAYS: dict[How, str] = {
    How.RENAME: "a new index by an atomic rename",
    How.IN_PLACE: "the index rewritten in place",
    How.REBUILD: "the folder removed and made anew",
    How.SYMLINK: "a link to another folder",
    How.TOUCH: "the same bytes, touched",
    How.ROLLBACK: "an older build, with its older time",
    How.SAME_SECOND: "another build of the very same time",
}

POLL_S = 30.0  # of a version endpoint


def shown(times: Times) -> float:
    """How soon a build is to be on the screen."""
    return times.settle + 3


def patient(scene: Scene) -> None:
    """Let kioskd wait for long: it is not to be the dead connection that reloads the page."""
    scene.config = merged(scene.config, {"health": {"websocket": {"reload_after": 20, "restart_after": 60}}})


# --- row 13 -------------------------------------------------------------------------------------

for how, what in WAYS.items():
    slug = how.value.replace("_", "-")

    @case("13", name=f"deploy-{slug}", within=shown, touches=Touches.PAGE, once=True, what=what, how=how)
    async def deployed(scene: Scene, what: str, how: How) -> None:
        """A deploy: {what}."""
        scene.follows_deploys()
        await scene.start()
        scene.begins()
        await scene.deploy("2", how)

    @case(
        "13", name=f"deploy-{slug}-unconnected", within=shown, touches=Touches.PAGE, once=True, anew=how is How.TOUCH, what=what, how=how
    )  # fmt: skip
    async def deployed_unconnected(scene: Scene, what: str, how: How) -> None:
        """A deploy ({what}), and the page has given up its connection: nobody can tell it."""
        scene.follows_deploys()
        patient(scene)
        await scene.start()
        await scene.dashboard.do("give_up")
        await scene.dashboard.unconnected(5)
        scene.begins()
        await scene.deploy("2", how)


@case("13", within=shown, touches=Touches.PAGE, once=True)
async def rollback_by_symlink(scene: Scene) -> None:
    """A deploy is taken back: the link leads to the folder of the release before."""
    scene.dashboard.deploy("1", How.SYMLINK)
    scene.dashboard.deploy("2", How.SYMLINK)
    scene.follows_deploys()
    await scene.start()
    scene.begins()
    await scene.deploy("1", How.SYMLINK)


@case("13", within=shown, touches=Touches.PAGE, once=True)
async def all_builds_of_1970(scene: Scene) -> None:
    """A deploy by a tool that gives all files the same time, for the sake of builds that can be made again."""
    os.utime(scene.dashboard.index, (1, 1))
    scene.follows_deploys()
    await scene.start()
    scene.begins()
    await scene.deploy("2", How.SAME_SECOND)


for worker in ("service_worker", "precache"):

    @case("13", name=f"deploy-under-a-{worker}".replace("_", "-"), within=shown, touches=Touches.PAGE, worker=worker)
    async def deployed_under_a_service_worker(scene: Scene, worker: str) -> None:
        """A deploy, and the page's service worker ({worker}) answers with the old build, to a reload, too."""
        await scene.dashboard.switch(**{worker: True})
        scene.follows_deploys()
        await scene.start()
        for _ in range(2):  # the second time it answers from its cache
            await scene.dashboard.do("reload_self")
            await scene.again(START_S)
        scene.begins()
        await scene.deploy("2")
        await scene.dashboard.do("reload_self")


@case("13", within=shown, touches=Touches.PAGE, once=True)
async def dist_appears_later(scene: Scene) -> None:
    """The folder that is to be followed comes into the world only now."""
    later = scene.folder / "not" / "yet" / "dist"
    scene.follows_deploys(index=str(later / "index.html"))
    await scene.start()
    scene.begins()
    await asyncio.to_thread(shutil.copytree, scene.dashboard.dist, later)
    await scene.victim.deployed()


@case("13", within=shown, touches=Touches.PAGE, once=True, anew=True)
async def further_file_changed(scene: Scene) -> None:
    """A file beside the build that the page reads at its load is changed; the page has given up its connection."""
    schedule = scene.folder / "schedule.json"
    schedule.write_text('{"off": "22:00"}')
    scene.follows_deploys(also=[str(schedule)])
    patient(scene)
    await scene.start()
    await scene.dashboard.do("give_up")
    await scene.dashboard.unconnected(5)
    scene.begins()
    schedule.write_text('{"off": "23:00"}')
    await scene.victim.deployed()


@case("13", within=shown, touches=Touches.PAGE, once=True)
async def further_file_replaced(scene: Scene) -> None:
    """A file beside the build is removed, and some time later another one is there."""
    schedule = scene.folder / "schedule.json"
    schedule.write_text("one")
    scene.follows_deploys(also=[str(schedule)])
    await scene.start()
    schedule.unlink()
    await scene.lasts(shown(scene.times))
    await scene.untouched()
    scene.begins()
    schedule.write_text("two")
    await scene.victim.deployed()


@case(
    "13", within=lambda t: POLL_S + 3, touches=Touches.PAGE, once=True, slow=True,
    instead="nothing of this machine's tells of the build: its server is asked every 30 s",
)  # fmt: skip
async def built_elsewhere(scene: Scene) -> None:
    """A deploy on another machine, whose server tells of it when it is asked."""
    scene.config = merged(scene.config, {"deploy": {"url": scene.url + "version"}})
    await scene.start()
    await scene.shows(START_S, versions__screen=lambda version: version is not None)
    scene.begins()
    await scene.deploy("2")


@case(
    "13", within=lambda t: t.interval + 5, touches=Touches.PAGE, once=True,
    instead="nothing of this machine's tells of the build: its server is asked when it is back",
)  # fmt: skip
async def built_elsewhere_and_its_server_restarted(scene: Scene) -> None:
    """A deploy on another machine that restarts its server: the page has reconnected, and is the old one."""
    scene.config = merged(scene.config, {"deploy": {"url": scene.url + "version"}})
    await scene.start()
    await scene.shows(START_S, versions__screen=lambda version: version is not None)
    await scene.dashboard.kill()
    scene.dashboard.deploy("2")
    scene.begins()
    await scene.dashboard.start()
    await scene.victim.deployed()


# --- row 13b ------------------------------------------------------------------------------------

HALVES: dict[How, tuple[str, str, How]] = {
    How.HALF: ("the index names what is not there yet", "/assets/", How.ASSETS),
    How.EMPTY_INDEX: ("the index is empty", "is empty", How.RENAME),
    How.REMOVE: ("the folder is gone", "Cannot read", How.RENAME),
}

for half, (what, reason, rest) in HALVES.items():

    @case(
        "13b", name=f"half-a-deploy-{half.value}".replace("_", "-"), within=shown, touches=Touches.PAGE, once=True,
        what=what, half=half, reason=reason, rest=rest,
    )  # fmt: skip
    async def half_a_deploy(scene: Scene, what: str, half: How, reason: str, rest: How) -> None:
        """Half a deploy ({what}), and some time later the rest."""
        scene.follows_deploys()
        await scene.start()
        scene.dashboard.deploy("2", half)
        await scene.shows(shown(scene.times), versions__complete=False, versions__missing=lambda missing: reason in missing[0])
        await scene.lasts(shown(scene.times))
        await scene.untouched()
        scene.begins()
        await scene.deploy("2", rest)


@case("13b", within=shown, touches=Touches.PAGE, once=True)
async def half_a_deploy_and_a_page_that_gave_up(scene: Scene) -> None:
    """The page gives up its connection, and half a deploy is on the disk when it is due to be reloaded; some time later comes the rest."""
    scene.follows_deploys()
    await scene.start()
    await scene.dashboard.do("give_up")
    scene.dashboard.deploy("2", How.HALF)
    await scene.lasts(scene.times.reload_after + 5)
    await scene.untouched()
    scene.begins()
    await scene.deploy("2", How.ASSETS)


@case("13b", within=shown, touches=Touches.PAGE, once=True, alone=True)
async def torn_index(scene: Scene) -> None:
    """The index is written slowly, and torn in the middle for two seconds."""
    scene.follows_deploys()
    await scene.start()
    for _ in range(4):
        scene.dashboard.deploy("2", How.TORN)
        await scene.lasts(scene.times.settle / 2)
    await scene.untouched()
    scene.begins()
    await scene.deploy("2", How.IN_PLACE)


@case("13b", within=shown, touches=Touches.PAGE, once=True)
async def twenty_deploys(scene: Scene) -> None:
    """Twenty deploys within six seconds."""
    scene.follows_deploys()
    await scene.start()
    for number in range(2, 22):
        scene.begins()
        await scene.deploy(str(number))
        await asyncio.sleep(0.3)  # the pace of the fault


for retry, what in (("forever", "the page reconnects by itself"), ("weak", "the page has given up")):

    @case(
        "13b", name=f"deploy-while-the-server-is-down-{retry}", within=lambda t: t.interval + 5, touches=Touches.PAGE, once=True,
        what=what, retry=retry,
    )  # fmt: skip
    async def deployed_while_the_server_is_down(scene: Scene, what: str, retry: str) -> None:
        """A deploy while the server is down, which comes back later; {what}."""
        await scene.dashboard.switch(retry=retry, tries=0 if retry == "weak" else 10)
        scene.follows_deploys()
        await scene.start()
        await scene.dashboard.kill()
        await scene.deploy("2")
        await scene.lasts(shown(scene.times))
        await scene.shows(START_S, versions__disk=lambda disk: disk is not None, verdict="SERVER_DOWN", page__url=scene.url)
        await scene.dashboard.start()


@case(
    "13b", within=lambda t: t.interval + 15, touches=Touches.PAGE, once=True,
    instead="the page has the time after an outage in which it may come back by itself, as in row 9",
)  # fmt: skip
async def deploy_and_a_restart_that_was_too_long(scene: Scene) -> None:
    """A deploy with a restart of the server, in which the page gives up: the reload that it is told to do has no listener."""
    await scene.dashboard.switch(retry="weak", tries=0)
    scene.follows_deploys()
    await scene.start()
    await scene.dashboard.kill()
    scene.dashboard.deploy("2")
    await scene.lasts(3)
    await scene.dashboard.start()
    scene.begins()
    await scene.victim.deployed()
    await scene.dashboard.do("say", message={"type": "reload"})

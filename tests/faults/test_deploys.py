"""Rows 13 and 13b: a new front end on the disk is shown, once, whole, and whatever the page's connection is worth."""

import asyncio
import shutil
import time
from pathlib import Path

import aiohttp
import pytest

from kioskd.demo.dist import How, build
from tests.aio import asynctest
from tests.faults.stage import INTERVAL, RESTART_AFTER, SETTLE, START_S, Stage, bare, kept, stays_away

pytestmark = pytest.mark.chromium

WITHIN_S = SETTLE + 3
POLL_S = 30.0
EVERY_WAY = (How.RENAME, How.IN_PLACE, How.REBUILD, How.SYMLINK, How.TOUCH, How.ROLLBACK, How.SAME_SECOND)

#: So that a dead connection is not what reloads the page here.
PATIENT = {"websocket": {"reload_after": 20, "restart_after": 60}}


async def shown_once(stage: Stage, moment: float, document: str | None, loads: int, within: float = WITHIN_S) -> float:
    """Assert that the newest build is back within the bound as another document, and that it cost one load and no process."""
    pid = stage.victim.pid
    seconds = await stage.dashboard.back(within, after=moment, other_than=document)
    await unmoved(stage, await stage.dashboard.document(), pid, loads + 1)
    return seconds


async def unmoved(stage: Stage, document: str | None, pid: int, loads: int, seconds: float = WITHIN_S) -> None:
    """Assert that for some seconds the same document stays."""
    await stage.stays(seconds, document)
    await stage.nothing_changed(document, pid, loads)


async def waits_for_the_server(stage: Stage, document: str | None, pid: int) -> None:
    """Assert that the page is left alone while its server is down, and costs one load with its return."""
    with pytest.raises(TimeoutError):
        await stage.shows(WITHIN_S, page__url=lambda url: url != stage.dashboard.url)
    moment = time.monotonic()
    await stage.dashboard.start()
    await stage.dashboard.back(INTERVAL + 5, after=moment, other_than=document)
    await unmoved(stage, await stage.dashboard.document(), pid, 2)


@pytest.mark.parametrize("how", EVERY_WAY, ids=lambda how: how.value)
@asynctest
async def test_a_deploy_is_shown_once(tmp_path: Path, how: How) -> None:
    async with kept(tmp_path, deploy=True) as stage:
        document, moment = await stage.dashboard.document(), time.monotonic()
        stage.dashboard.deploy("2", how)
        await shown_once(stage, moment, document, 1)


@pytest.mark.parametrize("how", EVERY_WAY, ids=lambda how: how.value)
@asynctest
async def test_a_deploy_needs_no_connection_of_the_page(tmp_path: Path, how: How) -> None:
    async with kept(tmp_path, deploy=True, health=PATIENT) as stage:
        document = await stage.dashboard.document()
        await stage.dashboard.do("give_up")
        await stage.dashboard.unconnected(5)
        moment = time.monotonic()
        stage.dashboard.deploy("2", how)
        await shown_once(stage, moment, document, 1)


@pytest.mark.parametrize("how", EVERY_WAY, ids=lambda how: how.value)
@asynctest
async def test_without_kioskd_the_old_build_stays(tmp_path: Path, how: How) -> None:
    async def deploy(stage: Stage) -> None:
        stage.dashboard.deploy("2", how)

    async with bare(tmp_path) as stage:
        await stays_away(stage, WITHIN_S, deploy)


@pytest.mark.parametrize(("half", "reason"), [(How.HALF, "/assets/"), (How.EMPTY_INDEX, "is empty"), (How.REMOVE, "Cannot read")])
@asynctest
async def test_half_a_deploy_is_waited_for(tmp_path: Path, half: How, reason: str) -> None:
    async with kept(tmp_path, deploy=True) as stage:
        document, pid = await stage.dashboard.document(), stage.victim.pid
        stage.dashboard.deploy("2", half)
        await stage.shows(WITHIN_S, versions__complete=False, versions__missing=lambda missing: reason in missing[0])
        await unmoved(stage, document, pid, 1)
        moment = time.monotonic()
        stage.dashboard.deploy("2", How.ASSETS if half is How.HALF else How.RENAME)
        await shown_once(stage, moment, document, 1)


@pytest.mark.parametrize("half", [How.HALF, How.EMPTY_INDEX, How.REMOVE, How.TORN])
@asynctest
async def test_without_kioskd_neither_half_nor_the_whole_is_shown(tmp_path: Path, half: How) -> None:
    async with bare(tmp_path) as stage:
        document, pid = await stage.dashboard.document(), stage.victim.pid
        stage.dashboard.deploy("2", half)
        await unmoved(stage, document, pid, 1)
        stage.dashboard.deploy("2", How.ASSETS if half is How.HALF else How.IN_PLACE)
        await unmoved(stage, document, pid, 1)


@pytest.mark.alone
@asynctest
async def test_a_torn_index_is_never_shown(tmp_path: Path) -> None:
    async with kept(tmp_path, deploy=True) as stage:
        document, pid = await stage.dashboard.document(), stage.victim.pid
        for _ in range(4):
            stage.dashboard.deploy("2", How.TORN)
            await unmoved(stage, document, pid, 1, SETTLE / 2)
        moment = time.monotonic()
        stage.dashboard.deploy("2", How.IN_PLACE)
        await shown_once(stage, moment, document, 1)


async def deploys_twenty_times(stage: Stage) -> float:
    """Return the moment of the last one."""
    for number in range(2, 22):
        moment = time.monotonic()
        stage.dashboard.deploy(str(number))
        await asyncio.sleep(0.3)  # the pace of the fault
    return moment


@asynctest
async def test_a_hook_and_inotify_are_one_load_and_the_other_screens_hear_of_it_once(tmp_path: Path) -> None:
    async with kept(tmp_path, deploy=True) as stage, aiohttp.ClientSession(f"http://127.0.0.1:{stage.kiosk.port}") as session:
        async with session.ws_connect("/ws") as other:
            document, moment = await stage.dashboard.document(), time.monotonic()
            stage.dashboard.deploy("2")
            assert await stage.kiosk.reload("the menu") == {"clients": 1, "screen": "reloaded"}
            await shown_once(stage, moment, document, 1)
            assert (await other.receive_json(timeout=5))["payload"] == {"message": "the menu"}
            moment, document = time.monotonic(), await stage.dashboard.document()
            stage.dashboard.deploy("3")
            assert (await other.receive_json(timeout=WITHIN_S))["type"] == "reload"
            await shown_once(stage, moment, document, 2)
            assert await stage.kiosk.reload() == {"clients": 1, "screen": "not needed"}
            await unmoved(stage, await stage.dashboard.document(), stage.victim.pid, 3)
            assert (await other.receive_json(timeout=5))["payload"] == {"message": ""}
            with pytest.raises(asyncio.TimeoutError):
                await other.receive(timeout=0.1)


@asynctest
async def test_a_reload_that_devtools_does_not_take_is_a_restart(tmp_path: Path) -> None:
    async with kept(tmp_path, health={"page": {"hang_after": 60}}) as stage:
        document, moment, pid = await stage.dashboard.document(), time.monotonic(), stage.victim.pid
        stage.victim.freeze()
        answer = await stage.kiosk.reload()
        assert answer == {"clients": 0, "screen": "restarted: DevTools did not answer"}
        await stage.dashboard.back(START_S, after=moment, other_than=document)
        assert stage.victim.pid != pid


@asynctest
async def test_a_reload_while_the_server_is_down_waits_for_it_and_leaves_the_page(tmp_path: Path) -> None:
    async with kept(tmp_path) as stage:
        await stage.shows(START_S, verdict="HEALTHY", rung="CALM")  # what the server said at the start is no news any more
        document, pid = await stage.dashboard.document(), stage.victim.pid
        await stage.dashboard.kill()
        assert await stage.kiosk.reload() == {"clients": 0, "screen": "deferred: server down"}
        await waits_for_the_server(stage, document, pid)


@asynctest
async def test_twenty_deploys_in_six_seconds_cost_one_load(tmp_path: Path) -> None:
    async with kept(tmp_path, deploy=True) as stage:
        document = await stage.dashboard.document()
        await shown_once(stage, await deploys_twenty_times(stage), document, 1)


@asynctest
async def test_without_kioskd_none_of_the_twenty_is_shown(tmp_path: Path) -> None:
    async with bare(tmp_path) as stage:
        document, pid = await stage.dashboard.document(), stage.victim.pid
        await deploys_twenty_times(stage)
        await unmoved(stage, document, pid, 1)


@asynctest
async def test_a_deploy_while_the_server_is_down_is_shown_with_its_return(tmp_path: Path) -> None:
    async with kept(tmp_path, deploy=True) as stage:
        document, pid = await stage.dashboard.document(), stage.victim.pid
        await stage.dashboard.kill()
        stage.dashboard.deploy("2")
        await stage.shows(WITHIN_S, versions__disk=lambda disk: disk is not None, verdict="SERVER_DOWN")
        await waits_for_the_server(stage, document, pid)


@asynctest
async def test_without_kioskd_the_page_reconnects_after_it_and_stays_the_old_one(tmp_path: Path) -> None:
    async with bare(tmp_path) as stage:
        document, pid = await stage.dashboard.document(), stage.victim.pid
        await stage.dashboard.kill()
        stage.dashboard.deploy("2")
        await stage.dashboard.start()
        await unmoved(stage, document, pid, 1, INTERVAL + 5)


@asynctest
async def test_a_build_elsewhere_is_asked_for_and_shown_once(tmp_path: Path) -> None:
    async with kept(tmp_path, deploy="version") as stage:
        await stage.shows(START_S, versions__screen=lambda version: version is not None)
        document, moment = await stage.dashboard.document(), time.monotonic()
        stage.dashboard.deploy("2")
        await shown_once(stage, moment, document, 1, POLL_S + 3)


@asynctest
async def test_a_build_elsewhere_that_restarts_its_server_is_shown_as_the_page_reconnects(tmp_path: Path) -> None:
    async with kept(tmp_path, deploy="version") as stage:
        await stage.shows(START_S, versions__screen=lambda version: version is not None)
        document = await stage.dashboard.document()
        await stage.dashboard.kill()
        stage.dashboard.deploy("2")
        moment = time.monotonic()
        await stage.dashboard.start()
        await shown_once(stage, moment, document, 1, INTERVAL + 5)


@asynctest
async def test_a_build_elsewhere_that_cannot_be_asked_for_is_said_and_disturbs_nobody(tmp_path: Path) -> None:
    async with kept(tmp_path, deploy="settings") as stage:
        document, pid = await stage.dashboard.document(), stage.victim.pid
        await stage.shows(START_S, problems__deploy=lambda said: "settings for the version" in said, verdict="HEALTHY")
        await unmoved(stage, document, pid, 1)


@asynctest
async def test_a_further_file_is_a_deploy_and_is_waited_for(tmp_path: Path) -> None:
    schedule = tmp_path / "sleep_schedule.json"
    async with kept(tmp_path, deploy={"also": [str(schedule), str(tmp_path / "more" / "*.json")]}) as stage:
        await stage.shows(START_S, problems__deploy=lambda said: "not there yet" in said)
        document, pid = await stage.dashboard.document(), stage.victim.pid
        async with aiohttp.ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{stage.kiosk.port}/ws") as other:
            for loads, text in enumerate(("one", "two"), start=1):
                moment = time.monotonic()
                schedule.write_text(text)
                await shown_once(stage, moment, document, loads)
                document = await stage.dashboard.document()
                if loads > 1:  # the first that is seen is not new to anybody
                    assert (await other.receive_json(timeout=5))["type"] == "reload"
            schedule.unlink()
            await unmoved(stage, document, pid, 3)
            schedule.write_text("three")
            moment = time.monotonic()
            await shown_once(stage, moment, document, 3)


@asynctest
async def test_a_dist_that_appears_only_later_is_seen(tmp_path: Path) -> None:
    later = tmp_path / "not" / "yet" / "dist"
    async with kept(tmp_path, deploy=later / "index.html") as stage:
        document, moment = await stage.dashboard.document(), time.monotonic()
        await asyncio.to_thread(shutil.copytree, stage.dashboard.dist, later)
        await shown_once(stage, moment, document, 1)


async def cached_by_its_service_worker(stage: Stage) -> None:
    """Load the page until its service worker answers from its cache."""
    for _ in range(2):
        document, moment = await stage.dashboard.document(), time.monotonic()
        await stage.dashboard.do("reload_self")
        await stage.dashboard.back(5, after=moment, other_than=document)


WORKERS = ("service_worker", "precache")


@pytest.mark.parametrize("worker", WORKERS)
@asynctest
async def test_a_service_worker_does_not_keep_the_old_build(tmp_path: Path, worker: str) -> None:
    async with kept(tmp_path, deploy=True, switches={worker: True}) as stage:
        await cached_by_its_service_worker(stage)
        document, moment = await stage.dashboard.document(), time.monotonic()
        stage.dashboard.deploy("2")
        await stage.dashboard.back(WITHIN_S, after=moment, other_than=document)
        await cached_by_its_service_worker(stage)


@pytest.mark.parametrize("worker", WORKERS)
@asynctest
async def test_without_kioskd_a_service_worker_keeps_the_old_build_even_over_a_reload(tmp_path: Path, worker: str) -> None:
    async def deploy_and_reload(stage: Stage) -> None:
        stage.dashboard.deploy("2")
        await stage.dashboard.do("reload_self")

    async with bare(tmp_path, {worker: True}) as stage:
        await cached_by_its_service_worker(stage)
        await stays_away(stage, WITHIN_S, deploy_and_reload)


@asynctest
async def test_a_build_that_is_kept_before_the_server_is_asked_for_once_more_and_then_said(tmp_path: Path) -> None:
    """What the server gives is another folder than the one that kioskd watches: a cache that has not let go of the old build."""
    async with kept(tmp_path, deploy=tmp_path / "dist" / "index.html") as stage:
        await asyncio.to_thread(shutil.copytree, stage.dashboard.dist, tmp_path / "dist")
        await stage.shows(START_S, versions__screen=lambda version: version is not None)
        kept_version = (await stage.shows(START_S, verdict="HEALTHY"))["versions"]["screen"]
        loads = len(await stage.dashboard.loads())
        build(tmp_path / "dist", "2")
        moment = await stage.dashboard.loaded(loads + 1, WITHIN_S)
        again = await stage.dashboard.loaded(loads + 2, RESTART_AFTER + 3)
        assert again - moment > RESTART_AFTER - 1
        await stage.shows(5, verdict="HEALTHY", why=lambda why: "still shows another" in why, versions__screen=kept_version)
        with pytest.raises(TimeoutError):
            await stage.dashboard.loaded(loads + 3, RESTART_AFTER + 3)
        document, moment = await stage.dashboard.document(), time.monotonic()
        build(stage.dashboard.dist, "2")
        assert (await stage.kiosk.reload())["screen"] == "reloaded"
        await stage.dashboard.back(WITHIN_S, after=moment, other_than=document)
        await stage.shows(5, verdict="HEALTHY", why="the page is as it should be")

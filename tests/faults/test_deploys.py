"""Rows 13 and 13b: what a deploy hook is answered, what other screens hear, and caches that keep the old build. The rest: the cases."""

import asyncio
import shutil
import time
from pathlib import Path

import aiohttp
import pytest

from kioskd.demo.dist import build
from tests.aio import asynctest
from tests.faults.stage import INTERVAL, RESTART_AFTER, SETTLE, START_S, Stage, kept

pytestmark = pytest.mark.chromium

WITHIN_S = SETTLE + 3

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
async def test_a_hook_needs_no_connection_of_the_page(tmp_path: Path) -> None:
    async with kept(tmp_path, deploy=True, health=PATIENT) as stage:
        await stage.proven()
        document = await stage.dashboard.document()
        await stage.dashboard.do("give_up")
        await stage.shows(INTERVAL + 5, verdict="STUCK")
        moment = time.monotonic()
        stage.dashboard.deploy("2")
        assert await stage.kiosk.reload("a new build") == {"clients": 0, "screen": "reloaded"}
        await shown_once(stage, moment, document, 1)


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
async def test_a_build_elsewhere_that_cannot_be_asked_for_is_said_and_disturbs_nobody(tmp_path: Path) -> None:
    async with kept(tmp_path, deploy="settings") as stage:
        document, pid = await stage.dashboard.document(), stage.victim.pid
        await stage.shows(START_S, problems__deploy=lambda said: "settings for the version" in said, verdict="HEALTHY")
        await unmoved(stage, document, pid, 1)


@asynctest
async def test_a_further_file_is_a_deploy_and_the_other_screens_hear_of_it(tmp_path: Path) -> None:
    schedule = tmp_path / "sleep_schedule.json"
    async with kept(tmp_path, deploy={"also": [str(schedule), str(tmp_path / "more" / "*.json")]}) as stage:
        await stage.shows(START_S, problems__deploy=lambda said: "not there yet" in said)
        document = await stage.dashboard.document()
        async with aiohttp.ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{stage.kiosk.port}/ws") as other:
            for loads, text in enumerate(("one", "two"), start=1):
                moment = time.monotonic()
                schedule.write_text(text)
                await shown_once(stage, moment, document, loads)
                document = await stage.dashboard.document()
                if loads > 1:  # the first that is seen is not new to anybody
                    assert (await other.receive_json(timeout=5))["type"] == "reload"


async def cached_by_its_service_worker(stage: Stage) -> None:
    """Load the page until its service worker answers from its cache."""
    for _ in range(2):
        document, moment = await stage.dashboard.document(), time.monotonic()
        await stage.dashboard.do("reload_self")
        await stage.dashboard.back(5, after=moment, other_than=document)


WORKERS = ("service_worker", "precache")


@pytest.mark.parametrize("worker", WORKERS)
@asynctest
async def test_a_service_worker_does_not_come_back_with_the_old_build(tmp_path: Path, worker: str) -> None:
    async with kept(tmp_path, deploy=True, switches={worker: True}) as stage:
        await cached_by_its_service_worker(stage)
        document, moment = await stage.dashboard.document(), time.monotonic()
        stage.dashboard.deploy("2")
        await stage.dashboard.back(WITHIN_S, after=moment, other_than=document)
        await cached_by_its_service_worker(stage)


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

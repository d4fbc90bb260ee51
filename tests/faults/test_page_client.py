"""kioskd.js in a real Vite build of a React dashboard, before a server that is really killed: with kioskd, and where there is none."""

import asyncio
import time
from pathlib import Path

import aiohttp
import pytest

from kioskd.demo.kiosk import Bare, free_port
from tests.aio import asynctest, lasting
from tests.faults.stage import SMALL, START_S, Stage, bare, kept
from tests.faults.test_deploys import WITHIN_S, unmoved

pytestmark = pytest.mark.chromium

FRONT = Path(__file__).parents[1] / "web" / "dashboard" / "dist"
RECONNECTED_S = 5.5
RELOADED_S = 60.0
RESTARTS = 10


def deploy(stage: Stage, version: str) -> None:
    """Another build of the same front end, renamed into place."""
    index = stage.dashboard.index
    fresh = index.with_name("new")
    fresh.write_text((FRONT / "index.html").read_text().replace('content="1"', f'content="{version}"'))
    fresh.replace(index)


async def ten_restarts(stage: Stage) -> None:
    """Assert that the page is connected and painting again in time, each time, and that nobody loaded it."""
    document, pid = await stage.dashboard.document(), stage.victim.pid
    for _ in range(RESTARTS):
        moment = time.monotonic()
        await stage.dashboard.kill()
        await stage.dashboard.start()
        seconds = await stage.dashboard.back(RECONNECTED_S, after=moment)
        print(f"{seconds:.2f} s", end=" ")
        if stage.kiosk is not None:  # ten restarts, not one server that flaps: the connection has proved itself in between
            await stage.shows(START_S, page__connection__dead_since=None, verdict="HEALTHY")
        else:
            await asyncio.sleep(1.5)  # to kioskd.js less than a second is no connection
    await stage.nothing_changed(document, pid, 1)


@pytest.mark.defaults
@lasting(300)
async def test_ten_restarts_are_ten_connections_and_no_load(tmp_path: Path) -> None:
    async with kept(tmp_path, front=FRONT, quick=False) as stage:
        await ten_restarts(stage)


@pytest.mark.defaults
@lasting(180)
async def test_without_kioskd_ten_restarts_are_ten_connections_and_no_load(tmp_path: Path) -> None:
    async with bare(tmp_path, front=FRONT) as stage:
        await ten_restarts(stage)


@asynctest
async def test_one_deploy_is_one_load_whoever_tells_of_it(tmp_path: Path) -> None:
    """inotify, a hook, the broadcast of this kioskd, and the server's own message to its pages: all four of one build."""
    port = free_port()
    beside = {"front": FRONT, "query": f"?kioskd={port}", "api": {"listen": f"127.0.0.1:{port}"}}
    async with kept(tmp_path, deploy=True, **beside) as stage, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        async with session.ws_connect("/ws") as other:
            for loads, version in enumerate("23", start=1):
                document, moment = await stage.dashboard.document(), time.monotonic()
                deploy(stage, version)
                told = asyncio.create_task(stage.kiosk.reload("a new build"))
                await stage.dashboard.do("say", message={"type": "reload", "payload": {"message": "a new build"}})
                assert await told == {"clients": 1, "screen": "reloaded"}
                assert (await other.receive_json(timeout=5))["type"] == "reload"
                await stage.dashboard.back(WITHIN_S, after=moment, other_than=document)
                await unmoved(stage, await stage.dashboard.document(), stage.victim.pid, loads + 1)


@asynctest
async def test_without_kioskd_it_reloads_when_it_is_told(tmp_path: Path) -> None:
    async with bare(tmp_path, front=FRONT) as stage:
        document, moment = await stage.dashboard.document(), time.monotonic()
        deploy(stage, "2")
        await unmoved(stage, document, stage.victim.pid, 1)
        await stage.dashboard.do("say", message={"type": "reload"})
        await stage.dashboard.back(WITHIN_S + 3, after=moment, other_than=document)
        assert len(await stage.dashboard.loads()) == 2


@asynctest
async def test_another_browser_beside_kioskd_asks_it_for_the_version(tmp_path: Path) -> None:
    """Of another origin than kioskd, and no screen of its: the page asks, and is told of the build that came while its server was away."""
    async with kept(tmp_path, deploy=True, front=FRONT) as stage:
        seen = len(await stage.dashboard.loads())
        async with Bare(f"{stage.dashboard.url}?kioskd={stage.kiosk.port}", tmp_path, flags=SMALL):
            await stage.dashboard.loaded(seen + 1, START_S)
            await stage.dashboard.connected(2, START_S)
            await stage.dashboard.kill()
            deploy(stage, "2")
            await stage.dashboard.start()
            await stage.dashboard.connected(2, START_S, "2")
            assert len(await stage.dashboard.loads()) == seen + 3


@pytest.mark.defaults
@lasting(180)
async def test_a_minute_without_a_connection_is_a_load_where_the_document_can_be_had(tmp_path: Path) -> None:
    async with bare(tmp_path, front=FRONT) as stage:
        document = await stage.dashboard.document()
        await stage.dashboard.back(START_S, after=time.monotonic() + 1)  # what was open for less counts for none, to the page
        await stage.dashboard.switch(socket="refuse")
        await stage.dashboard.do("drop")
        moment = time.monotonic()
        seconds = await stage.dashboard.loaded(2, RELOADED_S + 10) - moment
        assert seconds >= RELOADED_S - 1
        await stage.dashboard.switch(socket="normal")
        await stage.dashboard.back(15, other_than=document)


@pytest.mark.defaults
@lasting(180)
async def test_an_outage_of_more_than_a_minute_leaves_the_page_and_it_is_back_by_itself(tmp_path: Path) -> None:
    async with bare(tmp_path, front=FRONT) as stage:
        document, pid = await stage.dashboard.document(), stage.victim.pid
        await stage.dashboard.kill()
        with pytest.raises(TimeoutError):
            await stage.dashboard.back(RELOADED_S + 15)
        moment = time.monotonic()
        await stage.dashboard.start()
        await stage.dashboard.back(15, after=moment)
        assert stage.victim.pid == pid and len(await stage.dashboard.loads()) <= 2
        print("the same document" if await stage.dashboard.document() == document else "loaded anew, with the server's return")

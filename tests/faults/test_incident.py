"""The incident that kioskd has to win, scene by scene: a page that gives up, and a server that is killed and started for real.

The hook of that day told 0 clients. Nobody here has a connection to be told over.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.aio import asynctest
from tests.faults.stage import INTERVAL, RELOAD_AFTER, RESTART_AFTER, Stage, bare, kept
from tests.faults.test_deploys import WITHIN_S
from tests.faults.test_server import OUTAGE_S, RESTART_S, outage

pytestmark = pytest.mark.chromium

#: That page. Chromium itself puts tries off after some failures, by up to 5 s: one that tried again might be lucky.
WEAK: dict[str, Any] = {"retry": "weak", "tries": 0}

#: The same page, but one that gets over a short restart.
STEADY = {"retry": "weak", "tries": 20, "retry_s": 0.5}


@asynccontextmanager
async def the_wall(folder: Path, page: dict[str, object], **over: object) -> AsyncIterator[Stage]:
    """The dashboard of that day, kept by kioskd, its connection proven, a deploy and a further file watched."""
    watched = {"index": str(folder / "kept" / "dist" / "index.html"), "also": [str(folder / "sleep_schedule.json")]}
    (folder / "sleep_schedule.json").write_text('{"off": "22:00"}')
    async with kept(folder, switches=page, deploy=watched, **over) as stage:
        await stage.proven()
        yield stage


async def gave_up(stage: Stage) -> str | None:
    """The server restarts, and comes too late for the page; return the document that says so."""
    document = await stage.dashboard.document()
    await stage.dashboard.kill()
    with pytest.raises(TimeoutError):
        await stage.dashboard.back(RESTART_S)
    await stage.dashboard.start()
    await stage.dashboard.switch(**WEAK)  # what the next document is told: a new server has forgotten it
    return document


@asynctest
async def test_a_restart_while_connected_is_the_pages_own_matter(tmp_path: Path) -> None:
    async with the_wall(tmp_path, STEADY) as stage:
        document, pid = await stage.dashboard.document(), stage.victim.pid
        moment = await outage(stage, RESTART_S / 2)
        await stage.dashboard.back(RELOAD_AFTER, after=moment)
        await stage.stays(RESTART_AFTER, document)
        await stage.nothing_changed(document, pid, 1)


@asynctest
async def test_a_restart_that_the_page_gave_up_in_ends_with_a_reload(tmp_path: Path) -> None:
    async with the_wall(tmp_path, WEAK) as stage:
        pid = stage.victim.pid
        document, moment = await gave_up(stage), time.monotonic()
        await stage.dashboard.back(INTERVAL + 15, after=moment, other_than=document)
        assert (stage.victim.pid, len(await stage.dashboard.loads())) == (pid, 2)


@asynctest
async def test_ten_minutes_of_outage_leave_the_page_to_be_read_and_end_with_a_reload(tmp_path: Path) -> None:
    """Shortened; whole: ``test_defaults``."""
    async with the_wall(tmp_path, WEAK) as stage:
        document, pid = await stage.dashboard.document(), stage.victim.pid
        moment = await outage(stage, OUTAGE_S)
        await stage.dashboard.back(INTERVAL + 15, after=moment, other_than=document)
        assert (stage.victim.pid, len(await stage.dashboard.loads())) == (pid, 2)


@asynctest
async def test_a_deploy_while_connected_is_shown(tmp_path: Path) -> None:
    async with the_wall(tmp_path, WEAK) as stage:
        document, moment = await stage.dashboard.document(), time.monotonic()
        stage.dashboard.deploy("2")
        await stage.dashboard.back(WITHIN_S, after=moment, other_than=document)
        assert len(await stage.dashboard.loads()) == 2


@asynctest
async def test_a_deploy_while_disconnected_is_shown_and_its_hook_need_not_know(tmp_path: Path) -> None:
    patient = {"websocket": {"reload_after": 20, "restart_after": 60}}  # so that it is the deploy that brings it
    async with the_wall(tmp_path, WEAK, health=patient) as stage:
        document = await gave_up(stage)
        await stage.shows(INTERVAL + 5, verdict="STUCK")
        moment = time.monotonic()
        stage.dashboard.deploy("2")
        assert await stage.kiosk.reload("a new build") == {"clients": 0, "screen": "reloaded"}
        await stage.dashboard.back(WITHIN_S, after=moment, other_than=document)
        assert len(await stage.dashboard.loads()) == 2


@asynctest
async def test_a_deploy_with_the_server_down_is_shown_with_its_return(tmp_path: Path) -> None:
    async with the_wall(tmp_path, WEAK) as stage:
        document = await stage.dashboard.document()
        await stage.dashboard.kill()
        stage.dashboard.deploy("2")
        answer = await stage.kiosk.reload("a new build")
        assert answer == {"clients": 0, "screen": "deferred: server down"}
        with pytest.raises(TimeoutError):
            await stage.dashboard.back(RESTART_S)
        await stage.dashboard.start()
        moment = time.monotonic()
        await stage.dashboard.back(INTERVAL + 5, after=moment, other_than=document)
        assert len(await stage.dashboard.loads()) == 2


@asynctest
async def test_a_changed_configuration_file_of_the_dashboard_is_shown(tmp_path: Path) -> None:
    patient = {"websocket": {"reload_after": 20, "restart_after": 60}}
    async with the_wall(tmp_path, WEAK, health=patient) as stage:
        document = await gave_up(stage)
        moment = time.monotonic()
        (tmp_path / "sleep_schedule.json").write_text('{"off": "23:00"}')
        await stage.dashboard.back(WITHIN_S, after=moment, other_than=document)
        assert len(await stage.dashboard.loads()) == 2


@asynctest
async def test_without_kioskd_it_stays_as_it_was_that_day(tmp_path: Path) -> None:
    async with bare(tmp_path, switches=WEAK) as stage:
        document = await gave_up(stage)
        stage.dashboard.deploy("2")
        await stage.dashboard.do("say", message={"type": "reload"})
        await stage.stays(INTERVAL + 15, document)

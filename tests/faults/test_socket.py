"""Rows 5 and 6: the incident. The page gives up its connection while the server is up."""

import time
from pathlib import Path

import pytest

from tests.aio import asynctest
from tests.faults.stage import RELOAD_AFTER, RESTART_AFTER, Stage, bare, cold_start, kept, stays_away

pytestmark = pytest.mark.chromium


async def gives_up(stage: Stage) -> None:
    await stage.dashboard.do("give_up")


@asynctest
async def test_a_page_that_gave_up_its_socket_is_reloaded(tmp_path: Path) -> None:
    async with kept(tmp_path) as stage:
        document, pid, moment = await stage.dashboard.document(), stage.victim.pid, time.monotonic()
        await gives_up(stage)
        seconds = await stage.dashboard.back(RELOAD_AFTER + 7, after=moment, other_than=document)
        assert seconds >= RELOAD_AFTER, "the page must be given its time to reconnect"
        assert stage.victim.pid == pid, "a reload is enough"


@asynctest
async def test_without_kioskd_it_stays_given_up(tmp_path: Path) -> None:
    async with bare(tmp_path) as stage:
        await stays_away(stage, RELOAD_AFTER + 7, gives_up)


@asynctest
async def test_where_a_reload_does_not_help_the_browser_is_restarted(tmp_path: Path) -> None:
    cold = await cold_start(tmp_path)
    async with kept(tmp_path) as stage:
        assert stage.kiosk is not None
        pid, moment = stage.victim.pid, time.monotonic()
        await stage.dashboard.do("give_up_and_new_documents_open_none")
        await stage.kiosk.shows(RESTART_AFTER + cold + 5, browser__pid=lambda now: now not in (None, pid))
        assert RESTART_AFTER <= time.monotonic() - moment <= RESTART_AFTER + cold + 5
        assert len(await stage.dashboard.loads()) >= 2, "a reload is tried first"

"""Row 14 and its kin: the page is there, and what it shows is nothing, or a sentence that it is stuck, or it says so itself."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.aio import asynctest
from tests.faults.stage import BLANK_AFTER, RELOAD_AFTER, Stage, bare, kept, stays_away

pytestmark = pytest.mark.chromium

STUCK_TEXT = "Ingen anslutning till servern"

#: So that only its blankness speaks against a page.
NO_SOCKET = {"websocket": {"url": "off"}}


def script_of(index: Path) -> str:
    return re.findall(r'src="(.*?)"', index.read_text())[-1]


async def deploys_a_blank_page(stage: Stage) -> None:
    """A deploy whose scripts are not found. Someone loads it: kioskd, or, where there is none, the page itself."""
    await stage.dashboard.switch(http="blank")
    moment = time.monotonic()
    stage.dashboard.deploy("2")
    if stage.kiosk is None:
        await stage.dashboard.do("reload_self")
    await stage.dashboard.asked_for(script_of(stage.dashboard.index), 5, moment)


@asynctest
async def test_a_page_blank_after_a_deploy_is_reloaded_once_it_is_mended(tmp_path: Path) -> None:
    async with kept(tmp_path, deploy=True, health=NO_SOCKET) as stage:
        pid = stage.victim.pid
        await deploys_a_blank_page(stage)
        moment = time.monotonic()
        await stage.dashboard.switch(http="normal")
        await stage.dashboard.back(BLANK_AFTER + 5, after=moment)
        assert stage.victim.pid == pid, "a reload is enough"
        assert len(await stage.dashboard.loads()) == 3, "once for the deploy, once for the blank page"


@asynctest
async def test_without_kioskd_it_stays_blank(tmp_path: Path) -> None:
    async with bare(tmp_path) as stage:
        await deploys_a_blank_page(stage)
        await stage.dashboard.switch(http="normal")
        with pytest.raises(TimeoutError):
            await stage.dashboard.back(BLANK_AFTER + 5)


@asynctest
async def test_a_build_that_stays_blank_is_reloaded_for_it_once(tmp_path: Path) -> None:
    async with kept(tmp_path, deploy=True, health=NO_SOCKET) as stage:
        pid = stage.victim.pid
        await deploys_a_blank_page(stage)
        await stage.dashboard.loaded(3, BLANK_AFTER + 5)
        with pytest.raises(TimeoutError):
            await stage.dashboard.loaded(4, 3 * BLANK_AFTER)
        assert stage.victim.pid == pid


BREAKS = [
    pytest.param({"verb": "blank"}, BLANK_AFTER, BLANK_AFTER + 5, id="blank"),
    pytest.param({"verb": "stuck_text", "text": STUCK_TEXT}, RELOAD_AFTER, RELOAD_AFTER + 7, id="stuck text"),
    pytest.param({"verb": "alive", "value": False}, RELOAD_AFTER, RELOAD_AFTER + 7, id="not alive"),
]


@pytest.mark.parametrize(("what", "patience", "within"), BREAKS)
@asynctest
async def test_a_connected_page_that_is_no_use_is_reloaded(tmp_path: Path, what: dict[str, Any], patience: float, within: float) -> None:
    async with kept(tmp_path, health={"page": {"stuck_text": STUCK_TEXT}}) as stage:
        document, pid, moment = await stage.dashboard.document(), stage.victim.pid, time.monotonic()
        await stage.dashboard.do(**what)
        seconds = await stage.dashboard.back(within, after=moment, other_than=document)
        assert seconds >= patience, "it is given its time"
        assert stage.victim.pid == pid, "a reload is enough"


@pytest.mark.parametrize(("what", "patience", "within"), BREAKS)
@asynctest
async def test_without_kioskd_it_stays_so(tmp_path: Path, what: dict[str, Any], patience: float, within: float) -> None:
    async def breaks(stage: Stage) -> None:
        await stage.dashboard.do(**what)

    async with bare(tmp_path) as stage:
        await stays_away(stage, within, breaks)

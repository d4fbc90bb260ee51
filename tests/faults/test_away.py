"""Row 11: the page is somewhere else."""

import time
from pathlib import Path

import pytest

from kioskd.demo.dashboard import Dashboard
from kioskd.demo.kiosk import Kiosk
from tests.aio import asynctest
from tests.faults.stage import INTERVAL, QUICK, RESTART_AFTER, START_S, Stage, bare, comes_back, kept, stays_away

pytestmark = pytest.mark.chromium

HOME_S = 5.0
HOLDING = "data:text/html;charset=utf-8;kioskd=holding"


async def goes_away(stage: Stage) -> None:
    await stage.dashboard.do("navigate_away")


async def meets_an_error_page(stage: Stage) -> None:
    await stage.dashboard.do("error_page")


async def is_sent_to_the_login(stage: Stage) -> None:
    """The session has ended, once: the next request is let through again."""
    moment = time.monotonic()
    await stage.dashboard.switch(index="redirect_login")
    await stage.dashboard.do("reload_self")
    await stage.dashboard.asked_for("/", HOME_S, after=moment)
    await stage.dashboard.switch(index="normal")


async def closes_itself(stage: Stage) -> None:
    await stage.dashboard.do("window_close")


AWAY = {"another-site": goes_away, "error-page": meets_an_error_page, "login": is_sent_to_the_login}


@pytest.mark.parametrize("where", AWAY)
@asynctest
async def test_a_page_that_went_away_comes_home(tmp_path: Path, where: str) -> None:
    async with kept(tmp_path) as stage:
        pid = stage.victim.pid
        await comes_back(stage, HOME_S, AWAY[where])
        assert stage.victim.pid == pid, "the browser is not to blame"


@pytest.mark.parametrize("where", AWAY)
@asynctest
async def test_without_kioskd_it_stays_away(tmp_path: Path, where: str) -> None:
    async with bare(tmp_path) as stage:
        await stays_away(stage, HOME_S, AWAY[where])


@asynctest
async def test_where_home_itself_leads_to_the_login_the_holding_page_waits_for_its_end(tmp_path: Path) -> None:
    async with kept(tmp_path) as stage:
        document, pid = await stage.dashboard.document(), stage.victim.pid
        await stage.dashboard.switch(index="redirect_login")
        await stage.dashboard.do("reload_self")
        await stage.shows(HOME_S, page__url=HOLDING, verdict="UNREADABLE")
        await stage.stays(RESTART_AFTER, document)
        assert (await stage.shows(0.5))["page"]["url"] == HOLDING, "it does not go back and forth"
        await stage.dashboard.switch(index="normal")
        seconds = await stage.dashboard.back(INTERVAL + 5, other_than=document)
        print(f"back after {seconds:.2f} s, the bound is {INTERVAL + 5:.2f} s")
        assert stage.victim.pid == pid


@asynctest
async def test_a_login_elsewhere_that_is_allowed_is_part_of_home(tmp_path: Path) -> None:
    async with Dashboard(tmp_path / "dist") as dashboard:
        await dashboard.switch(index="redirect_login")
        async with Kiosk(dashboard.url, tmp_path, health=QUICK) as kiosk:
            known = await kiosk.shows(START_S, page__url=HOLDING, server__home=lambda home: home is not None)
            assert "leads to another site" in known["why"]
            kiosk.configure(allow=[dashboard.other_url])
            await kiosk.shows(INTERVAL + 5, page__url=dashboard.other_url + "login.html", verdict="HEALTHY")


@asynctest
async def test_a_page_that_closes_itself_is_opened_again(tmp_path: Path) -> None:
    async with kept(tmp_path, browser={"flags": ["--blink-settings=allowScriptsToCloseWindows=true"]}) as stage:
        await comes_back(stage, HOME_S, closes_itself)


@asynctest
async def test_where_chromium_refuses_to_close_the_page_nothing_changes(tmp_path: Path) -> None:
    # It does so once a page has a history. (kioskd's start page is none where home came before it had loaded.)
    async with kept(tmp_path) as stage:
        await stage.proven()
        first = await stage.dashboard.document()
        await stage.dashboard.do("navigate_away", url=stage.dashboard.url + "?a-second-entry")
        await stage.dashboard.back(START_S, other_than=first)
        document, pid, loads = await stage.dashboard.document(), stage.victim.pid, len(await stage.dashboard.loads())
        await closes_itself(stage)
        await stage.stays(HOME_S, document)
        await stage.dashboard.back(2)
        await stage.nothing_changed(document, pid, loads)


@asynctest
async def test_without_kioskd_a_page_that_closes_itself_is_gone(tmp_path: Path) -> None:
    async with bare(tmp_path) as stage:
        await closes_itself(stage)
        with pytest.raises(TimeoutError):
            await stage.dashboard.back(HOME_S, after=time.monotonic() + 1)

"""Row 27: Chromium wants something of a person, and there is none."""

import time
from pathlib import Path
from typing import Any

import pytest

from kioskd.demo.dashboard import Dashboard
from kioskd.demo.kiosk import Bare, Kiosk
from tests.aio import asynctest
from tests.faults.fronts import Certificates
from tests.faults.stage import INTERVAL, QUICK, RESTART_AFTER, SMALL, START_S, TRIED_AGAIN_S, Stage, bare, comes_back, kept, stays_away

pytestmark = pytest.mark.chromium

HOME_S = 5.0
HOLDING = "data:text/html;charset=utf-8;kioskd=holding"
ON_CLOSE = {"on_close": "reload"}


async def asks_for_a_password(stage: Stage) -> None:
    """From now on each request is asked for a name and a password, the page's next load first."""
    await stage.dashboard.switch(http="basic_auth")
    await stage.dashboard.do("drop")


def wants_a_password(home: dict[str, Any] | None) -> bool:
    """How the status names a sign-in at home."""
    return home is not None and home["status"] == 401


# --- a sign-in ----------------------------------------------------------------------------------


@asynctest
async def test_a_sign_in_on_load_is_named_and_the_holding_page_shown_until_it_is_gone(tmp_path: Path) -> None:
    async with kept(tmp_path, trouble=lambda dashboard: dashboard.switch(http="basic_auth")) as stage:
        known = await stage.shows(START_S, page__url=HOLDING, server__home=wants_a_password)
        assert "asks for a sign-in" in known["why"]
        await stage.stays(RESTART_AFTER, None)
        assert (await stage.shows(0.5))["page"]["url"] == HOLDING, "it does not go back and forth"
        await stage.dashboard.switch(http="normal")
        seconds = await stage.dashboard.back(INTERVAL + 5)
        print(f"back after {seconds:.2f} s, the bound is {INTERVAL + 5:.2f} s")


@asynctest
async def test_without_kioskd_the_sign_in_on_load_stays(tmp_path: Path) -> None:
    async with bare(tmp_path, trouble=lambda dashboard: dashboard.switch(http="basic_auth")) as stage:
        await stage.dashboard.asked_for("/", START_S)
        await stage.stays(TRIED_AGAIN_S, None)
        await stage.dashboard.switch(http="normal")
        await stage.stays(INTERVAL + 5, None)


@asynctest
async def test_a_sign_in_on_the_way_gives_way_to_the_holding_page(tmp_path: Path) -> None:
    async with kept(tmp_path, switches=ON_CLOSE) as stage:
        document, pid = await stage.dashboard.document(), stage.victim.pid
        await asks_for_a_password(stage)
        await stage.shows(HOME_S, page__url=HOLDING, server__home=wants_a_password)
        await stage.dashboard.switch(http="normal")
        seconds = await stage.dashboard.back(INTERVAL + 5, other_than=document)
        print(f"back after {seconds:.2f} s, the bound is {INTERVAL + 5:.2f} s")
        assert stage.victim.pid == pid


@asynctest
async def test_without_kioskd_the_sign_in_on_the_way_stays(tmp_path: Path) -> None:
    async with bare(tmp_path, ON_CLOSE) as stage:
        document = await stage.dashboard.document()
        await asks_for_a_password(stage)
        await stage.stays(TRIED_AGAIN_S, document)
        await stage.dashboard.switch(http="normal")
        await stage.stays(INTERVAL + 5, document)


@asynctest
async def test_a_sign_in_at_another_site_is_left_for_home(tmp_path: Path) -> None:
    async with Dashboard(tmp_path / "other" / "dist") as other, kept(tmp_path) as stage:
        await other.switch(http="basic_auth")

        async def goes_there(stage: Stage) -> None:
            await stage.dashboard.do("navigate_away", url=other.url)

        await comes_back(stage, HOME_S, goes_there)


@asynctest
async def test_without_kioskd_the_page_stays_at_the_other_sites_sign_in(tmp_path: Path) -> None:
    async with Dashboard(tmp_path / "other" / "dist") as other, bare(tmp_path) as stage:
        await other.switch(http="basic_auth")

        async def goes_there(stage: Stage) -> None:
            await stage.dashboard.do("navigate_away", url=other.url)

        await stays_away(stage, HOME_S, goes_there)


# --- permissions --------------------------------------------------------------------------------


@pytest.mark.parametrize("permission", ["geolocation", "notifications"])
@asynctest
async def test_a_permission_is_denied_before_anybody_is_asked(tmp_path: Path, permission: str) -> None:
    async with kept(tmp_path, switches={"at_load": [{"verb": permission}]}) as stage:
        document, pid, loads = await stage.dashboard.document(), stage.victim.pid, len(await stage.dashboard.loads())
        await stage.dashboard.do(permission)
        await stage.stays(HOME_S, document)
        await stage.dashboard.back(2)
        await stage.nothing_changed(document, pid, loads)


@pytest.mark.parametrize("permission", ["geolocation", "notifications"])
@asynctest
async def test_without_kioskd_the_page_lives_on_under_the_question(tmp_path: Path, permission: str) -> None:
    async with bare(tmp_path) as stage:  # self-healing, as far as the server can see
        document = await stage.dashboard.document()
        await stage.dashboard.do(permission)
        await stage.dashboard.back(HOME_S, after=time.monotonic() + 2)
        assert await stage.dashboard.document() == document


# --- a TLS warning ------------------------------------------------------------------------------


@asynctest
async def test_a_bad_certificate_on_load_is_named_and_the_holding_page_shown_until_it_is_mended(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    await certificates.make()
    async with Dashboard(tmp_path / "dist") as dashboard, certificates.before(dashboard.url) as url:
        flags = [*SMALL, *certificates.flags]
        async with Kiosk(url, tmp_path, certificates.variables, health=QUICK, browser={"flags": flags}) as kiosk:
            known = await kiosk.shows(START_S, page__url=HOLDING, server__home=lambda home: home is not None, server__up=False)
            assert known["verdict"] == "UNREADABLE"
            assert known["server"]["home"]["error"].startswith("TLS:") and "TLS:" in known["why"]
            with pytest.raises(TimeoutError):
                await kiosk.shows(RESTART_AFTER, page__url=lambda where: where != HOLDING)
            certificates.present("good")
            print(f"back after {await dashboard.back(INTERVAL + 5):.2f} s, the bound is {INTERVAL + 5:.2f} s")


@asynctest
async def test_without_kioskd_the_warning_on_load_stays(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    await certificates.make()
    async with Dashboard(tmp_path / "dist") as dashboard, certificates.before(dashboard.url) as url:
        async with Bare(url, tmp_path, flags=(*SMALL, *certificates.flags)):
            with pytest.raises(TimeoutError):
                await dashboard.back(TRIED_AGAIN_S)
            certificates.present("good")
            with pytest.raises(TimeoutError):
                await dashboard.back(INTERVAL + 5)


@asynctest
async def test_a_bad_certificate_on_the_way_is_left_for_home(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    await certificates.make()
    async with kept(tmp_path) as stage, certificates.before(stage.dashboard.url) as url:
        pid = stage.victim.pid

        async def goes_there(stage: Stage) -> None:
            await stage.dashboard.do("error_page", url=url)

        await comes_back(stage, HOME_S, goes_there)
        assert stage.victim.pid == pid


@asynctest
async def test_without_kioskd_the_warning_stays(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    await certificates.make()
    async with bare(tmp_path) as stage, certificates.before(stage.dashboard.url) as url:

        async def goes_there(stage: Stage) -> None:
            await stage.dashboard.do("error_page", url=url)

        await stays_away(stage, HOME_S, goes_there)

"""Row 27: Chromium wants something of a person, and there is none."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kioskd.demo.kiosk import Kiosk
from tests.aio import asynctest
from tests.faults.stage import INTERVAL, QUICK, RESTART_AFTER, START_S, TRIED_AGAIN_S, Stage, bare, comes_back, kept, stays_away

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


@contextlib.asynccontextmanager
async def behind_a_bad_certificate(folder: Path) -> AsyncIterator[str]:
    """A web server whose certificate nobody has signed; gives its URL."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=dashboard"),
        *("-keyout", key, "-out", certificate), stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await made.wait() == 0
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


# --- a sign-in ----------------------------------------------------------------------------------


@asynctest
async def test_a_sign_in_on_load_is_named_and_the_holding_page_shown_until_it_is_gone(tmp_path: Path) -> None:
    async with kept(tmp_path, trouble=lambda dashboard: dashboard.switch(http="basic_auth")) as stage:
        await stage.shows(START_S, page__url=HOLDING, server__home=wants_a_password)
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
    async with kept(tmp_path / "other", trouble=lambda dashboard: dashboard.switch(http="basic_auth")) as other, kept(tmp_path) as stage:

        async def goes_there(stage: Stage) -> None:
            await stage.dashboard.do("navigate_away", url=other.dashboard.url)

        await comes_back(stage, HOME_S, goes_there)


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
async def test_a_bad_certificate_on_load_is_named_and_the_holding_page_shown(tmp_path: Path) -> None:
    # Without kioskd the warning stays: nobody clicks on "Proceed".
    async with behind_a_bad_certificate(tmp_path) as url, Kiosk(url, tmp_path, health=QUICK) as kiosk:
        known = await kiosk.shows(START_S, page__url=HOLDING, server__home=lambda home: home is not None, server__up=False)
        assert known["verdict"] == "UNREADABLE"
        assert known["server"]["home"]["error"].startswith("TLS:")
        with pytest.raises(TimeoutError):
            await kiosk.shows(RESTART_AFTER, page__url=lambda where: where != HOLDING)


@asynctest
async def test_a_bad_certificate_on_the_way_is_left_for_home(tmp_path: Path) -> None:
    async with behind_a_bad_certificate(tmp_path) as url, kept(tmp_path) as stage:
        pid = stage.victim.pid

        async def goes_there(stage: Stage) -> None:
            await stage.dashboard.do("error_page", url=url)

        await comes_back(stage, HOME_S, goes_there)
        assert stage.victim.pid == pid


@asynctest
async def test_without_kioskd_the_warning_stays(tmp_path: Path) -> None:
    async with behind_a_bad_certificate(tmp_path) as url, bare(tmp_path) as stage:

        async def goes_there(stage: Stage) -> None:
            await stage.dashboard.do("error_page", url=url)

        await stays_away(stage, HOME_S, goes_there)

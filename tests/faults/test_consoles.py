"""Five devices look at once, as the console does: what that costs kioskd."""

import asyncio
import contextlib
import re
import time
from pathlib import Path

import aiohttp
import psutil
import pytest

from kioskd.demo.kiosk import Kiosk
from kioskd.web import script
from tests.aio import asynctest
from tests.faults.stage import START_S, kept

pytestmark = pytest.mark.chromium

DEVICES, ROUNDS = 5, 2
SHARE = 0.01  # of a core
PICTURE_S = int(re.findall(r"PICTURE_MS = (\d+)", script("console.js"))[0]) / 1000  # the console's own pace
LARGE = ("--screen-info={1920x1080}",)


async def cookie(kiosk: Kiosk) -> str:
    """Be paired, as a browser is."""
    async with aiohttp.ClientSession("http://kioskd", connector=aiohttp.UnixConnector(kiosk.control)) as inside:
        async with inside.post("/api/pair", json={}) as answer:
            path = (await answer.json())["path"]
    async with aiohttp.ClientSession(f"http://127.0.0.1:{kiosk.port}") as outside, outside.get(path, allow_redirects=False) as answer:
        return f"kioskd={answer.cookies['kioskd'].value}"


async def console(session: aiohttp.ClientSession) -> int:
    """Look at the screen for some rounds, and at what goes on all the while; return how often that was told."""
    heard = 0
    async with session.ws_connect("/api/events") as events:
        for _ in range(ROUNDS):
            async with session.get("/api/screenshot", headers={"Accept": "image/jpeg"}) as answer:
                assert answer.status == 200 and len(await answer.read()) > 1000
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PICTURE_S):
                    while (await events.receive()).type is aiohttp.WSMsgType.TEXT:
                        heard += 1
                    pytest.fail("the console was shown out")
    return heard


@asynctest
async def test_five_consoles_cost_less_than_a_hundredth_of_a_core(tmp_path: Path) -> None:
    async with kept(tmp_path, browser={"flags": LARGE}) as stage:
        assert stage.kiosk is not None and stage.kiosk.process is not None
        await stage.shows(START_S, rung="CALM")
        await stage.proven()
        key = {"Cookie": await cookie(stage.kiosk)}
        process = psutil.Process(stage.kiosk.process.pid)

        def used() -> float:
            times = process.cpu_times()
            return float(times.user + times.system)

        async with aiohttp.ClientSession(f"http://127.0.0.1:{stage.kiosk.port}", headers=key) as session:
            began, before = time.monotonic(), used()
            heard = await asyncio.gather(*[console(session) for _ in range(DEVICES)])
            share = (used() - before) / (time.monotonic() - began)
        print(f"{DEVICES} consoles and the screen itself: {100 * share:.2f} % of a core")
        assert min(heard) >= 1
        assert share < SHARE

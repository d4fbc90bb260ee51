"""A wall is never white: what an X server shows, picture by picture, while kioskd's Chromium starts, waits, loads again and is killed.

The pixels of the screen itself are looked at, not DevTools' pictures: these are of the page only, and there are none before the first.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from aiohttp import web

from kioskd.demo.kiosk import Bare, Kiosk
from tests.aio import lasting
from tests.faults.display import Display, display
from tests.faults.stage import START_S

pytestmark = pytest.mark.chromium

ANSWERS_AFTER_S = 2.0
COLOURS = ((16, 32, 48), (32, 16, 48), (48, 32, 16))  # of the page, load by load
DARK, WHITE = 100.0, 200.0  # mean brightness, of 255
LOOK_S = 0.005  # three times in a frame of a screen
SIZE = (1280, 800)


@asynccontextmanager
async def slow() -> AsyncIterator[str]:
    """A server of a dark page that takes its time for it; each load has another colour."""
    loads = iter(COLOURS)

    async def page(request: web.Request) -> web.Response:
        if request.headers.get("Sec-Fetch-Dest") != "document":
            return web.Response(text="<html>", content_type="text/html")  # it is kioskd that asks
        colour = next(loads)
        await asyncio.sleep(ANSWERS_AFTER_S)
        return web.Response(text=f"<html style='background: rgb{colour}'><p>.</p>", content_type="text/html")

    application = web.Application()
    application.router.add_get("/", page)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@contextmanager
def brightness(screen: Display) -> Iterator[list[float]]:
    """The mean brightness of each picture that the screen showed meanwhile."""
    seen, over = [], threading.Event()

    def look() -> None:
        while not over.wait(LOOK_S):
            seen.append(screen.brightness())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


async def filled(screen: Display, colour: tuple[int, int, int]) -> None:
    """Wait until the page with this colour fills the screen."""
    async with asyncio.timeout(START_S):
        while screen.pixels(colour) < 0.95 * SIZE[0] * SIZE[1]:
            await asyncio.sleep(0.2)  # an X server tells nobody


@pytest.mark.alone  # four Chromiums that start at a time may show their own white for a moment: docs/design.md, limits
@lasting(120)
async def test_it_is_dark_from_the_first_picture_on_and_between_two_pages(tmp_path: Path) -> None:
    window = {"flags": [f"--window-size={SIZE[0]},{SIZE[1]}"]}  # without a window manager --kiosk fills nothing
    async with display(tmp_path) as screen, slow() as home:
        with brightness(screen) as seen:
            began = time.monotonic()
            async with Kiosk(home, tmp_path, screen.variables, display={"mode": "inherit"}, browser=window) as kiosk:
                await filled(screen, COLOURS[0])
                await kiosk.reload()
                await filled(screen, COLOURS[1])
                kiosk.kill()
                await filled(screen, COLOURS[2])
            seconds = time.monotonic() - began
    print(f"{len(seen)} pictures in {seconds:.1f} s, the brightest {max(seen):.0f} of 255")
    assert max(seen) < DARK
    assert len(seen) > 20 * seconds, "a white picture may have been missed: this machine is too busy"


@lasting(60)
async def test_a_chromium_that_nobody_keeps_begins_white(tmp_path: Path) -> None:
    """The control: without it, nobody knows whether a white picture would be seen."""
    async with display(tmp_path) as screen:
        with brightness(screen) as seen:
            size = (f"--window-size={SIZE[0]},{SIZE[1]}",)
            async with Bare("about:blank", tmp_path, flags=size, without=("--force-dark-mode",), display=screen.variables):
                async with asyncio.timeout(START_S):
                    while max(seen, default=0.0) < WHITE:
                        await asyncio.sleep(0.05)

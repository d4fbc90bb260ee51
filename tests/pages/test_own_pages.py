"""What kioskd itself puts on the wall: while it waits, before it is told what to show, and where the configuration is wrong."""

from pathlib import Path

import pytest

from kioskd.core.actions import Place
from kioskd.demo.kiosk import Kiosk, free_port
from kioskd.edges import config_file
from kioskd.errors import ConfigError
from kioskd.web import script, template
from kioskd.wire import pages
from tests.aio import lasting
from tests.faults.stage import START_S
from tests.pages.eye import SIZES, Eye, eye

pytestmark = pytest.mark.chromium

TALL = (1080, 1920)  # many a wall hangs upright
MACHINE = "entrance-hall.building-7.example.com · 192.0.2.17 · 198.51.100.117 · kioskd 0.1.0"
WRONG = """\
urll: http://localhost:3001/
health:
  interval: soon
  page: {hang_after: -3s, load_timeouts: 4s}
  memory: plenty
browser: chromium
api: {listen: everywhere}
reboot: {enabled: perhaps}
"""


def mistakes(folder: Path, text: str) -> tuple[str, ...]:
    """What is wrong with such a file."""
    file = folder / "kioskd.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        config_file.read(file)
    return tuple(each.replace(str(folder), "/etc") for each in raised.value.mistakes)


def mistake(folder: Path, text: str) -> str:
    return pages.data_url(Place.MISTAKE, pages.mistake(template("mistake"), mistakes(folder, text)))


def holding(waiting: pages.Waiting) -> str:
    return pages.data_url(Place.HOLDING, pages.holding(template("holding"), script("holding.js"), waiting))


async def looked_at(it: Eye, name: str, url: str) -> list[str]:
    """Look at a page at each size; nothing of it may be below the edge of a wall, where nobody scrolls."""
    wrong = []
    await it.go("", url)
    for size in (*SIZES, TALL):
        await it.turn(size)
        wrong += await it.looked(f"{name}-{size[0]}x{size[1]}", scrolls=False)
    return wrong


@lasting(120)
async def test_the_holding_page_says_since_when_it_waits_for_whom_and_its_clock_moves(tmp_path: Path) -> None:
    home = f"http://127.0.0.1:{free_port()}/"
    async with eye(tmp_path) as it, Kiosk(home, tmp_path) as kiosk:
        await kiosk.shows(START_S, page__url=lambda url: "kioskd=holding" in url, rung=lambda rung: rung != "CALM")
        wrong = await looked_at(it, "holding", f"http://127.0.0.1:{kiosk.port}/holding")
        text = await it.evaluate("document.body.innerText")
        assert f"Waiting for {home}, since " in text and "kioskd " in text, text
        shown = await it.evaluate("document.getElementById('clock').textContent")
        await it.sees(f"document.getElementById('clock').textContent !== '{shown}'", 2.5)
        far = "http://dashboards.building-7.example-company.internal:3001/wall/entrance/overview"
        reason = "Cannot connect to host: " + "Connect call failed, " * 9
        long = pages.Waiting(far, reason, "2026-01-01T12:00:00Z", f"{MACHINE} · {MACHINE}")
        wrong += await looked_at(it, "holding-long", holding(long))
    assert not wrong, "\n".join(wrong)


@lasting(120)
async def test_the_welcome_page_and_the_one_for_mistakes(tmp_path: Path) -> None:
    welcome = pages.welcome(template("welcome"), "/etc/kioskd.yaml", "http://192.0.2.7:8137", MACHINE)
    async with eye(tmp_path) as it:
        urls = {
            "welcome": pages.data_url(Place.WELCOME, welcome),
            "mistake": mistake(tmp_path, "urll: http://localhost:3001/\n"),
            "mistakes": mistake(tmp_path, WRONG),
        }
        wrong = [each for name, url in urls.items() for each in await looked_at(it, name, url)]
    assert not wrong, "\n".join(wrong)

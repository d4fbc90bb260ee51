"""A person in front of the screen, with a keyboard and a mouse: gets nowhere but on the page.

Whether a key has led out is told by the next one: a letter that does not arrive at the page has gone into something else.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from kioskd.demo.kiosk import Bare, Kiosk, Victim
from tests.aio import asynctest, lasting
from tests.faults.display import Display, display
from tests.faults.stage import START_S
from tests.faults.visitor import FLAGS, Visitor
from tests.policy import SHIPPED, following

pytestmark = pytest.mark.chromium

ARRIVES_S = 10.0
HAND_S = 0.2
LETTERS = "bcdefghi"
UP, DOWN, BACK, FORWARD = 4, 5, 8, 9  # X's names for what a wheel and a mouse's other buttons do
PAGE = """<!doctype html><title>A wall</title>
<style>* {position: fixed; width: 50%; height: 50%; margin: 0} .r {left: 50%} .b {top: 50%}</style>
<a href="/elsewhere" style="background: #246">a link</a>
<a class="r" href="/file" download style="background: #426">a download</a>
<input class="b" type="file">
<a class="r b" href="mailto:a@example.org" style="background: #264">mail</a>
<svg style="left: 270px; top: 20px; width: 40px; height: 40px"><a href="/elsewhere"><rect style="width: 100%; height: 100%"/></a></svg>
<div id="host" style="left: 390px; top: 20px; width: 40px; height: 40px"></div>
<script>
  const say = what => fetch("/said?" + new URLSearchParams({what}), {method: "POST"})
  host.attachShadow({mode: "closed"}).innerHTML = "<a href=/elsewhere style='display: block; height: 100%'>hidden</a>"
  addEventListener("keydown", event => say(event.key))
  addEventListener("resize", () => say("resized")) // which zooming does
  say("loaded")
</script>"""
PDF = b"""%PDF-1.4
1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj
2 0 obj <</Type /Pages /Kids [3 0 R] /Count 1>> endobj
3 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 200 200]>> endobj
trailer <</Root 1 0 R>>"""
FRAMES = """<!doctype html><title>Frames</title>
<style>* {position: fixed; width: 50%; height: 50%; margin: 0; border: 0} .r {left: 50%} .b {top: 50%}</style>
<iframe src="/inert" sandbox></iframe>
<iframe class="r" srcdoc="<body>inert" sandbox="allow-same-origin"></iframe>
<iframe class="b" src="/a.pdf"></iframe>
<script>
  const say = what => fetch("/said?" + new URLSearchParams({what}), {method: "POST"})
  addEventListener("keydown", event => say(event.key))
  addEventListener("resize", () => say("resized"))
  onload = () => say("loaded")
</script>"""
PASSKEY = """<!doctype html><title>Passkey</title><body>
<script>
  const say = what => fetch("/said?" + new URLSearchParams({what}), {method: "POST"})
  addEventListener("keydown", event => say(event.key))
  onload = () => say("loaded")
  onclick = () => {
    navigator.credentials.get({publicKey: {challenge: new Uint8Array(16), timeout: 1}}).catch(() => say("refused"))
  }
</script>"""
WAYS_OUT = "F1 F12 ctrl+n ctrl+t ctrl+w ctrl+l ctrl+o ctrl+p ctrl+u ctrl+s ctrl+shift+i shift+Escape alt+F4 ctrl+plus XF86HomePage".split()
INERT = {"of another origin": (100, 100), "of the page's own": (1000, 100), "with a PDF": (300, 600)}
NEUTRAL = (1000, 600)
LINK, DOWNLOAD, FILE, MAIL, DRAWN, CLOSED = (100, 100), (1000, 100), (100, 600), (1000, 600), (290, 40), (410, 40)
THINGS = {"link": LINK, "download": DOWNLOAD, "file": FILE, "mail": MAIL, "drawn link": DRAWN, "link in a closed shadow": CLOSED}

#: By xdotool's names. All that Chromium's menus and its help name, and what keyboards with more keys have.
KEYS = """
F1 F3 F6 F7 F10 F11 F12 Menu shift+F10
ctrl+t ctrl+n ctrl+shift+n ctrl+w ctrl+shift+w ctrl+F4 alt+F4 ctrl+shift+q ctrl+shift+t
ctrl+l alt+d ctrl+k ctrl+e ctrl+o ctrl+p ctrl+shift+p ctrl+alt+p ctrl+u ctrl+s ctrl+j ctrl+h ctrl+d ctrl+shift+d ctrl+shift+o ctrl+shift+b
ctrl+f ctrl+g ctrl+shift+g ctrl+shift+a ctrl+shift+m ctrl+shift+i ctrl+shift+j ctrl+shift+c ctrl+shift+Delete
shift+Escape ctrl+shift+Escape ctrl+Escape alt+Escape alt+Tab alt+space alt+e alt+f alt+Home alt+Left alt+Right alt+Return
ctrl+Tab ctrl+shift+Tab ctrl+1 ctrl+2 ctrl+9 ctrl+Prior ctrl+Next ctrl+plus ctrl+minus ctrl+0 ctrl+alt+Delete ctrl+alt+t
super+d super+r super+l Print Pause XF86Back XF86HomePage XF86Search XF86Mail XF86Favorites XF86New XF86Close XF86Explorer XF86Calculator
""".split()


@dataclass
class Wall:
    """A page's server, and what the page has told it."""

    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def passkey(self) -> str:
        """The page that asks for one: of a name, an address has none."""
        return self.url.replace("127.0.0.1", "localhost") + "passkey"

    async def serve(self, request: web.Request) -> web.Response:
        """Everything there is."""
        if request.method == "POST":
            self.said.append(request.query["what"])
            self._news.set()
            return web.Response()
        self.asked.append(request.path)
        if request.path == "/a.pdf":
            return web.Response(body=PDF, content_type="application/pdf")
        if request.path == "/passkey":
            return web.Response(text=PASSKEY, content_type="text/html")
        if request.path == "/frames":
            return web.Response(text=FRAMES, content_type="text/html")
        return web.Response(text=PAGE if request.path == "/" else "elsewhere", content_type="text/html")

    async def hears(self, what: str, times: int = 1) -> None:
        """Wait until the page has said this so often."""
        async with asyncio.timeout(ARRIVES_S):
            while self.said.count(what) < times:
                self._news.clear()
                await self._news.wait()


@contextlib.asynccontextmanager
async def wall() -> AsyncIterator[Wall]:
    """One that is served."""
    it = Wall()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", it.serve)
    async with TestServer(app) as server:
        it.url = str(server.make_url("/"))
        yield it


@dataclass
class Person:
    """Sits before the display."""

    screen: Display
    wall: Wall
    _letters: itertools.cycle = field(default_factory=lambda: itertools.cycle(LETTERS))  # type: ignore[type-arg]

    async def does(self, *words: object) -> str:
        """xdotool's words."""
        process = await asyncio.create_subprocess_exec(
            "xdotool", *map(str, words), env=self.screen.variables, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        return (await process.communicate())[0].decode()

    async def points(self, at: tuple[int, int], button: int = 1, holding: str = "") -> None:
        """Click there."""
        hold = ("keydown", holding) if holding else ()
        await self.does("mousemove", *at, *hold, "click", button, *(("keyup", holding) if holding else ()))

    async def drags(self, start: tuple[int, int], *places: tuple[int, int]) -> None:
        """Drag what is at ``start`` over these, as fast as a hand: what is faster is no drag to Chromium."""
        over = [word for place in places for word in ("mousemove", *place, "sleep", HAND_S)]
        await self.does("mousemove", *start, "mousedown", 1, "sleep", HAND_S, *over, "mouseup", 1)

    async def reaches_the_page(self) -> bool:
        """Press a letter, and look whether the page has it."""
        letter = next(self._letters)
        times = self.wall.said.count(letter) + 1
        await self.does("key", letter)
        try:
            await self.wall.hears(letter, times)
        except TimeoutError:
            return False
        return True

    async def windows(self) -> set[str]:
        """The X windows that can be seen: menus, bubbles and dialogs are some of their own."""
        return set((await self.does("search", "--onlyvisible", "--name", "")).split())


async def pages(visitor: Visitor) -> list[str]:
    """Without those that Chromium's own bars are made of, which nobody sees."""
    return [url for url in await visitor.pages() if ".top-chrome/" not in url]


async def came(visitor: Visitor) -> list[str]:
    """The same with those that kioskd has closed again."""
    return [url for url in await visitor.came() if ".top-chrome/" not in url]


@contextlib.asynccontextmanager
async def before(folder: Path, victim: Victim, screen: Display, page: Wall) -> AsyncIterator[tuple[Person, Visitor]]:
    """A person before the page, who has touched it, and somebody who sees which pages there are."""
    async with asyncio.timeout(START_S):
        while "loaded" not in page.said:
            await asyncio.sleep(0.05)
    person = Person(screen, page)
    await person.does("mousemove", 5, 395)
    async with asyncio.timeout(START_S):
        while not await person.reaches_the_page():
            pass
    async with Visitor(victim.profile) as visitor:
        yield person, visitor


@asynctest
async def test_the_control_is_led_out(tmp_path: Path) -> None:
    async with display(tmp_path) as screen, wall() as page:
        async with Bare(page.url, tmp_path, flags=FLAGS, display=screen.variables) as bare:
            async with before(tmp_path, bare, screen, page) as (person, visitor):
                await person.does("key", "ctrl+n")
                async with asyncio.timeout(ARRIVES_S):
                    while len(await pages(visitor)) < 2:
                        pass


@lasting(300)
async def test_no_key_and_no_click_leads_out(tmp_path: Path) -> None:
    command = following(tmp_path, SHIPPED.read_text(), FLAGS)
    async with display(tmp_path) as screen, wall() as page:
        over = {"browser": {"command": command}, "display": {"mode": "inherit"}, "health": {"websocket": {"url": "off"}}}
        async with Kiosk(page.url, tmp_path, screen.variables, **over) as kiosk, before(tmp_path, kiosk, screen, page) as (person, visitor):
            pid, windows = kiosk.pid, await person.windows()
            assert windows
            sizes = page.said.count("resized")
            for key in KEYS:
                await person.does("key", key)
                assert await person.reaches_the_page(), f"{key} leads out"
            for name, at in THINGS.items():
                for how, button, holding in (("right", 3, ""), ("middle", 2, ""), ("ctrl", 1, "ctrl"), ("shift", 1, "shift")):
                    await person.points(at, button, holding)
                    assert await person.reaches_the_page(), f"a {how} click on {name} leads out"
            for at in (DOWNLOAD, FILE, MAIL):
                await person.points(at)
                assert await person.reaches_the_page(), f"a click at {at} leads out"
            for button in BACK, FORWARD:
                await person.points(LINK, button)
                assert await person.reaches_the_page(), f"button {button} leads out"
            for button in UP, DOWN:
                await person.points(LINK, button, "ctrl")
            await person.drags(LINK, MAIL, FILE)
            assert await person.reaches_the_page(), "a dragged link leads out"
            assert await pages(visitor) == await came(visitor) == [page.url] and page.said.count("loaded") == 1
            assert "/elsewhere" not in page.asked and page.said.count("resized") == sizes
            assert kiosk.pid == pid and await person.windows() == windows
            await person.does("key", "F5")
            await page.hears("loaded", 2)


@lasting(300)
async def test_no_key_leads_out_of_a_frame_that_runs_no_script_of_ours(tmp_path: Path) -> None:
    command = following(tmp_path, SHIPPED.read_text(), FLAGS)
    async with display(tmp_path) as screen, wall() as page:
        over = {"browser": {"command": command}, "display": {"mode": "inherit"}, "health": {"websocket": {"url": "off"}}}
        url = page.url + "frames"
        async with Kiosk(url, tmp_path, screen.variables, **over) as kiosk, before(tmp_path, kiosk, screen, page) as (person, visitor):
            windows, sizes = await person.windows(), page.said.count("resized")
            for frame, at in INERT.items():
                async with asyncio.timeout(START_S):
                    await person.points(at)
                    while await person.reaches_the_page():  # not drawn yet
                        await person.points(at)
                for key in WAYS_OUT:
                    await person.points(at)
                    await person.does("key", key)
                    await person.points(NEUTRAL)
                    assert await person.reaches_the_page(), f"{key} leads out of a frame {frame}"
            assert await pages(visitor) == await came(visitor) == [url]
            assert page.said.count("loaded") == 1 and page.said.count("resized") == sizes
            assert await person.windows() == windows


@asynctest
async def test_the_control_is_covered_by_the_dialog_of_a_passkey(tmp_path: Path) -> None:
    async with display(tmp_path) as screen, wall() as page:
        async with Bare(page.passkey, tmp_path, flags=FLAGS, display=screen.variables) as bare:
            async with before(tmp_path, bare, screen, page) as (person, _), asyncio.timeout(START_S):
                await person.points(NEUTRAL)
                while await person.reaches_the_page():
                    pass


@asynctest
async def test_no_dialog_of_a_passkey_covers_the_page(tmp_path: Path) -> None:
    command = following(tmp_path, SHIPPED.read_text(), FLAGS)
    async with display(tmp_path) as screen, wall() as page:
        over = {"browser": {"command": command}, "display": {"mode": "inherit"}, "health": {"websocket": {"url": "off"}}}
        async with Kiosk(page.passkey, tmp_path, screen.variables, **over) as kiosk:
            async with before(tmp_path, kiosk, screen, page) as (person, _):
                windows = await person.windows()
                await person.points(NEUTRAL)
                await page.hears("refused")
                assert await person.reaches_the_page() and await person.windows() == windows

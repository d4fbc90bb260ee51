"""What is answered: every path, who may ask for it, and the answer. The doors and the guard are ``http_api``'s."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kioskd.core.facts import Asked, Command, DeployRead
from kioskd.edges.access import COOKIE, PAIR_S, Pairing, Token
from kioskd.edges.broadcast import Hub
from kioskd.edges.gate import BODY, Gate
from kioskd.edges.live import Live
from kioskd.edges.reloads import Reloads
from kioskd.edges.story import Teller
from kioskd.errors import EdgeUnavailable, KioskdError
from kioskd.web import script
from kioskd.wire.pages import script_source
from kioskd.wire.values import duration, write_duration
from kioskd.wire.version import write_version

if TYPE_CHECKING:
    from aiohttp.web import Request, Response, StreamResponse, WebSocketResponse

    Handler = Callable[[Request], Awaitable[StreamResponse]]

VERSION_PATH = "/api/deployment_version"
RELOAD_PATH = "/api/reload"
STORY_PATH = "/api/story"
INCIDENTS_PATH = "/api/incidents"
SOCKET_PATH = "/ws"
PAIR_PATH = "/pair"
SCRIPTS = ("/kioskd.js", "/kioskd.mjs")
BODY_S = 5.0
PICTURE_S = 5.0
COOKIE_S = 400 * 86400  # as long as browsers keep one
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PAUSE_S, LONGEST_PAUSE_S = 600.0, 86400.0
MESSAGE = 1000  # characters
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
CONSOLE = {
    "/": ("console.html", "text/html"),
    "/console.css": ("console.css", "text/css"),
    "/console.js": ("console.js", "text/javascript"),
}
CONSOLE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HOLDING_POLICY = "default-src 'none'; script-src {}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True)
class Source:
    """What is behind the door."""

    version: Callable[[], DeployRead | None]
    status: Callable[[], dict[str, Any]]
    origins: Callable[[], frozenset[str]]  # that may read the version and hear broadcasts
    holding: Callable[[], str]  # the holding page's HTML
    alive: Callable[[], bool]
    metrics: Callable[[], bytes]  # raises ``EdgeUnavailable``
    story: Callable[[], Iterator[str]]  # line by line
    incidents: Callable[[], Awaitable[dict[str, Any]]]
    picture: Callable[[str], Awaitable[bytes | None]]  # of an incident, by its name
    screenshot: Callable[[], Awaitable[bytes]]  # PNG; raises a ``KioskdError``
    ask: Callable[[Asked], None]
    live: Live
    hub: Hub
    reloads: Reloads
    token: Token


@dataclass(frozen=True, slots=True)
class Route:
    """A path, and who may ask for it."""

    path: str
    answer: "Handler"
    method: str = "GET"
    guarded: bool = False  # only on the unix socket, or with the token
    elsewhere: bool = False  # pages of the allowed origins may read it (CORS)

    @property
    def changes(self) -> bool:
        """Whether it does something."""
        return self.method == "POST"

    def fits(self, path: str) -> bool:
        """Tell whether it is a path's: its last part may stand for any name."""
        folder, variable, _ = self.path.partition("{")
        return path == self.path if not variable else path.startswith(folder) and "/" not in path[len(folder) :]


class Answers:
    """Every answer."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._teller = Teller()
        self._pairing = Pairing()
        self.routes = (
            Route(VERSION_PATH, self._get_version, elsewhere=True),
            *[Route(path, self._get_script, elsewhere=True) for path in SCRIPTS],
            Route(SOCKET_PATH, self._listen_in),  # a WebSocket knows no CORS, and its Origin is looked at
            Route("/api/status", self._get_status),
            Route("/api/events", self._watch_live, guarded=True),
            *[Route(path, self._get_console) for path in CONSOLE],
            Route("/healthz", self._get_health),
            Route("/metrics", self._get_metrics),
            Route("/holding", self._get_holding),
            Route(STORY_PATH, self._get_story, guarded=True),
            Route(INCIDENTS_PATH, self._get_incidents, guarded=True),
            Route(INCIDENTS_PATH + "/{picture}", self._get_picture, guarded=True),
            Route("/api/screenshot", self._get_screenshot, guarded=True),
            Route(PAIR_PATH, self._enter),
            Route("/api/pair", self._pair, "POST", guarded=True),
            Route(RELOAD_PATH, self._reload, "POST", guarded=True),
            Route("/api/restart", self._restart, "POST", guarded=True),
            Route("/api/pause", self._pause, "POST", guarded=True),
            Route("/api/resume", self._resume, "POST", guarded=True),
        )

    def find(self, path: str) -> Route | None:
        """Return the route of a path, None where there is none."""
        return next((route for route in self.routes if route.fits(path)), None)

    def methods(self, path: str) -> str:
        """Return what may be done with a path, for ``Allow``."""
        route = self.find(path)
        return "POST, OPTIONS" if route is not None and route.changes else "GET, HEAD, OPTIONS"

    def close(self) -> None:
        """Let everybody go who waits for the rest of an answer."""
        self._source.hub.close()
        self._source.live.close()
        self._source.reloads.close()
        self._teller.close()

    async def _get_version(self, request: "Request") -> "StreamResponse":
        read = self._source.version()
        if read is None or read.version is None:
            reason = "; ".join(read.missing) if read and read.missing else "the deploy has not been read yet"
            return json_response({"error": reason}, 503)
        content = write_version(read.version, complete=not read.missing)
        return _tagged(request, json.dumps(content), lambda: json_response(content))

    async def _get_script(self, request: "Request") -> "StreamResponse":
        from aiohttp import web

        text = script(request.path.lstrip("/"))
        # A plain <script> of a page elsewhere asks without CORS.
        headers = {"Cache-Control": "no-cache", "Cross-Origin-Resource-Policy": "cross-origin"}
        response = _tagged(request, text, lambda: web.Response(text=text, content_type="text/javascript"))
        response.headers.update(headers)
        return response

    async def _get_status(self, request: "Request") -> "StreamResponse":
        return json_response(self._source.status())

    async def _get_health(self, request: "Request") -> "StreamResponse":
        alive = self._source.alive()
        return json_response({"alive": alive}, 200 if alive else 503)

    async def _get_metrics(self, request: "Request") -> "StreamResponse":
        from aiohttp import web

        try:
            text = self._source.metrics()
        except EdgeUnavailable as error:
            return json_response({"error": str(error)}, 503)
        return web.Response(body=text, headers={"Content-Type": METRICS_TYPE})

    async def _get_holding(self, request: "Request") -> "StreamResponse":
        from aiohttp import web

        policy = HOLDING_POLICY.format(script_source(script("holding.js")))
        return web.Response(text=self._source.holding(), content_type="text/html", headers={"Content-Security-Policy": policy})

    async def _get_story(self, request: "Request") -> "StreamResponse":
        from aiohttp import web

        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "application/x-ndjson"})
        response.force_close()
        return await self._teller.tell(request, response, self._source.story())

    async def _get_incidents(self, request: "Request") -> "StreamResponse":
        try:
            return json_response(await self._source.incidents())
        except EdgeUnavailable as error:
            return json_response({"error": str(error)}, 503)

    async def _get_picture(self, request: "Request") -> "StreamResponse":
        from aiohttp import web

        picture = await self._source.picture(request.match_info["picture"])
        if picture is None:
            return json_response({"error": "there is no such picture, or not any more"}, 404)
        return web.Response(body=picture, content_type="image/jpeg")

    async def _get_screenshot(self, request: "Request") -> "StreamResponse":
        from aiohttp import web

        try:
            async with asyncio.timeout(PICTURE_S):
                return web.Response(body=await self._source.screenshot(), content_type="image/png")
        except TimeoutError:
            return json_response({"error": f"the browser gave no picture within {PICTURE_S:g} s"}, 503)
        except KioskdError as error:
            return json_response({"error": str(error)}, 503)

    async def _get_console(self, request: "Request") -> "StreamResponse":
        from aiohttp import web

        name, kind = CONSOLE[request.path]
        headers = {"Content-Security-Policy": CONSOLE_POLICY}
        return web.Response(text=script(name), content_type=kind, headers=headers)

    async def _watch_live(self, request: "Request") -> "StreamResponse":
        if not own_page(request):
            return json_response({"error": "a page elsewhere may not look at this"}, 403)
        client = await self._socket(request, self._source.live.full)
        if isinstance(client, _Bad):
            return client.answer()
        await self._source.live.serve(*client)
        return client[0]

    # --- broadcasts and reloads ---------------------------------------------------------------------

    async def _listen_in(self, request: "Request") -> "StreamResponse":
        origin = request.headers.get("Origin")
        if origin is not None and origin not in self._source.origins():
            return json_response({"error": "this origin may not listen: name it in api.origins"}, 403)
        client = await self._socket(request, self._source.hub.full)
        if isinstance(client, _Bad):
            return client.answer()
        await self._source.hub.serve(*client, request.query.get("kioskd", ""))
        return client[0]

    async def _socket(self, request: "Request", full: bool) -> "tuple[WebSocketResponse, Gate] | _Bad":
        from aiohttp import web

        client = web.WebSocketResponse(max_msg_size=BODY, compress=False)
        if not client.can_prepare(request).ok:
            return _Bad("this is a WebSocket: broadcasts, nothing else", 426)
        if full:
            return _Bad("too many are listening", 503)
        gate = Gate.of(request.transport)
        await client.prepare(request)
        gate.take_frames()
        return client, gate

    async def _reload(self, request: "Request") -> "StreamResponse":
        message = await _said(request, "message")
        if isinstance(message, _Bad):
            return message.answer()
        if len(message) > MESSAGE:
            return json_response({"error": f"the message is longer than {MESSAGE} characters"}, 400)
        if self._source.reloads.full:
            return json_response({"error": "too many are waiting for a reload already"}, 503)
        clients, screen = await self._source.reloads.ask(message)
        return json_response({"clients": clients, "screen": screen})

    # --- what an operator may ask for ----------------------------------------------------------------

    async def _pair(self, request: "Request") -> "StreamResponse":
        nothing = await _said(request, "")
        if isinstance(nothing, _Bad):
            return nothing.answer()
        return json_response({"path": f"{PAIR_PATH}?code={self._pairing.code()}", "seconds": PAIR_S}, 201)

    async def _enter(self, request: "Request") -> "StreamResponse":
        from aiohttp import web

        if not self._pairing.redeem(request.query.get("code", "")):
            return json_response({"error": "this link was used before, or is too old: kioskctl pair prints another"}, 403)
        try:
            cookie = self._source.token.cookie()
        except EdgeUnavailable as error:
            return json_response({"error": str(error)}, 503)
        response = web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(COOKIE, cookie, max_age=COOKIE_S, httponly=True, samesite="Strict")
        return response

    async def _restart(self, request: "Request") -> "StreamResponse":
        why = await _said(request, "why")
        if isinstance(why, _Bad):
            return why.answer()
        self._source.ask(Asked(Command.RESTART, why=why[:MESSAGE] or "an operator asked for it"))
        return json_response({"screen": "restarting"}, 202)

    async def _pause(self, request: "Request") -> "StreamResponse":
        wanted = await _said(request, "for")
        if isinstance(wanted, _Bad):
            return wanted.answer()
        try:
            seconds = duration(wanted) if wanted else PAUSE_S
        except ValueError as error:
            return json_response({"error": f"for: {error}"}, 400)
        if not 0 < seconds <= LONGEST_PAUSE_S:
            return json_response({"error": "for: between 1s and 24h; a screen that is left alone for longer is forgotten"}, 400)
        self._source.ask(Asked(Command.PAUSE, for_s=seconds))
        return json_response({"screen": f"left alone for {write_duration(seconds)}"}, 202)

    async def _resume(self, request: "Request") -> "StreamResponse":
        nothing = await _said(request, "")
        if isinstance(nothing, _Bad):
            return nothing.answer()
        self._source.ask(Asked(Command.RESUME))
        return json_response({"screen": "looked after again"}, 202)


@dataclass(frozen=True, slots=True)
class _Bad:
    """A body that cannot be taken, and why."""

    why: str
    status: int = 400

    def answer(self) -> "Response":
        return json_response({"error": self.why}, self.status)


def own_page(request: "Request") -> bool:
    """Tell whether who asks is a page of ours, the user, or no browser at all. Sec-Fetch-Site is not sent to every address."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "none")
    return site in ("none", "same-origin") and (origin is None or origin.partition("://")[2] == request.headers.get("Host"))


async def _said(request: "Request", key: str) -> str | _Bad:
    """Return the text that the body's JSON has at ``key``; "" where there is none, or no body."""
    if (request.content_length or 0) > BODY:
        return _Bad(f"the body is larger than {BODY >> 10} KB", 413)
    Gate.of(request.transport).take_body()
    try:
        async with asyncio.timeout(BODY_S):
            body = await request.read()
    except TimeoutError:
        return _Bad(f"the body did not come within {BODY_S:g} s", 408)
    if not body.strip():
        return ""
    form = f'{{"{key}": "…"}}' if key else "{}"
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return _Bad(f"the body is no JSON: send {form}, or nothing")
    said = content.get(key, "") if isinstance(content, dict) else None
    return said if isinstance(said, str) else _Bad(f"the body is to be {form}")


def _tagged(request: "Request", content: str, answer: Callable[[], "Response"]) -> "Response":
    """Return the answer with its ETag, or 304 to whoever has that already."""
    from aiohttp import web

    tag = hashlib.sha256(content.encode()).hexdigest()[:32]
    known = any(etag.value in (tag, "*") for etag in request.if_none_match or ())
    response = web.Response(status=304) if known else answer()
    response.etag = tag
    return response


def json_response(content: dict[str, Any], status: int = 200) -> "Response":
    """Return an answer for programs."""
    from aiohttp import web

    return web.Response(text=json.dumps(content) + "\n", status=status, content_type="application/json")

"""The HTTP door: what the page and people may look at, on the loopback; what is not for all, on the unix socket or with the token."""

import asyncio
import contextlib
import hashlib
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kioskd.core.facts import DeployRead
from kioskd.edges.access import GROUP, Token, peer_may
from kioskd.edges.broadcast import CLIENTS, Hub
from kioskd.edges.doors import Doors, is_loopback
from kioskd.edges.gate import BODY, Gate
from kioskd.edges.reloads import Reloads
from kioskd.edges.story import Teller
from kioskd.errors import EdgeUnavailable
from kioskd.web import script
from kioskd.wire.version import write_version

if TYPE_CHECKING:
    from aiohttp.web import AppRunner, Request, Response, Server, StreamResponse

    Handler = Callable[[Request], Awaitable[StreamResponse]]

log = logging.getLogger(__name__)

RETRY_S = 5.0
READ_METHODS = frozenset({"GET", "HEAD"})
VERSION_PATH = "/api/deployment_version"
RELOAD_PATH = "/api/reload"
STORY_PATH = "/api/story"
SOCKET_PATH = "/ws"
SCRIPTS = ("/kioskd.js", "/kioskd.mjs")
CHANGES = frozenset({RELOAD_PATH})
GUARDED = CHANGES | {STORY_PATH}
READ_ELSEWHERE = frozenset({VERSION_PATH, *SCRIPTS})  # with CORS; a WebSocket knows no CORS, and its Origin is looked at
CONNECTIONS = CLIENTS + 500  # at a time on ``api.listen``
BODY_S = 5.0
MESSAGE = 1000  # characters
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
HOLDING_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True)
class Source:
    """What is behind the door."""

    version: Callable[[], DeployRead | None]
    status: Callable[[], dict[str, Any]]
    origins: Callable[[], frozenset[str]]  # that may read the version and hear broadcasts
    holding: Callable[[], str]  # the holding page's HTML
    alive: Callable[[], bool]
    story: Callable[[], Iterator[str]]  # line by line
    hub: Hub
    reloads: Reloads
    token: Token


class Api:
    """Answers HTTP. ``problem`` says why it does not, for the status; ``control_problem`` the same of the unix socket."""

    def __init__(self, listen: str, control: str | None, source: Source) -> None:
        """Answer on ``listen`` ("host:port") and on the unix socket ``control``."""
        self.problem: str | None = None
        self.control_problem: str | None = None
        self._listen, self._source = listen, source
        self._doors = Doors(control)
        self._teller = Teller()
        self._runner: AppRunner | None = None
        self._said = ""  # of the token
        self._moved = asyncio.Event()

    @property
    def port(self) -> int | None:
        """Where it listens, once it does."""
        return self._doors.port

    def follow(self, listen: str) -> None:
        """Answer on this address from now on."""
        if listen != self._listen:
            self._listen = listen
            self._moved.set()

    async def run(self) -> None:
        """Answer until cancelled; an address that cannot be had is tried again every ``RETRY_S``, for ever."""
        try:
            while True:
                self._moved.clear()
                self.control_problem = await self._try(self.start_control, self.control_problem)
                self.problem = await self._try(self.start, self.problem)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_S if self.problem or self.control_problem else None):
                        await self._moved.wait()
                        self._doors.leave()
        finally:
            await self.close()

    async def _try(self, start: Callable[[], Awaitable[None]], before: str | None) -> str | None:
        try:
            await start()
        except EdgeUnavailable as error:
            if before != str(error):
                log.error("%s", error)
            return str(error)
        return None

    async def _ready(self) -> "Server":
        if self._runner is not None and self._runner.server is not None:
            return self._runner.server
        try:
            from aiohttp import web
        except (ImportError, OSError) as error:
            raise EdgeUnavailable(f"Cannot answer HTTP: {error}") from error

        @web.middleware
        async def guard(request: "Request", handler: "Handler") -> "StreamResponse":
            return await self._guard(request, handler)

        application = web.Application(middlewares=[guard], client_max_size=BODY)
        application.router.add_get(VERSION_PATH, self._get_version)
        application.router.add_get("/api/status", self._get_status)
        application.router.add_get("/healthz", self._get_health)
        application.router.add_get("/holding", self._get_holding)
        application.router.add_get(STORY_PATH, self._get_story)
        for path in SCRIPTS:
            application.router.add_get(path, self._get_script)
        application.router.add_get(SOCKET_PATH, self._listen_in)
        application.router.add_post(RELOAD_PATH, self._reload)
        # No access log, and no lines for what strangers send wrongly; a body nobody asked for is not waited for, and none is unpacked.
        silent = logging.getLogger(f"{__name__}.protocol")
        for logger in (silent, logging.getLogger("aiohttp.websocket")):
            logger.setLevel(logging.CRITICAL)
        runner = web.AppRunner(
            application, handle_signals=False, access_log=None, logger=silent, lingering_time=1.0, auto_decompress=False
        )
        await runner.setup()
        assert runner.server is not None, "it was set up"
        self._runner = runner
        return runner.server

    async def start(self) -> None:
        """Begin to answer on ``listen``, unless that is so; raises ``EdgeUnavailable``."""
        await self._doors.open(self._listen, await self._ready(), CONNECTIONS)

    async def start_control(self) -> None:
        """Begin to answer on the unix socket, unless that is so; raises ``EdgeUnavailable``."""
        await self._doors.open_control(await self._ready())

    async def close(self) -> None:
        """Stop answering."""
        self._doors.close()
        self._source.hub.close()
        self._source.reloads.close()
        self._teller.close()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    # --- every request ------------------------------------------------------------------------------

    async def _guard(self, request: "Request", handler: "Handler") -> "StreamResponse":
        from aiohttp import web

        response: StreamResponse
        try:
            response = await self._respond(request, handler)
        except web.HTTPException as refused:
            response = _json({"error": refused.reason.lower()}, refused.status)
            if "Allow" in refused.headers:
                response.headers["Allow"] = _methods(request.path)
        except ConnectionError:  # whoever asked has gone
            raise
        except Exception:  # a mistake of ours ends this answer, and tells the client nothing of our insides
            log.exception("Cannot answer %s", request.path)
            response = _json({"error": "internal error"}, 500)
        if response.prepared:  # a WebSocket or a story, which is over by now
            return response
        response.force_close()  # a connection is one request: see Gate
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.path in READ_ELSEWHERE:
            self._admit(request, response)
        return response

    async def _respond(self, request: "Request", handler: "Handler") -> "StreamResponse":
        from aiohttp import web

        # A page elsewhere can give its own name this address (DNS rebinding); it cannot give it the name of this machine.
        peer = _unix_peer(request)
        if peer is None and not self._ours(request.headers.get("Host", "")):
            return _json({"error": "this name is not served here"}, 403)
        if request.method == "OPTIONS":
            return web.Response(status=204, headers={"Allow": _methods(request.path)})
        if (request.method not in READ_METHODS) != (request.path in CHANGES):
            raise web.HTTPMethodNotAllowed(request.method, READ_METHODS)
        if request.path in GUARDED and (refused := self._refused(request, peer)) is not None:
            return refused
        return await handler(request)

    def _refused(self, request: "Request", peer: socket.socket | None) -> "Response | None":
        """Return how a request for what not everybody may is refused; None where it is not."""
        if peer is not None:
            return None if peer_may(peer) else _json({"error": f"only root and the group {GROUP} may do this"}, 403)
        if "Authorization" not in request.headers:
            way = "use kioskctl" if request.path in CHANGES else "ask kioskd's unix socket"
            why = f"this needs the token (Authorization: Bearer …); on this machine {way}"
        else:
            try:
                if self._source.token.admits(request.headers["Authorization"]):
                    return None
                why = "this is not the token"
            except EdgeUnavailable as error:
                if self._said != str(error):
                    log.warning("%s", error)
                self._said = str(error)
                why = "there is no token that could be right: kioskd's log says why"
        refusal = _json({"error": why}, 401)
        refusal.headers["WWW-Authenticate"] = "Bearer"
        return refusal

    def _ours(self, host: str) -> bool:
        try:
            parts = urlsplit(f"http://{host}")
            return is_loopback(parts.hostname or "") and (parts.port or 80) == self.port and parts.netloc == host and "@" not in host
        except ValueError:
            return False

    def _admit(self, request: "Request", response: "StreamResponse") -> None:
        """Say which other origins may read this, and that they may although it is on this machine."""
        response.headers["Vary"] = "Origin"
        asked = request.headers.get("Origin", "")
        if asked not in self._source.origins():
            return
        response.headers["Access-Control-Allow-Origin"] = asked
        response.headers["Access-Control-Expose-Headers"] = "ETag"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = "GET, HEAD"
            response.headers["Access-Control-Allow-Headers"] = "If-None-Match, Cache-Control"
            response.headers["Access-Control-Max-Age"] = "600"
            for network in ("Private-Network", "Local-Network"):  # the older and the newer name of one question
                if request.headers.get(f"Access-Control-Request-{network}") == "true":
                    response.headers[f"Access-Control-Allow-{network}"] = "true"

    # --- the answers --------------------------------------------------------------------------------

    async def _get_version(self, request: "Request") -> "StreamResponse":
        read = self._source.version()
        if read is None or read.version is None:
            reason = "; ".join(read.missing) if read and read.missing else "the deploy has not been read yet"
            return _json({"error": reason}, 503)
        content = write_version(read.version, complete=not read.missing)
        return _tagged(request, json.dumps(content), lambda: _json(content))

    async def _get_script(self, request: "Request") -> "StreamResponse":
        from aiohttp import web

        text = script(request.path.lstrip("/"))
        # A plain <script> of a page elsewhere asks without CORS.
        headers = {"Cache-Control": "no-cache", "Cross-Origin-Resource-Policy": "cross-origin"}
        response = _tagged(request, text, lambda: web.Response(text=text, content_type="text/javascript"))
        response.headers.update(headers)
        return response

    async def _get_status(self, request: "Request") -> "StreamResponse":
        return _json(self._source.status())

    async def _get_health(self, request: "Request") -> "StreamResponse":
        alive = self._source.alive()
        return _json({"alive": alive}, 200 if alive else 503)

    async def _get_holding(self, request: "Request") -> "StreamResponse":
        from aiohttp import web

        return web.Response(text=self._source.holding(), content_type="text/html", headers={"Content-Security-Policy": HOLDING_POLICY})

    async def _get_story(self, request: "Request") -> "StreamResponse":
        from aiohttp import web

        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "application/x-ndjson"})
        response.force_close()
        return await self._teller.tell(request, response, self._source.story())

    # --- broadcasts and reloads ---------------------------------------------------------------------

    async def _listen_in(self, request: "Request") -> "StreamResponse":
        from aiohttp import web

        origin = request.headers.get("Origin")
        if origin is not None and origin not in self._source.origins():
            return _json({"error": "this origin may not listen: name it in api.origins"}, 403)
        client = web.WebSocketResponse(max_msg_size=BODY, compress=False)
        if not client.can_prepare(request).ok:
            return _json({"error": "this is a WebSocket: broadcasts, nothing else"}, 426)
        if self._source.hub.full:
            return _json({"error": "too many screens are listening"}, 503)
        gate = Gate.of(request.transport)
        await client.prepare(request)
        gate.take_frames()
        await self._source.hub.serve(client, gate, request.query.get("kioskd", ""))
        return client

    async def _reload(self, request: "Request") -> "StreamResponse":
        if (request.content_length or 0) > BODY:
            return _json({"error": f"the body is larger than {BODY >> 10} KB"}, 413)
        Gate.of(request.transport).take_body()
        try:
            async with asyncio.timeout(BODY_S):
                message = _message(await request.read())
        except TimeoutError:
            return _json({"error": f"the body did not come within {BODY_S:g} s"}, 408)
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        if self._source.reloads.full:
            return _json({"error": "too many are waiting for a reload already"}, 503)
        clients, screen = await self._source.reloads.ask(message)
        return _json({"clients": clients, "screen": screen})


def _message(body: bytes) -> str:
    """Return what the other screens are to be told; raises ValueError with what is wrong."""
    if not body.strip():
        return ""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError('the body is no JSON: send {"message": "…"}, or nothing') from None
    message = content.get("message", "") if isinstance(content, dict) else None
    if not isinstance(message, str) or len(message) > MESSAGE:
        raise ValueError(f'the body is to be {{"message": "…"}} with at most {MESSAGE} characters')
    return message


def _methods(path: str) -> str:
    return "POST, OPTIONS" if path in CHANGES else "GET, HEAD, OPTIONS"


def _unix_peer(request: "Request") -> socket.socket | None:
    peer = request.transport.get_extra_info("socket") if request.transport is not None else None
    return peer if peer is not None and peer.family == socket.AF_UNIX else None


def _tagged(request: "Request", content: str, answer: Callable[[], "Response"]) -> "Response":
    """Return the answer with its ETag, or 304 to whoever has that already."""
    from aiohttp import web

    tag = hashlib.sha256(content.encode()).hexdigest()[:32]
    known = any(etag.value in (tag, "*") for etag in request.if_none_match or ())
    response = web.Response(status=304) if known else answer()
    response.etag = tag
    return response


def _json(content: dict[str, Any], status: int = 200) -> "Response":
    from aiohttp import web

    return web.Response(text=json.dumps(content) + "\n", status=status, content_type="application/json")

"""The HTTP door: what the page and people may look at, on ``api.listen``; what is not for all, on the unix socket or with the token."""

import asyncio
import contextlib
import logging
import re
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kioskd.edges.access import COOKIE, GROUP, peer_may
from kioskd.edges.answers import Answers
from kioskd.edges.broadcast import CLIENTS
from kioskd.edges.doors import Doors, address, serves
from kioskd.edges.gate import BODY
from kioskd.edges.replies import HEADERS, is_visit, json_response, own_page
from kioskd.edges.routes import Source
from kioskd.errors import EdgeUnavailable
from kioskd.wire.values import is_loopback

if TYPE_CHECKING:
    from aiohttp.web import AppRunner, Request, Response, Server, StreamResponse

    from kioskd.edges.routes import Handler

log = logging.getLogger(__name__)

RETRY_S = 5.0
_COOKIE = re.compile(rf"(?:^|;)\s*{COOKIE}=([0-9a-f]{{64}})(?=\s*(?:;|$))")
READ_METHODS = frozenset({"GET", "HEAD"})
HTTP_1 = (1, 0)
CONNECTIONS = CLIENTS + 500  # at a time on ``api.listen``


class Api:
    """Answers HTTP. ``problem`` says why it does not, for the status; ``control_problem`` the same of the unix socket."""

    def __init__(self, listen: str, control: str | None, source: Source) -> None:
        """Answer on ``listen`` ("host:port") and on the unix socket ``control``."""
        self.problem: str | None = None
        self.control_problem: str | None = None
        self._listen, self._source = listen, source
        self._host = ""  # of that
        self._doors = Doors(control)
        self._answers = Answers(source)
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
        for route in self._answers.routes:
            add = application.router.add_get if route.method == "GET" else application.router.add_post
            add(route.path, route.answer)
        # No access log, and no lines for what strangers send wrongly; a body nobody asked for is not waited for, and none is unpacked.
        silent = logging.getLogger(f"{__name__}.protocol")
        for logger in (silent, logging.getLogger("aiohttp.websocket")):
            logger.setLevel(logging.CRITICAL)
        runner = web.AppRunner(application, handle_signals=False, access_log=None, logger=silent, lingering_time=1.0, auto_decompress=False)
        await runner.setup()
        assert runner.server is not None, "it was set up"
        self._runner = runner
        return runner.server

    async def start(self) -> None:
        """Begin to answer on ``listen``, unless that is so; raises ``EdgeUnavailable``, also where others get to and there is no token."""
        self._host, _ = address(self._listen)
        if not is_loopback(self._host):
            try:
                self._source.token.read()
            except EdgeUnavailable as error:
                raise EdgeUnavailable(f"Cannot listen on {self._listen}, where others get to, without a token. {error}") from error
        await self._doors.open(self._listen, await self._ready(), CONNECTIONS)

    async def start_control(self) -> None:
        """Begin to answer on the unix socket, unless that is so; raises ``EdgeUnavailable``."""
        await self._doors.open_control(await self._ready())

    async def close(self) -> None:
        """Stop answering."""
        self._doors.close()
        self._answers.close()
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
            response = json_response({"error": refused.reason.lower()}, refused.status)
            if "Allow" in refused.headers:
                response.headers["Allow"] = self._answers.methods(request.path)
        except ConnectionError:  # whoever asked has gone
            raise
        except Exception:  # a mistake of ours ends this answer, and tells the client nothing of our insides
            log.exception("Cannot answer %s", request.path)
            response = json_response({"error": "internal error"}, 500)
        if response.prepared:  # a WebSocket or a story, which is over by now
            return response
        response.force_close()  # a connection is one request: see Gate
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if (route := self._answers.find(request.path)) is not None and route.elsewhere:
            self._admit(request, response)
        return response

    async def _respond(self, request: "Request", handler: "Handler") -> "StreamResponse":
        from aiohttp import web

        old = request.version < HTTP_1  # by its head, which has no version at all then
        if old or not request.raw_path.startswith("/") or len(request.headers.getall("Host", ())) != 1:  # meant for whom?
            return json_response({"error": "this is no request for a server"}, 400)
        # A page elsewhere can give its own name this address (DNS rebinding); it cannot give it the name of this machine.
        peer = _unix_peer(request)
        if peer is None and not self._ours(request.headers.get("Host", "")):
            way = "ask for the address and the port of api.listen: a tunnel keeps the port, a proxy passes on no other Host"
            return json_response({"error": f"this name is not served here: {way}"}, 403)
        if request.method == "OPTIONS":
            return web.Response(status=204, headers={"Allow": self._answers.methods(request.path)})
        route = self._answers.find(request.path)
        changes = route is not None and route.changes
        if (request.method not in READ_METHODS) != changes:
            raise web.HTTPMethodNotAllowed(request.method, READ_METHODS)
        if route is None:  # also where aiohttp would find one: it looks at the path as it was sent
            raise web.HTTPNotFound()
        if peer is None and not route.from_elsewhere and not (own_page(request) or is_visit(request)):
            return json_response({"error": "a page elsewhere may not ask for this"}, 403)
        if route.guarded and (refused := self._refused(request, peer)) is not None:
            return refused
        return await handler(request)

    def _refused(self, request: "Request", peer: socket.socket | None) -> "Response | None":
        """Return how a request for what not everybody may is refused; None where it is not."""
        if peer is not None:
            return None if peer_may(peer) else json_response({"error": f"only root and the group {GROUP} may do this"}, 403)
        cookies = _COOKIE.findall("; ".join(request.headers.getall("Cookie", ())))  # another port's server may have set some, too
        if "Authorization" not in request.headers and (not cookies or not own_page(request)):
            way = "use kioskctl" if request.method == "POST" else "ask kioskd's unix socket"
            why = f"this needs the token (Authorization: Bearer …); on this machine {way}"
        else:
            try:
                token, header = self._source.token, request.headers.get("Authorization")
                if token.admits(header) if header is not None else any(map(token.admits_cookie, cookies)):
                    return None
                why = "this is not the token"
            except EdgeUnavailable as error:
                if self._said != str(error):
                    log.warning("%s", error)
                self._said = str(error)
                why = "there is no token that could be right: kioskd's log says why"
        refusal = json_response({"error": why}, 401)
        refusal.headers["WWW-Authenticate"] = "Bearer"
        return refusal

    def _ours(self, host: str) -> bool:
        try:
            parts = urlsplit(f"http://{host}")
            known = serves(self._host, parts.hostname or "")
            return known and (parts.port or 80) == self.port and parts.netloc == host and "@" not in host
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


def _unix_peer(request: "Request") -> socket.socket | None:
    peer = request.transport.get_extra_info("socket") if request.transport is not None else None
    return peer if peer is not None and peer.family == socket.AF_UNIX else None

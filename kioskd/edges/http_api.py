"""The HTTP door: the deploy's version for the page, the status for people and programs. Loopback only; nothing here changes anything."""

import asyncio
import contextlib
import errno
import hashlib
import ipaddress
import json
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kioskd.core.facts import DeployRead
from kioskd.errors import EdgeUnavailable

if TYPE_CHECKING:
    from aiohttp.web import AppRunner, Request, Response, StreamResponse

    Handler = Callable[[Request], Awaitable[StreamResponse]]

log = logging.getLogger(__name__)

RETRY_S = 5.0
READ_METHODS = frozenset({"GET", "HEAD"})
VERSION_PATH = "/api/deployment_version"
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
HOLDING_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class Api:
    """Answers HTTP. ``problem`` says why it does not, for the status."""

    def __init__(
        self,
        listen: str,
        version: Callable[[], DeployRead | None],
        status: Callable[[], dict[str, Any]],
        origins: Callable[[], frozenset[str]],
        holding: Callable[[], str],
        alive: Callable[[], bool],
    ) -> None:
        """Answer on ``listen`` ("host:port"), and call these for what is shown.

        ``origins`` are those that may read the version; ``holding`` is the holding page's HTML.
        """
        self.problem: str | None = None
        self.port: int | None = None  # where it listens, once it does
        self._listen = listen
        self._version = version
        self._status = status
        self._origins = origins
        self._holding = holding
        self._alive = alive
        self._runner: AppRunner | None = None
        self._moved = asyncio.Event()

    def follow(self, listen: str) -> None:
        """Answer on this address from now on."""
        if listen != self._listen:
            self._listen = listen
            self._moved.set()

    async def run(self) -> None:
        """Answer until cancelled; an address that cannot be had is tried again every ``RETRY_S``, for ever."""
        while True:
            self._moved.clear()
            try:
                await self.start()
            except EdgeUnavailable as error:
                if self.problem != str(error):
                    log.error("%s", error)
                self.problem = str(error)
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_S if self.problem else None):
                        await self._moved.wait()
            finally:
                await self.close()

    async def start(self) -> None:
        """Begin to answer; raises ``EdgeUnavailable``."""
        host, port = address(self._listen)
        try:
            from aiohttp import web
        except (ImportError, OSError) as error:
            raise EdgeUnavailable(f"Cannot answer HTTP: {error}") from error

        @web.middleware
        async def guard(request: "Request", handler: "Handler") -> "StreamResponse":
            return await self._guard(request, handler)

        application = web.Application(middlewares=[guard])
        application.router.add_get(VERSION_PATH, self._get_version)
        application.router.add_get("/api/status", self._get_status)
        application.router.add_get("/healthz", self._get_health)
        application.router.add_get("/holding", self._get_holding)
        # No access log, and no lines for what strangers send wrongly; a body nobody asked for is not waited for.
        silent = logging.getLogger(f"{__name__}.protocol")
        silent.setLevel(logging.CRITICAL)
        runner = web.AppRunner(
            application, handle_signals=False, access_log=None, logger=silent, keepalive_timeout=15.0, lingering_time=1.0
        )
        self._runner = runner
        try:
            await runner.setup()
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await self.close()
            raise EdgeUnavailable(_refusal(self._listen, error)) from error
        self.port = runner.addresses[0][1]
        self.problem = None

    async def close(self) -> None:
        """Stop answering."""
        runner, self._runner, self.port = self._runner, None, None
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
                response.headers["Allow"] = "GET, HEAD, OPTIONS"
        except Exception:  # a mistake of ours ends this answer, and tells the client nothing of our insides
            log.exception("Cannot answer %s", request.path)
            response = _json({"error": "internal error"}, 500)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.path == VERSION_PATH:
            self._admit(request, response)
        return response

    async def _respond(self, request: "Request", handler: "Handler") -> "StreamResponse":
        from aiohttp import web

        # A page elsewhere can give its own name this address (DNS rebinding); it cannot give it the name of this machine.
        if not self._ours(request.headers.get("Host", "")):
            return _json({"error": "this name is not served here"}, 403)
        if request.method == "OPTIONS":
            return web.Response(status=204, headers={"Allow": "GET, HEAD, OPTIONS"})
        if request.method not in READ_METHODS:
            raise web.HTTPMethodNotAllowed(request.method, READ_METHODS)
        return await handler(request)

    def _ours(self, host: str) -> bool:
        try:
            parts = urlsplit(f"http://{host}")
            return _is_loopback(parts.hostname or "") and (parts.port or 80) == self.port and parts.netloc == host and "@" not in host
        except ValueError:
            return False

    def _admit(self, request: "Request", response: "StreamResponse") -> None:
        """Say which other origins may read this, and that they may although it is on this machine."""
        response.headers["Vary"] = "Origin"
        asked = request.headers.get("Origin", "")
        if asked not in self._origins():
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
        read = self._version()
        if read is None or read.version is None:
            reason = "; ".join(read.missing) if read and read.missing else "the deploy has not been read yet"
            return _json({"error": reason}, 503)
        from aiohttp import web

        content = {"version": read.version.mtime, "digest": read.version.digest, "complete": not read.missing}
        tag = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]
        known = any(etag.value in (tag, "*") for etag in request.if_none_match or ())
        response = web.Response(status=304) if known else _json(content)
        response.etag = tag
        return response

    async def _get_status(self, request: "Request") -> "StreamResponse":
        return _json(self._status())

    async def _get_health(self, request: "Request") -> "StreamResponse":
        alive = self._alive()
        return _json({"alive": alive}, 200 if alive else 503)

    async def _get_holding(self, request: "Request") -> "StreamResponse":
        from aiohttp import web

        return web.Response(text=self._holding(), content_type="text/html", headers={"Content-Security-Policy": HOLDING_POLICY})


def address(listen: str) -> tuple[str, int]:
    """Take "host:port" apart; anything but loopback raises ``EdgeUnavailable``."""
    try:
        parts = urlsplit(f"//{listen}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port is None or parts.netloc != listen or "@" in listen:
        raise EdgeUnavailable(f"Cannot listen on {listen}: api.listen is an address and a port, such as 127.0.0.1:8137")
    if not _is_loopback(host):
        raise EdgeUnavailable(f"Cannot listen on {listen}: only this machine is answered; set api.listen to 127.0.0.1:{port}")
    return host, port


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refusal(listen: str, error: OSError) -> str:
    advice = {
        errno.EADDRINUSE: "another program has this port; set api.listen to a free one",
        errno.EACCES: "this port needs root; set api.listen to one above 1023",
        errno.EADDRNOTAVAIL: "this machine has no such address; set api.listen to 127.0.0.1:8137",
    }
    return f"Cannot listen on {listen}: {advice.get(error.errno or 0, error.strerror or str(error))}"


def _json(content: dict[str, Any], status: int = 200) -> "Response":
    from aiohttp import web

    return web.Response(text=json.dumps(content) + "\n", status=status, content_type="application/json")

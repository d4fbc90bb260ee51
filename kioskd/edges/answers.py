"""What is answered to everybody who reaches kioskd: nothing here changes anything. The doors and the guard are ``http_api``'s."""

import json
from typing import TYPE_CHECKING

from kioskd import __version__
from kioskd.edges.operator import Operator
from kioskd.edges.replies import Bad, json_response, socket_of, tagged
from kioskd.edges.routes import Route, Source
from kioskd.errors import EdgeUnavailable
from kioskd.web import script
from kioskd.wire import openapi
from kioskd.wire.pages import script_source
from kioskd.wire.version import write_version

if TYPE_CHECKING:
    from aiohttp.web import Request, StreamResponse

VERSION_PATH = "/api/deployment_version"
SOCKET_PATH = "/ws"
SCRIPTS = ("/kioskd.js", "/kioskd.mjs")
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
CONSOLE = {
    "/": ("console.html", "text/html"),
    "/console.css": ("console.css", "text/css"),
    **{f"/{name}": (name, "text/javascript") for name in ("console.js", "plots.js", "words.js")},
}
CONSOLE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HOLDING_POLICY = "default-src 'none'; script-src {}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class Answers:
    """Every answer: what is open, and what is the operator's."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._operator = Operator(source)
        page, js = "text/html", "text/javascript"
        self.routes = (
            Route(VERSION_PATH, self._get_version, "The front end that is on the disk, whole or not; with an ETag", elsewhere=True),
            *[Route(path, self._get_script, "The page's client of kioskd", elsewhere=True, gives=js) for path in SCRIPTS],
            # a WebSocket knows no CORS, and its Origin is looked at
            Route(SOCKET_PATH, self._listen_in, "Broadcasts, nothing else: a WebSocket", gives=""),
            Route("/api/status", self._get_status, "Verdict, rung, page, server, browser, versions; what comes next, and when"),
            Route("/api/openapi.json", self._get_openapi, "This"),
            Route("/healthz", self._get_health, "Whether kioskd's loop turns: 200 or 503"),
            Route("/metrics", self._get_metrics, "The same for Prometheus", gives=METRICS_TYPE),
            Route("/holding", self._get_holding, "The page that waits for the server", gives=page),
            Route("/", self._get_console, "The console", gives=page),
            *[Route(path, self._get_console) for path in CONSOLE if path != "/"],
            *self._operator.routes,
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
        self._operator.close()

    async def _get_version(self, request: "Request") -> "StreamResponse":
        read = self._source.version()
        if read is None or read.version is None:
            reason = "; ".join(read.missing) if read and read.missing else "the deploy has not been read yet"
            return json_response({"error": reason}, 503)
        content = write_version(read.version, complete=not read.missing)
        return tagged(request, json.dumps(content), lambda: json_response(content))

    async def _get_script(self, request: "Request") -> "StreamResponse":
        from aiohttp import web

        text = script(request.path.lstrip("/"))
        # A plain <script> of a page elsewhere asks without CORS.
        headers = {"Cache-Control": "no-cache", "Cross-Origin-Resource-Policy": "cross-origin"}
        response = tagged(request, text, lambda: web.Response(text=text, content_type="text/javascript"))
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

    async def _get_console(self, request: "Request") -> "StreamResponse":
        from aiohttp import web

        name, kind = CONSOLE[request.path]
        headers = {"Content-Security-Policy": CONSOLE_POLICY}
        return web.Response(text=script(name), content_type=kind, headers=headers)

    async def _listen_in(self, request: "Request") -> "StreamResponse":
        origin = request.headers.get("Origin")
        if origin is not None and origin not in self._source.origins():
            return json_response({"error": "this origin may not listen: name it in api.origins"}, 403)
        client = await socket_of(request, self._source.hub.full)
        if isinstance(client, Bad):
            return client.answer()
        await self._source.hub.serve(*client, request.query.get("kioskd", ""))
        return client[0]

    async def _get_openapi(self, request: "Request") -> "StreamResponse":
        return json_response(openapi.document(__version__, [route for route in self.routes if route.says]))

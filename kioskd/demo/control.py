"""The demo's control port, for tests, ``scripts/demo --break`` and the curious with curl. Loopback only.

``GET /state``                                   what the server knows
``GET /back?after=…&within=…&other_than=…&opened_after=…``
                                                 waits for a page to be back; 504 with the state when none came in time
``POST /switch`` ``{"socket": "refuse"}``        turns switches; answers with all of them
``POST /do`` ``{"verb": "drop"}``                does something once; answers ``{"told": pages}``
"""

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from kioskd.demo.site import Site
from kioskd.demo.switches import Transport
from kioskd.errors import KioskdError

PAGE_VERBS = frozenset(
    {
        "give_up",
        "close_on_purpose",
        "busy",
        "endless_loop",
        "navigate_away",
        "error_page",
        "window_close",
        "alert",
        "confirm",
        "prompt",
        "beforeunload",
        "print",
        "popup",
        "download",
        "console_flood",
        "thousand_sockets",
        "memory_hog",
        "blank",
        "stuck_text",
        "reload_self",
        "geolocation",
        "notifications",
        "alive",
        "say",  # ``message``, as it is: what a server may tell its pages
    }
)


class Control:
    """The control application. ``down`` and ``up`` shut and open the page's ports."""

    def __init__(self, site: Site, down: Callable[[], None], up: Callable[[], Awaitable[None]]) -> None:
        self._site = site
        self._down = down
        self._up = up
        self.app = web.Application(middlewares=[_mistakes_as_json])
        self.app.add_routes(
            [
                web.get("/state", self._state),
                web.get("/back", self._back),
                web.post("/switch", self._switch),
                web.post("/do", self._do),
            ]
        )

    async def _state(self, request: web.Request) -> web.Response:
        return web.json_response(self._known())

    async def _back(self, request: web.Request) -> web.Response:
        after, opened_after = float(request.query.get("after", time.monotonic())), float(request.query.get("opened_after", "-inf"))
        try:
            async with asyncio.timeout(float(request.query.get("within", "60"))):
                echo = await self._site.oracle.back(after, request.query.get("other_than"), opened_after)
        except TimeoutError:
            return web.json_response(self._known(), status=504)
        return web.json_response(dataclasses.asdict(echo))

    async def _switch(self, request: web.Request) -> web.Response:
        self._site.speaker.switches = self._site.switches.turned(await request.json())
        return web.json_response(self._site.switches.as_json())

    async def _do(self, request: web.Request) -> web.Response:
        asked: dict[str, Any] = await request.json()
        return web.json_response({"told": await self._carry_out(asked)})

    async def _carry_out(self, asked: dict[str, Any]) -> int:
        speaker = self._site.speaker
        match asked.get("verb"):
            case "drop":
                links = list(speaker.links)
                for link in links:
                    link.abort()
                return len(links)
            case "half_open":  # the connections of now are heard no more, new ones are
                for link in speaker.links:
                    link.mute = True
                return len(speaker.links)
            case "down":
                self._down()
                return 0
            case "up":
                await self._up()
                return 0
            case "restart_in":
                self._down()
                await asyncio.sleep(float(asked.get("seconds", 3)))
                await self._up()
                return 0
            case "give_up_and_new_documents_open_none":
                speaker.switches = speaker.switches.turned({"transport": Transport.NONE.value})
                return speaker.tell({"verb": "give_up"})
            case "self_reload_loop":
                speaker.switches = speaker.switches.turned({"at_load": [{"verb": "reload_self", "seconds": asked.get("seconds", 0.3)}]})
                return speaker.tell({"verb": "reload_self"})
            case verb if verb in PAGE_VERBS:
                return speaker.tell(asked)
            case verb:
                raise KioskdError(f"Unknown verb {verb!r}")

    def _known(self) -> dict[str, Any]:
        oracle, speaker = self._site.oracle, self._site.speaker
        return {
            "now": time.monotonic(),
            "newest": oracle.newest(),
            "switches": speaker.switches.as_json(),
            "links": [
                {"path": link.path, "document": link.document, "version": link.version, "opened": link.opened} for link in speaker.links
            ],
            "last_echo": dataclasses.asdict(oracle.echoes[-1]) if oracle.echoes else None,
            "nonces": [echo.nonce for echo in list(oracle.echoes)[-10:]],
            "loads": list(oracle.loads),
            "requests": [dataclasses.asdict(request) for request in oracle.requests],
            "sent": [dataclasses.asdict(sent) for sent in oracle.sent],
            "sockets": [dataclasses.asdict(news) for news in oracle.sockets],
        }


@web.middleware
async def _mistakes_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except (KioskdError, ValueError) as error:
        return web.json_response({"error": str(error)}, status=400)

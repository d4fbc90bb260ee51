"""What an operator may ask for: on the unix socket, or with the token, or with the cookie that a one-time link has given."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from kioskd.core.facts import Asked, Command
from kioskd.core.observe import PAUSE_S
from kioskd.edges.access import COOKIE, PAIR_S, Pairing
from kioskd.edges.replies import HEADERS, Bad, json_response, said, socket_of
from kioskd.edges.routes import Route, Source
from kioskd.edges.story import Teller
from kioskd.errors import EdgeUnavailable, KioskdError
from kioskd.wire.values import duration, write_duration

if TYPE_CHECKING:
    from aiohttp.web import Request, StreamResponse

RELOAD_PATH = "/api/reload"
STORY_PATH = "/api/story"
INCIDENTS_PATH = "/api/incidents"
PAIR_PATH = "/pair"
STORY_TYPE = "application/x-ndjson"
PNG, JPEG = "image/png", "image/jpeg"
PICTURE_S = 5.0
GLANCE_S = 5.0
COOKIE_S = 400 * 86400  # as long as browsers keep one
MESSAGE = 1000  # characters
#: From a second to a day, in seconds, minutes or hours.
_SECONDS = "[1-9][0-9]{0,3}|[1-7][0-9]{4}|8[0-5][0-9]{3}|86[0-3][0-9]{2}|86400"
_MINUTES = "[1-9][0-9]{0,2}|1[0-3][0-9]{2}|14[0-3][0-9]|1440"
LINE, A_WHILE = {"maxLength": MESSAGE}, {"pattern": f"^(({_SECONDS})s?|({_MINUTES})m|([1-9]|1[0-9]|2[0-4])h)?$"}


class Glance:
    """The screen for many who look at once: one picture, taken anew when somebody looks and the last is older than ``GLANCE_S``."""

    def __init__(self, take: Callable[[bool], Awaitable[bytes]], fresh_s: float = GLANCE_S) -> None:
        self._take, self._fresh_s = take, fresh_s
        self._turn = asyncio.Lock()
        self._picture, self._taken = b"", -fresh_s

    async def picture(self) -> bytes:
        """Return it, as JPEG."""
        async with self._turn:
            if (now := asyncio.get_running_loop().time()) - self._taken >= self._fresh_s:
                self._picture, self._taken = await self._take(False), now
            return self._picture


class Operator:
    """Those answers."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._teller = Teller()
        self._glance = Glance(source.screenshot)
        self._pairing = Pairing()
        self.routes = (
            Route("/api/events", self._watch_live, "The status, and again whenever it changes: a WebSocket", guarded=True, gives=""),
            Route(INCIDENTS_PATH, self._get_incidents, "What happened, newest first: what was seen, done, and helped", guarded=True),
            Route(INCIDENTS_PATH + "/{picture}", self._get_picture, "A picture of an incident", guarded=True, gives=JPEG),
            Route("/api/screenshot", self._get_screenshot, "What is on the screen now; as JPEG to who wants that", guarded=True, gives=PNG),
            Route(STORY_PATH, self._get_story, "Facts and actions of late, for kioskd replay", guarded=True, gives=STORY_TYPE),
            Route(RELOAD_PATH, self._reload, "Load the page anew, on the other screens too", "POST", True, takes="message", form=LINE),
            Route("/api/restart", self._restart, "End the browser and start it again", "POST", True, takes="why"),
            Route("/api/pause", self._pause, "Leave the screen alone for a while: 30s, 10m, 2h", "POST", True, takes="for", form=A_WHILE),
            Route("/api/resume", self._resume, "Look after the screen again", "POST", guarded=True),
            Route("/api/pair", self._pair, "Make a link that opens the console in a browser, once", "POST", guarded=True),
            Route(PAIR_PATH, self._enter),
        )

    def close(self) -> None:
        """Let everybody go who waits for the rest of an answer."""
        self._source.live.close()
        self._source.reloads.close()
        self._teller.close()

    async def _watch_live(self, request: "Request") -> "StreamResponse":
        client = await socket_of(request, self._source.live.full)
        if isinstance(client, Bad):
            return client.answer()
        await self._source.live.serve(*client)
        return client[0]

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
        return web.Response(body=picture, content_type=JPEG)

    async def _get_screenshot(self, request: "Request") -> "StreamResponse":
        from aiohttp import web

        glance = request.headers.get("Accept") == JPEG
        try:
            async with asyncio.timeout(PICTURE_S):
                body = await (self._glance.picture() if glance else self._source.screenshot(True))
                return web.Response(body=body, content_type=JPEG if glance else PNG)
        except TimeoutError:
            return json_response({"error": f"the browser gave no picture within {PICTURE_S:g} s"}, 503)
        except KioskdError as error:
            return json_response({"error": str(error)}, 503)

    async def _get_story(self, request: "Request") -> "StreamResponse":
        from aiohttp import web

        response = web.StreamResponse(headers={**HEADERS, "Content-Type": STORY_TYPE})
        response.force_close()
        return await self._teller.tell(request, response, self._source.story())

    async def _reload(self, request: "Request") -> "StreamResponse":
        message = await said(request, "message")
        if isinstance(message, Bad):
            return message.answer()
        if len(message) > MESSAGE:
            return json_response({"error": f"the message is longer than {MESSAGE} characters"}, 400)
        if self._source.reloads.full:
            return json_response({"error": "too many are waiting for a reload already"}, 503)
        clients, screen = await self._source.reloads.ask(message)
        return json_response({"clients": clients, "screen": screen})

    async def _restart(self, request: "Request") -> "StreamResponse":
        why = await said(request, "why")
        if isinstance(why, Bad):
            return why.answer()
        self._source.ask(Asked(Command.RESTART, why=why[:MESSAGE] or "an operator asked for it"))
        return json_response({"screen": "restarting"}, 202)

    async def _pause(self, request: "Request") -> "StreamResponse":
        wanted = await said(request, "for")
        if isinstance(wanted, Bad):
            return wanted.answer()
        try:
            seconds = duration(wanted) if wanted else PAUSE_S
        except ValueError as error:
            return json_response({"error": f"for: {error}"}, 400)
        if not re.fullmatch(A_WHILE["pattern"], wanted):  # what the description says, to the letter
            why = "for: between 1s and 24h, in whole numbers (30s, 90m, 2h); a screen that is left alone for longer is forgotten"
            return json_response({"error": why}, 400)
        self._source.ask(Asked(Command.PAUSE, for_s=seconds))
        return json_response({"screen": f"left alone for {write_duration(seconds)}"}, 202)

    async def _resume(self, request: "Request") -> "StreamResponse":
        nothing = await said(request, "")
        if isinstance(nothing, Bad):
            return nothing.answer()
        self._source.ask(Asked(Command.RESUME))
        return json_response({"screen": "looked after again"}, 202)

    async def _pair(self, request: "Request") -> "StreamResponse":
        nothing = await said(request, "")
        if isinstance(nothing, Bad):
            return nothing.answer()
        path = f"{PAIR_PATH}?code={self._pairing.code()}"
        return json_response({"path": path, "urls": [place + path for place in self._source.reached()], "seconds": PAIR_S}, 201)

    async def _enter(self, request: "Request") -> "StreamResponse":
        from aiohttp import web

        if request.method != "GET":  # somebody only looks where the link leads
            raise web.HTTPMethodNotAllowed(request.method, ("GET",))
        if not self._pairing.redeem(request.query.get("code", "")):
            return json_response({"error": "this link was used before, or is too old: kioskctl pair prints another"}, 403)
        try:
            cookie = self._source.token.cookie()
        except EdgeUnavailable as error:
            return json_response({"error": str(error)}, 503)
        response = web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(COOKIE, cookie, max_age=COOKIE_S, httponly=True, samesite="Strict")
        return response

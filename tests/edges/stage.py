"""A real screen before a small real server, for the tests of the browser's edges."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import WSMsgType, web

from kioskd.core.actions import AskPage, Navigate, Place, StartBrowser
from kioskd.core.facts import Connection, DocumentCommitted, Fact, NavigationEnded, PageAnswered
from kioskd.edges.page import Terms
from kioskd.screen import Screen
from kioskd.wire.config import Browser

F = TypeVar("F")


class Stage:
    """One screen, what it has said, and a server that serves ``pages`` (path without its slash -> HTML) on two host names."""

    def __init__(self, profile: Path, command: str | None = None, flags: tuple[str, ...] = (), first_answer_s: float = 20.0) -> None:
        self.facts: list[Fact] = []
        self.pages: dict[str, Any] = {}  # HTML, bytes, a response, or a function for one that is asked for often
        self.sockets: list[web.WebSocketResponse] = []
        self.generation = 0
        self._news, self.over = asyncio.Event(), asyncio.Event()
        self._url = ""
        self.terms = Terms()
        self.config = Browser(profile=str(profile), flags=flags, **({"command": command} if command else {}))
        self.screen = Screen(self._hear, self.config, lambda: {}, lambda place: self._url, lambda: self.terms, first_answer_s)

    def _hear(self, fact: Fact) -> None:
        self.facts.append(fact)
        self._news.set()

    async def serve(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/ws", self._socket)
        app.router.add_get("/sse", self._events)
        app.router.add_get("/{name:.+}", self._page)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        return runner

    def url(self, name: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{name}"

    async def _page(self, request: web.Request) -> web.StreamResponse:
        content = self.pages.get(request.match_info["name"])
        if content is None:
            raise web.HTTPNotFound
        if callable(content):
            content = content()
        if isinstance(content, web.Response):
            return content
        kind = "text/javascript" if request.match_info["name"].endswith(".js") else "text/html"
        body = content if isinstance(content, bytes) else content.replace("PORT", str(self.port)).encode()
        return web.Response(body=body, content_type=kind, charset="utf-8")

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        self._news.set()
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
        return socket

    async def _events(self, request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        await stream.write(b"event: tick\ndata: 1\n\ndata: 2\n\n")
        await self.over.wait()
        return stream

    async def do(self, action: Any) -> None:
        await self.screen.verbs()[type(action)](action)

    async def start(self, *flags: str) -> None:
        """Start the browser. ``flags``: those that name the server's port."""
        if flags:
            self.screen.follow(replace(self.config, flags=(*self.config.flags, *flags)))
        self.generation += 1
        await self.do(StartBrowser(self.generation))

    async def go(self, name: str, url: str | None = None) -> None:
        """Navigate, and wait for the document and the end of its load."""
        seen = len(self.facts)
        self._url = url or self.url(name)
        await self.do(Navigate(self.generation, Place.HOME))
        await self.until(lambda: any(isinstance(fact, NavigationEnded) for fact in self.facts[seen:]))

    async def ask(self, stuck_text: str | None = None) -> PageAnswered:
        await self.do(AskPage(self.generation, len(self.facts), stuck_text))
        return self.last(PageAnswered)

    async def connections(self, enough: Callable[[list[Connection]], bool]) -> list[Connection]:
        """Ask until what the page holds is as wanted."""
        while not enough(found := sorted((await self.ask()).connections, key=lambda each: each.url)):
            await asyncio.sleep(0.02)
        return found

    async def until(self, holds: Callable[[], Any]) -> None:
        while not holds():
            self._news.clear()
            await self._news.wait()

    async def heard(self, kind: type[F], since: int = 0) -> F:
        """Wait for a fact of this kind after the first ``since`` facts."""
        await self.until(lambda: any(isinstance(fact, kind) for fact in self.facts[since:]))
        return next(fact for fact in self.facts[since:] if isinstance(fact, kind))

    def all(self, kind: type[F]) -> list[F]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def last(self, kind: type[F]) -> F:
        return self.all(kind)[-1]

    @property
    def document(self) -> str:
        return self.last(DocumentCommitted).document


@asynccontextmanager
async def stage(folder: Path, pages: dict[str, Any] | None = None, **options: Any) -> AsyncIterator[Stage]:
    """Give a stage with its server up; end everything afterwards."""
    it = Stage(folder / "profile", **options)
    it.pages.update(pages or {})
    runner = await it.serve()
    try:
        yield it
    finally:
        await it.screen.close()
        it.over.set()
        await runner.cleanup()

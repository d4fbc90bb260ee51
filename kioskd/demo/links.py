"""Live connections of pages: a WebSocket or an event stream each, with one writer that sends figures and passes on verbs."""

import asyncio
import contextlib
import json
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from kioskd.demo.figures import figures, history
from kioskd.demo.oracle import Oracle, SocketNews
from kioskd.demo.switches import Socket, Switches

FIREHOSE_PER_S = 180
FIREHOSE_TEXT = json.dumps({"type": "filler", "text": "x" * 4066})


class Link(ABC):
    """One open live connection. ``document`` is None until the page has said which it is: a probe never does."""

    def __init__(self, request: web.Request) -> None:
        self.path = request.path
        self.document: str | None = None
        self.version: str | None = None
        self.opened = time.monotonic()
        self.leaving = False  # being closed by the server
        self.mute = False  # half-open: nothing arrives any more, and nobody closes it
        self.verbs: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=100)
        self._request = request

    @abstractmethod
    async def send(self, text: str) -> None:
        """Send one message."""

    @abstractmethod
    async def close(self) -> None:
        """Close it in good order."""

    def abort(self) -> None:
        """Cut it: the page's side sees a reset."""
        transport = self._request.transport
        if transport is None:
            return
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()


class SocketLink(Link):
    """A WebSocket."""

    def __init__(self, request: web.Request, ws: web.WebSocketResponse) -> None:
        super().__init__(request)
        self.ws = ws

    async def send(self, text: str) -> None:
        """Send one message."""
        await self.ws.send_str(text)

    async def close(self) -> None:
        """Close it as a server does that restarts."""
        await self.ws.close(code=1012)


class StreamLink(Link):
    """An event stream (EventSource)."""

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        super().__init__(request)
        self.response = response

    async def send(self, text: str) -> None:
        """Send one message."""
        await self.response.write(f"data: {text}\n\n".encode())

    async def close(self) -> None:
        """Cut it: a stream knows no other end."""
        self.abort()


@dataclass(slots=True)
class Speaker:
    """Writes to links: figures with nonces at the pace, verbs as they come, and the firehose."""

    oracle: Oracle
    switches: Switches
    links: list[Link] = field(default_factory=list)

    @contextlib.contextmanager
    def present(self, link: Link) -> Iterator[None]:
        """Keep a link in the list while it is served."""
        self.links.append(link)
        try:
            yield
        finally:
            self.links.remove(link)
            if link.document is not None:
                self.oracle.sockets.append(SocketNews(time.monotonic(), link.path, "close", link.document))

    def introduced(self, link: Link, document: str, version: str) -> None:
        """The page behind a link has said which document it is, and of which build."""
        if link.document is None:
            self.oracle.sockets.append(SocketNews(time.monotonic(), link.path, "open", document))
        link.document, link.version = document, version

    async def speak(self, link: Link) -> None:
        """Write to a link until it breaks. The first figures go out at once, so that "back" is seen the moment it is true."""
        with contextlib.suppress(ConnectionError):
            await self._speak(link)

    async def flood(self, link: Link) -> None:
        """Write the benchmark's flood to a link until it breaks."""
        start, sent = time.monotonic(), 0
        with contextlib.suppress(ConnectionError):
            while True:
                await asyncio.sleep(max(0.0, start + sent / FIREHOSE_PER_S - time.monotonic()))
                await link.send(FIREHOSE_TEXT)
                sent += 1

    async def _speak(self, link: Link) -> None:
        first = True
        due = time.monotonic()
        while True:
            wait = due - time.monotonic()
            if wait > 0:
                try:
                    verb = await asyncio.wait_for(link.verbs.get(), wait)
                except TimeoutError:
                    continue
                await link.send(json.dumps(verb["message"] if verb["verb"] == "say" else {"type": "do", **verb}))
                if verb["verb"] == "give_up":  # it must be the server that closes: a page that calls close() expects none
                    link.leaving = True
                    await link.close()
                    return
                continue
            due = time.monotonic() + self.switches.pace_s
            if self.switches.socket is not Socket.SILENT and not link.mute:
                await link.send(self._message(first))
                first = False

    def tell(self, verb: dict[str, Any]) -> int:
        """Tell every page that has said which it is; return how many."""
        told = [link for link in self.links if link.document is not None and not link.verbs.full()]
        for link in told:
            link.verbs.put_nowait(verb)
        return len(told)

    def _message(self, first: bool) -> str:
        now = time.time()
        message: dict[str, Any] = {"type": "figures", "time": now, "nonce": self.oracle.nonce(), "figures": figures(now)}
        if first:
            message["history"] = history(now)
        return json.dumps(message)

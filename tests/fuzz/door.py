"""The real HTTP door on the loopback, in a thread of its own, and what has to hold of each of its answers."""

import asyncio
import contextlib
import socket
import tempfile
import threading
import time
from typing import Any

from kioskd.core.actions import Broadcast, Reply
from kioskd.core.facts import Asked, DeployRead, Fact, Version
from kioskd.demo.kiosk import free_port
from kioskd.edges.access import Token
from kioskd.edges.broadcast import Hub
from kioskd.edges.http_api import Api
from kioskd.edges.incidents import Ledger
from kioskd.edges.live import Live
from kioskd.edges.reloads import Reloads
from kioskd.edges.routes import Source
from kioskd.wire.status import Clocks

ANSWERS_S = 1.0
SILENT_S = 0.02  # whoever has said half of something waits for the rest, which does not come


class Door:
    """One, which nobody has the token of but who asks for it."""

    def __init__(self) -> None:
        self.asked = 0
        self.ordered: list[object] = []
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}".encode()
        self._folder = tempfile.TemporaryDirectory(prefix="kioskd-fuzz-")  # as long as this lives
        state = self._folder.name
        ledger, live, hub = Ledger(state, lambda: Clocks(time.monotonic(), time.time())), Live(lambda: self.status()), Hub("key")
        self._reloads = Reloads(self._take_order, hub.broadcast, lambda: "busy")
        self._source = Source(
            lambda: DeployRead(Version(1763000000, "sha256:ab")),
            lambda: self.status(),
            lambda: frozenset({"http://localhost:3001"}),
            lambda: "<!doctype html>",
            lambda: True,
            lambda: b"kioskd_up 1\n",
            lambda: iter(["a\n"]),
            ledger.shown,
            ledger.picture,
            self._screenshot,
            self._take_order,
            live,
            hub,
            self._reloads,
            Token(None, state),
            lambda: [f"http://127.0.0.1:{self.port}"],
        )
        self._api = Api(self.host.decode(), None, self._source)
        self.paths = [route.path for route in self._api._answers.routes]
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()

    def status(self) -> dict[str, Any]:
        """What ``GET /api/status`` shows."""
        self.asked += 1
        return {"verdict": "HEALTHY", "page": {}}

    async def _screenshot(self, exact: bool) -> bytes:
        return b"\x89PNG" if exact else b"\xff\xd8"

    def _take_order(self, fact: Fact) -> None:
        self.ordered.append(fact)
        if isinstance(fact, Asked) and fact.ticket is not None:
            self._answers = asyncio.ensure_future(self._answer(fact.ticket))

    async def _answer(self, ticket: int) -> None:
        await self._reloads.broadcast(Broadcast("", ticket))
        await self._reloads.reply(Reply(ticket, "reloaded"))

    def open(self) -> str:
        """Let those with the token in; return that."""
        self._source.token.make()
        self._start()
        return self._source.token.read()

    def _serve(self) -> None:
        async def run() -> None:
            await self._api.start()
            self._ready.set()
            await asyncio.Event().wait()

        asyncio.run(run())

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, daemon=True)
            self._thread.start()
            assert self._ready.wait(10), "it does not listen"

    def take(self, content: bytes) -> None:
        """Send this as it is, and ask whether all is well; by then whoever could be answered is."""
        self._start()
        with self._connected() as first:
            self._put(first, content)
            with self._connected() as second:
                self._put(second, b"GET /healthz HTTP/1.1\r\nHost: " + self.host + b"\r\n\r\n")
                well = self._heard(second, ANSWERS_S)
            said = self._heard(first, SILENT_S)
        assert well.startswith(b"HTTP/1.1 200 "), well[:100]
        assert said == b"" or said.startswith(b"HTTP/"), said[:100]
        status = said.split(b" ", 2)[1][:3] if said else b""
        assert not status.startswith(b"5") or status in (b"503", b"505"), said[-300:]
        assert b"Traceback" not in said
        assert not self.ordered, self.ordered

    def _connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), ANSWERS_S)

    @staticmethod
    def _put(connection: socket.socket, content: bytes) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            connection.sendall(content)

    @staticmethod
    def _heard(connection: socket.socket, within: float) -> bytes:
        said = b""
        connection.settimeout(within)
        with contextlib.suppress(ConnectionError, TimeoutError):
            while part := connection.recv(1 << 16):
                said += part
        return said

"""The other screens: pages elsewhere that listen on ``/ws``, and are told to reload. They are told, never asked."""

import asyncio
import contextlib
import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from aiohttp.web import WebSocketResponse

log = logging.getLogger(__name__)

CLIENTS = 4000  # at a time; one costs some 21 KB, most of it aiohttp's (scripts/bench)
BEHIND = 16 << 10  # bytes that a client has not taken; it gets a hundred bytes at a time, so this one reads no more
TURN = 50  # clients told before others have a turn of the loop
PING_S = 30.0  # a screen whose power went says no good-bye
POLICY_VIOLATION = 1008  # RFC 6455, 7.4.1


class Line(Protocol):
    """The connection of a client: what it has ``said`` since this was set to 0, and what it is ``behind`` with, in bytes."""

    said: int

    @property
    def behind(self) -> int: ...  # noqa: D102

    def abort(self) -> None: ...  # noqa: D102


@dataclass(slots=True, eq=False)
class _Client:
    socket: "WebSocketResponse"
    line: Line
    own: bool  # of this screen's page


class Hub:
    """Everybody who listens. ``key`` is what this screen's own page is known by: it is reloaded through DevTools, and left out."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._clients: set[_Client] = set()
        self._turn = asyncio.Lock()  # broadcasts go out one after the other: forty at once would be one long turn of the loop

    @property
    def full(self) -> bool:
        """Whether one more is one too many."""
        return len(self._clients) >= CLIENTS

    async def run(self) -> None:
        """Look after everybody until cancelled: one timer for all, and not all at the same moment."""
        while True:
            await asyncio.sleep(PING_S)
            await self.ping()

    async def serve(self, socket: "WebSocketResponse", line: Line, key: str) -> None:
        """Keep a client until it goes. It has nothing to say: one that speaks is shown out."""
        client = _Client(socket, line, hmac.compare_digest(key.encode(), self.key.encode()))
        self._clients.add(client)
        try:
            async for _ in socket:
                await socket.close(code=POLICY_VIOLATION, message=b"only broadcasts here: nothing is heard")
        finally:
            self._clients.discard(client)

    async def broadcast(self, message: str) -> int:
        """Tell everybody else to reload; return how many they were."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        text = json.dumps({"type": "reload", "payload": {"message": message}, "timestamp": now})
        return await self._each(lambda client: None if client.own else client.socket.send_str(text))

    async def ping(self) -> None:
        """Let those go that have not answered the ping before, and ask the others again."""

        def ask(client: _Client) -> Awaitable[None] | None:
            said, client.line.said = client.line.said, 0
            if said:
                return client.socket.ping()
            client.line.abort()
            return None

        await self._each(ask)

    async def _each(self, send: Callable[[_Client], Awaitable[None] | None]) -> int:
        """Send to everybody who still takes it, a few in one turn of the loop; return to how many."""
        sent = 0
        async with self._turn:
            for number, client in enumerate(tuple(self._clients)):
                if number % TURN == TURN - 1:
                    await asyncio.sleep(0)
                if client.socket.closed:
                    continue
                if client.line.behind > BEHIND:
                    client.line.abort()
                    continue
                with contextlib.suppress(ConnectionError, RuntimeError):  # it has just gone
                    if (sending := send(client)) is not None:
                        await sending
                        sent += 1
        return sent

    def close(self) -> None:
        """Let everybody go, at once."""
        for client in self._clients:
            client.line.abort()

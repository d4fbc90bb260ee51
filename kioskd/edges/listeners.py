"""Whoever listens on a WebSocket of ours and has nothing to say: kept while it answers pings, told in turns, shown out when it speaks."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from aiohttp.web import WebSocketResponse

BEHIND = 16 << 10  # bytes that a client has not taken, besides what it is sent now: this one reads no more
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
class Client:
    """One of them."""

    socket: "WebSocketResponse"
    line: Line
    own: bool  # of this screen's page


class Listeners:
    """Everybody who listens, ``limit`` at most."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._clients: set[Client] = set()
        self._turn = asyncio.Lock()  # what is told goes out one after the other: forty at once would be one long turn of the loop

    @property
    def full(self) -> bool:
        """Whether one more is one too many."""
        return len(self._clients) >= self._limit

    async def run(self) -> None:
        """Look after everybody until cancelled: one timer for all, and not all at the same moment."""
        while True:
            await asyncio.sleep(PING_S)
            await self.ping()

    async def keep(self, client: Client) -> None:
        """Keep a client until it goes. It has nothing to say: one that speaks is shown out."""
        self._clients.add(client)
        try:
            async for _ in client.socket:
                await client.socket.close(code=POLICY_VIOLATION, message=b"nothing is heard here")
        finally:
            self._clients.discard(client)

    async def ping(self) -> None:
        """Let those go that have not answered the ping before, and ask the others again."""

        def ask(client: Client) -> Awaitable[None] | None:
            said, client.line.said = client.line.said, 0
            if said:
                return client.socket.ping()
            client.line.abort()
            return None

        await self.each(ask)

    async def each(self, send: Callable[[Client], Awaitable[None] | None]) -> int:
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

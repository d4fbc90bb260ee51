"""The other screens: pages elsewhere that listen on ``/ws``, and are told to reload. They are told, never asked."""

import asyncio
import hmac
import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp.web import WebSocketResponse

log = logging.getLogger(__name__)

CLIENTS = 4000  # at a time; one costs some 20 KB
BEHIND = 16 << 10  # bytes that a client has not taken; it gets a hundred bytes at a time, so this one reads no more
TURN = 50  # clients told before others have a turn of the loop
POLICY_VIOLATION = 1008  # RFC 6455, 7.4.1


@dataclass(slots=True, eq=False)
class _Client:
    socket: "WebSocketResponse"
    transport: asyncio.WriteTransport
    own: bool  # of this screen's page


class Hub:
    """Everybody who listens. ``key`` is what this screen's own page is known by: it is reloaded through DevTools, and left out."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._clients: set[_Client] = set()

    @property
    def full(self) -> bool:
        """Whether one more is one too many."""
        return len(self._clients) >= CLIENTS

    async def serve(self, socket: "WebSocketResponse", transport: asyncio.WriteTransport, key: str) -> None:
        """Keep a client until it goes. It has nothing to say: one that speaks is shown out."""
        client = _Client(socket, transport, hmac.compare_digest(key.encode(), self.key.encode()))
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
        told = 0
        for number, client in enumerate(tuple(self._clients)):
            if number % TURN == TURN - 1:
                await asyncio.sleep(0)
            if client.own or client.socket.closed:
                continue
            if client.transport.get_write_buffer_size() > BEHIND:
                client.transport.abort()
                continue
            try:
                await client.socket.send_str(text)
            except (ConnectionError, RuntimeError):  # it has just gone
                continue
            told += 1
        return told

    def close(self) -> None:
        """Let everybody go, at once."""
        for client in self._clients:
            client.transport.abort()

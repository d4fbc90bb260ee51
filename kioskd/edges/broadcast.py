"""The other screens: pages elsewhere that listen on ``/ws``, and are told to reload. They are told, never asked."""

import hmac
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kioskd.edges.listeners import Client, Line, Listeners

if TYPE_CHECKING:
    from aiohttp.web import WebSocketResponse

CLIENTS = 4000  # at a time; one costs some 21 KB, most of it aiohttp's (scripts/bench)


class Hub(Listeners):
    """Everybody who listens. ``key`` is what this screen's own page is known by: it is reloaded through DevTools, and left out."""

    def __init__(self, key: str) -> None:
        super().__init__(CLIENTS)
        self.key = key

    async def serve(self, socket: "WebSocketResponse", line: Line, key: str) -> None:
        """Keep a client until it goes."""
        await self.keep(Client(socket, line, hmac.compare_digest(key.encode("utf-8", "surrogatepass"), self.key.encode())))

    async def broadcast(self, message: str) -> int:
        """Tell everybody else to reload; return how many they were."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        text = json.dumps({"type": "reload", "payload": {"message": message}, "timestamp": now})
        return await self.each(lambda client: None if client.own else client.socket.send_str(text))

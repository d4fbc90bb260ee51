"""``GET /api/events``: the status as it changes, for consoles. Where nobody looks nothing is made."""

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kioskd.edges.listeners import Client, Line, Listeners

if TYPE_CHECKING:
    from aiohttp.web import WebSocketResponse

CONSOLES = 20  # at a time
PACE_S = 0.5  # between two states that are told


class Live(Listeners):
    """Everybody who looks."""

    def __init__(self, status: Callable[[], dict[str, Any]]) -> None:
        super().__init__(CONSOLES)
        self._status = status
        self._stirred = asyncio.Event()
        self._told = ""

    def stir(self) -> None:
        """Something may be otherwise: a turn of the loop was taken."""
        if self._clients:
            self._stirred.set()

    async def serve(self, socket: "WebSocketResponse", line: Line) -> None:
        """Tell a client how it is, and then what changes, until it goes."""
        await socket.send_str(self._text())
        await self.keep(Client(socket, line, own=False))

    async def follow(self) -> None:
        """Tell what has changed, at a constant pace at most, until cancelled."""
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            text = self._text()
            if text != self._told:
                self._told = text
                await self.each(lambda client, text=text: client.socket.send_str(text))  # type: ignore[misc]
            await asyncio.sleep(PACE_S)

    def _text(self) -> str:
        known = self._status()
        known["page"] = {name: value for name, value in known["page"].items() if name != "asked"}  # that it was asked again is no news
        return json.dumps(known)

"""``GET /api/story``: a long answer in pieces, so that the loop turns while it is made, and a slow listener holds up nobody."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp.web import Request, StreamResponse

TURN_S = 0.005  # in one go: a thousand facts take a tenth of a second on a small machine
PIECE = 64 << 10  # characters, at least, but for the last


class Teller:
    """Who tells the story, to whoever asks."""

    def __init__(self) -> None:
        self._listening: set[asyncio.Transport] = set()

    async def tell(self, request: "Request", response: "StreamResponse", lines: Iterator[str]) -> "StreamResponse":
        """Send the lines as they are made."""
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("The listener is gone")
        self._listening.add(transport)
        try:
            await _send(response, lines)
        finally:
            self._listening.discard(transport)
        return response

    def close(self) -> None:
        """Let everybody go: aiohttp ends only when every answer is given, and systemd does not wait for so long."""
        for transport in self._listening:
            transport.abort()


async def _send(response: "StreamResponse", lines: Iterator[str]) -> None:
    loop = asyncio.get_running_loop()
    piece: list[str] = []
    size, until = 0, loop.time() + TURN_S
    for line in lines:
        piece.append(line)
        size += len(line)
        if size >= PIECE:
            await response.write("".join(piece).encode())
            piece, size = [], 0
        if loop.time() >= until:
            await asyncio.sleep(0)  # the others' turn
            until = loop.time() + TURN_S
    await response.write("".join(piece).encode())
    await response.write_eof()

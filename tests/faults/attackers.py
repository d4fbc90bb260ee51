"""Those who mean harm, or cannot do better: a process that attacks kioskd's doors for some seconds and then says what it got.

Run as ``python3 -m tests.faults.attackers NAME PORT CONTROL``. Prints one JSON object: how many connections were ``held`` at most at a
time, and how often what came: a status; ``refused`` (closed without an answer within ``SOON_S``), ``closed`` (later), ``open`` at the end.
"""

import asyncio
import contextlib
import itertools
import json
import os
import resource
import socket
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

HOST = b"Host: 127.0.0.1:PORT\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
RELOAD = b"POST /api/reload HTTP/1.1\r\n" + HOST
LISTEN = (
    b"GET /ws HTTP/1.1\r\n" + HOST + b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
END = b"\r\n"
HUGE, PACKED_SIZE = 1 << 30, 100 << 20
SOON_S = 3.0
PIECE = bytes(1 << 18)
TEXT, TEXT_BEGUN, CONTINUED, PING, PACKED = 0x81, 0x01, 0x00, 0x89, 0xC1  # the first bytes of frames (RFC 6455, 5.2)


def post(body: bytes, *headers: bytes) -> bytes:
    """A whole request, which says that it is JSON."""
    heads = b"".join(header + END for header in (b"Content-Type: application/json", *headers))
    return RELOAD + heads + b"Content-Length: %d" % len(body) + END + END + body


def frame(first: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """One masked frame (the mask is 0); ``length``: what it claims to have."""
    length = len(payload) if length is None else length
    size = bytes([0x80 | length]) if length < 126 else bytes([0x80 | 127]) + struct.pack("!Q", length)
    return bytes([first]) + size + bytes(4) + payload


def deflated(size: int) -> bytes:
    """So many zeros, as permessage-deflate packs them."""
    packer = zlib.compressobj(9, wbits=-15)
    return packer.compress(bytes(size)) + packer.flush(zlib.Z_SYNC_FLUSH)


@dataclass(frozen=True, slots=True)
class Attack:
    """What is done on each connection."""

    gets: str  # what comes of it; to be closed is right, too
    openings: tuple[bytes, ...]  # in turn
    more: bytes = b""  # sent after an opening, again and again; never after an empty one
    pace_s: float = 0.0  # between two of them
    control: bool = False  # the unix socket, not the port
    width: int = 50  # connections at a time, per process
    processes: int = 1
    lasts_s: float = 2.0
    again: bool = True  # what was closed is opened again
    deaf: bool = False  # never reads
    leaves: bool = False  # as soon as it has asked
    total: int = 0  # so many connections per process, however long it takes


WRONG = (
    b"{", b"\xff\x00", b"[]", b'"reload"', b"17", b'{"message": 1}', b'{"message": null}', b'{"message": {"a": []}}', b"[" * 16_000,
    b'{"message": "' + b"x" * 2000 + b'"}', b'{"a":' * 2000, b"1" * 16_000,
)  # fmt: skip
BOMBS = (b"X: " + b"x" * 20_000 + END, b"Cookie: " + b"a=b; " * 4000 + END, b"X: x\r\n" * 20_000, b" \t" * 10_000)
HUGE_FRAMES = (frame(TEXT, length=(1 << 63) - 1), frame(TEXT_BEGUN, length=1 << 62))
OFFERS = b"Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: " + b"x" * 4000 + END

ATTACKS = {
    "malformed JSON and wrong types": Attack("400", tuple(map(post, WRONG)), control=True),
    "packed bodies": Attack("400", (post(zlib.compress(bytes(12 << 20)), b"Content-Encoding: deflate"),), control=True, width=20),
    "bodies of 1 GB": Attack("413", (RELOAD + b"Content-Length: %d\r\n\r\n" % HUGE,), PIECE, control=True, width=8),
    "chunked bodies of 1 GB": Attack(
        "413", (RELOAD + b"Transfer-Encoding: chunked\r\n\r\n",), b"%x\r\n%s\r\n" % (len(PIECE), PIECE), control=True, width=8
    ),
    "heads that swell": Attack("400", tuple(GET[:-2] + bomb for bomb in BOMBS), b"X: x\r\n" * 10_000),
    "requests without pause": Attack("200", (GET * 3000,), GET * 3000, width=100),
    "requests whose answers are not read": Attack("refused", (GET * 3000,), GET * 3000, width=100, deaf=True),
    "listeners who never read": Attack("open", (LISTEN + END,), width=300, lasts_s=12, again=False, deaf=True),
    "listeners who leave at once": Attack("left", (LISTEN + END,), leaves=True),
    "a million reconnects": Attack(
        "left", (LISTEN + END, GET, b"", LISTEN), leaves=True, width=100, processes=2, lasts_s=3600, total=500_000
    ),
    "listeners who talk": Attack("101", (LISTEN + END + frame(TEXT, b"x" * 100),), frame(TEXT, b"x" * 1000)),
    "listeners who ping": Attack("101", (LISTEN + END,), frame(PING) * 40_000),
    "listeners who send no frames": Attack("101", (LISTEN + END,), bytes(range(256)) * 1000),
    "frames of 2^63 bytes": Attack("101", tuple(LISTEN + END + first for first in HUGE_FRAMES), PIECE),
    "messages without end": Attack("101", (LISTEN + END + frame(TEXT_BEGUN, b"x"),), frame(CONTINUED, b"x" * 100) * 1000),
    "packed messages": Attack("101", (LISTEN + OFFERS + END,), frame(PACKED, deflated(PACKED_SIZE))),
    # Some never say a word, and the others never end one. The last seconds are for those who may come after them.
    "ten thousand connections": Attack(
        "closed", (b"", b"GET /he", GET[:-2], LISTEN), b"a", 1.0, width=2500, processes=4, lasts_s=20, again=False
    ),
}


class Attacker:
    """One attack by one process."""

    def __init__(self, attack: Attack, port: int, control: str) -> None:
        self._attack, self._control = attack, control
        self._place = ("127.0.0.1", port)
        self._until = time.monotonic() + attack.lasts_s
        self._openings: Iterator[bytes] = itertools.cycle(one.replace(b"PORT", b"%d" % port) for one in attack.openings)
        self._open = self.held = self._made = 0
        self.came: Counter[str] = Counter()

    async def run(self) -> None:
        """Attack from all sides."""
        async with asyncio.TaskGroup() as sides:
            for _ in range(self._attack.width):
                sides.create_task(self._side())

    async def _side(self) -> None:
        while time.monotonic() < self._until and not 0 < self._attack.total <= self._made:
            self._made += 1
            with contextlib.suppress(OSError):
                async with self._connection() as (reader, writer):
                    began = time.monotonic()
                    what = await self._once(reader, writer)
                    self.came["refused" if what == "closed" and time.monotonic() - began < SOON_S else what] += 1
            if not self._attack.again:
                return
            await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        end = socket.socket(socket.AF_UNIX if self._attack.control else socket.AF_INET)
        end.setblocking(False)
        if self._attack.total:  # closed by a reset: what is only closed keeps its port for a minute, and there are not so many
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if self._attack.deaf:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        try:
            await asyncio.get_running_loop().sock_connect(end, self._control if self._attack.control else self._place)
            reader, writer = await asyncio.open_connection(sock=end)
        except BaseException:
            end.close()
            raise
        self._open += 1
        self.held = max(self.held, self._open)
        try:
            yield reader, writer
        finally:
            self._open -= 1
            writer.close() if self._attack.leaves else writer.transport.abort()

    async def _once(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        if self._attack.deaf:
            writer.transport.pause_reading()
        opening = next(self._openings)
        writer.write(opening)
        if self._attack.leaves:
            return "left"
        answer = asyncio.ensure_future(reader.readline())
        try:
            async with asyncio.timeout(self._until - time.monotonic()):
                with contextlib.suppress(OSError):
                    await self._go_on(opening, writer)
                with contextlib.suppress(OSError):
                    await answer
                    await reader.read()  # until it is closed
        except TimeoutError:
            if not answer.done() or answer.cancelled():
                return "open"
        finally:
            answer.cancel()
        line = answer.result() if answer.exception() is None else b""
        return line.split()[1].decode() if line else "closed"

    async def _go_on(self, opening: bytes, writer: asyncio.StreamWriter) -> None:
        sent = 0
        while opening and self._attack.more and sent < HUGE:
            writer.write(self._attack.more)
            sent += len(self._attack.more)
            await writer.drain()
            await asyncio.sleep(self._attack.pace_s)


def main(name: str, port: str, control: str) -> None:
    """Attack, and say what came of it."""
    os.nice(19)  # somebody elsewhere would not take this machine's processors
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    attacker = Attacker(ATTACKS[name], int(port), control)
    asyncio.run(attacker.run())
    print(json.dumps({"held": attacker.held, **attacker.came}))


if __name__ == "__main__":
    main(*sys.argv[1:])

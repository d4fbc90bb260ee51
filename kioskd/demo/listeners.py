"""A crowd of other screens that listen on ``/ws``, and a plain broadcaster to compare with: each a process of its own.

The crowd times each receipt itself, on the clock that all processes of a machine share (CLOCK_MONOTONIC).
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self

import aiohttp
from aiohttp import web

from kioskd.errors import KioskdError

JOIN_S = 60.0
HEAR_S = 20.0
AT_ONCE = 100  # that are joining: more than that overrun a kernel's queue, and are tried again a second later
PING, PONG = b"\x89\x00", b"\x8a\x80\0\0\0\0"  # whole frames (RFC 6455, 5.5)


class _Child:
    """A process of this module, spoken to in lines."""

    def __init__(self, *arguments: object) -> None:
        self._arguments = [str(argument) for argument in arguments]
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "kioskd.demo.listeners", *self._arguments, stdin=pipe, stdout=pipe, limit=1 << 22
        )
        try:
            self.said = await self.next(JOIN_S)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None, "it was entered"
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    @property
    def pid(self) -> int:
        assert self._process is not None, "it was entered"
        return self._process.pid

    async def next(self, within: float) -> Any:
        """Return what it says next."""
        assert self._process is not None and self._process.stdout is not None, "it was entered"
        async with asyncio.timeout(within):
            line = await self._process.stdout.readline()
        if not line:
            raise KioskdError(f"The process {' '.join(self._arguments)} ended")
        return json.loads(line)

    def say(self, line: str) -> None:
        """Tell it something."""
        assert self._process is not None and self._process.stdin is not None, "it was entered"
        self._process.stdin.write(f"{line}\n".encode())


class Crowd(_Child):
    """So many listeners, connected."""

    def __init__(self, port: int, count: int) -> None:
        """``port``: of the loopback."""
        super().__init__("crowd", port, count)
        self.count = count

    async def hear(self, message: str, tell: Callable[[str], Awaitable[dict[str, Any]]]) -> list[float]:
        """Return after how many seconds each had the message that ``tell`` tells, in order; raises KioskdError where one has not."""
        self.say(message)
        await self.next(HEAR_S)  # they are all ears
        began = time.monotonic()
        answer = await tell(message)
        heard: list[float] = await self.next(2 * HEAR_S)
        if len(heard) != self.count or answer["clients"] != self.count:
            raise KioskdError(f"Of {self.count} listeners {len(heard)} have the message {message!r}; the answer is {answer}")
        return sorted(moment - began for moment in heard)


class Plain(_Child):
    """The control: aiohttp with a loop over its clients, as its documentation shows it."""

    def __init__(self) -> None:
        super().__init__("plain")

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.said)

    async def tell(self, message: str) -> dict[str, Any]:
        """POST the message."""
        async with aiohttp.ClientSession() as session, session.post(f"http://127.0.0.1:{self.port}/api/reload", data=message) as response:
            answer: dict[str, Any] = await response.json()
            return answer


# --- the processes ----------------------------------------------------------------------------------


class _Listener(asyncio.Protocol):
    """One other screen, as cheap as it can be: what is measured is not the crowd."""

    def __init__(self, crowd: "_Ears", hello: bytes) -> None:
        self._crowd, self._hello = crowd, hello
        self._joined = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        moment = time.monotonic()
        if not self._joined:
            self._joined = data.startswith(b"HTTP/1.1 101 ")
            self._crowd.joined += self._joined
        elif data.startswith(PING):
            self._transport.write(PONG)
        elif self._crowd.waits_for in data:
            self._crowd.heard[self] = moment


class _Ears:
    """What the crowd has heard."""

    def __init__(self, port: int, count: int) -> None:
        self._port, self._count = port, count
        self.joined = 0
        self.waits_for = b""
        self.heard: dict[_Listener, float] = {}

    async def run(self) -> None:
        """Join; then, for each line of stdin, say when it was heard by whom."""
        loop = asyncio.get_running_loop()
        orders = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        hello = (
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        ).encode()
        for first in range(0, self._count, AT_ONCE):
            number = min(AT_ONCE, self._count - first)
            await asyncio.gather(*(loop.create_connection(lambda: _Listener(self, hello), "127.0.0.1", self._port) for _ in range(number)))
        await _until(lambda: self.joined == self._count, JOIN_S)
        print(self.joined, flush=True)
        while line := await orders.readline():
            self.heard, self.waits_for = {}, line.strip()
            print("null", flush=True)
            await _until(lambda: len(self.heard) == self._count, HEAR_S)
            print(json.dumps(list(self.heard.values())), flush=True)


async def _until(holds: Callable[[], bool], within: float) -> None:
    deadline = time.monotonic() + within
    while not holds() and time.monotonic() < deadline:
        await asyncio.sleep(0.01)


async def _plain() -> None:
    clients: set[web.WebSocketResponse] = set()

    async def listen(request: web.Request) -> web.WebSocketResponse:
        client = web.WebSocketResponse(heartbeat=30.0, compress=False)
        await client.prepare(request)
        clients.add(client)
        try:
            async for _ in client:
                pass
        finally:
            clients.discard(client)
        return client

    async def tell(request: web.Request) -> web.Response:
        text = json.dumps({"type": "reload", "payload": {"message": await request.text()}})
        for client in tuple(clients):
            await client.send_str(text)
        return web.json_response({"clients": len(clients)})

    application = web.Application()
    application.router.add_get("/ws", listen)
    application.router.add_post("/api/reload", tell)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    assert runner.server is not None, "it was set up"
    server = await asyncio.get_running_loop().create_server(runner.server, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


def main(what: str, *numbers: str) -> None:
    """Be one of the processes."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(_Ears(*map(int, numbers)).run() if what == "crowd" else _plain())


if __name__ == "__main__":
    main(*sys.argv[1:])

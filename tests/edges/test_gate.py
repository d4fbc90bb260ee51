import asyncio
import contextlib
import socket

import aiohttp
import pytest

from kioskd.edges import doors, gate
from kioskd.edges.gate import Gate, Gates
from tests.aio import asynctest
from tests.edges.test_http_api import Door, until

GET = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n"
LISTEN = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
PING, ENDLESS = b"\x89\x80\0\0\0\0", b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"  # frames; the second has 2^63 bytes to come

HEADS = [b"GET / HTTP/1.1\r\nA: b\r\n\r\n", b"GET / HTTP/1.1\nA: b\n\n", b"\r\n\r\n\n\nGET /\r\n\n", b"GET /\n\r\n"]
RANTS = [PING * 40_000, ENDLESS + bytes(100_000), b"\x01\x81\0\0\0\0x" + b"\x00\x81\0\0\0\0x" * 10_000]


class Inner(asyncio.Protocol):
    """Who parses."""

    def __init__(self):
        self.data = b""

    def data_received(self, data):
        self.data += data


class Wire(asyncio.Transport):
    """A connection whose other end is the test."""

    def __init__(self):
        super().__init__()
        self.paused = self.ended = False

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False

    def is_closing(self):
        return self.ended

    def abort(self):
        self.ended = True


class Connection:
    """A gate between the two."""

    def __init__(self):
        self.inner, self.wire = Inner(), Wire()
        self.gate = Gates(lambda: self.inner, 1)()
        assert isinstance(self.gate, Gate)
        self.gate.connection_made(self.wire)

    def sends(self, data, size=None):
        for first in range(0, len(data), size or len(data)):
            self.gate.data_received(data[first : first + (size or len(data))])


@pytest.mark.parametrize("size", [1, 2, 3, 7, None])
@pytest.mark.parametrize("head", HEADS, ids=range(len(HEADS)))
@asynctest
async def test_a_head_is_passed_on_and_what_follows_waits_until_it_is_asked_for(head, size):
    one = Connection()
    one.sends(head + b"GET /next\r\n\r\n", size)
    assert one.inner.data == head
    one.gate.take_body()
    assert one.inner.data == head + b"GET /next\r\n\r\n" and not one.wire.ended


@pytest.mark.parametrize("size", [1000, None])
@asynctest
async def test_what_is_too_much_stays_with_the_sender(size):
    one = Connection()
    one.sends(b"POST /\r\n\r\n")
    one.sends(bytes(1 << 20), size)
    assert one.wire.paused and len(one.gate._held) == gate.HELD
    one.gate.take_body()
    assert one.wire.paused and len(one.inner.data) == 10 + gate.HELD
    one.sends(bytes(1 << 20), size)
    assert one.wire.paused and len(one.inner.data) == 10 + gate.HELD and not one.gate._held
    two = Connection()
    two.sends(b"GET /" + b"A: b\r\n" * 10_000, size)
    assert two.wire.ended and len(two.inner.data) <= gate.HEAD


@asynctest
async def test_a_listener_may_answer_pings_and_not_much_more():
    one = Connection()
    one.sends(b"GET /ws\r\n\r\n")
    one.gate.take_frames()
    for _ in range(10):
        assert one.gate.said, "that it listens, or a pong"
        one.gate.said = 0
        one.sends(bytes(gate.SAID), 100)
        assert not one.wire.ended
    one.sends(b"x")
    assert one.wire.ended and len(one.inner.data) == 11 + 10 * gate.SAID


@pytest.mark.parametrize(
    ("first", "then"), [(b"", b""), (b"GET /he", b"a"), (b"\r\n", b"\r\n\r\n"), (b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n")]
)
@asynctest
async def test_who_does_not_come_to_the_point_loses_the_place(monkeypatch, first, then):
    monkeypatch.setattr(gate, "HEAD_S", 0.2)
    monkeypatch.setattr(gate, "ANSWER_S", 0.2)
    door = Door()
    async with door.open() as session, session.ws_connect("/ws") as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.api.port)
        with contextlib.suppress(ConnectionError):
            writer.write(first)
            for _ in range(100):
                writer.write(then)
                async with asyncio.timeout(5):
                    await writer.drain()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        assert await reader.read() == b""
                        break
            else:
                pytest.fail("it may stay for ever")
        writer.close()
        assert await door.hub.broadcast("") == 1
        assert (await listener.receive_json(timeout=5))["type"] == "reload"


@asynctest
async def test_who_waits_for_an_answer_for_ever_loses_the_place(tmp_path, monkeypatch):
    monkeypatch.setattr(gate, "HEAD_S", 60.0)
    monkeypatch.setattr(gate, "ANSWER_S", 0.2)
    door = Door(control=str(tmp_path / "control.sock"))
    async with door.open(), aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(tmp_path / "control.sock"))) as inside:
        await door.api.start_control()
        with pytest.raises(aiohttp.ClientError):
            await inside.post("http://kioskd/api/reload")
        assert door.facts, "it was asked for"


@asynctest
async def test_a_connection_is_one_request():
    door = Door()
    async with door.open():
        heard = await door.raw(GET % door.api.port * 100)
        assert heard.count(b"HTTP/1.1 ") == 1 and heard.startswith(b"HTTP/1.1 200 ") and b"Connection: close" in heard


@pytest.mark.parametrize("said", RANTS, ids=range(len(RANTS)))
@asynctest
async def test_a_listener_who_talks_without_pause_is_cut_off(said):
    door = Door()
    async with door.open():
        reader, writer = await asyncio.open_connection("127.0.0.1", door.api.port)
        writer.write(LISTEN % door.api.port)
        assert b" 101 " in await reader.readline()
        writer.write(said)
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionError):
                heard = await reader.read()
                assert len(heard) < 10_000
        await until(lambda: not door.hub._clients)
        writer.close()


@asynctest
async def test_who_answers_no_ping_is_let_go():
    door = Door()
    async with door.open() as session, session.ws_connect("/ws") as well:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.api.port)
        writer.write(LISTEN % door.api.port)
        await until(lambda: len(door.hub._clients) == 2)
        listening = asyncio.create_task(well.receive())
        for round_ in range(4):
            await door.hub.ping()
            await until(lambda: sum(bool(client.line.said) for client in door.hub._clients) == 1)  # the pong
            assert len(door.hub._clients) == (2 if round_ == 0 else 1)
        listening.cancel()
        writer.close()


@asynctest
async def test_nobody_can_fill_the_log(caplog):
    door = Door()
    async with door.open() as session:
        async with session.ws_connect("/ws", protocols=("theirs",)):
            pass
        for request in (LISTEN, GET) * 30:
            with socket.create_connection(("127.0.0.1", door.api.port)) as one:
                one.send(request % door.api.port)
            await asyncio.sleep(0)
        await until(lambda: not door.api._runner.server.connections)
        async with session.get("/healthz") as answer:
            assert answer.status == 200
    assert not caplog.records


@asynctest
async def test_a_thousand_may_wait_and_a_few_are_let_in_a_turn():
    door = Door()
    async with door.open():
        server = door.api._runner.server
        with contextlib.ExitStack() as everybody:
            for _ in range(500):  # nobody is let in meanwhile: this is the loop's thread
                everybody.enter_context(socket.create_connection(("127.0.0.1", door.api.port), timeout=5))
            there = [0]
            while there[-1] < 500:
                await asyncio.sleep(0)
                there.append(len(server.connections))
            assert max(b - a for a, b in zip(there, there[1:], strict=False)) <= doors.TAKEN + 1
        await until(lambda: not server.connections)

import asyncio
import contextlib
import io
import json
import os
import resource
import socket
import stat
import zlib

import aiohttp
import pytest

from kioskd.core.actions import Broadcast, Reply
from kioskd.core.facts import Asked, Command
from kioskd.edges import access, doors, http_api, operator, reloads, replies
from kioskd.edges.access import Token
from kioskd.errors import EdgeUnavailable
from tests.aio import asynctest
from tests.edges.test_http_api import HOME, KEY, Door, until

RELOAD = operator.RELOAD_PATH


@contextlib.asynccontextmanager
async def opened(tmp_path, **over):
    """A door with a unix socket and a token, somebody who carries out what is asked, and a session for each way in."""
    door = Door(control=str(tmp_path / "run" / "control.sock"), state=str(tmp_path), **over)
    Token(None, str(tmp_path)).make()
    await door.api.start_control()
    async with door.open() as session, aiohttp.ClientSession(connector=aiohttp.UnixConnector(door.control)) as inside:
        obeying = asyncio.create_task(obey(door))
        yield door, session, inside
        obeying.cancel()


async def obey(door, screen="reloaded"):
    """What the kernel would order."""
    while True:
        await until(lambda: door.facts)
        asked = door.facts.pop(0)
        assert asked.command is Command.RELOAD
        await door.reloads.broadcast(Broadcast(asked.message, asked.ticket))
        await door.reloads.reply(Reply(asked.ticket, screen))


@asynctest
async def test_a_reload_reaches_the_others_and_says_what_happened(tmp_path):
    async with opened(tmp_path) as (door, session, inside):
        async with session.ws_connect("/ws") as other, session.ws_connect("/ws", headers={"Origin": HOME}) as page:
            async with session.ws_connect(f"/ws?kioskd={KEY}") as own:
                async with inside.post(f"http://kioskd{RELOAD}", json={"message": "menu changed"}) as answer:
                    assert (answer.status, await answer.json()) == (200, {"clients": 2, "screen": "reloaded"})
                for each in (other, page):
                    heard = await each.receive_json(timeout=5)
                    assert heard["type"] == "reload" and heard["payload"] == {"message": "menu changed"}
                    assert heard["timestamp"].startswith("20") and heard["timestamp"].endswith("Z")
                with pytest.raises(asyncio.TimeoutError):
                    await own.receive(timeout=0.2)
        async with inside.post(f"http://kioskd{RELOAD}") as answer:
            assert await answer.json() == {"clients": 0, "screen": "reloaded"}


@asynctest
async def test_who_waits_too_long_is_told_why(tmp_path, monkeypatch):
    monkeypatch.setattr(reloads, "WAIT_S", 0.05)
    door = Door(control=str(tmp_path / "control.sock"))
    assert await door.reloads.ask("") == (0, "pending: the reason")
    await door.reloads.reply(Reply(1, "reloaded"))  # later: nobody is there any more
    assert door.facts == [Asked(Command.RELOAD, ticket=1)] and not door.reloads.full


@asynctest
async def test_who_waits_does_not_hold_up_the_end(tmp_path):
    door = Door(control=str(tmp_path / "control.sock"))
    await door.api.start_control()
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(door.control)) as inside:
        asking = asyncio.create_task(inside.post(f"http://kioskd{RELOAD}"))
        await until(lambda: door.facts)
        async with asyncio.timeout(5):
            await door.api.close()
        with contextlib.suppress(aiohttp.ClientError):
            assert "stopping" in (await (await asking).json())["screen"]
    assert not door.reloads._waiting


@asynctest
async def test_on_the_loopback_a_reload_needs_the_token(tmp_path, caplog):
    async with opened(tmp_path) as (door, session, _):
        token = (tmp_path / "token").read_text().strip()
        assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600 and len(token) >= 32
        for given, status in [
            (f"Bearer {token}", 200), (f"bearer  {token} ", 200), (f"Bearer {token}x", 401), (token, 401), ("Basic x", 401),
        ]:  # fmt: skip
            async with session.post(RELOAD, headers={"Authorization": given}) as answer:
                assert answer.status == status, given
        async with session.post(RELOAD) as answer:
            assert answer.status == 401 and "kioskctl" in (await answer.json())["error"]
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        for spoil in (lambda: (tmp_path / "token").chmod(0o644), lambda: (tmp_path / "token").unlink()):
            spoil()
            async with session.post(RELOAD, headers={"Authorization": f"Bearer {token}"}) as answer:
                assert answer.status == 401 and "log" in (await answer.json())["error"]
            said = len(caplog.records)
            async with session.post(RELOAD, headers={"Authorization": f"Bearer {token}"}) as answer:
                assert answer.status == 401 and len(caplog.records) == said, "the same is said once"


def test_a_token_that_is_no_secret_is_refused(tmp_path):
    file = tmp_path / "mine"
    token = Token(str(file), "/nonexistent")
    token.make()
    assert not file.exists(), "one that was configured is the owner's to make"
    with pytest.raises(EdgeUnavailable, match="Cannot read"):
        token.read()
    file.write_text("short\n")
    with pytest.raises(EdgeUnavailable, match="no secret: chmod 600"):
        token.read()
    file.chmod(0o600)
    with pytest.raises(EdgeUnavailable, match="shorter than 16"):
        token.read()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "token").symlink_to(tmp_path / "elsewhere")
    Token(None, str(tmp_path / "folder")).make()
    assert not (tmp_path / "elsewhere").exists(), "written through a link"
    with pytest.raises(EdgeUnavailable, match="Cannot keep a token"):
        Token(None, "/proc/nothing").make()


@asynctest
async def test_the_socket_is_for_the_group_and_peers_are_asked_who_they_are(tmp_path, monkeypatch):
    async with opened(tmp_path) as (door, _, inside):
        assert stat.S_IMODE(os.stat(door.control).st_mode) & 0o007 == 0
        monkeypatch.setattr(http_api, "peer_may", lambda peer: False)
        async with inside.post(f"http://kioskd{RELOAD}") as answer:
            assert answer.status == 403 and "group kioskd" in (await answer.json())["error"]
        async with inside.get("http://kioskd/api/status") as answer:
            assert answer.status == 200
    assert not await asyncio.to_thread(os.path.exists, door.control)


@pytest.mark.parametrize(
    ("uid", "gid", "groups", "may"),
    [
        (0, 0, {}, True), (None, 7, {}, True), (4, 5, {}, False), (4, 9, {"kioskd": 9}, True), (4, 5, {"kioskd": 9}, False),
        (77777, 5, {"kioskd": 9}, False),
    ],
)  # fmt: skip
def test_who_may(monkeypatch, uid, gid, groups, may):
    class Peer:
        def getsockopt(self, level, option, size):
            assert (level, option) == (socket.SOL_SOCKET, socket.SO_PEERCRED)
            return access._PEER.pack(1, os.getuid() if uid is None else uid, gid)

    def group(name):
        return type("Group", (), {"gr_gid": groups[name]})

    monkeypatch.setattr(access.grp, "getgrnam", group)
    monkeypatch.setattr(access.os, "getgrouplist", lambda name, gid: [gid])
    if os.getuid() == uid:
        pytest.fail("choose another number")
    assert access.peer_may(Peer()) is may


BODIES = [
    (b"{", "no JSON"), (b"[" * 10_000, "no JSON"), (b"\xff", "no JSON"), (b"[]", "is to be"), (b'{"message": 1}', "is to be"),
    (b"\x0c", "no JSON"), (b"\n", "no JSON"), (zlib.compress(bytes(10 << 20)), "no JSON"),
    (b'{"message": null}', "is to be"), (json.dumps({"message": "x" * 1001}).encode(), "1000 characters"), (b'"reload"', "is to be"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "said"), BODIES, ids=range(len(BODIES)))
@asynctest
async def test_a_body_that_is_none_is_refused_with_a_sentence(tmp_path, body, said):
    async with opened(tmp_path) as (door, _, inside):
        packed = {"Content-Encoding": "deflate"} if body.startswith(b"x") else {}
        async with inside.post(f"http://kioskd{RELOAD}", data=body, headers={"Content-Type": "application/json", **packed}) as answer:
            assert answer.status == 400 and said in (await answer.json())["error"]
        assert not door.facts


@asynctest
async def test_a_body_without_end_costs_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(replies, "BODY_S", 0.2)

    async def endless(size):
        for _ in range(size >> 16):
            yield bytes(1 << 16)

    async def slow():
        yield b"{"
        await asyncio.sleep(30)

    async with opened(tmp_path) as (door, _, inside):
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for data in (io.BytesIO(bytes(100 << 20)), endless(100 << 20)):
            with contextlib.suppress(aiohttp.ClientError):  # the door is shut while it is still being sent
                async with inside.post(f"http://kioskd{RELOAD}", data=data) as answer:
                    assert answer.status == 413
        with contextlib.suppress(aiohttp.ClientError):
            async with inside.post(f"http://kioskd{RELOAD}", data=slow()) as answer:
                assert answer.status == 408
        assert not door.facts
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used < 150 << 10, "100 MB are the sender's own"


@asynctest
async def test_methods_of_the_two(tmp_path):
    async with opened(tmp_path) as (_, session, inside):
        async with inside.get(f"http://kioskd{RELOAD}") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST, OPTIONS")
        async with session.options(RELOAD) as answer:
            assert (answer.status, answer.headers["Allow"]) == (204, "POST, OPTIONS")
        async with session.get("/ws") as answer:
            assert answer.status == 426 and "WebSocket" in (await answer.json())["error"]


@asynctest
async def test_strangers_hear_nothing_and_nobody_is_heard(tmp_path, monkeypatch):
    async with opened(tmp_path) as (door, session, _):
        for origin in ("https://evil.example", "null"):
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await session.ws_connect("/ws", headers={"Origin": origin})
        for said, code in [("rubbish", 1008), ("x" * 100_000, 1006)]:
            async with session.ws_connect("/ws") as talker:
                await talker.send_str(said)
                closed = await talker.receive(timeout=5)
                assert closed.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED) and talker.close_code == code
        await until(lambda: not door.hub._clients)
        monkeypatch.setattr(door.hub, "_limit", 1)
        async with session.ws_connect("/ws"):
            with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
                await session.ws_connect("/ws")
        monkeypatch.setattr(reloads, "WAITING", 0)
        async with session.post(RELOAD, headers={"Authorization": f"Bearer {(tmp_path / 'token').read_text().strip()}"}) as answer:
            assert answer.status == 503


@asynctest
async def test_one_who_never_reads_is_shown_out_and_holds_nobody_up():
    door = Door()
    async with door.open() as session:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.api.port)
        writer.write(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{door.api.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        assert b" 101 " in await reader.readline()
        writer.transport.pause_reading()
        async with session.ws_connect("/ws") as other:
            await until(lambda: len(door.hub._clients) == 2)
            told = 2
            for _ in range(40_000):
                if (told := await door.hub.broadcast("x" * 900)) == 1:
                    break
                await other.receive(timeout=5)
            assert told == 1, "it was told for ever"
            await until(lambda: len(door.hub._clients) == 1)
        writer.close()


@asynctest
async def test_more_connections_than_are_taken_cost_no_more(monkeypatch):
    monkeypatch.setattr(http_api, "CONNECTIONS", 50)
    monkeypatch.setattr(doors, "_allow_files", lambda wanted: wanted)
    door = Door()
    async with door.open() as session:
        with contextlib.ExitStack() as open_ones:
            for _ in range(300):
                one = open_ones.enter_context(socket.create_connection(("127.0.0.1", door.api.port)))
                one.setblocking(False)
            await until(lambda: len(door.api._runner.server.connections) == 50)
            with pytest.raises(aiohttp.ClientError):
                await session.get("/healthz")
        await until(lambda: not door.api._runner.server.connections)
        async with session.get("/healthz") as answer:
            assert answer.status == 200


@asynctest
async def test_a_control_socket_that_cannot_be_had_is_said(tmp_path):
    for path, said in [(str(tmp_path / ("x" * 120) / "control.sock"), "too long"), ("/proc/nothing/control.sock", "Cannot listen on")]:
        door = Door(control=path)
        with pytest.raises(EdgeUnavailable, match=said):
            await door.api.start_control()
        await door.api.close()

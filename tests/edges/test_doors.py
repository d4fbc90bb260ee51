"""Where kioskd is asked from: this machine, and others only with a token and by a name that no page elsewhere can give."""

import asyncio
import os
import socket
from pathlib import Path

import aiohttp
import pytest

from kioskd.edges.doors import address, reached, serves
from kioskd.errors import EdgeUnavailable
from tests.aio import asynctest
from tests.edges.test_http_api import Door, end, until

MACHINE = socket.gethostname()


@asynctest
async def test_others_are_answered_only_where_there_is_a_token(tmp_path: Path) -> None:
    door = Door("0.0.0.0:0", state=str(tmp_path))
    with pytest.raises(EdgeUnavailable, match=r"Cannot listen on 0\.0\.0\.0:0, where others get to, without a token\. .*token"):
        await door.api.start()
    task = asyncio.create_task(door.api.run())
    await until(lambda: door.api.problem)
    assert door.api.port is None
    door.source.token.make()
    await until(lambda: door.api.port)
    await end(task)


@asynctest
async def test_a_token_that_others_may_read_is_none(tmp_path: Path) -> None:
    door = Door("0.0.0.0:0", state=str(tmp_path))
    door.source.token.make()
    os.chmod(tmp_path / "token", 0o644)
    with pytest.raises(EdgeUnavailable, match="chmod 600"):
        await door.api.start()


@asynctest
async def test_from_elsewhere_one_may_look_and_with_the_token_do(tmp_path: Path) -> None:
    door = Door("0.0.0.0:0", state=str(tmp_path))
    door.source.token.make()
    await door.api.start()
    key = {"Authorization": f"Bearer {door.source.token.read()}"}
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{door.api.port}", headers={"Host": f"192.0.2.7:{door.api.port}"}) as elsewhere:
            for path in ("/api/status", "/healthz", "/metrics", "/holding", "/", "/api/openapi.json"):
                async with elsewhere.get(path) as answer:
                    assert answer.status == 200, path
            for path in ("/api/screenshot", "/api/incidents", "/api/story"):
                async with elsewhere.get(path) as answer:
                    assert answer.status == 401, path
                async with elsewhere.get(path, headers=key) as answer:
                    assert answer.status == 200, path
            async with elsewhere.post("/api/restart", json={}) as answer:
                assert answer.status == 401 and not door.facts
            async with elsewhere.post("/api/restart", json={}, headers=key) as answer:
                assert answer.status == 202 and len(door.facts) == 1
            async with elsewhere.get("/api/status", headers={"Host": f"evil.example:{door.api.port}"}) as answer:
                assert answer.status == 403
    finally:
        await door.api.close()


@pytest.mark.parametrize(
    ("listening", "asked", "served"),
    [
        ("127.0.0.1", "127.0.0.1", True), ("127.0.0.1", "localhost", True), ("127.0.0.1", "192.0.2.7", False),
        ("127.0.0.1", MACHINE, MACHINE == "localhost"), ("localhost", "192.0.2.7", False), ("::1", "::1", True),
        ("0.0.0.0", "127.0.0.1", True), ("0.0.0.0", "192.0.2.7", True), ("::", "2001:db8::1", True), ("0.0.0.0", MACHINE.upper(), True),
        ("0.0.0.0", f"{MACHINE}.local", True), ("0.0.0.0", "0.0.0.0", False), ("0.0.0.0", "evil.example", False),
        ("0.0.0.0", f"{MACHINE}.evil.example", False),
        ("0.0.0.0", "", False), ("Wall.example", "wall.example", True),
        ("wall.example", "evil.example", False),
    ],
)  # fmt: skip
def test_a_name_is_served_only_if_no_page_can_give_it_to_this_machine(listening: str, asked: str, served: bool) -> None:
    assert serves(listening, asked) is served


@pytest.mark.parametrize(
    ("listen", "places"),
    [
        ("127.0.0.1:8137", ["http://127.0.0.1:8137"]), ("[::1]:80", ["http://[::1]:80"]), ("wall.example:8137", ["http://wall.example:8137"]),
        ("0.0.0.0:8137", ["http://192.0.2.7:8137", "http://192.0.2.8:8137", "http://127.0.0.1:8137"]),
        ("[::]:1", ["http://192.0.2.7:1", "http://192.0.2.8:1", "http://127.0.0.1:1"]),
    ],
)  # fmt: skip
def test_where_the_console_is(listen: str, places: list[str]) -> None:
    assert reached(listen, ["192.0.2.7", "192.0.2.8"]) == places


@pytest.mark.parametrize("listen", ["8137", "127.0.0.1", "127.0.0.1:99999", "a@127.0.0.1:1", "[::1", ""])
def test_what_is_no_address_and_port(listen: str) -> None:
    with pytest.raises(EdgeUnavailable, match="is an address and a port"):
        address(listen)

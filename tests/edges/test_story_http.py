"""``GET /api/story``: for whom it is, and that it holds up nobody."""

import asyncio
import itertools
import time

import pytest

from kioskd.edges import gate, http_api, operator, story
from kioskd.edges.replies import HEADERS
from tests.aio import asynctest
from tests.edges.test_http_api import until
from tests.edges.test_reload import opened

STORY = operator.STORY_PATH
LONG = [f"{nth:07}" * 20 + "\n" for nth in range(20_000)]  # 2.8 MB


@asynctest
async def test_the_story_is_told_on_the_socket_and_with_the_token_only(tmp_path, monkeypatch):
    async with opened(tmp_path) as (door, session, inside):
        token = (tmp_path / "token").read_text().strip()
        async with inside.get(f"http://kioskd{STORY}") as answer:
            assert (answer.status, answer.content_type, await answer.text()) == (200, "application/x-ndjson", "first\nlast\n")
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS
            assert answer.headers["Connection"] == "close"
        async with session.get(STORY, headers={"Authorization": f"Bearer {token}"}) as answer:
            assert (answer.status, await answer.text()) == (200, "first\nlast\n")
        async with session.get(STORY) as answer:
            assert answer.status == 401 and "unix socket" in (await answer.json())["error"] and "first" not in await answer.text()
        async with session.get(STORY, headers={"Authorization": f"Bearer {token}x"}) as answer:
            assert answer.status == 401
        async with session.head(STORY) as answer:
            assert answer.status == 401
        async with inside.head(f"http://kioskd{STORY}") as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        async with inside.post(f"http://kioskd{STORY}") as answer:
            assert answer.status == 405
        monkeypatch.setattr(http_api, "peer_may", lambda peer: False)
        async with inside.get(f"http://kioskd{STORY}") as answer:
            assert answer.status == 403


@asynctest
async def test_a_long_story_comes_whole_and_the_loop_turns_meanwhile(tmp_path):
    def slow():
        for line in LONG:
            until = time.perf_counter() + 20e-6  # what a fact costs
            while time.perf_counter() < until:
                pass
            yield line

    async with opened(tmp_path) as (door, _, inside):
        door.story = slow()
        turns = 0

        async def turn():
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        turning = asyncio.create_task(turn())
        async with inside.get(f"http://kioskd{STORY}") as answer:
            assert await answer.text() == "".join(LONG)
        turning.cancel()
        assert turns > 20_000 * 20e-6 / story.TURN_S / 2


@pytest.mark.parametrize("end", ["listener", "kioskd"])
@asynctest
async def test_who_does_not_listen_to_the_end_costs_nothing(tmp_path, monkeypatch, end):
    monkeypatch.setattr(gate, "ANSWER_S", 1.0 if end == "listener" else 40.0)
    made = 0

    def endless():
        nonlocal made
        for nth in itertools.count():
            made = nth
            yield LONG[0]

    async with opened(tmp_path) as (door, _, inside):
        door.story = endless()
        reader, writer = await asyncio.open_unix_connection(door.control)
        writer.write(f"GET {STORY} HTTP/1.1\r\nHost: kioskd\r\n\r\n".encode())
        assert b"200" in await reader.readline()
        writer.transport.pause_reading()
        before = -1
        while before < made:  # until it waits for the listener
            before = made
            await asyncio.sleep(0.05)
        held = made
        assert held * len(LONG[0]) < 4 << 20 and door.api._answers._operator._teller._listening
        if end == "kioskd":
            async with asyncio.timeout(5):
                await door.api.close()
        await until(lambda: not door.api._answers._operator._teller._listening)
        assert made <= held + 2 * story.PIECE // len(LONG[0])
        writer.close()

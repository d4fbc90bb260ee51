"""The server's misbehaviour, seen by a plain client."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kioskd.demo.dashboard import Dashboard
from kioskd.demo.dist import How
from kioskd.demo.links import FIREHOSE_TEXT
from kioskd.demo.server import main
from kioskd.errors import EdgeUnavailable, KioskdError
from tests.aio import asynctest


class Page:
    """A page as far as the server can see: it echoes."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, document: str, build: str) -> None:
        self.ws, self.document, self.build = ws, document, build

    async def hear(self) -> dict[str, Any]:
        message = await self.ws.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise ConnectionError(message.type.name)
        heard: dict[str, Any] = json.loads(message.data)
        return heard

    async def echo(self) -> dict[str, Any]:
        heard = await self.hear()
        await self.ws.send_json({"echo": heard["nonce"], "document": self.document, "build": self.build})
        return heard


@asynccontextmanager
async def stage(tmp_path: Path) -> AsyncIterator[tuple[Dashboard, aiohttp.ClientSession]]:
    async with Dashboard(tmp_path / "dist") as dashboard, aiohttp.ClientSession() as session:
        yield dashboard, session


@asynccontextmanager
async def page(dashboard: Dashboard, session: aiohttp.ClientSession, document: str = "a", build: str = "1") -> AsyncIterator[Page]:
    async with session.ws_connect(dashboard.socket_url) as ws:
        await ws.send_json({"document": document, "build": build})
        yield Page(ws, document, build)


async def status(session: aiohttp.ClientSession, url: str, **rest: Any) -> int:
    async with session.get(url, **rest) as answer:
        return answer.status


@asynctest
async def test_a_page_is_back_at_once_when_it_connects(tmp_path: Path) -> None:
    async with stage(tmp_path) as (dashboard, session):
        await dashboard.switch(pace_s=3600)
        moment = time.monotonic()
        async with page(dashboard, session) as it:
            first = await it.echo()
            assert len(first["history"]["sales"]) > 10
            assert 0 < await dashboard.back(within=10, after=moment) < 10
        assert await dashboard.document() == "a" and await dashboard.version() == "1"


@asynctest
async def test_a_page_of_an_old_build_is_not_back_and_the_error_says_so(tmp_path: Path) -> None:
    async with stage(tmp_path) as (dashboard, session):
        dashboard.deploy("2")
        moment = time.monotonic()
        async with page(dashboard, session) as it:
            await it.echo()
            with pytest.raises(TimeoutError, match="newest version is '2'.*by version '1', document a"):
                await dashboard.back(within=0.3, after=moment)


@asynctest
async def test_back_outlives_the_server(tmp_path: Path) -> None:
    async with stage(tmp_path) as (dashboard, session):
        await status(session, dashboard.url, headers={"Sec-Fetch-Dest": "document"})
        url, moment = dashboard.url, time.monotonic()
        waiting = asyncio.create_task(dashboard.back(within=30, after=moment))
        await dashboard.kill()
        with pytest.raises(aiohttp.ClientConnectionError):
            await status(session, url)
        with pytest.raises(EdgeUnavailable):
            await dashboard.state()
        await dashboard.start()
        assert dashboard.url == url
        async with page(dashboard, session) as it:
            await it.echo()
            await waiting
        assert len(await dashboard.loads()) == 1, "loads of the killed server are still counted"


@asynctest
async def test_without_a_server_the_error_says_that(tmp_path: Path) -> None:
    async with stage(tmp_path) as (dashboard, _):
        await dashboard.kill()
        with pytest.raises(TimeoutError, match="the server does not answer"):
            await dashboard.back(within=0.1)
        with pytest.raises(EdgeUnavailable):
            _ = dashboard.pid


@asynctest
async def test_loads_are_told_from_probes(tmp_path: Path) -> None:
    async with stage(tmp_path) as (dashboard, session):
        browser = {"User-Agent": "Mozilla/5.0", "Sec-Fetch-Dest": "document"}
        await status(session, dashboard.url, headers=browser)
        await status(session, dashboard.url)
        assert len(await dashboard.loads()) == 1
        assert [probe["path"] for probe in await dashboard.probes()] == ["/"]


@asynctest
async def test_the_document_is_the_file_and_its_assets_are_kept_for_ever(tmp_path: Path) -> None:
    async with stage(tmp_path) as (dashboard, session):
        async with session.get(dashboard.url) as answer:
            assert await answer.read() == dashboard.index.read_bytes(), "its digest must be the one on disk"
            assert answer.headers["Cache-Control"] == "no-cache"
        name = next((dashboard.dist / "assets").glob("app-*.js")).name
        async with session.get(f"{dashboard.url}assets/{name}") as answer:
            assert "immutable" in answer.headers["Cache-Control"]
        async with session.get(f"{dashboard.url}assets/..%2findex.html") as answer:
            assert answer.status == 404
        async with session.get(f"{dashboard.url}healthz") as answer:
            assert answer.status == 200
        dashboard.deploy("", How.REMOVE)
        async with session.get(dashboard.url) as answer:
            assert answer.status == 404


@pytest.mark.parametrize(
    ("front", "status", "text"),
    [("500", 500, "Internal"), ("502", 502, ""), ("portal", 200, "Wi-Fi"), ("redirect_login", 200, "Sign in"), ("basic_auth", 401, "")],
)
def test_fronts_answer_in_the_servers_place(tmp_path: Path, front: str, status: int, text: str) -> None:
    @asynctest
    async def run() -> None:
        async with stage(tmp_path) as (dashboard, session):
            for switch in ("http", "index"):
                await dashboard.switch(**{"http": "normal", "index": "normal", switch: front})
                async with session.get(dashboard.url) as answer:
                    body = await answer.text()
                    assert answer.status == status and text in body and 'name="build"' not in body
            async with session.ws_connect(dashboard.socket_url):
                pass  # index only: the socket is served
            await dashboard.switch(http=front)
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(dashboard.socket_url)

    run()


@asynctest
async def test_hang_blank_and_a_frozen_server(tmp_path: Path) -> None:
    async with stage(tmp_path) as (dashboard, session):
        await dashboard.switch(http="blank")
        name = next((dashboard.dist / "assets").glob("app-*.js")).name
        async with session.get(dashboard.url) as index, session.get(f"{dashboard.url}assets/{name}") as asset:
            assert (index.status, asset.status) == (200, 404)
        await dashboard.switch(http="hang")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await status(session, dashboard.url)
        await dashboard.switch(http="normal")
        dashboard.freeze()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await status(session, dashboard.url)
        dashboard.thaw()
        await status(session, dashboard.url)
        dashboard.freeze()
        await dashboard.kill()


@asynctest
async def test_sockets_that_are_refused_closed_or_silent(tmp_path: Path) -> None:
    async with stage(tmp_path) as (dashboard, session):
        for name, status in (("refuse", 503), ("not_served", 404)):
            await dashboard.switch(socket=name)
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(dashboard.socket_url)
            assert refused.value.status == status
        await dashboard.switch(socket="accept_and_close")
        async with session.ws_connect(dashboard.socket_url) as ws:
            assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE
        await dashboard.switch(socket="normal", pace_s=0.05)
        async with page(dashboard, session) as it:
            await it.hear()
            await dashboard.switch(socket="silent")
            with pytest.raises(asyncio.TimeoutError):
                while True:  # what was under way still comes
                    await asyncio.wait_for(it.hear(), 0.5)


@asynctest
async def test_the_handshake_can_need_the_documents_cookie(tmp_path: Path) -> None:
    async with stage(tmp_path) as (dashboard, session):
        await dashboard.switch(cookie=True)
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await session.ws_connect(dashboard.socket_url)
        async with session.get(dashboard.url) as answer:
            known = {"Cookie": f"dashboard={answer.cookies['dashboard'].value}"}
        async with session.ws_connect(dashboard.socket_url, headers=known):
            pass


@asynctest
async def test_drop_resets_live_connections_and_no_others(tmp_path: Path) -> None:
    async with stage(tmp_path) as (dashboard, session):
        dev_url, other_url = dashboard.socket_url.replace("/ws", "/dev"), dashboard.other_url + "analytics"
        async with page(dashboard, session) as it, session.ws_connect(dev_url) as dev, session.ws_connect(other_url) as other:
            await it.echo()
            assert (await dev.receive()).data == (await other.receive()).data == "hello"
            assert await dashboard.do("drop") == 1
            with pytest.raises(ConnectionError):
                while True:
                    await it.hear()
            await dev.ping()
            assert not dev.closed and not other.closed
        assert [news["event"] for news in (await dashboard.state())["sockets"]] == ["open", "close"]


@asynctest
async def test_verbs_reach_the_page_and_give_up_closes_from_the_servers_side(tmp_path: Path) -> None:
    async with stage(tmp_path) as (dashboard, session):
        async with page(dashboard, session) as it:
            await it.echo()
            assert await dashboard.do("busy", seconds=2) == 1
            heard = await it.hear()
            while heard["type"] != "do":
                heard = await it.hear()
            assert heard == {"type": "do", "verb": "busy", "seconds": 2}
            await dashboard.do("give_up_and_new_documents_open_none")
            with pytest.raises(ConnectionError, match="CLOSE"):
                while True:
                    await it.hear()
            assert it.ws.close_code == 1012
        async with session.get(f"{dashboard.url}settings") as answer:
            assert (await answer.json())["transport"] == "none"


@asynctest
async def test_the_ports_can_be_shut_and_opened(tmp_path: Path) -> None:
    async with stage(tmp_path) as (dashboard, session):
        async with page(dashboard, session) as it:
            await it.echo()
            await dashboard.do("down")
            with pytest.raises(ConnectionError):
                while True:
                    await it.hear()
        with pytest.raises(aiohttp.ClientConnectionError):
            await status(session, dashboard.url)
        await dashboard.do("up")
        assert await status(session, dashboard.url) == 200
        await dashboard.do("restart_in", seconds=0.1)
        assert await status(session, dashboard.url) == 200


@asynctest
async def test_event_stream_and_its_way_back(tmp_path: Path) -> None:
    async with stage(tmp_path) as (dashboard, session):
        moment = time.monotonic()
        echo = {"document": "e", "build": "1"}
        async with session.get(f"{dashboard.url}events?document=e&build=1") as stream:
            async for line in stream.content:
                if line.startswith(b"data: "):
                    echo["echo"] = json.loads(line[6:])["nonce"]
                    break
            async with session.post(f"{dashboard.url}echo", json={**echo, "document": "of nobody's"}):
                pass
            assert await dashboard.document() is None
            async with session.post(f"{dashboard.url}echo", json=echo):
                pass
            await dashboard.back(within=10, after=moment)
        for name, status in (("refuse", 503), ("accept_and_close", 200)):
            await dashboard.switch(socket=name)
            async with session.get(f"{dashboard.url}events") as stream:
                assert stream.status == status and await stream.read() == b""


@asynctest
async def test_firehose(tmp_path: Path) -> None:
    assert len(FIREHOSE_TEXT) == 4096
    async with stage(tmp_path) as (dashboard, session):
        await dashboard.switch(firehose=True)
        async with page(dashboard, session) as it:
            began = time.monotonic()
            for _ in range(90):
                await it.hear()
            assert 0.3 < time.monotonic() - began < 5


@asynctest
async def test_mistaken_switches_and_verbs(tmp_path: Path) -> None:
    async with stage(tmp_path) as (dashboard, _):
        with pytest.raises(KioskdError, match="did you mean 'socket'"):
            await dashboard.switch(sockte="refuse")
        with pytest.raises(KioskdError, match="'ajar' is not a valid Socket"):
            await dashboard.switch(socket="ajar")
        with pytest.raises(KioskdError, match="Unknown verb 'dance'"):
            await dashboard.do("dance")
        assert (await dashboard.state())["switches"]["socket"] == "normal"


@asynctest
async def test_switches_that_are_insisted_on_stay_whatever_is_turned_and_whoever_serves(tmp_path: Path) -> None:
    async with stage(tmp_path) as (dashboard, session):
        dashboard.insists = {"retry": "weak", "tries": 3}
        turned = await dashboard.switch(retry="forever", retry_s=9)
        assert (turned["retry"], turned["tries"], turned["retry_s"]) == ("weak", 3, 9)
        await dashboard.kill()
        await dashboard.start()
        async with session.get(dashboard.url + "settings") as answer:
            told = await answer.json()
        assert (told["retry"], told["tries"], told["retry_s"]) == ("weak", 3, 2)


@pytest.mark.parametrize("text", ["{", "[]", '{"sockte": "refuse"}', '{"socket": "ajar"}'])
def test_mistaken_switches_of_the_server_are_told(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with pytest.raises(SystemExit):
        main(["--switches", text])
    assert "argument --switches: " in capsys.readouterr().err


@asynctest
async def test_a_page_that_has_kept_its_connection_is_not_back_since_it_was_opened(tmp_path: Path) -> None:
    async with stage(tmp_path) as (dashboard, session):
        await dashboard.switch(pace_s=0.05)
        async with page(dashboard, session) as it:
            await it.echo()
            noted = time.monotonic()
            await it.echo()
            await dashboard.back(within=10, after=noted - 1)
            with pytest.raises(TimeoutError):
                await dashboard.back(within=0.2, after=noted - 1, opened_after=noted)
        async with page(dashboard, session) as it:
            await it.echo()
            await dashboard.back(within=10, after=noted, opened_after=noted)


@asynctest
async def test_rubbish_over_the_socket_is_ignored(tmp_path: Path) -> None:
    async with stage(tmp_path) as (dashboard, session):
        moment = time.monotonic()
        async with page(dashboard, session) as it:
            for rubbish in ("", "[]", "null", '{"echo": "x", "document": 1, "build": null}'):
                await it.ws.send_str(rubbish)
            await it.ws.send_bytes(b"\xff")
            await it.echo()
            await dashboard.back(within=10, after=moment)


@asynctest
async def test_the_server_ends_with_its_parent(tmp_path: Path) -> None:
    async with Dashboard(tmp_path / "dist") as dashboard:
        process = dashboard._process
        assert process is not None and process.stdin is not None
        process.stdin.close()
        assert await process.wait() == 0
        with pytest.raises(ProcessLookupError):
            os.kill(process.pid, 0)

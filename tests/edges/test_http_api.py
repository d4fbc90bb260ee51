import asyncio
import contextlib
import gzip
import json
import socket
import time

import aiohttp
import pytest

from kioskd.core.facts import DeployRead, Fact, Version
from kioskd.edges import answers, http_api
from kioskd.edges.access import Token
from kioskd.edges.broadcast import Hub
from kioskd.edges.http_api import Api
from kioskd.edges.incidents import Ledger
from kioskd.edges.live import Live
from kioskd.edges.reloads import Reloads
from kioskd.edges.routes import Source
from kioskd.errors import BrowserGone, EdgeUnavailable
from kioskd.web import script
from kioskd.wire.status import Clocks
from tests.aio import asynctest

HOME = "http://localhost:3001"
KEY = "5c1e"
WHOLE = DeployRead(Version(1763000000, "sha256:ab"))
VERSION = answers.VERSION_PATH
OTHERS = ["192.0.2.1:80", "8137", "127.0.0.1", "127.0.0.1:99999", "a@127.0.0.1:1", "[::1", ""]


class Door:
    """A running Api and what it shows."""

    def __init__(self, listen: str = "127.0.0.1:0", control: str | None = None, state: str = "/nonexistent") -> None:
        self.read: DeployRead | None = WHOLE
        self.state: dict[str, object] = {"verdict": "healthy"}
        self.alive = True
        self.shown: bytes | None = b"\x89PNG"
        self.taken: list[bool] = []
        self.control = control
        self.page = "<!doctype html><title>väntar</title>"
        self.origins = {HOME}
        self.story = ["first\n", "last\n"]
        self.facts: list[Fact] = []
        self.live = Live(lambda: dict(self.state))
        self.hub = Hub(KEY)
        self.reloads = Reloads(self.facts.append, self.hub.broadcast, lambda: "the reason")
        self.ledger = Ledger(state, lambda: Clocks(time.monotonic(), time.time()))
        self.source = source = Source(
            lambda: self.read, lambda: dict(self.state), lambda: frozenset(self.origins), lambda: self.page, lambda: self.alive,
            lambda: b"kioskd_up 1\n",
            lambda: iter(self.story), self.ledger.shown, self.ledger.picture, self.screenshot, self.facts.append,
            self.live, self.hub, self.reloads, Token(None, state), self.reached,
        )  # fmt: skip
        self.api = Api(listen, control, source)

    def reached(self) -> list[str]:
        return [f"http://192.0.2.7:{self.api.port}", f"http://127.0.0.1:{self.api.port}"]

    async def screenshot(self, exact: bool) -> bytes:
        if self.shown is None:
            raise BrowserGone("There is no browser")
        self.taken.append(exact)
        return self.shown

    @contextlib.asynccontextmanager
    async def open(self):
        await self.api.start()
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{self.api.port}") as session:
                yield session
        finally:
            await self.api.close()

    async def raw(self, request: bytes) -> bytes:
        """What comes back for these very bytes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.api.port)
        try:
            writer.write(request)
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()


@asynctest
async def test_the_version_with_its_tag():
    door = Door()
    async with door.open() as session:
        async with session.get(VERSION) as answer:
            assert answer.status == 200
            assert await answer.json() == {"version": 1763000000, "digest": "sha256:ab", "complete": True}
            assert answer.headers["Cache-Control"] == "no-store"
            tag = answer.headers["ETag"]
        for known, status in [(tag, 304), (f'"x", W/{tag}', 304), ("*", 304), ('"x"', 200), ("rubbish", 200)]:
            async with session.get(VERSION, headers={"If-None-Match": known}) as answer:
                assert (answer.status, answer.headers["ETag"]) == (status, tag)
        door.read = DeployRead(WHOLE.version, ("/a.js",))
        async with session.get(VERSION, headers={"If-None-Match": tag}) as answer:
            assert answer.status == 200 and (await answer.json())["complete"] is False


@pytest.mark.parametrize(
    ("read", "reason"), [(None, "the deploy has not been read yet"), (DeployRead(None, ("Cannot read x",)), "Cannot read x")]
)
@asynctest
async def test_no_index_is_503_with_a_reason(read, reason):
    door = Door()
    door.read = read
    async with door.open() as session, session.get(VERSION) as answer:
        assert (answer.status, await answer.json()) == (503, {"error": reason})


@asynctest
async def test_status_health_and_the_holding_page():
    door = Door()
    async with door.open() as session:
        async with session.get("/api/status") as answer:
            assert await answer.json() == {"verdict": "healthy"}
        async with session.get("/holding") as answer:
            assert answer.content_type == "text/html" and await answer.text() == door.page
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        for alive, status in [(True, 200), (False, 503)]:
            door.alive = alive
            async with session.get("/healthz") as answer:
                assert answer.status == status


@asynctest
async def test_only_the_pages_own_origin_may_read_and_only_the_version():
    door = Door()
    async with door.open() as session:
        for path, origin, allowed in [
            (VERSION, HOME, True),
            (VERSION, "http://localhost:3002", False),
            (VERSION, "null", False),
            ("/api/status", HOME, False),
            ("/nothing", HOME, False),
        ]:
            async with session.get(path, headers={"Origin": origin}) as answer:
                assert answer.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
                assert answer.headers.get("Vary") == ("Origin" if path == VERSION else None)
        door.read = None
        async with session.get(VERSION, headers={"Origin": HOME}) as answer:
            assert answer.status == 503 and answer.headers["Access-Control-Allow-Origin"] == HOME


@pytest.mark.parametrize("network", ["Private-Network", "Local-Network"])
@asynctest
async def test_preflights_from_the_page_and_from_strangers(network):
    ask = {"Access-Control-Request-Method": "GET", f"Access-Control-Request-{network}": "true"}
    async with Door().open() as session:
        async with session.options(VERSION, headers=ask | {"Origin": HOME}) as answer:
            assert answer.status == 204
            assert answer.headers["Access-Control-Allow-Origin"] == HOME
            assert answer.headers[f"Access-Control-Allow-{network}"] == "true"
            assert "If-None-Match" in answer.headers["Access-Control-Allow-Headers"]
        async with session.options(VERSION, headers={"Origin": HOME}) as answer:
            assert f"Access-Control-Allow-{network}" not in answer.headers
        async with session.options(VERSION, headers=ask | {"Origin": "https://evil.example"}) as answer:
            assert not any(name.startswith("Access-Control") for name in answer.headers)


@asynctest
async def test_unknown_paths_and_methods_are_json():
    async with Door().open() as session:
        for method, path, status in [
            ("GET", "/index.html", 404), ("GET", "/api/nothing", 404), ("GET", "/%2e%2e/etc/passwd", 404), ("HEAD", VERSION, 200),
            ("POST", VERSION, 405), ("DELETE", "/nothing", 405), ("PUT", "/holding", 405), ("PATCH", VERSION, 405),
        ]:  # fmt: skip
            async with session.request(method, path) as answer:
                assert (answer.status, answer.headers["Cache-Control"]) == (status, "no-store"), (method, path)
                if status != 200:
                    assert set(await answer.json()) == {"error"}
                if status == 405:
                    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


@asynctest
async def test_only_a_loopback_name_and_the_right_port_are_served():
    door = Door()
    async with door.open() as session:
        port = door.api.port
        for host, status in [
            (f"127.0.0.1:{port}", 200), (f"localhost:{port}", 200), (f"LOCALHOST:{port}", 200), (f"[::1]:{port}", 200),
            (f"127.9.9.9:{port}", 200), ("127.0.0.1", 403), (f"127.0.0.1:{port + 1}", 403), (f"evil.example:{port}", 403),
            (f"127.0.0.1.evil.example:{port}", 403), (f"x@127.0.0.1:{port}", 403), (f"127.0.0.1:{port}/x", 403), ("", 403), ("[", 403),
            (f"0.0.0.0:{port}", 403), (f"127.0.0.1:{port}x", 403),
        ]:  # fmt: skip
            async with session.get("/api/status", headers={"Host": host}) as answer:
                assert answer.status == status, host
                assert status == 200 or "api.listen" in (await answer.json())["error"], "the way out"
        assert b" 400 " in (await door.raw(b"GET /api/status HTTP/1.0\r\n\r\n")).split(b"\r\n")[0]


@asynctest
async def test_what_goes_wrong_inside_stays_inside():
    door = Door()
    async with door.open() as session:
        door.state["broken"] = object()  # no JSON can be made of it
        async with session.get("/api/status") as answer:
            assert (answer.status, await answer.json()) == (500, {"error": "internal error"})


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/9.9\r\nConnection: close\r\n\r\n",
        b"\r\n\0\r\n\r\n",
    ],
    ids=["tls", "path", "header", "length", "version", "nul"],
)
@asynctest
async def test_rubbish_gets_no_more_than_a_refusal(request_):
    door = Door()
    async with door.open() as session:
        with contextlib.suppress(ConnectionError):
            reply = await door.raw(request_)
            assert reply.split(b"\r\n")[0].split()[1:2] in ([], [b"400"], [b"403"], [b"505"]) and b"Traceback" not in reply
        async with session.get("/healthz") as answer:
            assert answer.status == 200


STRANGE = [
    b"GET /api/incidents HTTP/1.1\r\nAuthorization: Bearer \xff\r\n",
    b"GET /api/incidents HTTP/1.1\r\nCookie: a@b=1; kioskd=\xff\r\n",
    b"GET /pair?code=\xff HTTP/1.1\r\n",
    b"GET /api/incidents/x%2Fy HTTP/1.1\r\n",
    b"GET /api/incidents/%ff HTTP/1.1\r\n",
]


@pytest.mark.parametrize("head", STRANGE)
@asynctest
async def test_what_is_no_text_is_refused_and_makes_no_lines_in_the_log(head, tmp_path, caplog):
    door = Door(state=str(tmp_path))
    door.source.token.make()
    async with door.open():
        reply = await door.raw(head + b"Host: 127.0.0.1:%d\r\n\r\n" % door.api.port)
        assert reply.split()[1] in (b"400", b"401", b"403", b"404"), reply
    assert not caplog.records


@pytest.mark.parametrize("listen", OTHERS)
@asynctest
async def test_other_addresses_are_refused_with_a_sentence(listen):
    with pytest.raises(EdgeUnavailable, match="Cannot listen on"):
        await Door(listen).api.start()


@asynctest
async def test_a_port_in_use_is_said_and_had_as_soon_as_it_is_free():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        door = Door(f"127.0.0.1:{port}")
        with pytest.raises(EdgeUnavailable, match=f"127.0.0.1:{port}: another program has this port"):
            await door.api.start()
        task = asyncio.create_task(door.api.run())
        await until(lambda: door.api.problem)
        assert str(port) in door.api.problem
    await until(lambda: door.api.port == port)
    await until(lambda: door.api.problem is None)
    assert "XDG_RUNTIME_DIR" in door.api.control_problem
    await end(task)
    assert door.api.port is None


@asynctest
async def test_another_address_is_followed_without_a_restart():
    door = Door()
    task = asyncio.create_task(door.api.run())
    await until(lambda: door.api.port)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    door.api.follow(f"localhost:{port}")
    await until(lambda: door.api.port == port)
    async with aiohttp.ClientSession() as session, session.get(f"http://localhost:{port}/api/status") as answer:
        assert json.loads(await answer.text()) == {"verdict": "healthy"}
    await end(task)


async def until(holds):
    """Wait for it, for two retries at most."""
    async with asyncio.timeout(2 * http_api.RETRY_S):
        while not holds():  # noqa: ASYNC110 - the Api tells nobody, and production has no use for it
            await asyncio.sleep(0.01)


async def end(task):
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("path", answers.SCRIPTS)
@asynctest
async def test_the_page_client_is_served_to_every_page(path):
    door = Door()
    async with door.open() as session:
        async with session.get(path, headers={"Origin": HOME}) as answer:
            assert (answer.status, answer.content_type) == (200, "text/javascript")
            assert await answer.text() == script(path.strip("/"))
            assert answer.headers["Access-Control-Allow-Origin"] == HOME and answer.headers["Vary"] == "Origin"
            assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin" and answer.headers["Cache-Control"] == "no-cache"
            tag = answer.headers["ETag"]
        async with session.get(path, headers={"If-None-Match": tag, "Origin": "https://evil.example"}) as answer:
            assert answer.status == 304 and "Access-Control-Allow-Origin" not in answer.headers


def test_the_page_client_is_small():
    assert len(gzip.compress(script("kioskd.js").encode(), 9)) < 3000




def routes(door):
    """All there are."""
    return door.api._answers.routes


VISIT = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
FOREIGN = [
    {"Origin": "http://elsewhere.example"}, {"Origin": "null"}, {"Origin": HOME}, {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {**VISIT, "Sec-Fetch-Dest": "iframe"}, {**VISIT, "Sec-Fetch-Mode": "no-cors"}, {**VISIT, "Origin": "null"},
]  # fmt: skip


@pytest.mark.parametrize("headers", FOREIGN)
@asynctest
async def test_a_page_elsewhere_is_refused_all_but_what_is_meant_for_pages(headers):
    door, for_pages = Door(), {VERSION, *answers.SCRIPTS}
    async with door.open() as session:
        for route in routes(door):
            async with session.request(route.method, route.path.replace("{", "").replace("}", ""), headers=headers) as answer:
                if route.path in for_pages:
                    assert answer.status == 200, route
                elif route.path == "/ws":
                    assert answer.status in (403, 426), "its Origin is looked at, and it is a WebSocket"
                else:
                    assert answer.status == 403 and "elsewhere" in (await answer.json())["error"], route
                    assert not any(name.startswith("Access-Control") for name in answer.headers)


@asynctest
async def test_no_link_from_elsewhere_is_an_order():
    door = Door()
    async with door.open() as session:
        for route in routes(door):
            if route.changes:
                async with session.post(route.path, headers=VISIT) as answer:
                    assert answer.status == 403, route


@asynctest
async def test_every_answer_says_what_a_browser_must_not_do_with_it():
    door = Door()
    async with door.open() as session:
        asked = [(route.method, route.path.replace("{", "").replace("}", ""), {}) for route in routes(door)]
        asked += [("GET", "/nowhere", {}), ("PUT", "/api/status", {})]
        asked += [("GET", "/api/status", {"Origin": "null"}), ("GET", "/", {"Host": "evil"})]
        seen = set()
        for method, path, headers in asked:
            async with session.request(method, path, headers=headers, allow_redirects=False) as answer:
                seen.add(answer.status)
                policy, cache = answer.headers["Content-Security-Policy"], answer.headers["Cache-Control"]
                for directive in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"):
                    assert directive in policy.split("; "), (path, policy)
                assert cache == "no-store" or (path in answers.SCRIPTS and cache == "no-cache")
                assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Referrer-Policy"] == "no-referrer"
                assert answer.headers["Cross-Origin-Resource-Policy"] in ("same-origin", "cross-origin")
        assert seen >= {200, 401, 403, 404, 405, 426}


@asynctest
async def test_behind_a_proxy_with_tls_the_console_is_a_page_of_ours():
    door = Door()
    async with door.open() as session:
        for site, status in (("same-origin", 200), ("cross-site", 403), ("same-site", 403)):
            headers = {"Origin": "https://screen.example", "Sec-Fetch-Site": site}
            async with session.get("/api/status", headers=headers) as answer:
                assert answer.status == status, site


@asynctest
async def test_whoever_follows_a_link_here_is_let_in():
    async with Door().open() as session:
        for path in ("/", "/holding", "/api/status"):
            async with session.get(path, headers=VISIT) as answer:
                assert answer.status == 200, path


@pytest.mark.parametrize(
    "head",
    [
        b"GET http://127.0.0.1:{port}/healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n",
        b"GET http://evil.example/healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: 127.0.0.1:{port}\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n",
    ],
)
@asynctest
async def test_a_request_for_another_server_or_for_two_is_none(head):
    door = Door()
    async with door.open():
        reply = await door.raw(head.replace(b"{port}", str(door.api.port).encode()) + b"Connection: close\r\n\r\n")
        assert reply.split(b"\r\n")[0].split()[1:2] == [b"400"], reply


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])
@asynctest
async def test_what_a_form_elsewhere_can_send_is_no_order(kind, tmp_path):
    door = Door(control=str(tmp_path / "control.sock"))
    async with door.open():
        await door.api.start_control()
        async with aiohttp.ClientSession("http://kioskd", connector=aiohttp.UnixConnector(door.control)) as inside:
            for path in ("/api/restart", "/api/pause", "/api/reload", "/api/pair"):
                async with inside.post(path, data=b'{"why": "x"}', headers={"Content-Type": kind}) as answer:
                    assert answer.status == 415 and "application/json" in (await answer.json())["error"], path
        assert not door.facts

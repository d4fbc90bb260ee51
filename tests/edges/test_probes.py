import asyncio
import contextlib
import os
import resource
import socket
import ssl
import subprocess
import threading
import time

import pytest
from aiohttp import web

from kioskd.core.actions import Probe, ProbeServer
from kioskd.core.facts import Answer, DeployRead, ServerAnswered, Version
from kioskd.edges import probes
from kioskd.edges.probes import Probes
from kioskd.errors import EdgeUnavailable
from tests.aio import asynctest

PAGE = "http://dashboard.example:3001/wall?x=1"
PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")


class Server:
    """A real dashboard server; ``requests`` are those it saw, ``closed`` how its sockets ended."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.closed: asyncio.Queue[int | None] = asyncio.Queue()
        self.url = ""
        self._over = asyncio.Event()

    @contextlib.asynccontextmanager
    async def up(self, tls: ssl.SSLContext | None = None):
        application = web.Application(middlewares=[self._middleware()])
        for path, handler in {
            "/ws": self._ws, "/events": self._events, "/": self._page, "/json": self._json, "/status/{code}": self._status,
            "/loop": self._loop, "/away": self._away, "/home": self._home, "/silent": self._silent, "/bomb": self._bomb,
        }.items():  # fmt: skip
            application.router.add_get(path, handler)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self._over.set()
            await runner.cleanup()

    @property
    def ws(self) -> str:
        return "ws" + self.url.removeprefix("http")

    def _middleware(self):
        @web.middleware
        async def note(request, handler):
            self.requests.append(request)
            return await handler(request)

        return note

    async def _ws(self, request):
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.send_str("welcome " * 1000)
        async for _ in ws:
            pass
        self.closed.put_nowait(ws.close_code)
        return ws

    async def _events(self, request):
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await self._over.wait()
        return response

    async def _page(self, request):
        response = web.Response(text="<!doctype html>", content_type="text/html")
        response.set_cookie("session", "1")
        return response

    async def _json(self, request):
        return web.json_response({})

    async def _status(self, request):
        return web.Response(status=int(request.match_info["code"]))

    async def _loop(self, request):
        raise web.HTTPFound(f"/loop?{request.query_string}")

    async def _away(self, request):
        raise web.HTTPFound(self.url.replace("127.0.0.1", "localhost") + "/")

    async def _home(self, request):
        raise web.HTTPFound("/")

    async def _silent(self, request):
        await self._over.wait()
        return web.Response()

    async def _bomb(self, request):
        response = web.StreamResponse(headers={"Content-Type": "text/html", "Content-Encoding": "gzip"})
        await response.prepare(request)
        while True:
            await response.write(b"\0" * 65536)


@contextlib.asynccontextmanager
async def asking(home: str | None = PAGE):
    """A function that probes once and returns the answer."""
    facts: list[object] = []
    edge = Probes(facts.append, lambda: home)

    async def ask(probe: Probe, url: str, timeout: float = 10.0, homes: frozenset[str] = frozenset()) -> Answer | None:
        await edge.probe(ProbeServer(probe, url, timeout, homes))
        fact = facts.pop()
        assert isinstance(fact, ServerAnswered) and (fact.probe, fact.url, facts) == (probe, url, [])
        return fact.answer

    try:
        yield ask
    finally:
        await edge.close()


@contextlib.asynccontextmanager
async def saying(reply: bytes, for_ever: bool = False):
    """A server that answers with these bytes whatever it is asked; gives its port."""

    async def serve(reader, writer):
        try:
            await reader.read(65536)
            writer.write(reply)
            while for_ever:
                writer.write(reply)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@asynctest
async def test_a_handshake_that_succeeds_and_is_closed_politely():
    async with Server().up() as server, asking() as ask:
        assert await ask(Probe.SOCKET, server.ws + "/ws?token=1") == Answer(101)
        assert await server.closed.get() == 1000
        (request,) = server.requests
        assert request.headers["Origin"] == "http://dashboard.example:3001"
        assert request.headers["Accept-Encoding"] == "identity" and request.query_string == "token=1"


@pytest.mark.parametrize(
    ("path", "status"), [("/status/401", 401), ("/status/403", 403), ("/status/503", 503), ("/nothing", 404), ("/loop", 302)]
)
@asynctest
async def test_a_handshake_that_is_refused_gives_the_status(path, status):
    async with Server().up() as server, asking() as ask:
        assert await ask(Probe.SOCKET, server.ws + path) == Answer(status)


@asynctest
async def test_a_page_in_place_of_the_handshake_is_told_apart():
    async with Server().up() as server, asking() as ask:
        assert await ask(Probe.SOCKET, server.ws + "/") == Answer(200, html=True)


@asynctest
async def test_without_a_home_the_origin_is_the_sockets_own():
    async with Server().up() as server, asking(home=None) as ask:
        await ask(Probe.SOCKET, server.ws + "/ws")
        assert server.requests[0].headers["Origin"] == server.url


@asynctest
async def test_an_event_source_is_asked_for_its_headers_only():
    async with Server().up() as server, asking() as ask:
        assert await ask(Probe.SOCKET, server.url + "/events") == Answer(101)
        assert await ask(Probe.SOCKET, server.url + "/status/503") == Answer(503)
        assert await ask(Probe.SOCKET, server.url + "/") == Answer(200, html=True)
        assert server.requests[0].headers["Accept"] == "text/event-stream"


@asynctest
async def test_home_is_got_with_redirects_and_without_cookies():
    async with Server().up() as server, asking() as ask:
        for path, answer in [
            ("/", Answer(200, html=True, at_home=True)),
            ("/json", Answer(200, html=False, at_home=True)),
            ("/home", Answer(200, html=True, at_home=True)),
            ("/away", Answer(200, html=True, at_home=False)),
            ("/status/500", Answer(500, html=False, at_home=True)),
        ]:
            assert await ask(Probe.HOME, server.url + path) == answer, path
        allowed = frozenset({server.url.replace("127.0.0.1", "localhost")})
        assert await ask(Probe.HOME, server.url + "/away", homes=allowed) == Answer(200, html=True, at_home=True)
        assert not any("Cookie" in request.headers for request in server.requests)
        looped = await ask(Probe.HOME, server.url + "/loop?token=secret")
        assert looped is not None and looped.status is None and looped.error and "secret" not in looped.error
        assert sum(request.path == "/loop" for request in server.requests) <= probes.REDIRECTS + 1


@asynctest
async def test_no_answer_has_a_reason():
    with socket.create_server(("127.0.0.1", 0)) as other:
        free = other.getsockname()[1]
    async with saying(b"") as mute, saying(b"HTTP/1.1 rubbish\r\n\r\n") as rubbish, asking() as ask:
        for url in (
            f"http://127.0.0.1:{free}/", f"ws://127.0.0.1:{free}/", "http://no-such-host.invalid/", "http://a..b/",
            f"http://127.0.0.1:{mute}/", f"http://127.0.0.1:{rubbish}/", f"https://127.0.0.1:{mute}/",
        ):  # fmt: skip
            answer = await ask(Probe.SOCKET if url.startswith("ws") else Probe.HOME, url)
            assert answer is not None and answer.status is None and answer.error, url


@asynctest
async def test_a_server_that_never_answers_costs_the_timeout_and_no_more():
    async with Server().up() as server, asking() as ask:
        for probe, url in [(Probe.HOME, server.url), (Probe.SOCKET, server.ws), (Probe.SOCKET, server.url)]:
            started = time.monotonic()
            answer = await ask(probe, url + "/silent", timeout=0.3)
            assert answer == Answer(None, error="no answer within 0.3 s")
            assert time.monotonic() - started < 1


@asynctest
async def test_a_handshake_is_checked():
    reply = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n"
    async with saying(reply) as port, asking() as ask:
        answer = await ask(Probe.SOCKET, f"ws://127.0.0.1:{port}/")
        assert answer is not None and answer.status is None and "WebSocket" in answer.error


@pytest.mark.parametrize("flood", [b"X: " + b"a" * 4000 + b"\r\n", b"a:b\r\n" * 1000, b"a" * 60000], ids=["fields", "short", "line"])
@asynctest
async def test_endless_headers_cost_nothing(flood):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with saying(b"HTTP/1.1 200 OK\r\n" + flood, for_ever=True) as port, asking() as ask:
        answer = await ask(Probe.HOME, f"http://127.0.0.1:{port}/", timeout=2)
        assert answer is not None and answer.status is None and len(answer.error) <= 200
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10  # KB


@asynctest
async def test_a_body_is_neither_read_nor_unpacked():
    async with Server().up() as server, asking() as ask:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert await ask(Probe.HOME, server.url + "/bomb") == Answer(200, html=True, at_home=True)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10


@pytest.mark.parametrize("url", ["nonsense", "http:///x", "http://[", "ftp://127.0.0.1/", "http://127.0.0.1:99999/", ""])
@asynctest
async def test_what_is_no_url_says_nothing_about_the_server(url):
    async with asking() as ask:
        for probe in Probe:
            assert await ask(probe, url) is None


@asynctest
async def test_no_descriptors_left_says_nothing_about_the_server():
    async with Server().up() as server, asking() as ask:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        held = []
        try:
            with contextlib.suppress(OSError):
                while True:
                    held.append(os.open("/dev/null", os.O_RDONLY))
            for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
                assert await ask(Probe.HOME, url) is None
        finally:
            for descriptor in held:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert await ask(Probe.HOME, server.url) == Answer(200, html=True, at_home=True)


@asynctest
async def test_a_certificate_nobody_signed(tmp_path):
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x"]
    await asyncio.to_thread(
        subprocess.run, [*command, "-keyout", tmp_path / "key", "-out", tmp_path / "pem"], check=True, stderr=subprocess.DEVNULL
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "pem", tmp_path / "key")
    async with Server().up(tls) as server, asking() as ask:
        for probe, url in [(Probe.HOME, server.url), (Probe.SOCKET, server.ws + "/ws")]:
            answer = await ask(probe, url)
            assert answer is not None and answer.status is None and answer.error.startswith("TLS: ")


@pytest.fixture
def proxied():
    """Sets the environment's proxy; puts the old one back afterwards."""
    kept = {name: os.environ.pop(name, None) for name in PROXIES}
    yield lambda url: os.environ.update(http_proxy=url)
    for name in PROXIES:
        os.environ.pop(name, None)
        if kept[name] is not None:
            os.environ[name] = kept[name]


@asynctest
async def test_cancelled_it_leaves_nothing_open():
    async with Server().up() as server:
        facts: list[object] = []
        edge = Probes(facts.append)
        task = asyncio.create_task(edge.probe(ProbeServer(Probe.HOME, server.url + "/silent", 10)))
        async with asyncio.timeout(5):
            while not server.requests:  # noqa: ASYNC110 - aiohttp tells nobody
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await edge.close()
        assert facts == []


def test_proxies_of_the_environment_are_for_others_only(proxied):
    async def story() -> None:
        async with Server().up() as server, asking() as ask:
            proxied(server.url)
            assert await ask(Probe.HOME, server.url + "/") == Answer(200, html=True, at_home=True)
            assert server.requests[-1].headers["Host"] == server.url.removeprefix("http://")
            for url in ("http://localhost:1/", "http://x.localhost:1/", "http://[::1]:1/"):
                answer = await ask(Probe.HOME, url)
                assert answer is not None and answer.status is None
            assert len(server.requests) == 1
            assert await ask(Probe.HOME, "http://far.example/json") == Answer(200, html=False, at_home=True)
            assert server.requests[-1].headers["Host"] == "far.example"

    asyncio.run(story())


@asynctest
async def test_what_cannot_be_reached_is_said_in_the_systems_words():
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    async with asking() as ask:
        assert await ask(Probe.HOME, f"http://127.0.0.1:{port}/") == Answer(None, error="connection refused")
        answer = await ask(Probe.HOME, "http://no-such-host.invalid/")
        assert answer is not None and answer.error.startswith("no-such-host.invalid: ") and "[" not in answer.error


@asynctest
async def test_a_name_asked_for_again_meanwhile_is_looked_up_once():
    """So a name server that never answers holds up one thread, and none of the loop's own."""
    resolver = probes._Resolver()
    answers = await asyncio.gather(*(resolver.resolve("localhost", 80) for _ in range(20)))
    assert all(answer is answers[0] for answer in answers)
    assert {entry["host"] for entry in answers[0]} <= {"127.0.0.1", "::1"}
    with pytest.raises(OSError):
        await resolver.resolve("no-such-host.invalid")
    assert await resolver.resolve("localhost", 80) is not answers[0]


@asynctest
async def test_what_was_asked_before_fails_nobody_who_asks_later(monkeypatch):
    """A name server was silent, and is back: whoever waits for an earlier question is not told that there is no such name."""
    silent, questions = threading.Event(), []

    def look_up(host, *rest):
        questions.append(host)
        if len(questions) == 1:
            silent.wait(5.0)
            raise socket.gaierror(socket.EAI_AGAIN, "temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    resolver = probes._Resolver()
    before = asyncio.create_task(resolver.resolve("dashboard.test", 80))
    await asyncio.sleep(0)
    later = [asyncio.create_task(resolver.resolve("dashboard.test", 80)) for _ in range(2)]
    await asyncio.sleep(0)
    silent.set()
    with pytest.raises(OSError, match="temporary failure"):
        await before
    assert [entry["host"] for answer in later for entry in await answer] == ["127.0.0.1"] * 2
    assert len(questions) == 2, "one question for both"


@asynctest
async def test_a_version_is_asked_for_with_what_is_known_of_it():
    edge = Probes(lambda fact: None)
    asked = []

    async def version(request):
        asked.append(request.headers.get("If-None-Match"))
        if asked[-1] == '"7"':
            return web.Response(status=304)
        return web.json_response({"version": 7, "digest": "sha256:ab", "complete": True}, headers={"ETag": '"7"'})

    async with serving(version) as url:
        assert [await edge.version(url) for _ in range(2)] == [DeployRead(Version(7, "sha256:ab"))] * 2
        assert asked == [None, '"7"']
        assert await edge.version(url + "?other") == DeployRead(Version(7, "sha256:ab")) and asked[-1] is None
    await edge.close()


@contextlib.asynccontextmanager
async def serving(handler):
    """A server that has this handler everywhere; gives its URL."""
    application = web.Application()
    application.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/version"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("path", "why"),
    [("/status/503", "it answered 503"), ("/status/304", "it answered 304"), ("/", "no JSON"), ("/json", 'no "version"'), ("/loop", "")],
)
@asynctest
async def test_what_is_no_version_has_a_reason(path, why):
    edge = Probes(lambda fact: None)
    async with Server().up() as server:
        with pytest.raises(EdgeUnavailable, match=f"Cannot ask .*{path} for the version: .*{why}"):
            await edge.version(server.url + path + "?secret=1")
    with pytest.raises(EdgeUnavailable, match="Cannot ask"):
        await edge.version(server.url + path)
    await edge.close()


@asynctest
async def test_a_version_that_never_comes_or_never_ends_costs_its_time_and_no_memory(monkeypatch):
    monkeypatch.setattr(probes, "VERSION_S", 0.5)
    edge = Probes(lambda fact: None)
    async with Server().up() as server:
        with pytest.raises(EdgeUnavailable, match="no answer within 0.5 s"):
            await edge.version(server.url + "/silent")
        with pytest.raises(EdgeUnavailable, match="no JSON"):
            await edge.version(server.url + "/bomb")
    await edge.close()

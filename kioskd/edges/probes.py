"""Asking servers: a real handshake on the page's connection, a GET of the page, the version of a build made elsewhere.

What an answer means is not known here.
"""

import asyncio
import base64
import contextlib
import errno
import functools
import hashlib
import ipaddress
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from kioskd import __version__
from kioskd.core.actions import Probe, ProbeServer
from kioskd.core.facts import Answer, DeployRead, Fact, ServerAnswered
from kioskd.core.policy import origin, path
from kioskd.errors import EdgeUnavailable
from kioskd.wire.version import read_version

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

log = logging.getLogger(__name__)

REDIRECTS = 10
VERSION_S = 4.0
VERSION_LIMIT = 64 << 10  # bytes
HTML = frozenset({"text/html", "application/xhtml+xml"})
# Trouble on this machine, which says nothing about the server.
OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL, socket.EAI_MEMORY, socket.EAI_SYSTEM})
WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
CLOSE_1000 = bytes((0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8))  # a masked close frame, "normal closure"


class Probes:
    """Asks the server."""

    def __init__(self, emit: Callable[[Fact], None], home: Callable[[], str | None] = lambda: None) -> None:
        """Answer through ``emit``; ``home`` gives the page's URL, whose origin many servers want to see in a handshake."""
        self._emit = emit
        self._home = home
        self.latency: dict[str, float] = {}  # of the last answers, by the probe's name, seconds
        self._session: ClientSession | None = None
        self._versions: dict[str, tuple[DeployRead, str]] = {}  # URL -> what it said last, and under which ETag

    async def probe(self, action: ProbeServer) -> None:
        """Ask once and emit ``ServerAnswered``, within the action's timeout."""
        began = time.monotonic()
        answer = await self._answer(action)
        if answer is not None:
            self.latency[action.probe.value] = time.monotonic() - began
        self._emit(ServerAnswered(action.probe, action.url, answer))

    async def version(self, url: str) -> DeployRead:
        """Ask a version endpoint which build there is; raises ``EdgeUnavailable`` where it does not say."""
        try:
            from aiohttp import ClientError
        except (ImportError, OSError) as error:
            raise EdgeUnavailable(f"Cannot ask for the version: {error}") from error
        try:
            async with asyncio.timeout(VERSION_S):
                return await self._version(url)
        except TimeoutError:
            why = f"no answer within {VERSION_S:g} s"
        except (ClientError, OSError, ValueError) as error:  # ValueError: not what a version endpoint says
            why = (str(error) or type(error).__name__)[:200]
        raise EdgeUnavailable(f"Cannot ask {path(url)} for the version: {why}")

    async def _version(self, url: str) -> DeployRead:
        known, tag = self._versions.get(url, (None, ""))
        headers = {"Accept": "application/json"} | ({"If-None-Match": tag} if known else {})
        response = await self._get(url, headers, redirects=True)
        try:
            if response.status == 304 and known is not None:
                return known
            if response.status != 200:
                raise ValueError(f"it answered {response.status}")
            content = await response.content.read(VERSION_LIMIT)
            while not response.content.at_eof() and len(content) < VERSION_LIMIT:
                content += await response.content.read(VERSION_LIMIT - len(content))
            read = read_version(content)
            self._versions = {url: (read, response.headers.get("ETag", ""))}
            return read
        finally:
            response.close()

    async def close(self) -> None:
        """Let go of everything."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _answer(self, action: ProbeServer) -> Answer | None:
        if origin(action.url).partition(":")[0] not in ("http", "https", "ws", "wss"):  # each aiohttp has its own error for this
            log.warning("Cannot probe the server: %.200r is no URL of a server", action.url)
            return None
        try:
            import aiohttp  # 0.15 s, and Chromium is to be started first
        except (ImportError, OSError) as error:
            log.error("Cannot probe the server: %s", error)
            return None
        try:
            async with asyncio.timeout(action.timeout):
                return await (self._socket(action.url) if action.probe is Probe.SOCKET else self._page(action.url, action.homes))
        except TimeoutError:
            return Answer(None, error=f"no answer within {action.timeout:g} s")
        except aiohttp.InvalidURL:
            log.warning("Cannot probe the server: %.200r is no URL", action.url)
            return None
        except (aiohttp.ClientError, OSError) as error:
            return _failure(error)
        except Exception:  # UNKNOWN is not BAD: a mistake of ours must not look like the server's
            log.exception("Cannot probe %s", origin(action.url) or "the server")
            return None

    async def _page(self, url: str, homes: frozenset[str]) -> Answer:
        response = await self._get(url, {"Accept": "text/html,application/xhtml+xml"}, redirects=True)
        try:
            return Answer(response.status, response.content_type in HTML, origin(str(response.url)) in homes | {origin(url)})
        finally:
            response.close()  # the body is not read

    async def _socket(self, url: str) -> Answer:
        if urlsplit(url).scheme in ("http", "https"):
            return await self._event_source(url)
        key = base64.b64encode(os.urandom(16)).decode()
        headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
        response = await self._get(url, headers | self._origin(url), redirects=False)  # a browser follows none here
        try:
            if response.status != 101:
                return Answer(response.status, response.content_type in HTML)
            expected = base64.b64encode(hashlib.sha1((key + WEBSOCKET_GUID).encode(), usedforsecurity=False).digest()).decode()
            if response.headers.get("Sec-WebSocket-Accept") != expected:
                return Answer(None, error="the handshake's answer is not a WebSocket's")
            if response.connection is not None and response.connection.transport is not None:
                response.connection.transport.write(CLOSE_1000)  # what is written goes out before the close
            return Answer(101)
        finally:
            response.close()

    async def _event_source(self, url: str) -> Answer:
        response = await self._get(url, {"Accept": "text/event-stream"} | self._origin(url), redirects=True)
        try:
            if response.status == 200 and response.content_type == "text/event-stream":
                return Answer(101)  # the connection can be had: one word for both kinds
            return Answer(response.status, response.content_type in HTML)
        finally:
            response.close()

    def _origin(self, url: str) -> dict[str, str]:
        page = origin(self._home() or "") or origin("http" + url.removeprefix("ws") if url.startswith("ws") else url)
        return {"Origin": page}

    async def _get(self, url: str, headers: Mapping[str, str], redirects: bool) -> "ClientResponse":
        session = self._session or self._open()
        return await session.get(
            url, headers=headers, allow_redirects=redirects, max_redirects=REDIRECTS, proxy=_proxy(url), read_until_eof=False
        )

    def _open(self) -> "ClientSession":
        import aiohttp

        # No cookies, no kept connections, no cached addresses: each probe asks afresh and leaves nothing behind.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, use_dns_cache=False, resolver=cast(Any, _Resolver())),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"kioskd/{__version__}", "Accept-Encoding": "identity", "Cache-Control": "no-cache"},
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        return self._session


class _Resolver:
    """Looks names up in threads of its own, one at a time for each name.

    The event loop's own threads would all wait for a name server that does not answer, the reading of files behind them, and the
    end of kioskd too. (The shape is aiohttp's ``AbstractResolver``, which is not subclassed because aiohttp is imported late.)
    """

    def __init__(self) -> None:
        self._asked: dict[tuple[str, int, int], asyncio.Future[list[dict[str, Any]]]] = {}

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_UNSPEC) -> list[dict[str, Any]]:
        """Return the addresses of a name; raises OSError."""
        key = (host, port, family)
        if (earlier := self._asked.get(key)) is not None:
            with contextlib.suppress(OSError):  # what was asked before may fail of how things were then: only a name that was found is one
                return await asyncio.shield(earlier)
        return await asyncio.shield(self._asked.get(key) or self._ask(key))

    def _ask(self, key: tuple[str, int, int]) -> "asyncio.Future[list[dict[str, Any]]]":
        answer = self._asked[key] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(lambda done: (self._asked.pop(key), done.cancelled() or done.exception()))
        threading.Thread(target=_look_up, args=(*key, answer), name="name-lookup", daemon=True).start()
        return answer

    async def close(self) -> None:
        """Nothing to let go of: the threads end by themselves."""


def _look_up(host: str, port: int, family: int, answer: "asyncio.Future[list[dict[str, Any]]]") -> None:
    settle: Callable[[], None]
    try:
        found = socket.getaddrinfo(host, port, socket.AddressFamily(family), socket.SOCK_STREAM)
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        result = [
            {"hostname": host, "host": address[0], "port": address[1], "family": kind, "proto": proto, "flags": flags}
            for kind, _, proto, _, address in found
        ]
        settle = functools.partial(answer.set_result, result)
    except (OSError, UnicodeError) as error:  # UnicodeError: no name at all, such as "a..b"
        settle = functools.partial(answer.set_exception, error if isinstance(error, OSError) else OSError(0, str(error)))
    with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
        answer.get_loop().call_soon_threadsafe(settle)


def _failure(error: BaseException) -> Answer | None:
    """Translate what aiohttp raises; None where the trouble is this machine's own."""
    cause: Any = getattr(error, "os_error", error)
    number = getattr(cause, "errno", None)
    text = _said(error)
    if isinstance(cause, ssl.SSLError | ssl.CertificateError):
        return Answer(None, error=f"TLS: {text}")
    if number in OURS:
        log.warning("Cannot probe the server: %s", text)
        return None
    if isinstance(cause, OSError) and number:  # a name's is negative
        said = os.strerror(number) if number > 0 else str(cause.strerror)
        name = f"{getattr(error, 'host', '')}: " if number < 0 else ""  # that leads nowhere
        text = name + said[:1].lower() + said[1:]
    return Answer(None, error=text)


def _said(error: Any) -> str:
    """Return what an error says, without the URLs that aiohttp quotes in it: they may hold a secret."""
    if hasattr(error, "request_info"):  # aiohttp.ClientResponseError
        text = f"{error.status or ''} {error.message or type(error).__name__}".strip()
    elif hasattr(error, "url"):  # aiohttp.InvalidURL
        text = "it leads to what is no address"
    else:
        text = str(error) or type(error).__name__
    return text[:200]  # it may quote what it was sent


def _proxy(url: str) -> str | None:
    """Return the proxy of the environment, as Chromium has it too; none to this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if _loopback(host) or proxy_bypass(host):
        return None
    return getproxies().get({"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme))


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")

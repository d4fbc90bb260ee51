"""Everything that takes bytes from outside, and what has to hold whatever they are.

A target's ``take`` raises for what must not be; what the code itself refuses, with an error made for it, is well. ``plant`` breaks the
code in one small place, as somebody might: whoever does not find that finds nothing.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st

from kioskd.core.facts import JournalHeard
from kioskd.core.policy import JournalRule
from kioskd.edges import journal, notify
from kioskd.errors import CdpClosed, ConfigError, KioskdError
from kioskd.wire import cdp, config, dist, incidents, markup, values, version, words
from kioskd.wire.report import read_report
from tests.fuzz.door import Door

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
UNDER = 1 << 16  # bytes of one input, at most


@dataclass(frozen=True)
class Target:
    """One of them. ``seeds``: what is right, to begin with; ``tokens``: what its language is made of."""

    name: str
    says: str
    take: Callable[[bytes], None]
    plant: Callable[[], AbstractContextManager[object]]
    seeds: tuple[bytes, ...] = ()
    tokens: tuple[bytes, ...] = ()

    @property
    def inputs(self) -> st.SearchStrategy[bytes]:
        """Bytes of any kind, words of its language in any order, and what is right with some places changed."""
        piece = st.one_of(st.sampled_from(self.tokens or (b"",)), st.binary(max_size=6), st.text(max_size=4).map(_utf8))
        anything = [st.binary(max_size=400), st.text(max_size=200).map(_utf8), st.lists(piece, max_size=30).map(b"".join)]
        if self.seeds:
            edit = st.tuples(st.integers(0, 4000), st.integers(0, 12), piece, st.integers(1, 3))
            anything += [st.builds(_edited, st.sampled_from(self.seeds), st.lists(edit, max_size=5))] * 2
        return st.one_of(anything).map(lambda content: content[:UNDER])


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _edited(seed: bytes, edits: list[tuple[int, int, bytes, int]]) -> bytes:
    for at, over, piece, times in edits:
        at %= len(seed) + 1
        seed = seed[:at] + piece * times + seed[at + over :]
    return seed


def is_planted(error: BaseException | None) -> bool:
    """Whether it is the bug that was planted, or what that leads to over HTTP."""
    return error is not None and (error.args == ("planted",) or "internal error" in str(error))


@contextmanager
def bug_in(where: object, name: str, when: Callable[..., bool]) -> Iterator[None]:
    """Let a function fail, as a mistake in it would, for some of what it is given."""
    right: Any = getattr(where, name)

    def wrong(*given: Any, **more: Any) -> Any:
        if when(*given, **more):
            raise IndexError("planted")
        return right(*given, **more)

    with patch.object(where, name, wrong):
        yield


# --- the configuration ----------------------------------------------------------------------------


def _configuration(content: bytes) -> None:
    config.rescue(content)
    try:
        read = config.parse(content, "kioskd.yaml")
    except ConfigError as error:
        assert error.mistakes and all(each.startswith("kioskd.yaml") and "\n" not in each for each in error.mistakes)
        return
    assert config.parse(config.show(read), "shown") == read


# --- what Chromium, its page and the server say ---------------------------------------------------


def _devtools(content: bytes) -> None:
    decoder, frames = cdp.Decoder(limit=1 << 14), []
    with suppress(CdpClosed):
        for at in range(0, len(content), 7):
            frames += decoder.feed(content[at : at + 7])
        assert b"\0" not in b"".join(frames)
    for frame in frames:
        cdp.method_of(frame)
        with suppress(CdpClosed):
            said = cdp.decode(frame)
            with suppress(KioskdError):
                read_report(1, 1, said.result if isinstance(said, cdp.Answer) else said.params, [said.__class__.__name__])


def _version(content: bytes) -> None:
    with suppress(ValueError):
        read = version.read_version(content)
        assert read.version is not None and isinstance(read.version.mtime, int)


def _index(content: bytes) -> None:
    for asset in dist.assets(content.decode("utf-8", "replace")):
        for path in dist.local_paths(asset):
            assert not path.startswith("/") and ".." not in path.split("/") and "\0" not in path, path


# --- the log, the incidents, systemd --------------------------------------------------------------

RULES = tuple(
    JournalRule(unit="dashboard", match=match, clear=clear)
    for match, clear in (("to 0 clients", "to [1-9]"), (r"(?i)error.*(timeout|refused)$", None), (r"^\[\d+\] .* (lost|gone)\b", "back"))
)


def _log(content: bytes) -> None:
    text = content.decode("utf-8", "replace")
    for rule in RULES:
        ear = journal._Ear(rule)
        for line in text.split("\n"):
            ear.hear(line)
        told = ear.told(0.0)
        assert told is None or isinstance(told, JournalHeard) and told.matches >= 0
    with suppress(ValueError):
        values.pattern(text)


def _incidents(content: bytes) -> None:
    found = incidents.read(content.split(b"\n"))
    shown = json.loads(json.dumps(found.shown(100)))["incidents"]
    list(words.incident_lines(shown, NOW, words.Paint(False)))
    for each in shown:
        for line in words.incident_text(each, NOW, words.Paint(False)):
            assert not values.UNPRINTABLE.search(line), line  # or it would steer a terminal


class _Systemd:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def notify(self, message: str) -> None:
        self.told.append(message.encode("latin-1").decode())


def _notify(content: bytes) -> None:
    systemd, text = _Systemd(), content.decode("utf-8", "replace")
    it = notify.Notify(systemd, 30.0)
    it.status(text)
    it.watchdog()
    assert len(systemd.told) == (2 if text.split() else 1)
    assert all(message.count("\n") == 0 and message.startswith(("STATUS=", "WATCHDOG=1")) for message in systemd.told), systemd.told
    period = notify._period_s(text[:40], text[40:])
    assert period is None or period > 0


# --- HTTP -----------------------------------------------------------------------------------------

DOOR = Door()
PATHS = tuple(DOOR.paths)
HEADS = b"""\
Host: evil.example~Origin: null~Origin: http://localhost:3001~Content-Length: 5~Content-Length: 99999999999999999999~\
Transfer-Encoding: chunked~Expect: 100-continue~Connection: Upgrade~Upgrade: websocket~Sec-WebSocket-Version: 13~\
Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==~Content-Type: application/json~Cookie: kioskd=x~Authorization: Bearer x~\
Range: bytes=0-1~If-None-Match: *~Content-Encoding: gzip"""
END = b" HTTP/1.1\r\nHost: " + DOOR.host + b"\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
REQUESTS = tuple(b"%s %s%s" % (method, path.encode(), END) for path in PATHS for method in (b"GET", b"POST"))
IN_HTTP = (
    *[head + b"\r\n" for head in (b"Host: " + DOOR.host, *HEADS.split(b"~"))],
    *[method + b" " for method in b"GET HEAD POST OPTIONS PUT CONNECT PRI".split()],
    *[path.encode() for path in PATHS],
    *(b" HTTP/1.1\r\n", b"\r\n\r\n", b"\r\n", b"%2e%2e/", b"//", b"?code=", b"{}", b'{"for": "10m"}', b"0\r\n\r\n", b"\x16\x03\x01", b"\0"),
)

# --- all of them ----------------------------------------------------------------------------------

IN_JSON = tuple(rb'{ } [ ] , : "" null true -1 1e999 NaN "\ud800"'.split())
KEYS = b"url deploy index health interval journal match api listen browser flags".split()
WORDS = rb"[ ] { } *a ' \" | off 10s 1e9h".split()
IN_YAML = (*[key + b": " for key in KEYS], *WORDS, b"\n  ", b"- ", b"&a ", b"!!python/object ", b"\t", b"\xef\xbb\xbf")
YAMLS = (*sorted((ROOT / "tests/wire/corpus").glob("*.yaml")), ROOT / "etc/kioskd.yaml")
TAGS = rb"""<script <link src= ' " > </script> <!-- --> ../ %2e%2e/ \ // data: &#x2f;""".split()
IN_HTML = (*TAGS, b"<base href=", b"<img srcset=", b"\0")
FRAMES = (
    b'{"id":1,"result":{"frameId":"A"}}\0{"id":2,"error":{"code":-32000,"message":"Not allowed"}}\0',
    b'{"method":"Page.frameNavigated","params":{"frame":{"url":"http://x/"}},"sessionId":"S"}\0',
    b'{"id":3,"result":{"result":{"value":{"ready":true,"connections":[]}}}}\0',
)
AT = b'{"id":1,"at":"2026-11-26T03:12:00.000Z","verdict":"STUCK","rung":"RELOADED",'
INCIDENT = b"\n".join(
    AT + more
    for more in (
        b'"what":"began","why":"cut off"}',
        b'"what":"seen","why":"hangs"}',
        b'"what":"done","remedy":"reload the page"}',
        b'"what":"evidence","picture":"1-1.jpg","memory":400000000,"errors":["x"]}',
        b'"what":"cured","remedy":"reload the page","seconds":21.5}\n',
    )
)
INDEXES = (
    b'<!doctype html><base href="/app/"><script type="module" src="/assets/a.js"></script><link rel=stylesheet href=./b.css>',
    b'<script type="importmap">{"imports": {"x": "/x.js"}}</script><img srcset="a.png 1x, b.png 2x"><!-- <script src=c.js> -->',
)

TARGETS = (
    Target(
        "config", "the configuration file", _configuration, lambda: bug_in(values, "shown", lambda text: "'" in text),
        tuple(each.read_bytes() for each in YAMLS), IN_YAML,
    ),
    Target(
        "devtools", "what Chromium's DevTools pipe carries", _devtools, lambda: bug_in(cdp, "decode", lambda frame: frame.count(b"[") > 3),
        FRAMES, (b'{"id":', b'"method":', b'"params":', b'"result":', b'"error":', b"\0", *IN_JSON),
    ),
    Target("http", "what comes over HTTP", DOOR.take, lambda: bug_in(DOOR, "status", lambda: DOOR.asked % 5 == 0), REQUESTS, IN_HTTP),
    Target(
        "journal", "a server's log", _log, lambda: bug_in(journal._Ear, "hear", lambda _, text: text.count("]") > 1),
        (b"sent to 0 clients\nsent to 3 clients\n", b"[12] socket lost\nERROR upstream timeout\nback\n"),
        (b"to 0 clients", b"error", b"timeout", b"[1] ", b"lost", b"]", b"\n", b"(a+)+$", b"\\", b"(?", b"{1,9999999999}"),
    ),
    Target(
        "incidents", "the file of incidents", _incidents, lambda: bug_in(incidents, "_settle", lambda incident, _: bool(incident["seen"])),
        (INCIDENT,), (b'"id":', b'"what":', b'"began"', b'"done"', b'"cured"', b'"seconds":', b"\n", b"\x1b[31m", *IN_JSON),
    ),
    Target(
        "notify", "what systemd is told", _notify, lambda: bug_in(notify.Notify, "_send", lambda _, message: "=" in message[7:]), (),
        (b"READY=1", b"\nSTOPPING=1", b"MAINPID=1", b"=", b"\0", b"\r", b"\xe2\x80\xa8", b"\x85", b"30000000", b"9" * 400),
    ),
    Target(
        "index", "the index.html of a front end", _index, lambda: bug_in(markup, "_value", lambda html, at: html[at : at + 1] == "'"),
        INDEXES, IN_HTML,
    ),
    Target(
        "version", "a version endpoint's answer", _version, lambda: bug_in(version, "Version", lambda number, digest, *_: not digest),
        (b'{"version": 1763000000, "digest": "sha256:ab", "complete": true}',),
        (b'"version":', b'"digest":', b'"complete":', b"9" * 5000, *IN_JSON),
    ),
)  # fmt: skip

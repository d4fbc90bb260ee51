"""The oracle: what the *server* knows about the page.

Each message with figures carries a nonce. The page sends it back from inside a ``requestAnimationFrame`` together with the build it is of
and a random number of its document: so the page renders, is connected, and is of that version. A page is **back** when the
build is the one now on disk. Nothing here trusts kioskd, nor what the page says about its health.
"""

import asyncio
import math
import random
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

KEEP = 1000  # of each kind of record: an hour of a quiet page, and bounded for a mad one
NONCE_BITS = 24
CELLS = 8  # of the strip in the page's corner, three bits each


@dataclass(frozen=True, slots=True)
class Echo:
    """A nonce that came back."""

    at: float  # monotonic
    wall: float
    sent: float  # monotonic: when the nonce went out
    nonce: int
    version: str
    document: str
    back: bool  # the version was the one on disk at that moment
    opened: float  # monotonic: since when the connection was open that it came over


@dataclass(frozen=True, slots=True)
class Request:
    """A request of anybody's."""

    at: float  # monotonic
    method: str
    path: str
    browser: bool  # by a browser, not by a probe
    load: bool  # a browser asked for the document, to show it


@dataclass(frozen=True, slots=True)
class Sent:
    """The document, or an asset, as a browser got it."""

    at: float  # monotonic
    path: str
    status: int
    version: str | None = None  # of a document: which it says it is
    lacks: tuple[str, ...] = ()  # of a document: its ends, and what it names and was not there at that moment


@dataclass(frozen=True, slots=True)
class SocketNews:
    """A live connection was opened or has gone. ``document`` is known only once it has said so."""

    at: float  # monotonic
    path: str
    event: str  # "open" or "close"
    document: str | None


class Oracle:
    """The records, all bounded, and the wait for a page to be back."""

    def __init__(self, newest: Callable[[], str | None]) -> None:
        self.newest = newest
        self.echoes: deque[Echo] = deque(maxlen=KEEP)
        self.requests: deque[Request] = deque(maxlen=KEEP)
        self.loads: deque[float] = deque(maxlen=KEEP)
        self.sent: deque[Sent] = deque(maxlen=KEEP)
        self.sockets: deque[SocketNews] = deque(maxlen=KEEP)
        self._sent: OrderedDict[int, float] = OrderedDict()
        self._news = asyncio.Event()

    def nonce(self) -> int:
        """Return a new nonce, sent now."""
        nonce = random.getrandbits(NONCE_BITS)
        self._sent[nonce] = time.monotonic()
        while len(self._sent) > KEEP:
            self._sent.popitem(last=False)
        return nonce

    def echoed(self, nonce: int, version: str, document: str, opened: float) -> None:
        """Record an echo; one of a nonce that never went out, or came back already, is ignored. ``opened``: see ``Echo``."""
        sent = self._sent.pop(nonce, None)
        if sent is None:
            return
        back = version == self.newest()
        self.echoes.append(Echo(time.monotonic(), time.time(), sent, nonce, version, document, back, opened))
        self._news.set()
        self._news = asyncio.Event()

    def asked(self, request: Request) -> None:
        """Record a request."""
        self.requests.append(request)
        if request.load:
            self.loads.append(request.at)

    async def back(self, after: float, other_than: str | None = None, opened_after: float = -math.inf) -> Echo:
        """Wait for a page to be back: by a nonce sent after a monotonic moment, and by another document than the one named.

        ``opened_after``: a monotonic moment; what comes over a connection that was open by then does not count.
        """
        while True:
            news = self._news
            for echo in self.echoes:
                if echo.back and echo.sent >= after and echo.document != other_than and echo.opened > opened_after:
                    return echo
            await news.wait()


def cells(nonce: int) -> tuple[tuple[bool, bool, bool], ...]:
    """Return the strip the page paints for a nonce: for each cell, highest bits first, whether red, green and blue are bright."""
    three = ((nonce >> 3 * shift & 7) for shift in reversed(range(CELLS)))
    return tuple((bool(bits & 4), bool(bits & 2), bool(bits & 1)) for bits in three)


def painted(strip: tuple[tuple[bool, bool, bool], ...]) -> int:
    """Return the nonce that a strip shows: the inverse of ``cells``."""
    nonce = 0
    for red, green, blue in strip:
        nonce = nonce << 3 | red << 2 | green << 1 | blue
    return nonce

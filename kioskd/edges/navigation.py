"""Where the page goes: the events of its main frame, told as facts; in bundles, where they come without a pause."""

import asyncio
from collections.abc import Callable
from typing import Any

from kioskd.core.facts import DocumentCommitted, Fact, NavigationEnded, NavigationStarted, PageAnswered, Prompted, RendererGone
from kioskd.wire.flags import START_PAGE

NEWS_BURST = 12.0  # pieces of navigation news told at once, three or so a load; then one bundle in NEWS_PACE_S
NEWS_PACE_S = 2.0

EVENTS = frozenset(
    {
        "Page.frameNavigated",
        "Page.frameStartedLoading",
        "Page.frameStartedNavigating",
        "Page.frameStoppedLoading",
    }
)
_NEEDS_SIGN_IN = "net::ERR_INVALID_AUTH_CREDENTIALS"


class Navigation:
    """The way of one page target. ``document`` and ``url`` are of the document committed last."""

    def __init__(self, generation: int, frame: str, emit: Callable[[Fact], None]) -> None:
        self.document = self.url = ""
        self._generation, self._frame, self._emit = generation, frame, emit
        self._pending: str | None = None  # the loader id of a navigation that has not committed
        self._loading = False
        self._crashed = False
        self._signs_in: str | None = None  # the document that a "Sign in" dialog stands over, known by its loader id
        self._news: dict[type, Fact] = {}
        self._telling: asyncio.Handle | None = None
        self._credit, self._credited_at = NEWS_BURST, 0.0

    def take(self, method: str, params: dict[str, Any]) -> None:
        """Take one of ``EVENTS``."""
        frame = params.get("frame")
        id = frame.get("id") if isinstance(frame, dict) else params.get("frameId")
        if id != self._frame:
            return
        match method:
            case "Page.frameStartedNavigating" if _is_news(params):
                # The old document's own stop may still be on its way: it must not end this one.
                self._pending, self._loading, self._crashed = str(params.get("loaderId")), False, False
                self._report(NavigationStarted(self._generation, str(params.get("url"))))
            case "Page.frameStartedLoading":
                self._loading = self._pending is not None
            case "Page.frameNavigated" if isinstance(frame, dict):
                self._committed(frame)
            case "Page.frameStoppedLoading" if self._loading:
                self._pending, self._loading = None, False
                self._report(NavigationEnded(self._generation))

    def _committed(self, frame: dict[str, Any]) -> None:
        self.document, self.url = str(frame.get("loaderId")), str(frame.get("url"))
        if self.url == START_PAGE:
            return
        self._loading, self._pending = True, None
        asked = frame.get("unreachableUrl")
        url = str(asked or self.url) + str(frame.get("urlFragment") or "")
        self._report(DocumentCommitted(self._generation, self.document, url, error=bool(asked)))
        if self._signs_in == self.document:
            self.tell(Prompted(self._generation, "a sign-in"))

    def crashed(self) -> None:
        """Take the end of the page's renderer; more than one event tells of it."""
        if not self._crashed:
            self._crashed, self._pending, self._loading = True, None, False
            self.tell(RendererGone(self._generation))

    def ended(self, error: str, document: str) -> None:
        """Take the browser's own answer about a navigation that it was told to make."""
        if error == _NEEDS_SIGN_IN:
            self._prompted(document)

    def _prompted(self, document: str) -> None:
        if self._signs_in != document:
            self._signs_in = document
            if document == self.document:
                self.tell(Prompted(self._generation, "a sign-in"))

    # --- telling

    def tell(self, fact: Fact) -> None:
        """Tell a fact at once, after the news before it."""
        self._flush()
        self._emit(fact)

    def tell_report(self, report: PageAnswered) -> None:
        """Tell what the page said. In its turn: told at once it would take the news along, and each would lead to the next question."""
        if report.status == 401 and report.url.startswith("chrome-error:"):  # the page went there by itself: only now it shows
            self._prompted(self.document)
        if self._news:
            self._report(report)
        else:
            self._emit(report)

    def _report(self, fact: Fact) -> None:
        """Say of several turns of the same news only the last, where they come together or for long without a pause.

        A page may reload itself for ever, and that must not cost a turn of the loop for each time.
        """
        self._news.pop(type(fact), None)
        self._news[type(fact)] = fact
        if self._telling is not None:
            return
        loop = asyncio.get_running_loop()
        self._credit = min(self._credit + (loop.time() - self._credited_at) / NEWS_PACE_S, NEWS_BURST)
        self._credited_at = loop.time()
        if self._credit >= 1:
            self._credit -= 1
            self._telling = loop.call_soon(self._tell_news)
        else:
            self._telling = loop.call_later(NEWS_PACE_S, self._tell_news)

    def _tell_news(self) -> None:
        self._telling = None
        self._flush()

    def _flush(self) -> None:
        news, self._news = self._news, {}
        for fact in news.values():
            self._emit(fact)


def _is_news(navigation: dict[str, Any]) -> bool:
    return navigation.get("url") != START_PAGE and "sameDocument" not in str(navigation.get("navigationType"))

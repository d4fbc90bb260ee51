"""The page: attached to through DevTools, told what to do, its doings told as facts."""

import asyncio
import base64
import hashlib
import json
import logging
from binascii import Error as NotBase64
from collections.abc import Callable
from importlib import resources
from typing import Any

from kioskd.core.facts import (
    BrowserAnswered,
    DialogOpened,
    DocumentCommitted,
    DocumentRead,
    Fact,
    NavigationEnded,
    NavigationStarted,
    PageGone,
    PopupOpened,
    Prompted,
    RendererGone,
)
from kioskd.edges.cdp_pipe import CdpPipe
from kioskd.errors import BrowserGone, CdpError, KioskdError
from kioskd.wire.cdp import Answer, Event
from kioskd.wire.flags import START_PAGE
from kioskd.wire.report import read_report

log = logging.getLogger(__name__)

OBSERVER = resources.files("kioskd.edges").joinpath("observer.js").read_text("utf-8")
MAX_WORKERS = 64
NEWS_BURST = 12.0  # pieces of navigation news told at once, three or so a load; then one bundle in NEWS_PACE_S
NEWS_PACE_S = 2.0
WORKER_S = 1.0  # a worker busy for longer is taken to be as it last said

EVENTS = frozenset(
    {
        "Inspector.targetCrashed",
        "Page.frameNavigated",
        "Page.frameStartedLoading",
        "Page.frameStartedNavigating",
        "Page.frameStoppedLoading",
        "Page.javascriptDialogOpening",
        "Target.attachedToTarget",
        "Target.detachedFromTarget",
    }
)
# Prompts cannot be seen through DevTools and nobody could answer them, so each is answered before it is asked.
_DENIED = (
    "background-sync",
    "camera",
    "clipboard-read",
    "display-capture",
    "geolocation",
    "idle-detection",
    "microphone",
    "midi",
    "notifications",
    "persistent-storage",
    "storage-access",
    "window-management",
)
_GRANTED = ("local-network-access",)  # a page from outside may call the kioskd beside it
_NEEDS_SIGN_IN = "net::ERR_INVALID_AUTH_CREDENTIALS"


class Page:
    """The one page of one browser, from its attachment to the browser's end."""

    def __init__(self, pipe: CdpPipe, generation: int, emit: Callable[[Fact], None], name: str) -> None:
        self._pipe, self._generation, self._emit, self._name = pipe, generation, emit, name
        self._source = f"({OBSERVER.strip()})({json.dumps(name)})"
        self._session: str | None = None
        self._target = ""
        self._attached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._workers: dict[str, object] = {}  # session -> its last report
        self._document = self._url = ""
        self._pending: str | None = None  # the loader id of a navigation that has not committed
        self._loading = False
        self._crashed = False
        self._signs_in: str | None = None  # the document that a "Sign in" dialog stands over, known by its loader id
        self._dialog: str | None = None  # session
        self._news: dict[type, Fact] = {}
        self._telling: asyncio.Handle | None = None
        self._credit, self._credited_at = NEWS_BURST, 0.0

    # --- attaching

    async def attach(self) -> str:
        """Attach to the browser's page with the observer in place; return the browser's product. Nothing waits for anything else."""
        version = self._pipe.request("Browser.getVersion")
        for name in _DENIED:
            self._pipe.send("Browser.setPermission", {"permission": {"name": name}, "setting": "denied"})
        for name in _GRANTED:
            self._pipe.send("Browser.setPermission", {"permission": {"name": name}, "setting": "granted"})
        self._pipe.send("Browser.setDownloadBehavior", {"behavior": "deny"})
        self._auto_attach(None, "page", "shared_worker")
        product = str((await version).get("product", ""))
        await self._attached
        return product

    def _auto_attach(self, session: str | None, *types: str) -> None:
        # Paused until the observer is in: otherwise a worker's or a frame's first socket is missed for ever. Should we hang, they
        # stay paused, but then systemd's watchdog ends us, and Chromium with us.
        how = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True, "filter": [{"type": kind} for kind in types]}
        self._pipe.send("Target.setAutoAttach", how, session)

    def _attach_to(self, session: str, target: dict[str, Any], parent: str | None) -> None:
        kind = target.get("type")
        if kind == "page" and parent is None:
            if self._session is not None:
                # Left paused it would hold up its opener, whose process it shares: for ever, when it is closed in that state.
                self._pipe.send("Runtime.runIfWaitingForDebugger", session=session)
                self._tell(PopupOpened(self._generation, str(target.get("targetId"))))
                return
            self._session, self._target = session, str(target.get("targetId"))
            self._pipe.send("Inspector.enable", session=session)
        if kind in ("page", "iframe"):
            self._pipe.send("Page.enable", session=session)
            # A navigation that overtakes this one has no observer, and its events are lost: the answer is what "attached" means.
            then = self._in_place if session == self._session else None
            self._pipe.send("Page.addScriptToEvaluateOnNewDocument", {"source": self._source}, session, then)
            self._auto_attach(session, "iframe", "worker")
        elif len(self._workers) < MAX_WORKERS:
            self._workers[session] = {}
            self._auto_attach(session, "worker")
            self._pipe.send("Runtime.evaluate", {"expression": self._source}, session)
        self._pipe.send("Runtime.runIfWaitingForDebugger", session=session)

    def _in_place(self, answer: Answer) -> None:
        if self._attached.done():
            return
        if answer.error is None:
            self._attached.set_result(None)
        else:
            self._attached.set_exception(CdpError("Page.addScriptToEvaluateOnNewDocument", answer.error))

    # --- what the browser says

    def on_event(self, event: Event) -> None:
        """Take one of ``EVENTS``."""
        params = event.params
        match event.method:
            case "Target.attachedToTarget":
                target = params.get("targetInfo")
                self._attach_to(str(params.get("sessionId")), target if isinstance(target, dict) else {}, event.session)
            case "Target.detachedFromTarget":
                self._detached(str(params.get("sessionId")))
            case "Page.javascriptDialogOpening":
                self._dialog = event.session
                self._tell(DialogOpened(self._generation, str(params.get("type"))))
            case "Inspector.targetCrashed" if event.session == self._session and not self._crashed:
                self._crashed, self._pending, self._loading = True, None, False
                self._tell(RendererGone(self._generation))
            case method if event.session == self._session:
                self._navigated(method, params)

    def _navigated(self, method: str, params: dict[str, Any]) -> None:
        frame = params.get("frame")
        id = frame.get("id") if isinstance(frame, dict) else params.get("frameId")
        if id != self._target:
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
        self._document, self._url = str(frame.get("loaderId")), str(frame.get("url"))
        if self._url == START_PAGE:
            return
        self._loading, self._pending = True, None
        asked = frame.get("unreachableUrl")
        url = str(asked or self._url) + str(frame.get("urlFragment") or "")
        self._report(DocumentCommitted(self._generation, self._document, url, error=bool(asked)))
        if self._signs_in == self._document:
            self._tell(Prompted(self._generation, "a sign-in"))

    def _detached(self, session: str) -> None:
        self._workers.pop(session, None)
        if session == self._session:
            self._session, self._target, self._document, self._pending, self._crashed = None, "", "", None, False
            self._workers.clear()
            self._attached = asyncio.get_running_loop().create_future()
            self._tell(PageGone(self._generation))

    def _report(self, fact: Fact) -> None:
        """Say of several turns of the same navigation news only the last, where they come together or for long without a pause.

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

    def _tell(self, fact: Fact) -> None:
        self._flush()
        self._emit(fact)

    def _flush(self) -> None:
        news, self._news = self._news, {}
        for fact in news.values():
            self._emit(fact)

    # --- what it is told to do

    async def open(self) -> None:
        """Make a new page target in place of one that has gone."""
        if self._session is None:
            self._pipe.send("Target.createTarget", {"url": START_PAGE})
            await self._attached

    async def navigate(self, url: str) -> None:
        """Begin to go to ``url``. The command's own answer comes only with the server's, so it is not waited for."""
        self._pipe.send("Page.navigate", {"url": url}, self._living(), self._answered)

    def _answered(self, answer: Answer) -> None:
        if answer.result.get("errorText") == _NEEDS_SIGN_IN:
            self._prompted(str(answer.result.get("loaderId")))

    def _prompted(self, document: str) -> None:
        if self._signs_in != document:
            self._signs_in = document
            if document == self._document:
                self._tell(Prompted(self._generation, "a sign-in"))

    async def reload(self, fresh: bool = False) -> None:
        """Begin to reload; ``fresh``: past the HTTP cache, the origin's service workers and their caches gone."""
        session = self._living()
        if fresh:
            origin = self._url
            if origin.startswith("http"):
                await self._pipe.command(
                    "Storage.clearDataForOrigin",
                    {"origin": "/".join(origin.split("/", 3)[:3]), "storageTypes": "service_workers,cache_storage"},
                    session,
                )
        await self._pipe.command("Page.reload", {"ignoreCache": fresh}, session)

    async def stop_loading(self) -> None:
        """Give up the pending navigation."""
        await self._pipe.command("Page.stopLoading", session=self._living())

    async def end_script(self) -> None:
        """End the script that runs now."""
        await self._pipe.command("Runtime.terminateExecution", session=self._living())

    async def dismiss_dialog(self, kind: str) -> None:
        """Answer the dialog: a beforeunload is let go, everything else dismissed."""
        await self._pipe.command("Page.handleJavaScriptDialog", {"accept": kind == "beforeunload"}, self._dialog or self._living())

    async def close_popup(self, target: str) -> None:
        """Close another page target, and put the page in front again."""
        await self._pipe.command("Target.closeTarget", {"targetId": target})
        await self._pipe.command("Page.bringToFront", session=self._living())

    async def screenshot(self) -> bytes:
        """Return the picture as PNG."""
        return _bytes(str((await self._pipe.command("Page.captureScreenshot", session=self._living())).get("data")))

    # --- what it is asked

    async def ask(self, question: int, stuck_text: str | None) -> None:
        """Ask the page how it is. Answers when the page does, however late."""
        expression = f"{self._name}({json.dumps(stuck_text)})"
        asked = {"expression": expression, "returnByValue": True}
        main = self._pipe.request("Runtime.evaluate", {**asked, "awaitPromise": True}, self._living())
        workers = {self._pipe.request("Runtime.evaluate", asked, session): session for session in self._workers}
        try:
            report = _value(await main)
            if workers:
                done, _ = await asyncio.wait(workers, timeout=WORKER_S)
                for answer in done:
                    if answer.exception() is None and workers[answer] in self._workers:
                        self._workers[workers[answer]] = answer.result().get("result", {}).get("value") or {}
        finally:
            for each in (main, *workers):
                each.cancel()
        fact = read_report(self._generation, question, report, self._workers.values())
        if fact.status == 401 and fact.url.startswith("chrome-error:"):  # the page went there by itself: only now it shows
            self._prompted(self._document)
        if self._news:  # in its turn: told at once it would take the news along, and each would lead to the next question
            self._report(fact)
        else:
            self._tell(fact)

    async def ask_browser(self, question: int) -> None:
        """Ask the browser for a sign of life."""
        await self._pipe.command("Browser.getVersion")
        self._tell(BrowserAnswered(self._generation, question))

    async def read_document(self, document: str) -> None:
        """Read the digest of the main document's bytes, as they came from the server where that was plain UTF-8."""
        session = self._living()
        url = await self._pipe.command("Runtime.evaluate", {"expression": "document.URL", "returnByValue": True}, session)
        content = await self._pipe.command("Page.getResourceContent", {"frameId": self._target, "url": str(_value(url))}, session)
        if document != self._document:
            raise KioskdError("Cannot read the document: it has been replaced meanwhile")
        text = str(content.get("content"))
        digest = hashlib.sha256(_bytes(text) if content.get("base64Encoded") else text.encode("utf-8", "surrogatepass"))
        self._tell(DocumentRead(self._generation, document, f"sha256:{digest.hexdigest()}"))

    def _living(self) -> str:
        if self._session is None:
            raise BrowserGone("The browser has no page")
        return self._session


def _is_news(navigation: dict[str, Any]) -> bool:
    return navigation.get("url") != START_PAGE and "sameDocument" not in str(navigation.get("navigationType"))


def _value(answer: dict[str, Any]) -> object:
    if "exceptionDetails" in answer:
        raise KioskdError("The page cannot be asked: its observer is not there")
    result = answer.get("result")
    return result.get("value") if isinstance(result, dict) else None


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except NotBase64 as error:
        raise KioskdError("The browser sent bytes that are no base64") from error

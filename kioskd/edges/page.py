"""The page: attached to through DevTools, told what to do, its doings told as facts."""

import asyncio
import base64
import hashlib
import json
import logging
from binascii import Error as NotBase64
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any

from kioskd.core.facts import (
    BrowserAnswered,
    DialogOpened,
    DocumentRead,
    Fact,
    PageGone,
    PopupOpened,
)
from kioskd.edges import navigation
from kioskd.edges.cdp_pipe import CdpPipe
from kioskd.edges.confinement import GUARDS, Confinement
from kioskd.edges.navigation import Navigation
from kioskd.errors import BrowserGone, CdpError, KioskdError
from kioskd.wire.cdp import Answer, Event
from kioskd.wire.flags import START_PAGE
from kioskd.wire.report import read_report

log = logging.getLogger(__name__)

OBSERVER = resources.files("kioskd.edges").joinpath("observer.js").read_text("utf-8").strip()
MAX_WORKERS = 64
EVIDENCE_S = 0.8  # a page that hangs shows nothing, and is not waited for
JPEG = {"format": "jpeg", "quality": 70, "optimizeForSpeed": True}  # for evidence, and for who only glances
WORKER_S = 1.0  # a worker busy for longer is taken to be as it last said

EVENTS = frozenset(
    {
        "Inspector.targetCrashed",
        "Page.frameAttached",
        "Page.javascriptDialogOpening",
        "Target.attachedToTarget",
        "Target.detachedFromTarget",
    }
    | navigation.EVENTS
)
#: What of a cookie can be set again.
COOKIE = (
    "name", "value", "domain", "path", "expires", "secure", "httpOnly", "sameSite",
    "priority", "sourceScheme", "sourcePort", "partitionKey",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Terms:
    """What a page is let do, and what is looked for in it."""

    own: tuple[int, str] | None = None  # what its connections to kioskd itself are known by: the port they go to, and a key
    origins: frozenset[str] = frozenset()  # whose pages may call this machine at all
    stuck_text: str | None = None  # that frames of other origins are looked at for


class Page:
    """The one page of one browser, from its attachment to the browser's end."""

    def __init__(self, pipe: CdpPipe, generation: int, emit: Callable[[Fact], None], name: str, terms: Terms) -> None:
        self._pipe, self._generation, self._emit, self._name = pipe, generation, emit, name
        self._source = f"({OBSERVER})({json.dumps(name)}, {json.dumps(terms.own)}, {json.dumps(terms.stuck_text)}, {GUARDS})"
        self.confinement = Confinement(pipe, name)
        self._session: str | None = None
        self._target = ""
        self._navigation = Navigation(generation, "", emit)  # until there is a page
        self._attached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._workers: dict[str, object] = {}  # session -> its last report
        self._dialog: str | None = None  # session

    # --- attaching

    async def attach(self, tries: bool = True) -> str:
        """Attach to the browser's page with the observer in place; return the browser's product. Nothing waits for anything else.

        ``tries``: to go to a forbidden place, from the start page's frame. That takes a tenth of a second.
        """
        version = self._pipe.request("Browser.getVersion")
        self.confinement.begin(tries)
        self._auto_attach(None, "page", "shared_worker")
        product = str((await version).get("product", ""))
        await self._attached
        await self.confinement.tried()
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
                self._navigation.tell(PopupOpened(self._generation, str(target.get("targetId"))))
                return
            self._session, self._target = session, str(target.get("targetId"))
            self._navigation = Navigation(self._generation, self._target, self._emit)
            self._pipe.send("Inspector.enable", session=session)
        if kind in ("page", "iframe"):
            self._pipe.send("Page.enable", session=session)
            self.confinement.hold(session, None if session == self._session else str(target.get("targetId")))
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
                self._navigation.tell(DialogOpened(self._generation, str(params.get("type"))))
            case "Page.frameAttached" if event.session == self._session and self._navigation.url in ("", START_PAGE):
                self.confinement.try_forbidden(event.session, str(params.get("frameId")))
            case "Inspector.targetCrashed" if event.session == self._session:
                self._navigation.crashed()
            case "Page.frameNavigated" if isinstance(frame := params.get("frame"), dict) and frame.get("id") != self._target:
                self.confinement.guard(event.session, str(frame.get("id")))
            case method if event.session == self._session:
                self._navigation.take(method, params)

    def _detached(self, session: str) -> None:
        self._workers.pop(session, None)
        if session == self._session:
            self._navigation.tell(PageGone(self._generation))
            self._session, self._target, self._navigation = None, "", Navigation(self._generation, "", self._emit)
            self._workers.clear()
            self._attached = asyncio.get_running_loop().create_future()

    # --- what it is told to do

    async def open(self) -> None:
        """Make a new page target in place of one that has gone."""
        if self._session is None:
            self._pipe.send("Target.createTarget", {"url": START_PAGE})
            await self._attached

    async def navigate(self, url: str) -> None:
        """Begin to go to ``url``. The command's own answer comes only with the server's, so it is not waited for."""
        way = self._navigation

        def answered(answer: Answer) -> None:
            way.ended(str(answer.result.get("errorText")), str(answer.result.get("loaderId")))

        self._pipe.send("Page.navigate", {"url": url}, self._living(), answered)

    async def reload(self, fresh: bool = False) -> None:
        """Begin to reload; ``fresh``: without the HTTP cache, and without the origin's service workers and their caches.

        Past the HTTP cache is not enough: a service worker that installs itself anew takes its copies from there.
        """
        session = self._living()
        if fresh:
            self._pipe.send("Network.clearBrowserCache", session=session)  # what it removes is gone at once; the work may take seconds
            origin = self._navigation.url
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

    async def cookies(self) -> list[dict[str, Any]]:
        """Return what the network service takes along when it ends: session cookies, and others not yet written to the disk."""
        known = (await self._pipe.command("Storage.getCookies")).get("cookies", [])
        lasting = ({**each, "expires": None} if each.get("session") else each for each in known)
        return [{key: each[key] for key in COOKIE if each.get(key) is not None} for each in lasting]

    async def set_cookies(self, cookies: list[dict[str, Any]]) -> None:
        """Give them to the network service that there is now."""
        await self._pipe.command("Storage.setCookies", {"cookies": cookies})

    async def screenshot(self, exact: bool = True) -> bytes:
        """Return the picture: as PNG, or as JPEG, which costs the browser a tenth."""
        shown = await self._pipe.command("Page.captureScreenshot", {} if exact else JPEG, self._living())
        return _bytes(str(shown.get("data")))

    async def evidence(self) -> tuple[bytes, list[Any]]:
        """Return a picture, as JPEG, and what the page's scripts complained of: each where it can be had, and now."""
        session = self._living()
        picture = self._pipe.request("Page.captureScreenshot", JPEG, session)
        troubles = self._pipe.request("Runtime.evaluate", {"expression": f"{self._name}.troubles()", "returnByValue": True}, session)
        try:
            await asyncio.wait((picture, troubles), timeout=EVIDENCE_S)
            shown = picture.result().get("data") if picture.done() and picture.exception() is None else ""
            said = _value(troubles.result()) if troubles.done() and troubles.exception() is None else []
            return _bytes(str(shown)), said if isinstance(said, list) else []
        finally:
            picture.cancel()
            troubles.cancel()

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
        self._navigation.tell_report(read_report(self._generation, question, report, self._workers.values()))

    async def ask_browser(self, question: int) -> None:
        """Ask the browser for a sign of life."""
        await self._pipe.command("Browser.getVersion")
        self._navigation.tell(BrowserAnswered(self._generation, question))

    async def read_document(self, document: str) -> None:
        """Read the digest of the main document's bytes, as they came from the server where that was plain UTF-8."""
        session = self._living()
        url = await self._pipe.command("Runtime.evaluate", {"expression": "document.URL", "returnByValue": True}, session)
        content = await self._pipe.command("Page.getResourceContent", {"frameId": self._target, "url": str(_value(url))}, session)
        if document != self._navigation.document:
            raise KioskdError("Cannot read the document: it has been replaced meanwhile")
        text = str(content.get("content"))
        digest = hashlib.sha256(_bytes(text) if content.get("base64Encoded") else text.encode("utf-8", "surrogatepass"))
        self._navigation.tell(DocumentRead(self._generation, document, f"sha256:{digest.hexdigest()}"))

    def _living(self) -> str:
        if self._session is None:
            raise BrowserGone("The browser has no page")
        return self._session


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

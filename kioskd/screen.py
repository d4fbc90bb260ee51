"""The screen: the browser's process, its DevTools pipe and its page, joined into one thing whose verbs are the actions."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kioskd.core.actions import (
    AskBrowser,
    AskPage,
    ClosePopup,
    DismissDialog,
    DropConnections,
    EndScript,
    KillRenderer,
    Navigate,
    OpenPage,
    Place,
    ReadDocument,
    ReadMemory,
    Reload,
    SetProfileAside,
    StartBrowser,
    StopBrowser,
    StopLoading,
)
from kioskd.core.facts import BrowserGone as Gone
from kioskd.core.facts import BrowserStarted, Fact, MemoryRead, PageOpened
from kioskd.edges import page, policy, processes
from kioskd.edges.browser import Browser, Spawned
from kioskd.edges.cdp_pipe import CdpPipe
from kioskd.edges.page import Page, Terms
from kioskd.errors import BrowserGone, CdpClosed, KioskdError
from kioskd.wire.cdp import Event
from kioskd.wire.config import Browser as BrowserConfig

log = logging.getLogger(__name__)

COOKIES_S = 1.0
FIRST_ANSWER_S = 20.0  # a foreign lock, a library that is missing half: then Chromium neither ends nor answers


@dataclass(slots=True)
class _Living:
    """One generation, from its spawn to its ``BrowserGone``."""

    generation: int
    pid: int
    pipe: CdpPipe | None = None
    page: Page | None = None
    started: bool = False
    policy: tuple[object, ...] = ()  # that was there when it started
    reason: str = ""  # why it is gone; "" while it is not

    def ask_to_quit(self) -> None:
        """Quit as from a menu, which writes the profile down."""
        if self.pipe is not None and self.pipe.closed is None:
            self.pipe.send("Browser.close")


class Screen:
    """All verbs raise a ``KioskdError`` when they fail. At most one browser lives at a time.

    ``display`` gives the variables that lead to the display (WAYLAND_DISPLAY, DISPLAY …; none of them: headless), asked at each start;
    ``url_of`` the address of a place, asked at each navigation; ``terms`` those of the page, asked at each start, and for its origins at
    each navigation.
    """

    def __init__(
        self,
        emit: Callable[[Fact], None],
        config: BrowserConfig,
        display: Callable[[], Mapping[str, str]],
        url_of: Callable[[Place], str],
        terms: Callable[[], Terms] = Terms,
        first_answer_s: float = FIRST_ANSWER_S,
    ) -> None:
        self._emit, self._url_of, self._terms, self._first_answer_s = emit, url_of, terms, first_answer_s
        self._display, self._wanted = display, config
        self._browser = Browser(config, display, self._exited)
        self._now: _Living | None = None
        self.policy_trouble: str | None = None  # why the browser does not follow kioskd's managed policy
        self._policy: tuple[object, ...] | None = None  # the policy of which that is known

    @property
    def profile_trouble(self) -> str | None:
        """Why the profile is not where it was configured; None where it is."""
        return self._browser.profile.trouble

    def follow(self, config: BrowserConfig) -> None:
        """Use another configuration from the next start on: the living browser is ended as the one it was started as."""
        self._wanted = config

    def verbs(self) -> dict[type, Callable[[Any], Awaitable[None]]]:
        """Return what carries out each kind of action."""
        return {
            StartBrowser: self.start,
            StopBrowser: self.stop,
            SetProfileAside: self.set_profile_aside,
            OpenPage: self.open_page,
            Navigate: self.navigate,
            Reload: lambda act: self._page(act).reload(act.fresh),
            StopLoading: lambda act: self._page(act).stop_loading(),
            EndScript: lambda act: self._page(act).end_script(),
            KillRenderer: self.kill_renderer,
            DropConnections: self.drop_connections,
            DismissDialog: lambda act: self._page(act).dismiss_dialog(act.kind),
            ClosePopup: lambda act: self._page(act).close_popup(act.target),
            AskPage: lambda act: self._page(act).ask(act.question, act.stuck_text),
            AskBrowser: lambda act: self._page(act).ask_browser(act.question),
            ReadDocument: lambda act: self._page(act).read_document(act.document),
            ReadMemory: self.read_memory,
        }

    async def start(self, act: StartBrowser) -> None:
        """Start the browser of a new generation; ``BrowserStarted`` or ``BrowserGone`` follows from it in any case."""
        if self._now is not None:
            self._bury("It was still there when the next one was started")
            self._now = None
        if self._wanted != self._browser.config:
            await self._browser.stop()
            self._browser = Browser(self._wanted, self._display, self._exited)
        try:
            spawned = await self._browser.start()
        except KioskdError as error:
            self._emit(Gone(act.generation, str(error)))
            raise
        now = self._now = _Living(act.generation, spawned.pid)
        try:
            product = await self._attach(now, spawned)
        except CdpClosed as error:
            if now.pipe is None or not now.pipe.spoilt:
                await self._browser.ended_within(0.3)  # the process' own end says more than its pipe's
            self._give_up(str(error))
            raise BrowserGone(now.reason) from error
        except BaseException as error:
            self._give_up(str(error) if isinstance(error, KioskdError) else "It was stopped while it started")
            raise
        self._browser.listen_no_more()
        await self._look_at_policy(now)
        now.started = True
        self._emit(BrowserStarted(act.generation, spawned.pid, product))

    async def _look_at_policy(self, now: _Living) -> None:
        followed = now.page.confinement.policy_in_force if now.page is not None else None
        if followed is None:  # it was not tried, or cannot be told
            return
        self._policy = now.policy
        trouble = None if followed else await asyncio.to_thread(policy.trouble)
        if trouble and trouble != self.policy_trouble:
            log.warning("%s", trouble)
        self.policy_trouble = trouble

    def _give_up(self, reason: str) -> None:
        self._browser.kill()
        self._bury(reason)

    async def _attach(self, now: _Living, spawned: Spawned) -> str:
        def hear(event: Event) -> None:
            if now.page is not None:
                now.page.on_event(event)

        def closed(reason: str) -> None:
            if now is self._now and now.pipe is not None and now.pipe.spoilt:
                self._bury(reason)  # before the browser dies of it
            elif now is self._now:
                # The process' own end, with its exit code, is a moment behind its pipe's and explains more; a start waits for it itself.
                asyncio.get_running_loop().call_later(0.05 if now.started else 1.0, self._bury_if, now, reason)

        now.pipe = CdpPipe(spawned.answers_fd, spawned.commands_fd, wanted=page.EVENTS, on_event=hear, on_closed=closed)
        name = f"_{secrets.token_hex(8)}"  # no page's by accident; one that looks for it finds it
        now.page = Page(now.pipe, now.generation, lambda fact: self._pass(now, fact), name, self._terms())
        try:
            async with asyncio.timeout(self._first_answer_s):
                now.policy = await asyncio.to_thread(policy.stamp, spawned.command)
                return await now.page.attach(tries=now.policy != self._policy)
        except TimeoutError as error:
            late = f"Chromium did not answer DevTools within {self._first_answer_s:g} s"
            raise BrowserGone(f"{late}; if it never does, look for RemoteDebuggingAllowed in Chromium's policies") from error

    async def stop(self, act: StopBrowser) -> None:
        """End the whole tree, of whichever generation it is: there is only one."""
        now = self._now if self._now is not None and self._now.generation == act.generation else None
        polite = None
        if now is not None:
            now.started = False  # what its page says while it goes is no news
            polite = now.ask_to_quit if act.polite else None
        await self._browser.stop(polite)
        if now is not None:
            self._bury("It was stopped")

    async def set_profile_aside(self, act: SetProfileAside) -> None:
        """Move the profile away."""
        self._browser.profile.set_aside()

    async def open_page(self, act: OpenPage) -> None:
        """Make a new page in place of one that has gone."""
        await self._page(act).open()
        self._emit(PageOpened(act.generation))

    async def navigate(self, act: Navigate) -> None:
        """Begin to go there."""
        page = self._page(act)
        page.confinement.admit(self._terms().origins)
        await page.navigate(self._url_of(act.to))

    async def kill_renderer(self, act: KillRenderer) -> None:
        """Kill the renderers of the page: of all its frames, since DevTools does not tell which is whose."""
        self._page(act)
        renderers = [each for each in self._browser.tree() if each.kind == "renderer"]
        if not renderers:
            raise KioskdError("Cannot kill the renderer: there is none")
        processes.kill(renderers)

    async def drop_connections(self, act: DropConnections) -> None:
        """Kill the network service, where it is a process of its own, and wait for the next one: a load without it would be lost.

        Who is signed in until the browser ends stays signed in.
        """
        page, old = self._page(act), self._services()
        cookies: list[dict[str, Any]] = []
        try:
            async with asyncio.timeout(COOKIES_S):
                cookies = await page.cookies()
        except TimeoutError:  # it hangs itself; what it alone knew is lost with it, as in a restart of the browser
            log.warning("The browser's network service does not answer: whoever was signed in until the browser ends has to sign in again")
        processes.kill(old)
        while old and {each.pid for each in self._services()} <= {each.pid for each in old}:
            await asyncio.sleep(0.05)  # nothing tells of another's child
        if cookies:
            await page.set_cookies(cookies)

    def _services(self) -> list[processes.Process]:
        return [each for each in self._browser.tree() if each.service == processes.NETWORK]

    async def read_memory(self, act: ReadMemory) -> None:
        """Measure the browser's tree."""
        self._page(act)
        self._emit(MemoryRead(act.generation, await self._browser.memory()))

    async def evidence(self, generation: int, asks: bool) -> tuple[bytes, list[Any], int | None]:
        """Return a picture (JPEG), the page's troubles and the memory of the tree (bytes): what can be had at once. Never raises.

        ``asks``: the page, too.
        """
        now, memory = self._now, None
        picture: bytes = b""
        troubles: list[Any] = []
        if now is not None and now.page is not None and now.generation == generation:
            if asks:
                with contextlib.suppress(KioskdError):
                    picture, troubles = await now.page.evidence()
            with contextlib.suppress(KioskdError, OSError):
                memory = await self._browser.memory()
        return picture, troubles, memory

    async def screenshot(self, exact: bool = True) -> bytes:
        """Return what the page shows: as PNG, or as JPEG."""
        if self._now is None or self._now.page is None:
            raise BrowserGone("There is no browser")
        return await self._now.page.screenshot(exact)

    async def close(self) -> None:
        """End everything."""
        self._bury("kioskd stops")
        await self._browser.stop()

    def _page(self, act: Any) -> Page:
        now = self._now
        if now is None or now.page is None or now.reason or now.generation != act.generation:
            raise BrowserGone(f"Browser {act.generation} is gone")
        return now.page

    def _pass(self, now: _Living, fact: Fact) -> None:
        if now.started and not now.reason:
            self._emit(fact)

    def _exited(self, pid: int, reason: str) -> None:
        if self._now is not None and self._now.pid == pid:
            self._bury(reason)

    def _bury_if(self, now: _Living, reason: str) -> None:
        if now is self._now:
            self._bury(reason)

    def _bury(self, reason: str) -> None:
        """Say once that the present browser is gone."""
        now = self._now
        if now is None or now.reason:
            return
        now.reason = reason
        if now.pipe is not None:
            now.pipe.close(reason)
        self._emit(Gone(now.generation, reason, now.pid))

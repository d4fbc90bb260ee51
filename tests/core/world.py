"""A world for the kernel to live in: a browser, a page, a server and a deploy that do as told, on a clock that is a number.

The world carries out the kernel's actions with small delays and answers with facts, as the edges and the shell would. It never
sleeps: minutes take microseconds. Verbs of its parts are what scenarios say: ``browser.kill``, ``page.hang``, ``server.stop``.
"""

import heapq
from collections.abc import Callable, Iterable
from itertools import count
from math import inf

from kioskd.core import actions as a
from kioskd.core import facts as f
from kioskd.core.kernel import Kernel
from kioskd.core.policy import Policy, path
from tests.core.fake_page import HOME, SOCKET, Page, own_page
from tests.core.invariants import Recorded, Watch
from tests.core.surroundings import Browser, Deploy, Display, Host, Server

QUIET = (
    a.AskPage, a.AskBrowser, a.LookForScreen, a.ProbeServer, a.ReadMemory, a.ReadDocument, a.ReadDeploy, a.Remember, a.DismissDialog,
    a.ClosePopup, a.Broadcast, a.Reply, a.KeepEvidence,
)  # fmt: skip


def describe(action: a.Action) -> str:
    """The name of an action, as scenarios write it."""
    match action:
        case a.Steps(actions=parts):
            return " + ".join(describe(part) for part in parts if not isinstance(part, a.KeepEvidence))
        case a.Navigate(to=place):
            return f"Navigate {place.value}"
        case a.Reload(fresh=True):
            return "Reload fresh"
        case a.StopBrowser(polite=True):
            return "StopBrowser politely"
        case a.StartDisplay(software=True):
            return "StartDisplay software"
        case a.RecordReboot(spent=spent):
            return f"RecordReboot {spent}"
        case a.Reply(screen=screen):
            return f"Reply {screen}"
        case _:
            return type(action).__name__


#: Turns of the loop in one second that no story needs.
HOT = 1000


class World:
    """Everything, and the clock."""

    kernel_type: type[Kernel] = Recorded  # a test may put one here that is broken

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.now = 1000.0
        self.did: list[tuple[float, a.Action]] = []  # what disturbs, and what is written down
        self.asked: list[tuple[float, a.Action]] = []  # the rest
        self.facts: list[tuple[float, f.Fact]] = []
        self.memory: dict[str, str] = {}
        self.spent = 0
        self.turns, self._busy_turns, self._busy_since = 0, 0, self.now
        self._order = count()
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self.kernel, self.watch, self.wake_at = self.kernel_type(), Watch(), inf
        self.browser, self.server, self.deploy, self.host = Browser(self), Server(self), Deploy(self), Host(self)
        self.display, self.page = Display(self), Page(self)

    def boot(self, policy: Policy | None, expected: tuple[tuple[str, str], ...] = (), reboots: int = 0) -> None:
        """Start kioskd: with a good configuration, or (None) with a bad one."""
        self.kernel, self.watch = self.kernel_type(), Watch(reached=self.watch.reached, taken=self.watch.taken)
        self.wake_at = self.now
        self._agenda = []
        self.tell(f.Remembered(expected, reboots))
        self.tell(f.ConfigRead(policy) if policy else f.ConfigRejected(("kioskd.yaml:1: bad",)))

    # --- time --------------------------------------------------------------------------------

    def later(self, delay: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.now + delay, next(self._order), what))

    def run(self, until: float) -> None:
        """Let time pass."""
        while True:
            planned = bool(self._agenda) and self._agenda[0][0] <= self.wake_at
            due = self._agenda[0][0] if planned else self.wake_at
            if due > until:
                break
            self.now = max(self.now, due)
            if planned:
                heapq.heappop(self._agenda)[2]()
            else:
                self.tell(f.Woke(self.wake_at))
        self.now = max(self.now, until)

    def tell(self, fact: f.Fact) -> None:
        """Hand a fact to the kernel, and carry out what follows."""
        self.turns += 1
        if self.now > self._busy_since + 1.0:
            self._busy_since, self._busy_turns = self.now, self.turns
        assert self.turns - self._busy_turns < HOT, f"a hot loop at {self.now}: {fact}"
        self.facts.append((self.now, fact))
        actions, self.wake_at = self.kernel.handle(fact, self.now)
        self.watch.check(self.kernel, fact, actions, self.wake_at, self.now)
        for action in actions:
            self._note(action)
            self.later(0.0, lambda action=action: self._perform(action, self.kernel))  # type: ignore[misc]

    def do(self, verb: str) -> None:
        """Let something happen: ``page.go_away http://elsewhere/``."""
        name, *arguments = verb.split()
        part, _, what = name.partition(".")
        getattr(getattr(self, part), what)(*arguments)

    def is_back(self) -> bool:
        """The oracle: a page of the newest version, connected, in a browser that lives."""
        page = self.page
        sound = self.browser.alive and not self.browser.frozen and page.present and not (page.crashed or page.looping or page.stopped)
        return sound and page.is_home() and page.open_at is not None and page.digest == self.deploy.digest and not page.blank

    def showing(self) -> str:
        """What is on the screen, in a word."""
        if self.page.url.startswith("data:"):
            return self.page.url.partition("kioskd=")[2].partition(";")[0]
        return "error" if self.page.error else "home" if self.page.is_home() else "elsewhere"

    # --- actions -----------------------------------------------------------------------------

    def _note(self, action: a.Action) -> None:
        (self.asked if isinstance(action, QUIET) else self.did).append((self.now, action))

    def _perform(self, action: a.Action, kernel: Kernel) -> None:
        self._sequence(iter(action.actions if isinstance(action, a.Steps) else (action,)), action, kernel)

    def _sequence(self, parts: Iterable[a.Action], whole: a.Action, kernel: Kernel) -> None:
        rest = iter(parts)
        part = next(rest, None)
        if part is None:
            self._end(f.Done(whole), kernel)
        elif self.host.broken:
            self._end(f.Failed(whole, "broken"), kernel)
        elif isinstance(part, a.AskPage):
            self._ask_page(part)
        elif isinstance(part, a.AskBrowser):
            self._ask_browser(part)
        else:
            delay, error, effect = self._plan(part)

            def finish() -> None:
                if error is not None:
                    self._end(f.Failed(whole, error), kernel)
                    return
                effect()
                self._sequence(rest, whole, kernel)

            self.later(delay, finish)

    def _end(self, outcome: f.Done | f.Failed, kernel: Kernel) -> None:
        if kernel is self.kernel:
            self.tell(outcome)

    def _ask_page(self, action: a.AskPage) -> None:
        if self.browser.alive and action.generation == self.browser.generation:
            self.page.ask(action)
        else:
            self.tell(f.Failed(action, "gone"))

    def _ask_browser(self, action: a.AskBrowser) -> None:
        if not self.browser.alive or action.generation != self.browser.generation:
            self.tell(f.Failed(action, "gone"))
        elif self.browser.frozen:
            self.browser.asked.append(action)
        else:
            self.later(0.01, lambda: self.answer_browser(action))

    def answer_browser(self, action: a.AskBrowser) -> None:
        if self.browser.alive:
            self.tell(f.BrowserAnswered(action.generation, action.question))
            self.tell(f.Done(action))

    def fail_asked(self) -> None:
        unanswered: list[a.Action] = [*self.page.asked, *self.browser.asked]
        for action in unanswered:
            self.tell(f.Failed(action, "gone"))
        self.page.asked, self.browser.asked = [], []

    def _plan(self, action: a.Action) -> tuple[float, str | None, Callable[[], None]]:
        """How long an action takes, whether it fails, and what it brings about."""

        def nothing() -> None: ...

        browser, page, tell = self.browser, self.page, self.tell
        match action:
            case a.StartDisplay(run=run):
                return self.display.plan(run)
            case a.LookForScreen(run=run):
                return 0.01, None, lambda: self.display.look(run)
            case a.StartBrowser(generation=generation):
                return self._plan_start(generation)
            case a.StopBrowser():

                def stopped() -> None:
                    browser.alive = False
                    self.fail_asked()

                return 0.1, None, stopped
            case a.SetProfileAside():
                return 0.05, None, lambda: setattr(browser, "corrupt", False)
            case a.ProbeServer(probe=probe, url=url):
                answer = None if self.server.unknown else self.server.asked(probe)
                return action.timeout if self.server.mute else 0.02, None, lambda: tell(f.ServerAnswered(probe, url, answer))
            case a.ReadDeploy():
                away = self.kernel.policy.deploy.url is not None and (not self.server.up or self.server.mute)
                return 0.02, "connection refused" if away else None, lambda: tell(self.deploy.read())
            case a.Remember(home=home, connection=connection):
                return 0.01, None, lambda: self.memory.update({home: connection})
            case a.RecordReboot(spent=spent):
                return 0.01, None if self.host.state_writable else "read-only", lambda: setattr(self, "spent", spent)
            case a.Broadcast() | a.Reply():
                return 0.01, None, nothing
            case a.RebootHost():
                return 0.5, None, lambda: setattr(self.host, "boots", self.host.boots + 1)
            case a.KeepEvidence():  # it gives up by itself
                return 0.8 if browser.frozen or page.looping or page.stopped else 0.15, None, nothing
            case a.Steps():
                raise AssertionError("their parts come one by one")
        if not browser.alive or action.generation != browser.generation:
            return 0.0, "the browser is gone", nothing
        if browser.frozen and not isinstance(action, a.KillRenderer | a.ReadMemory):
            return action.deadline_s, "no answer", nothing
        return self._plan_on_page(action, nothing) if page.present or isinstance(action, a.OpenPage) else (0.0, "no page", nothing)

    def _plan_start(self, generation: int) -> tuple[float, str | None, Callable[[], None]]:
        if self.browser.missing:
            return 0.01, "Cannot find a browser", lambda: None
        if self.display.dead:
            self.later(0.05, lambda: self.tell(f.BrowserGone(generation, "Chromium ended with exit code 1", 4000 + generation)))
            return 0.06, "the browser has ended", lambda: None
        if self.browser.mute:
            return a.StartBrowser.deadline_s, "no first answer", lambda: None
        if self.browser.corrupt:
            self.later(0.1, lambda: self.tell(f.BrowserGone(generation, "Chromium ended with exit code 21", 4000 + generation)))
            return 0.11, "the browser has ended", lambda: None
        return 0.3, None, lambda: self.browser.start(generation)

    def _plan_on_page(self, action: a.Action, nothing: Callable[[], None]) -> tuple[float, str | None, Callable[[], None]]:
        page, tell, generation = self.page, self.tell, self.browser.generation
        match action:
            case a.OpenPage():

                def opened() -> None:
                    page.become(own_page("start"))
                    tell(f.PageOpened(generation))

                return 0.05, None, opened
            case a.Navigate(to=place):
                home = self.kernel.policy.url or HOME
                return 0.02, None, lambda: page.load(home if place is a.Place.HOME else own_page(place.value))
            case a.Reload():
                if page.looping or page.stopped:
                    return action.deadline_s, "no answer", nothing
                return 0.02, None, lambda: page.load(page.url)
            case a.EndScript():
                return (1.0, "no answer", nothing) if page.stopped else (0.01, None, lambda: setattr(page, "looping", False))
            case a.DropConnections():
                return 0.05, None, lambda: setattr(self.browser, "misled", False)
            case a.KillRenderer():
                return 0.02, None, page.crash
            case a.StopLoading():

                def stopped() -> None:
                    page.pending = False
                    tell(f.NavigationEnded(generation))
                    page.answer_asked()

                return 0.01, None, stopped
            case a.ReadDocument(document=document) if document == page.document:
                return 0.01, None, lambda: tell(f.DocumentRead(generation, document, page.digest or "sha256:?"))
            case a.ReadMemory():
                return 0.01, None, lambda: tell(f.MemoryRead(generation, self.browser.size))
            case _:
                return 0.01, None, nothing


def settled(policy: Policy, expected: bool = True) -> World:
    """A world in which all has been well for most of a minute."""
    world = World(policy)
    world.memory = {path(policy.url or HOME): SOCKET} if expected else {}
    world.boot(policy, tuple(world.memory.items()))
    world.run(world.now + 45.0)
    return world

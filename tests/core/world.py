"""A world for the kernel to live in: a browser, a page, a server and a deploy that do as told, on a clock that is a number.

The world carries out the kernel's actions with small delays and answers with facts, as the edges and the shell would. It never
sleeps: minutes take microseconds. Verbs of its parts are what scenarios say: ``browser.kill``, ``page.hang``, ``server.stop``.
"""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count
from math import inf

from kioskd.core import actions as a
from kioskd.core import facts as f
from kioskd.core.kernel import Kernel
from kioskd.core.policy import Policy, origin, path
from tests.core.invariants import Watch

HOME = "http://localhost:3001/"
SOCKET = "ws://localhost:3001/live"
ERROR = "chrome-error://chromewebdata/"
QUIET = (a.AskPage, a.AskBrowser, a.ProbeServer, a.ReadMemory, a.ReadDocument, a.ReadDeploy, a.Remember, a.DismissDialog, a.ClosePopup)
BROWSER = (a.StartBrowser, a.StopBrowser, a.SetProfileAside, a.OpenPage, a.Navigate, a.Reload, a.StopLoading, a.EndScript)
DISTURBING = (*BROWSER, a.KillRenderer, a.Steps, a.RebootHost)


def own_page(name: str) -> str:
    return f"data:text/html;charset=utf-8;kioskd={name};base64,AAAA"


def describe(action: a.Action) -> str:
    """The name of an action, as scenarios write it."""
    match action:
        case a.Steps(actions=parts):
            return " + ".join(map(describe, parts))
        case a.Navigate(to=place):
            return f"Navigate {place.value}"
        case a.Reload(fresh=True):
            return "Reload fresh"
        case a.StopBrowser(polite=True):
            return "StopBrowser politely"
        case a.RecordReboot(spent=spent):
            return f"RecordReboot {spent}"
        case _:
            return type(action).__name__


class Browser:
    """Chromium: dead or alive, frozen or not."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.generation, self.alive, self.frozen = 0, False, False
        self.missing, self.corrupt, self.mute = False, False, False
        self.size = 200 << 20
        self.asked: list[a.AskBrowser] = []

    def start(self, generation: int) -> None:
        self.generation, self.alive, self.frozen = generation, True, False
        self.asked = []
        self.world.page.become(own_page("start"))
        self.world.tell(f.BrowserStarted(generation, 4000 + generation, "Chrome/156"))

    def kill(self) -> None:
        """The process ends (also: its pipe closes)."""
        if self.alive:
            self.alive = False
            self.world.tell(f.BrowserGone(self.generation, "Chromium was killed by SIGKILL", 4000 + self.generation))
            self.world.fail_asked()

    def freeze(self) -> None:
        self.frozen = True

    def thaw(self) -> None:
        self.frozen = False
        for action in self.asked:
            self.world.answer_browser(action)
        self.asked = []
        self.world.page.answer_asked()

    def vanish(self) -> None:
        """The program is not installed any more."""
        self.missing = True

    def install(self) -> None:
        self.missing = False

    def fall_mute(self) -> None:
        """From the next start on it gives no first DevTools answer."""
        self.mute = True

    def corrupt_profile(self) -> None:
        self.corrupt = True

    def swell(self, megabytes: str) -> None:
        self.size = int(megabytes) << 20


class Page:
    """The page: its document, its renderer, its one connection."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.numbers = count(1)
        self.opens, self.talks, self.blank_from_now_on, self.loops_from_now_on = True, True, False, False
        self.leaves_for, self.closes_itself = "", False
        self.asked: list[a.AskPage] = []
        self.become("")

    def become(self, url: str, status: int | None = None, error: bool = False) -> None:
        """Another document stands here."""
        self.url, self.status, self.error, self.present = url, status, error, True
        self.document, self.digest = f"D{next(self.numbers)}", ""
        self.crashed = self.looping = self.stopped = self.text = self.pending = False
        self.lively: bool | None = None
        self.blank = False
        self.since = self.world.now
        self.open_at: float | None = None
        self.dead_at: float | None = None
        self.given_up = self.closed = self.flapping = False
        self.quiet_at: float | None = None
        self.slow_start = 0.0

    # --- loading -----------------------------------------------------------------------------

    def load(self, url: str) -> None:
        """Begin to navigate, as the page itself or kioskd may."""
        if not self.world.browser.alive:
            return
        generation, world = self.world.browser.generation, self.world
        world.tell(f.NavigationStarted(generation, url))
        self.pending = True
        if url.startswith("data:"):
            world.later(0.02, lambda: self._commit(generation, url, None, False))
        elif origin(url) != origin(HOME):
            world.later(0.2, lambda: self._commit(generation, url, 200, False))
        elif world.server.up and not world.server.mute:
            world.later(0.2, lambda: self._arrive(generation, url))
        elif not world.server.mute:
            world.later(0.1, lambda: self._commit(generation, url, 0, True))

    def _arrive(self, generation: int, url: str) -> None:
        status = self.world.server.status
        if status == 401:
            self._commit(generation, url, 401, False)
            self.world.tell(f.Prompted(generation, "the server wants a sign-in"))
        else:
            self._commit(generation, url, status, False)

    def _commit(self, generation: int, url: str, status: int | None, error: bool) -> None:
        world = self.world
        if world.browser.generation != generation or not world.browser.alive or not self.pending:
            return
        self.become(url, status, error)
        world.tell(f.DocumentCommitted(generation, self.document, url, error))
        self._fail_asked()
        if self.is_home() and not error:
            self.digest = world.deploy.digest
            self.blank, self.looping = self.blank_from_now_on, self.loops_from_now_on
            if self.opens:
                self.dead_at = world.now
                world.later(0.1, self.connect)
            if self.leaves_for:
                world.later(0.5, lambda: self.load(self.leaves_for))
            if self.closes_itself:
                world.later(0.5, self.close)
        world.later(0.1, lambda: world.tell(f.NavigationEnded(generation)))

    def is_home(self) -> bool:
        return origin(self.url) == origin(self.world.kernel.policy.url or HOME)

    # --- the connection ----------------------------------------------------------------------

    def connect(self) -> None:
        reachable = self.world.server.up and not self.world.server.mute and self.world.server.sockets
        if self.is_home() and self.opens and not (self.given_up or self.closed or self.open_at is not None):
            if reachable and not self.flapping:
                self.open_at, self.dead_at = self.world.now, None
            else:
                self.dead_at = self.world.now if self.dead_at is None else self.dead_at
                self.world.later(2.0, self.connect)

    def drop(self) -> None:
        if self.open_at is not None:
            self.open_at, self.dead_at = None, self.world.now
            self.world.later(2.0, self.connect)

    def give_up_socket(self) -> None:
        """The incident: it backs off, and tries no more."""
        self.given_up = True
        self.drop()

    def forget_sockets(self) -> None:
        """Documents loaded from now on open none."""
        self.opens = False

    def remember_sockets(self) -> None:
        self.opens = True

    def close_socket(self) -> None:
        """On purpose: closed for the night."""
        self.drop()
        self.closed = True

    def flap(self) -> None:
        """The server accepts the socket and closes it at once, for ever."""
        self.flapping = True
        self.drop()

    def half_open(self) -> None:
        """Packets are dropped: it stays open, and silent."""
        self.quiet_at = self.world.now

    def connections(self) -> tuple[f.Connection, ...]:
        now = self.world.now
        if self.open_at is None and self.dead_at is None:
            return ()
        if self.open_at is None:
            assert self.dead_at is not None
            dead = now - self.dead_at
            if self.flapping:
                dead %= 1.0
            return (f.Connection(SOCKET, None, dead, self.closed),)
        until = now if self.quiet_at is None else self.quiet_at
        messages = int(until - self.open_at) if self.talks else 0
        return (f.Connection(SOCKET, now - self.open_at, None, False, messages, now - until, 1.0 if messages else 0.0),)

    # --- what may befall it ------------------------------------------------------------------

    def crash(self) -> None:
        self.crashed, self.open_at, self.dead_at = True, None, None
        self.looping = self.stopped = False
        self._fail_asked()
        self.world.tell(f.RendererGone(self.world.browser.generation))

    def hang(self) -> None:
        """An endless loop."""
        self.looping = True

    def hang_always(self) -> None:
        self.looping = self.loops_from_now_on = True

    def stop(self) -> None:
        """Its renderer is stopped (SIGSTOP)."""
        self.stopped = True

    def go_away(self, url: str) -> None:
        self.load(url)

    def always_leave(self, url: str) -> None:
        """Home redirects elsewhere, each time."""
        self.leaves_for = url
        self.load(url)

    def reload_itself(self) -> None:
        self.load(self.url)

    def close(self) -> None:
        if self.world.browser.alive and self.present:
            self.present = False
            self._fail_asked()
            self.world.tell(f.PageGone(self.world.browser.generation))

    def always_close(self) -> None:
        self.closes_itself = True
        self.close()

    def behave(self) -> None:
        self.closes_itself, self.leaves_for, self.opens = False, "", True
        self.blank_from_now_on = self.loops_from_now_on = False

    def show_blank(self) -> None:
        self.blank = True

    def be_blank_always(self) -> None:
        self.blank = self.blank_from_now_on = True

    def show_text(self) -> None:
        self.text = True

    def say_dead(self) -> None:
        self.lively = False

    def prompt(self) -> None:
        self.world.tell(f.Prompted(self.world.browser.generation, "the page wants a permission"))

    def alert(self) -> None:
        self.world.tell(f.DialogOpened(self.world.browser.generation, "alert"))

    def pop_up(self) -> None:
        self.world.tell(f.PopupOpened(self.world.browser.generation, "T2"))

    # --- being asked -------------------------------------------------------------------------

    def ask(self, action: a.AskPage) -> None:
        self.asked.append(action)
        self.world.later(0.01, self.answer_asked)

    def answer_asked(self) -> None:
        mute = self.crashed or self.looping or self.stopped or self.pending or not self.present
        if mute or self.world.browser.frozen or not self.world.browser.alive:
            return
        for action in self.asked:
            self.world.tell(self.report(action))
            self.world.tell(f.Done(action))
        self.asked = []

    def report(self, action: a.AskPage) -> f.PageAnswered:
        url = ERROR if self.error else self.url
        text = self.text and action.stuck_text is not None
        visible = not self.blank
        return f.PageAnswered(action.generation, action.question, url, True, self.status, visible, text, self.lively, self.connections())

    def _fail_asked(self) -> None:
        for action in self.asked:
            self.world.tell(f.Failed(action, "another document"))
        self.asked = []


class Server:
    """The dashboard's server."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.up, self.mute, self.status, self.sockets, self.unknown = True, False, 200, True, False
        self.handshake, self.elsewhere = 101, False

    def stop(self) -> None:
        self.up = False
        self.world.page.drop()

    def start(self) -> None:
        self.up, self.mute, self.status, self.elsewhere = True, False, 200, False

    def answer(self, status: str) -> None:
        """Answer home with this status."""
        self.status = int(status)

    def refuse_sockets(self) -> None:
        self.sockets, self.handshake = False, 503
        self.world.page.drop()

    def want_cookie(self) -> None:
        """A handshake without the page's cookie gets 401."""
        self.handshake = 401

    def accept_and_be_silent(self) -> None:
        self.mute = True
        self.world.page.drop()

    def be_captured(self) -> None:
        """A captive portal answers instead: 200, HTML, from its own site."""
        self.elsewhere = True
        self.world.page.drop()

    def hide(self) -> None:
        """Probes fail by themselves: nothing is known."""
        self.unknown = True

    def show(self) -> None:
        self.unknown = False

    def asked(self, probe: a.Probe) -> f.Answer:
        if not self.up or self.mute:
            return f.Answer(None, error="timed out" if self.mute else "connection refused")
        if self.elsewhere:
            return f.Answer(200, html=True, at_home=False)
        if probe is a.Probe.HOME:
            return f.Answer(self.status, html=True, at_home=True)
        return f.Answer(self.handshake)


class Deploy:
    """The dist folder, served as it is."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.mtime, self.digest, self.missing = 1763000000, "sha256:0", tuple[str, ...]()
        self.present = True

    def change(self) -> None:
        """A new build, complete."""
        self.mtime += 100
        self.digest = f"sha256:{self.mtime}"
        self.missing, self.present = (), True
        self.world.tell(f.DeployTouched())

    def halve(self) -> None:
        """A new index that names an asset which is not there."""
        self.change()
        self.missing = ("app.js",)

    def complete(self) -> None:
        self.missing = ()
        self.world.tell(f.DeployTouched())

    def roll_back(self) -> None:
        self.mtime, self.digest = 1763000000, "sha256:0"
        self.world.tell(f.DeployTouched())

    def touch(self) -> None:
        self.mtime += 7
        self.world.tell(f.DeployTouched())

    def remove(self) -> None:
        self.present = False
        self.world.tell(f.DeployTouched())

    def burst(self) -> None:
        """Twenty builds in six seconds."""
        for number in range(20):
            self.world.later(0.3 * number, self.change)

    def read(self) -> f.DeployRead:
        return f.DeployRead(f.Version(self.mtime, self.digest), self.missing) if self.present else f.DeployRead(None)


class Host:
    """The machine, and the people near it."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.state_writable, self.broken, self.boots = True, False, 0

    def stall(self, seconds: str) -> None:
        """kioskd's own loop does not turn for a while."""
        self.world.now += float(seconds)

    def lock_state(self) -> None:
        self.state_writable = False

    def break_everything(self) -> None:
        """Every action fails at once."""
        self.broken = True

    def mend_everything(self) -> None:
        self.broken = False

    def ask(self, command: str, seconds: str | None = None) -> None:
        self.world.tell(f.Asked(f.Command(command), None if seconds is None else float(seconds)))

    def restart_kioskd(self) -> None:
        """Another kernel, which is told what the old one wrote down; the browser went with the old one."""
        world = self.world
        world.browser.alive = False
        world.boot(world.kernel.policy, tuple(world.memory.items()), world.spent)

    def set_url(self, url: str) -> None:
        self.world.tell(f.ConfigRead(replace(self.world.kernel.policy, url=None if url == "null" else url)))

    def break_config(self) -> None:
        self.world.tell(f.ConfigRejected(("kioskd.yaml:1: bad",)))

    def worsen_config(self) -> None:
        self.world.tell(f.ConfigRejected(("kioskd.yaml:2: worse",)))

    def mend_config(self) -> None:
        self.world.tell(f.ConfigRead(self.world.policy))


class World:
    """Everything, and the clock."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.now = 1000.0
        self.did: list[tuple[float, a.Action]] = []  # what disturbs, and what is written down
        self.asked: list[tuple[float, a.Action]] = []  # the rest
        self.facts: list[tuple[float, f.Fact]] = []
        self.memory: dict[str, str] = {}
        self.spent = 0
        self.turns = 0
        self._order = count()
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self.kernel, self.watch, self.wake_at = Kernel(), Watch(), inf
        self.browser, self.server, self.deploy, self.host = Browser(self), Server(self), Deploy(self), Host(self)
        self.page = Page(self)

    def boot(self, policy: Policy | None, expected: tuple[tuple[str, str], ...] = (), reboots: int = 0) -> None:
        """Start kioskd: with a good configuration, or (None) with a bad one."""
        self.kernel, self.watch = Kernel(), Watch()
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
        for action in [*self.page.asked, *self.browser.asked]:
            self.tell(f.Failed(action, "gone"))
        self.page.asked, self.browser.asked = [], []

    def _plan(self, action: a.Action) -> tuple[float, str | None, Callable[[], None]]:
        """How long an action takes, whether it fails, and what it brings about."""

        def nothing() -> None: ...

        browser, page, tell = self.browser, self.page, self.tell
        match action:
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
                return 0.02, None, lambda: tell(self.deploy.read())
            case a.Remember(home=home, connection=connection):
                return 0.01, None, lambda: self.memory.update({home: connection})
            case a.RecordReboot(spent=spent):
                return 0.01, None if self.host.state_writable else "read-only", lambda: setattr(self, "spent", spent)
            case a.RebootHost():
                return 0.5, None, lambda: setattr(self.host, "boots", self.host.boots + 1)
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
    world.boot(policy, ((path(policy.url or HOME), SOCKET),) if expected else ())
    world.run(world.now + 45.0)
    return world

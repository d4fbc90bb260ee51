"""A page that does as told: its document, its renderer, its one connection."""

from itertools import count
from typing import TYPE_CHECKING

from kioskd.core import actions as a
from kioskd.core import facts as f
from kioskd.core.policy import origin

if TYPE_CHECKING:
    from tests.core.world import World

HOME = "http://localhost:3001/"
SOCKET = "ws://localhost:3001/live"
ERROR = "chrome-error://chromewebdata/"


def own_page(name: str) -> str:
    return f"data:text/html;charset=utf-8;kioskd={name};base64,AAAA"


class Page:
    """The page: its document, its renderer, its one connection."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.numbers = count(1)
        self.opens, self.talks, self.blank_from_now_on, self.loops_from_now_on = True, True, False, False
        self.loops_soon_from_now_on = False
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
        elif world.browser.cut_off:
            return
        elif world.browser.misled:
            world.later(0.1, lambda: self._commit(generation, url, 0, True))
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
            self.digest = world.server.kept or world.deploy.digest
            self.blank, self.looping = self.blank_from_now_on, self.loops_from_now_on
            if self.loops_soon_from_now_on:
                world.later(0.5, self.hang)
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

    def hang_soon_always(self) -> None:
        """Each document answers at first, and then loops."""
        self.looping = self.loops_soon_from_now_on = True

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
        self.blank_from_now_on = self.loops_from_now_on = self.loops_soon_from_now_on = False

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

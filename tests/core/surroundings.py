"""What is around a page, and does as told: the browser, the server, the deploy, the host and the people near it."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from kioskd.core import actions as a
from kioskd.core import facts as f
from tests.core.fake_page import own_page

if TYPE_CHECKING:
    from tests.core.world import World


class Browser:
    """Chromium: dead or alive, frozen or not."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.generation, self.alive, self.frozen = 0, False, False
        self.missing, self.corrupt, self.mute, self.misled, self.cut_off = False, False, False, False, False
        self.size = 200 << 20
        self.asked: list[a.AskBrowser] = []

    def start(self, generation: int) -> None:
        self.generation, self.alive, self.frozen, self.misled, self.cut_off = generation, True, False, False, False
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

    def speak(self) -> None:
        """From the next start on it gives one."""
        self.mute = False

    def mislead(self) -> None:
        """It has kept an address at which the server is no more."""
        self.misled = True

    def cut_off_idle(self) -> None:
        """A router has forgotten its idle connections: what is sent on them is never answered."""
        self.cut_off = True

    def corrupt_profile(self) -> None:
        self.corrupt = True

    def swell(self, megabytes: str) -> None:
        self.size = int(megabytes) << 20


class Server:
    """The dashboard's server."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.up, self.mute, self.status, self.sockets, self.unknown = True, False, 200, True, False
        self.handshake, self.elsewhere = 101, False
        self.kept = ""  # the digest of the build that a cache before it gives

    def keep_build(self) -> None:
        self.kept = self.world.deploy.digest

    def let_go(self) -> None:
        self.kept = ""

    def stop(self) -> None:
        self.up = False
        self.world.page.drop()

    def start(self) -> None:
        self.up, self.mute, self.status, self.elsewhere = True, False, 200, False

    def mend(self) -> None:
        """Whatever was wrong with it, or stood before it, is wrong no more."""
        self.start()
        self.sockets, self.handshake, self.unknown, self.kept = True, 101, False, ""

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
        self.newest = self.mtime, self.digest  # no two builds are the same

    def _later(self, seconds: int) -> int:
        self.mtime = max(self.mtime, self.newest[0]) + seconds
        return self.mtime

    def change(self) -> None:
        """A new build, complete."""
        self.digest = f"sha256:{self._later(100)}"
        self.newest = self.mtime, self.digest
        self.missing, self.present = (), True
        self.world.tell(f.DeployTouched())

    def change_elsewhere(self) -> None:
        """A new build on another machine: nothing here is touched."""
        self.digest = f"sha256:{self._later(100)}"
        self.newest = self.mtime, self.digest

    def begin_elsewhere(self) -> None:
        """The same, and its endpoint says that it is not complete yet."""
        self.change_elsewhere()
        self.missing = ("the server says that the build is not complete",)

    def complete_elsewhere(self) -> None:
        self.missing = ()

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

    def roll_forward(self) -> None:
        """The newest build again."""
        self.mtime, self.digest = self.newest
        self.world.tell(f.DeployTouched())

    def touch(self) -> None:
        self.newest = self._later(7), self.digest
        self.world.tell(f.DeployTouched())

    def remove(self) -> None:
        self.present = False
        self.world.tell(f.DeployTouched())

    def come_back(self) -> None:
        """As it was."""
        self.present = True
        self.world.tell(f.DeployTouched())

    def stir(self) -> None:
        """A file beside the index changes, which is none of the build's."""
        self.world.tell(f.DeployTouched())

    def stir_for(self, seconds: str) -> None:
        """It changes twice a second."""
        for number in range(2 * int(seconds)):
            self.world.later(0.5 * number, self.stir)

    def burst(self) -> None:
        """Twenty builds in six seconds."""
        for number in range(20):
            self.world.later(0.3 * number, self.change)

    def read(self) -> f.DeployRead:
        return f.DeployRead(f.Version(self.mtime, self.digest), self.missing) if self.present else f.DeployRead(None)


class Display:
    """What is drawn on: one that is simply there, until it is told otherwise."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.run, self.hangs, self.lacks, self.dead = 0, False, "", False

    def plan(self, run: int) -> tuple[float, str | None, Callable[[], None]]:
        """What a start comes to."""
        if self.hangs:
            return a.StartDisplay.deadline_s, "not done within 10 s", lambda: None

        def started() -> None:
            self.run, self.dead = run, False
            self.world.tell(f.DisplayStarted(run, self.lacks))

        return 0.05, None, started

    def look(self, run: int) -> None:
        if not self.lacks:
            self.world.tell(f.DisplayGone(run, "a screen has been connected"))

    def kill(self) -> None:
        """The compositor ends, and the browser that drew on it; its news comes first."""
        self.dead = True
        self.world.tell(f.DisplayGone(self.run, "cage was killed by SIGKILL"))
        self.world.browser.kill()

    def kill_late(self) -> None:
        """The same, and the browser's end is the first that is heard of it."""
        self.dead = True
        self.world.browser.kill()
        self.world.later(0.02, lambda: self.world.tell(f.DisplayGone(self.run, "cage was killed by SIGKILL")))

    def hang(self) -> None:
        """From the next start on it never comes up."""
        self.hangs = True

    def mend(self) -> None:
        self.hangs = False

    def disconnect(self) -> None:
        """From the next start on there is no screen."""
        self.lacks = "headless: no screen"

    def connect(self) -> None:
        self.lacks = ""


class Host:
    """The machine, and the people near it."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.state_writable, self.broken, self.boots, self.tickets = True, False, 0, 0

    def stall(self, seconds: str) -> None:
        """kioskd's own loop does not turn for a while."""
        self.world.now += float(seconds)

    def lock_state(self) -> None:
        self.state_writable = False

    def unlock_state(self) -> None:
        self.state_writable = True

    def make_all_well(self) -> None:
        """All is well outside: what is on the screen is up to kioskd."""
        world, elsewhere = self.world, self.world.policy.deploy.url is not None
        world.page.behave()
        world.server.mend()
        world.browser.missing = world.browser.corrupt = world.browser.mute = False
        world.browser.size = 200 << 20
        self.broken, self.state_writable = False, True
        world.display.mend()
        world.display.connect()
        world.deploy.complete_elsewhere()
        # Also a way to be rid of what may be tried only once a version.
        world.do("deploy.change_elsewhere" if elsewhere else "deploy.change")
        self.ask("resume")
        self.mend_config()

    def break_everything(self) -> None:
        """Every action fails at once."""
        self.broken = True

    def mend_everything(self) -> None:
        self.broken = False

    def ask(self, command: str, seconds: str | None = None) -> None:
        self.tickets += 1
        ticket = self.tickets if command == "reload" else None
        self.world.tell(f.Asked(f.Command(command), None if seconds is None else float(seconds), ticket=ticket))

    def log(self, matches: str = "1") -> None:
        """The dashboard's unit says what the first rule listens for."""
        self.world.tell(f.JournalHeard(self.world.kernel.policy.health.journal[0], int(matches)))

    def log_clear(self) -> None:
        self.world.tell(f.JournalHeard(self.world.kernel.policy.health.journal[0], 0, cleared=True))

    def forget_rules(self) -> None:
        """The configuration has none any more; the reader has not heard of that yet."""
        policy = self.world.kernel.policy
        (rule,) = policy.health.journal
        self.world.tell(f.ConfigRead(replace(policy, health=replace(policy.health, journal=()))))
        self.world.tell(f.JournalHeard(rule, 9))

    def ask_twice(self) -> None:
        """A deploy hook, and at once another; then one that does not care to hear of it."""
        self.ask("reload")
        self.ask("reload")
        self.world.tell(f.Asked(f.Command.RELOAD, message="nobody waits"))

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

"""What kioskd can be told: one frozen dataclass for each thing that can have happened.

Edges, HTTP, signals and the timer all speak in these, and only in these. A fact says what was seen, never what it means or what
should follow. Ages are seconds before the fact was put into the inbox. Every fact about a browser carries its generation, so
that late news of a dead browser is never taken for the new one's. Do not subclass these.
"""

from dataclasses import dataclass
from enum import Enum

from kioskd.core.actions import Action, Probe
from kioskd.core.policy import JournalRule, Policy

# --- time and people ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Woke:
    """The one timer went off; ``due`` is the moment the kernel had asked for, so lateness shows."""

    due: float


@dataclass(frozen=True, slots=True)
class ConfigRead:
    """A good configuration was read. The first one starts everything."""

    policy: Policy


@dataclass(frozen=True, slots=True)
class ConfigRejected:
    """The configuration file is bad; what was in force stays. ``errors`` are lines for people."""

    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remembered:
    """What an earlier run of kioskd wrote down (see ``actions.Remember``); comes once, before the first browser."""

    expected: tuple[tuple[str, str], ...]  # (home path, connection URL)
    reboots: int  # reboots already spent in this boot


class Command(Enum):
    """What an operator may ask for."""

    RELOAD = "reload"
    RESTART = "restart"
    PAUSE = "pause"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Asked:
    """An operator, or a deploy hook, asked for something."""

    command: Command
    for_s: float | None = None  # PAUSE: how long
    why: str = ""  # RESTART: what is shown as its reason
    message: str = ""  # RELOAD: what the other screens are told
    ticket: int | None = None  # RELOAD: who waits to hear what this screen did (see ``actions.Reply``)


# --- the display --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DisplayStarted:
    """There is something to draw on. ``lacks``: what is missing where it is less than was wanted (headless for want of a screen)."""

    run: int  # of ``actions.StartDisplay``
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class DisplayGone:
    """What was drawn on is gone, or something better has appeared."""

    run: int
    reason: str


# --- the browser --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BrowserStarted:
    """The browser gave its first DevTools answer and its page is attached: the observer is in place."""

    generation: int
    pid: int
    product: str  # "Chrome/156.0.8078.79"


@dataclass(frozen=True, slots=True)
class BrowserGone:
    """The process ended, or its pipe closed. Also the news when it could not be started at all (``pid`` None)."""

    generation: int
    reason: str
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class BrowserAnswered:
    """``Browser.getVersion`` was answered, however late."""

    generation: int
    question: int


@dataclass(frozen=True, slots=True)
class MemoryRead:
    """Resident bytes of the browser tree."""

    generation: int
    size: int


# --- the page -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PageGone:
    """The page target was destroyed (the page closed itself) while the browser lives on."""

    generation: int


@dataclass(frozen=True, slots=True)
class PageOpened:
    """A new page target is attached in place of one that had gone."""

    generation: int


@dataclass(frozen=True, slots=True)
class RendererGone:
    """The page's renderer crashed or was killed ("Aw, Snap")."""

    generation: int


@dataclass(frozen=True, slots=True)
class NavigationStarted:
    """The main frame began to navigate to another document."""

    generation: int
    url: str


@dataclass(frozen=True, slots=True)
class NavigationEnded:
    """The main frame stopped loading: loaded, failed, or stopped."""

    generation: int


@dataclass(frozen=True, slots=True)
class DocumentCommitted:
    """The main frame shows another document (``document`` is Chromium's loader id).

    ``url`` is the one asked for; ``error`` marks an error page.
    """

    generation: int
    document: str
    url: str
    error: bool = False


@dataclass(frozen=True, slots=True)
class Prompted:
    """Chromium wants something of a person: a sign-in (401) or a permission."""

    generation: int
    what: str


@dataclass(frozen=True, slots=True)
class DialogOpened:
    """A JavaScript dialog stands on the screen: alert, confirm, prompt or beforeunload."""

    generation: int
    kind: str


@dataclass(frozen=True, slots=True)
class PopupOpened:
    """A second page target appeared."""

    generation: int
    target: str


@dataclass(frozen=True, slots=True)
class Connection:
    """One group of the page's WebSockets or EventSources: those of one URL, query left out.

    ``open_for``: s since at least one is open without a break; None when none is.
    ``dead_for``: s since none has been open (or since the first try); None when one is.
    """

    url: str
    open_for: float | None
    dead_for: float | None
    closed_by_page: bool = False  # the page called close() on the last open one and has not tried again
    messages: int = 0
    silent_for: float = 0.0  # s since the last message, or since it opened
    longest_gap: float = 0.0  # s between two messages


@dataclass(frozen=True, slots=True)
class PageAnswered:
    """The page answered a question, however late: what it is, and how it looks from inside."""

    generation: int
    question: int
    url: str  # document.URL
    ready: bool  # readyState is "complete"
    status: int | None  # of the main document; 0: a network failure; None: not an HTTP document
    visible: bool  # some text, image, canvas, video or frame can be seen
    stuck_text: bool = False
    alive: bool | None = None  # window.kioskd.alive(), where the page has one
    connections: tuple[Connection, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentRead:
    """The digest of the main document as Chromium holds it."""

    generation: int
    document: str
    digest: str  # "sha256:…"


# --- the server, the deploy, outcomes -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """How the server answered a probe. Two answers of the same class are equal.

    ``status`` is the HTTP status (101: the WebSocket handshake succeeded); None: no answer, ``error`` says why.
    """

    status: int | None
    html: bool = False
    at_home: bool = False  # after redirects on an origin of home's
    error: str = ""


@dataclass(frozen=True, slots=True)
class ServerAnswered:
    """A probe of the server ended. ``answer`` None: the probe itself failed, which says nothing about the server."""

    probe: Probe
    url: str
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class Version:
    """One build of the front end: the index's mtime in whole seconds, and its digest.

    Without an index the newest mtime of ``deploy.also``; of ``deploy.url`` what that says.
    """

    mtime: int
    digest: str  # "sha256:…", "" where it is not known
    also: str = ""  # the same over deploy.also, "" where there are none


@dataclass(frozen=True, slots=True)
class DeployTouched:
    """Something under the deploy's directory changed, ``age`` seconds ago."""

    age: float = 0.0


@dataclass(frozen=True, slots=True)
class DeployRead:
    """The deploy, on disk or as ``deploy.url`` tells.

    ``version`` None: there is none; ``missing``: what makes it incomplete, for people.
    """

    version: Version | None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JournalHeard:
    """Lines of a unit's journal: ``cleared`` where one matched ``rule.clear``; ``matches`` of ``rule.match`` since the last such."""

    rule: JournalRule
    matches: int
    cleared: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """An action was carried out."""

    action: Action


@dataclass(frozen=True, slots=True)
class Failed:
    """An action failed, ran out of time, or was dropped because the one before it failed."""

    action: Action
    reason: str


Fact = (
    Woke | ConfigRead | ConfigRejected | Remembered | Asked | DisplayStarted | DisplayGone
    | BrowserStarted | BrowserGone | BrowserAnswered | MemoryRead
    | PageGone | PageOpened | RendererGone | NavigationStarted | NavigationEnded | DocumentCommitted
    | Prompted | DialogOpened | PopupOpened | PageAnswered | DocumentRead
    | ServerAnswered | DeployTouched | DeployRead | JournalHeard | Done | Failed
)  # fmt: skip

"""What is known now, each item with the time of its evidence.

Nothing here decides. ``observe.py`` writes what facts tell (with ``browser.py``, ``page.py``, ``link.py`` and ``complaints.py``);
``rounds.py``, ``wishes.py`` and ``orders.py`` note what was asked and ordered, and the kernel what time alone ends. ``verdict.py`` and
``ladder.py`` are the readers, by what ``readings.py`` makes of it. All times are the kernel's monotonic seconds; ``None`` means
*not so*, or *not known*.
"""

from dataclasses import dataclass, field
from enum import Enum

from kioskd.core.actions import Action, Place, Probe
from kioskd.core.facts import Answer, Command, DeployRead, PageAnswered, Version
from kioskd.core.policy import JournalRule

#: How long a connection must be open before it counts, and how long health must last to end an incident.
PROVEN_S = 10.0


class Life(Enum):
    """Whether there is one."""

    NONE = "none"
    STARTING = "starting"
    UP = "up"


class Site(Enum):
    """Where the document is."""

    HOME = "home"  # home's origin, or an allowed one
    OWN = "own"  # one of kioskd's own pages
    START = "start"  # the dark page that Chromium opens with
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Question:
    """A question that is not answered yet."""

    number: int
    asked_at: float


@dataclass(frozen=True, slots=True)
class DisplayView:
    """What is drawn on."""

    run: int = 0
    life: Life = Life.NONE
    since: float = 0.0
    reason: str = ""  # why there is none
    lacks: str = ""  # what it is less than
    software: bool = False  # the compositor paints without the GPU
    failed: bool = False  # it did not start
    painted: bool = False  # a page has been seen on it
    looked_at: float = 0.0


@dataclass(frozen=True, slots=True)
class BrowserView:
    """The browser process."""

    generation: int = 0
    life: Life = Life.NONE
    since: float = 0.0
    ordered_at: float = 0.0
    reason: str = "not started yet"
    product: str = ""
    pid: int | None = None
    question: Question | None = None
    answered_at: float = 0.0
    proved: bool = False  # a document of ours has loaded in it
    painted: bool = False  # its page has answered: where it can be seen, after a frame was painted
    deaths: int = 0  # in a row, before the first document
    set_aside: bool = False  # the profile was, and no document has loaded since: it is not to blame
    memory: int | None = None
    memory_at: float = 0.0
    memory_asked_at: float = 0.0
    big_from_start: bool = False


@dataclass(frozen=True, slots=True)
class PageView:
    """The page target and its main document."""

    present: bool = False
    gone_at: float = 0.0
    crashed_at: float | None = None
    navigating_since: float | None = None
    document: str = ""
    url: str = ""
    error: bool = False
    committed_at: float = 0.0
    asked_before: int = 0  # questions up to this number were asked of the document before
    question: Question | None = None
    report: PageAnswered | None = None
    reported_at: float | None = None
    ask_now: bool = False  # something happened: ask without waiting for the round
    prompt: str | None = None
    moved_at: float = 0.0  # since when the document is where it is (site)
    unreadable_since: float | None = None
    blank_since: float | None = None
    text_since: float | None = None  # stuck_text visible
    lifeless_since: float | None = None  # window.kioskd.alive() said no
    digest: str | None = None
    asked_digest: bool = False
    began: DeployRead | None = None  # what was on disk when this load began; None: that is not known yet
    amid: bool = False  # the deploy was changing while this was loaded: nobody knows what it took
    load_at: float = 0.0  # when its load began
    loaded_at: float | None = None  # when it was over; None: it is not
    ordered: bool = False  # its load was ordered by kioskd, or is Chromium's own further try of such a one


@dataclass(frozen=True, slots=True)
class Link:
    """The page's own connection, as judged."""

    url: str | None = None  # the group that is looked at
    open_since: float | None = None
    dead_since: float | None = None  # ends only when one has been open for PROVEN_S
    asleep: bool = False  # the page closed it on purpose
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer of the server, and when it came."""

    answer: Answer
    at: float


@dataclass(frozen=True, slots=True)
class ServerView:
    """The server, as far as it was asked."""

    socket: Heard | None = None
    home: Heard | None = None
    socket_class: Answer | None = None  # the baseline, of this load
    home_class: Answer | None = None
    baseline_for: str = ""  # the load (document and connection) the baseline was asked for
    baselining: frozenset[Probe] = frozenset()  # whose next answer is the baseline
    asked: frozenset[Probe] = frozenset()  # outstanding
    round_at: float | None = None  # the last round in doubt
    guard_at: float | None = None  # the last time home was asked just before a guarded step
    up_since: float | None = None  # came back after having been seen down
    down_since: float | None = None


@dataclass(frozen=True, slots=True)
class DeployView:
    """The front end on disk."""

    disk: DeployRead | None = None  # None: not read yet
    read_at: float = 0.0
    found_since: float = 0.0  # since then each reading has found the same
    reading: bool = False
    failed: bool = False  # the last reading: the disk may be another than ``disk`` says
    asked_at: float | None = None
    touched_at: float | None = None  # the last change that has not been read yet
    first_touched_at: float = 0.0  # the first such
    known: tuple[Version, ...] = ()  # newest last
    announced: Version | None = None  # the last that needs no broadcast any more


@dataclass(frozen=True, slots=True)
class Tried:
    """What may be done only so often, and was."""

    stale: Version | None = None  # reloaded for this version
    stale_at: float = 0.0  # when
    again: bool = False  # and once more, because the old build had stayed on the screen
    build_at: float | None = None  # reloaded for a build that was not on the screen
    blank: Version | None = None  # reloaded because blank, showing this version
    blank_at: float | None = None
    big_at: float | None = None  # restarted because too big


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a rule has heard in the journal."""

    rule: JournalRule
    heard_at: tuple[float, ...] = ()  # the last matches, as many as count
    since: float | None = None  # when the first of so many was heard; None: there are fewer
    last_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What an operator or a deploy hook asked for and has not got yet."""

    command: Command
    at: float
    why: str = ""
    tickets: tuple[int, ...] = ()  # who waits to hear of it
    refused: bool = False  # the browser did not take the reload


@dataclass(frozen=True, slots=True)
class View:
    """Everything."""

    goal: Place | None = None  # None: no configuration has been seen yet
    goal_since: float = 0.0
    went_at: float | None = None  # when the page was last sent to its goal
    mistakes: tuple[str, ...] = ()  # of the newest configuration file, where it was rejected
    paused_since: float = 0.0
    paused_until: float | None = None
    wish: Wish | None = None
    granting: Wish | None = None  # the action under way is what it asked for
    expected: tuple[tuple[str, str], ...] = ()  # (home path, connection URL)
    gaps: tuple[tuple[str, float], ...] = ()  # (connection URL, longest gap seen)
    reboots: int = 0
    display: DisplayView = field(default_factory=DisplayView)
    browser: BrowserView = field(default_factory=BrowserView)
    page: PageView = field(default_factory=PageView)
    link: Link = field(default_factory=Link)
    server: ServerView = field(default_factory=ServerView)
    deploy: DeployView = field(default_factory=DeployView)
    complaints: tuple[Complaint, ...] = ()  # of the journal
    tried: Tried = field(default_factory=Tried)
    busy: Action | None = None  # the one action on the browser that is under way
    busy_since: float = 0.0
    late_at: tuple[float, ...] = ()  # when kioskd's own loop was late
    questions: int = 0  # asked so far
    browser_asked_at: float = 0.0
    page_asked_at: float = 0.0  # not of the page: a flood of documents must not become a flood of questions

"""What is known now, each item with the time of its evidence.

Nothing here decides. ``observe.py`` is the only writer (with ``page.py`` and ``link.py``), ``verdict.py`` and ``ladder.py`` are
the readers. All times are the kernel's monotonic seconds; ``None`` means *not so*, or *not known*.
"""

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from urllib.parse import urlsplit

from kioskd.core.actions import Action, Place, Probe
from kioskd.core.facts import Answer, Command, DeployRead, PageAnswered, Version
from kioskd.core.policy import JournalRule, Policy, Word, origin, path

#: How long a connection must be open before it counts, and how long health must last to end an incident.
PROVEN_S = 10.0

#: After a turn that came late the answers behind it are waited for so long before anything is done.
CATCH_UP_S = 1.0

#: Two late turns within this time: the host is starved.
STARVED_S = 60.0

#: kioskd's own pages are data: URLs that name themselves, so that they need no server and no memory.
_OWN = re.compile(r"data:text/html;charset=utf-8;kioskd=(\w+)[;,]")


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


# --- small readings that several rows share ------------------------------------------------------


def own_page(url: str) -> str | None:
    """Return the name of one of kioskd's own pages ("holding", "start", …), or None."""
    found = _OWN.match(url)
    return found.group(1) if found else None


def site(view: View, policy: Policy) -> Site:
    """Return where the main document is."""
    name = own_page(view.page.url)
    if name == "start" or view.page.url in ("", "about:blank"):
        return Site.START
    if name is not None:
        return Site.OWN
    return Site.HOME if origin(view.page.url) in homes(policy) else Site.ELSEWHERE


def homes(policy: Policy) -> frozenset[str]:
    """Return the origins that count as home: its own, and the allowed ones."""
    return _origins(policy.url or "", policy.allow)


@lru_cache(maxsize=8)
def _origins(url: str, allow: tuple[str, ...]) -> frozenset[str]:
    return frozenset({origin(url), *(origin(other) or other for other in allow)} - {""})


def same_site(one: str, other: str) -> bool:
    """Tell whether two URLs are of one site: the same host, or names that share their last two labels."""
    a, b = (urlsplit(origin(url)).hostname or "" for url in (one, other))
    if a == b:
        return bool(a)
    if a.replace(".", "").isdigit() or ":" in a:  # an address has no parents
        return False
    return a.split(".")[-2:] == b.split(".")[-2:] and "." in a


def expected_link(view: View, policy: Policy) -> str | None:
    """Return the connection that home is expected to hold: the configured one, or the one it has been seen to hold."""
    configured = policy.health.websocket.url
    if configured is Word.OFF or policy.url is None:
        return None
    if isinstance(configured, str):
        return path(configured)
    return dict(view.expected).get(path(policy.url))


def well_since(view: View, policy: Policy) -> float | None:
    """Return since when home has been as it should be: its connection open, or, where none is expected, loaded."""
    page = view.page
    if site(view, policy) is not Site.HOME or page.report is None or not page.report.ready or page.unreadable_since is not None:
        return None
    if expected_link(view, policy) is None:
        return page.committed_at
    return None if view.link.open_since is None else max(page.committed_at, view.link.open_since)


def server_up(view: View, policy: Policy, now: float) -> bool | None:
    """Tell whether the server is up, by the answers of the last rounds; None: not known."""
    if expected_link(view, policy) is None:
        return home_good(view, policy, now)
    return _good(view.server.socket, view.server.socket_class, policy, now)


def home_good(view: View, policy: Policy, now: float) -> bool | None:
    """Tell whether home can be shown: it answers as it did when it last loaded well, or with 2xx HTML of its own origin."""
    return _good(view.server.home, view.server.home_class, policy, now)


def _good(heard: Heard | None, baseline: Answer | None, policy: Policy, now: float) -> bool | None:
    if heard is None or now - heard.at > 2 * policy.health.interval + policy.health.timeout:
        return None
    answer = heard.answer
    if baseline is not None and (answer.status, answer.html, answer.at_home) == (baseline.status, baseline.html, baseline.at_home):
        return True
    # Also where the baseline is another one: it may have been taken just as something stood in front of the server.
    return answer.status == 101 or (answer.status is not None and 200 <= answer.status < 300 and answer.html and answer.at_home)


def shown(view: View) -> Version | None:
    """Return the version on the screen: by the document's digest where it is a known one, else what was on disk when the load began.

    None where that is not known, or where it was loaded amid a deploy: its parts may be of none, whatever the document says.
    """
    page, began = view.page, view.page.began
    if began is None or began.missing or page.amid:
        return None
    if began.version is not None and began.version.digest == page.digest:
        return began.version
    matching = [version for version in view.deploy.known if version.digest == page.digest]
    return matching[-1] if matching else began.version


def unread(view: View) -> bool:
    """Tell whether the disk may hold another build than is known."""
    return view.deploy.touched_at is not None or view.deploy.reading


def strain(view: View, now: float) -> float:
    """Return what every patience is multiplied by: 3 while the host is starved (own loop late again and again)."""
    return 3.0 if len([at for at in view.late_at if now - at < STARVED_S]) >= 2 else 1.0


def catching_up(view: View, now: float) -> bool:
    """Tell whether a single turn has just come late. Where many do, ``strain`` is the answer: waiting each time would be for ever."""
    return bool(view.late_at) and now - view.late_at[-1] < CATCH_UP_S and strain(view, now) == 1.0

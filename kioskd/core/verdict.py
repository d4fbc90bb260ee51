"""What is wrong, if anything: ``judge(view, now, policy)``, one pure function over one table read from the top.

Each row answers *since when does it hold*, as things stand: a moment in the past (it holds), in the future (it will, if
nothing changes: so the kernel knows when to look again), or None. The first row that holds is the verdict. A row that
needs a datum which is not known does not hold. While the host is starved, every patience counts three times.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from kioskd.core.actions import Place
from kioskd.core.policy import Policy, Word
from kioskd.core.readings import home_good, owes, own_page, server_up, shown, site, strain, unread
from kioskd.core.view import PROVEN_S, Life, Site, View

#: A blank page is reloaded at most once per version, and not within this time of the last.
BLANK_PAUSE_S = 600.0

#: Of a page that has been reloaded in vain.
KEPT = "the page was loaded for the build on disk and still shows another: a cache before its server, or a service worker, has kept it"

#: A browser that is too big is restarted at most this often.
BIG_PAUSE_S = 3600.0


class Verdict(Enum):
    """What the screen is. The order is the table's."""

    PAUSED = "PAUSED"
    NO_BROWSER = "NO_BROWSER"
    FROZEN = "FROZEN"
    CRASHED = "CRASHED"
    LOADING = "LOADING"
    HUNG = "HUNG"
    AWAY = "AWAY"
    UNREADABLE = "UNREADABLE"
    TOO_BIG = "TOO_BIG"
    STALE = "STALE"
    BLANK = "BLANK"
    STUCK = "STUCK"
    SERVER_DOWN = "SERVER_DOWN"
    HEALTHY = "HEALTHY"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, since when it holds, why, and when another one may come without any news."""

    verdict: Verdict
    since: float
    why: str
    look_again: float | None


Row = Callable[[View, float, Policy], tuple[float, str] | None]


def judge(view: View, now: float, policy: Policy) -> Judgement:
    """Return the first row of the table that holds."""
    later: list[float] = []
    rows = iter(TABLE.items())
    held = None
    while held is None or held[0] > now:  # the last row always holds
        if held is not None:
            later.append(held[0])
        verdict, row = next(rows)
        held = row(view, now, policy)
    return Judgement(verdict, *held, min(later, default=None))


# --- the rows -----------------------------------------------------------------------------------


def _paused(view: View, now: float, policy: Policy) -> tuple[float, str] | None:
    if view.paused_until is None:
        return None
    return view.paused_since, f"paused for {view.paused_until - view.paused_since:.0f} s"


def _no_browser(view: View, now: float, policy: Policy) -> tuple[float, str] | None:
    if view.browser.life is not Life.UP:
        return view.browser.since, view.browser.reason
    if view.display.life is Life.NONE and view.display.run:
        return view.display.since, view.display.reason
    if not view.page.present:
        return view.page.gone_at, "the page closed itself"
    return None


def _frozen(view: View, now: float, policy: Policy) -> tuple[float, str] | None:
    question = view.browser.question
    if question is None:
        return None
    return question.asked_at + strain(view, now) * policy.health.page.hang_after, "the browser does not answer"


def _crashed(view: View, now: float, policy: Policy) -> tuple[float, str] | None:
    if view.page.crashed_at is None or view.page.navigating_since is not None:
        return None
    return view.page.crashed_at, "the page's renderer is gone"


def _loading(view: View, now: float, policy: Policy) -> tuple[float, str] | None:
    if view.page.navigating_since is None:
        return None
    return view.page.navigating_since, "waiting for the server's document"


def _hung(view: View, now: float, policy: Policy) -> tuple[float, str] | None:
    question = view.page.question
    # The browser must have answered since the page was asked: else it may well be the browser that hangs.
    if question is None or view.browser.answered_at <= question.asked_at:
        return None
    return question.asked_at + strain(view, now) * policy.health.page.hang_after, "the page does not answer, the browser does"


def _away(view: View, now: float, policy: Policy) -> tuple[float, str] | None:
    if view.page.prompt is not None:
        return view.page.moved_at, view.page.prompt
    if site(view, policy) is Site.ELSEWHERE and not view.page.error:
        return view.page.moved_at, "the page is on another site"
    return None


def _unreadable(view: View, now: float, policy: Policy) -> tuple[float, str] | None:
    where = site(view, policy)
    unsent = view.went_at is None or view.went_at < view.goal_since
    since = max(view.goal_since, view.page.committed_at) if unsent else view.page.moved_at
    if view.goal is Place.HOME and where in (Site.START, Site.OWN):
        return since, "just started" if where is Site.START else "waiting for the server" + _excuse(view)
    if unsent:
        return since, "another page is wanted"
    if view.goal is not Place.HOME:
        wanted = view.goal is not None and own_page(view.page.url) == view.goal.value
        return None if wanted else (since, "the built-in page is not there")
    if view.page.unreadable_since is not None:
        status = view.page.report.status if view.page.report else None
        return view.page.unreadable_since, f"the server answered {status}" if status else "an error page"
    return None


def _excuse(view: View) -> str:
    """What the server said last, where that is why home is not shown."""
    answer = view.server.home.answer if view.server.home else None
    if answer is None or answer.status is None:
        return f": {answer.error}" if answer and answer.error else ""
    if answer.status == 401:
        return ", which asks for a sign-in"
    if answer.status != 200:
        return f", which answered {answer.status}"
    if not answer.at_home:
        return ", which leads to another site: name it in allow, if it is meant"
    return "" if answer.html else ", whose answer is no web page"


def _too_big(view: View, now: float, policy: Policy) -> tuple[float, str] | None:
    browser, limit = view.browser, policy.memory_limit
    if limit is None or browser.memory is None or browser.memory <= limit or browser.big_from_start:
        return None
    since = browser.memory_at if view.tried.big_at is None else max(browser.memory_at, view.tried.big_at + BIG_PAUSE_S)
    return since, f"the browser holds {browser.memory >> 20} MB, the limit is {limit >> 20} MB"


def _behind(view: View, policy: Policy) -> bool:
    """Tell whether a complete build is on disk that the screen does not show."""
    deploy = view.deploy
    if deploy.disk is None or deploy.disk.version is None or deploy.disk.missing or unread(view):
        return False
    return site(view, policy) is Site.HOME and view.page.began is not None and deploy.disk.version != shown(view)


def _tried(view: View) -> bool:
    """Tell whether the page has been reloaded for the build on disk."""
    return view.deploy.disk is not None and view.deploy.disk.version == view.tried.stale


def _kept(view: View, policy: Policy) -> bool:
    """Tell whether it still shows another, known one although it has been reloaded for that: something keeps the old build."""
    return _behind(view, policy) and _tried(view) and shown(view) is not None


def outdated(view: View, policy: Policy) -> bool:
    """Tell whether the page is to be reloaded for the build on disk: once, and once more where that left the old one."""
    return _behind(view, policy) and (not _tried(view) or (_kept(view, policy) and not view.tried.again))


def _stale(view: View, now: float, policy: Policy) -> tuple[float, str] | None:
    if not outdated(view, policy) or home_good(view, policy, now) is False:
        return None
    if not _kept(view, policy):
        return view.deploy.read_at, "another build is on disk"
    # A cache before the server lets go of the old build in its own time, which most count in seconds.
    return view.tried.stale_at + strain(view, now) * policy.health.websocket.restart_after, KEPT


def _blank(view: View, now: float, policy: Policy) -> tuple[float, str] | None:
    patience, version = policy.health.page.blank_after, shown(view)
    if view.page.blank_since is None or isinstance(patience, Word) or (version is not None and version == view.tried.blank):
        return None
    since = view.page.blank_since + strain(view, now) * patience
    if view.tried.blank_at is not None:
        since = max(since, view.tried.blank_at + BLANK_PAUSE_S)
    return since, "nothing can be seen on the page"


def _stuck(view: View, now: float, policy: Policy) -> tuple[float, str] | None:
    page, link = view.page, view.link
    if owes(view, policy, now):
        return None  # a page that is merely busy may long be connected, one that is not is HUNG's matter
    causes: list[tuple[float, str]] = []
    if link.dead_since is not None and link.open_since is None and server_up(view, policy, now):
        how = "has been silent" if link.silent else "is dead"
        causes.append((link.dead_since, f"the server is up and the page's connection {how}"))
    if page.text_since is not None:
        causes.append((page.text_since, f'the page says "{policy.health.page.stuck_text}"'))
    if page.lifeless_since is not None:
        causes.append((page.lifeless_since, "the page says that it is not alive"))
    for complaint in view.complaints:
        if complaint.since is not None and complaint.last_at > page.committed_at:
            causes.append((complaint.since, f'{complaint.rule.unit} says "{complaint.rule.match}"'))
    if not causes or server_up(view, policy, now) is False:
        return None
    since, why = min(causes)
    if view.server.up_since is not None:  # after its return the page gets PROVEN_S to reconnect by itself
        since = max(since, view.server.up_since + PROVEN_S - policy.health.websocket.reload_after)
    return since, why


def _server_down(view: View, now: float, policy: Policy) -> tuple[float, str] | None:
    signs = (view.link.dead_since, view.page.text_since, view.page.lifeless_since)
    since = min((sign for sign in signs if sign is not None), default=None)
    if since is None or view.link.open_since is not None or server_up(view, policy, now) is not False:
        return None
    return since, "the server is down; the page stays as it is"


def _healthy(view: View, now: float, policy: Policy) -> tuple[float, str] | None:
    return now, KEPT if _kept(view, policy) else "the page is as it should be"


#: The table. Its order is the order of ``Verdict``.
TABLE: dict[Verdict, Row] = {
    Verdict.PAUSED: _paused,
    Verdict.NO_BROWSER: _no_browser,
    Verdict.FROZEN: _frozen,
    Verdict.CRASHED: _crashed,
    Verdict.LOADING: _loading,
    Verdict.HUNG: _hung,
    Verdict.AWAY: _away,
    Verdict.UNREADABLE: _unreadable,
    Verdict.TOO_BIG: _too_big,
    Verdict.STALE: _stale,
    Verdict.BLANK: _blank,
    Verdict.STUCK: _stuck,
    Verdict.SERVER_DOWN: _server_down,
    Verdict.HEALTHY: _healthy,
}

"""From a step of the ladder to actions: what is ordered, and what the view believes from then on.

At most one action on the browser is under way: ``View.busy`` holds it until ``Done`` or ``Failed`` comes, or until it is
overdue by so much that the answer itself must have been lost.
"""

from dataclasses import replace

from kioskd.core.actions import (
    Action,
    DropConnections,
    EndScript,
    KeepEvidence,
    KillRenderer,
    Navigate,
    OpenPage,
    Place,
    RebootHost,
    RecordReboot,
    Reload,
    SetProfileAside,
    StartBrowser,
    StartDisplay,
    Steps,
    StopBrowser,
    StopLoading,
)  # fmt: skip
from kioskd.core.browser import browser_starting, display_starting
from kioskd.core.ladder import Plan
from kioskd.core.page import loading
from kioskd.core.policy import Policy
from kioskd.core.readings import home_good, shown, waits_for_build
from kioskd.core.steps import Remedy
from kioskd.core.verdict import Verdict
from kioskd.core.view import Life, View

#: How fresh the GET of home must be before a readable page is left.
FRESH_S = 1.0

#: Deaths in a row before the first document, after which the profile is suspected.
DEATHS = 3

#: Of these something can be seen that is gone once it is done about.
WITNESSED = frozenset({Verdict.FROZEN, Verdict.HUNG, Verdict.TOO_BIG, Verdict.BLANK, Verdict.STUCK})

#: And of these only what is known without the page: it shows nothing, and each tenth of a second is one more of a frozen screen.
MUTE = frozenset({Verdict.FROZEN, Verdict.HUNG})

#: An action that is overdue by this much will not be answered any more.
OVERDUE_S = 10.0


def allowed(plan: Plan, view: View, now: float, policy: Policy) -> bool:
    """Tell whether a due step may be taken now, as far as the server and the build on the disk have a say."""
    if not plan.step.guarded or policy.url is None:
        return True
    return waits_for_build(view, plan.due, now, policy) is None and asked_just_now(view, now) and home_good(view, policy, now) is True


def asked_just_now(view: View, now: float) -> bool:
    """Tell whether the last answer of home is fresh. One from before a deploy hook's call is not: deploys restart servers."""
    heard = view.server.home
    return heard is not None and now - heard.at <= FRESH_S and (view.wish is None or heard.at >= view.wish.at)


def order(view: View, verdict: Verdict, remedy: Remedy, now: float, first: bool = False) -> tuple[View, Action]:
    """Return the action for a remedy, and the view in which it has been ordered. ``first``: in its incident."""
    before = view.browser.generation
    view, action = _order(view, verdict, remedy, now)
    if not first or verdict not in WITNESSED:
        return view, action
    parts = action.actions if isinstance(action, Steps) else (action,)
    return _busy(view, Steps((KeepEvidence(before, asks=verdict not in MUTE), *parts)), now)


def _order(view: View, verdict: Verdict, remedy: Remedy, now: float) -> tuple[View, Action]:
    generation = view.browser.generation
    match remedy:
        case Remedy.START:
            return _start(view, now)
        case Remedy.RESTART | Remedy.RESTART_GENTLY:
            view = replace(view, tried=replace(view.tried, big_at=now)) if verdict is Verdict.TOO_BIG else view
            stop = StopBrowser(generation, polite=remedy is Remedy.RESTART_GENTLY)
            view, display = _display(view, now)
            planned = _planned(view, verdict) if remedy is Remedy.RESTART_GENTLY else ""
            view = browser_starting(view, generation + 1, now, planned)
            return _busy(view, Steps((stop, *display, StartBrowser(generation + 1))), now)
        case Remedy.OPEN:
            return _busy(view, OpenPage(generation), now)
        case Remedy.GO_HOME:
            goal = view.goal or Place.WELCOME
            journey: Action = Navigate(generation, goal)
            if view.page.error and view.page.ordered:  # the server answers us, and not the browser: an address that it has kept, perhaps
                journey = Steps((DropConnections(generation), journey))
            return _busy(replace(_leaving(view, now), went_at=now), journey, now)
        case Remedy.HOLD:
            return _busy(_leaving(view, now), Navigate(generation, Place.HOLDING), now)
        case Remedy.RELOAD:
            if verdict is Verdict.BLANK:
                view = replace(view, tried=replace(view.tried, blank=shown(view), blank_at=now))
            reload: Action = Reload(generation)
            if verdict is Verdict.STUCK and view.link.silent:  # so are the others that were open then, and it would use them
                reload = Steps((DropConnections(generation), reload))
            return _busy(_leaving(view, now), reload, now)
        case Remedy.RELOAD_FRESH:
            if view.deploy.disk is not None and view.deploy.disk.version != shown(view):
                view = replace(view, tried=replace(view.tried, build_at=now))
            return _busy(_leaving(view, now), Reload(generation, fresh=True), now)
        case Remedy.UNHANG:
            return _busy(_leaving(view, now), Steps((EndScript(generation), Reload(generation))), now)
        case Remedy.KILL_RENDERER:
            return _busy(view, KillRenderer(generation), now)
        case Remedy.STOP_LOADING:
            return _busy(view, StopLoading(generation), now)
        case _:  # Remedy.REBOOT
            view = replace(view, reboots=view.reboots + 1)
            return _busy(view, Steps((RecordReboot(view.reboots), RebootHost())), now)


def _planned(view: View, verdict: Verdict) -> str:
    if verdict is Verdict.TOO_BIG:
        return "the browser's memory had reached its limit"
    return (view.wish.why if view.wish else "") or "asked for"


def _start(view: View, now: float) -> tuple[View, Action]:
    last = view.browser
    parts: list[Action] = []
    if last.life is Life.UP:  # it lives on although its display is gone
        parts.append(StopBrowser(last.generation))
    view, display = _display(view, now)
    parts += display
    view = browser_starting(view, last.generation + 1, now)
    if last.deaths >= DEATHS and not last.set_aside:
        view = replace(view, browser=replace(view.browser, set_aside=True))
        parts.append(SetProfileAside())
    start = StartBrowser(last.generation + 1)
    return _busy(view, Steps((*parts, start)) if parts else start, now)


def _display(view: View, now: float) -> tuple[View, list[Action]]:
    """What is drawn on stays while browsers come and go, unless one went without ever having painted: then it may be to blame."""
    if view.display.life is Life.UP and view.browser.painted:
        return view, []
    view = display_starting(view, now)
    return view, [StartDisplay(view.display.run, view.display.software)]


def _leaving(view: View, now: float) -> View:
    """A navigation has been ordered: it is pending from now on."""
    return replace(view, page=replace(loading(view, now), ordered=True))


def _busy(view: View, action: Action, now: float) -> tuple[View, Action]:
    return replace(view, busy=action, busy_since=now), action


def overdue(view: View, now: float) -> bool:
    """Tell whether the action under way should have been answered long ago."""
    return view.busy is not None and now >= view.busy_since + view.busy.deadline_s + OVERDUE_S

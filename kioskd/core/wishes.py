"""What an operator or a deploy hook asks for, and what whoever asked is told.

A reload that was asked for is a load like any other: one wish is granted by whatever loads the page past its caches, or starts the
browser, and one deploy costs one load, whichever of inotify and the hook comes first. So the disk is read before anything is done,
and a page that has just been loaded for this very build is not loaded again. A reload that the browser does not take becomes a restart.
"""

from dataclasses import replace

from kioskd.core import facts as f
from kioskd.core.actions import Action, Broadcast, Reply, StartBrowser, Steps
from kioskd.core.facts import Command, Fact
from kioskd.core.ladder import Plan
from kioskd.core.policy import Policy
from kioskd.core.readings import home_good, shown, site, unread
from kioskd.core.steps import FORCED, NEW_BROWSER, WISHES, Remedy
from kioskd.core.view import Life, Site, View, Wish

#: So long after the load for a build a hook that tells of the same build is only late.
RECENT_S = 30.0

#: What the other screens are told where nobody gave them a message.
NEW_BUILD = "a new build"


def wished(view: View, now: float) -> Plan | None:
    """Return what was wished for and can be done now."""
    wish = view.wish
    if wish is None or view.browser.life is not Life.UP or not view.page.present:
        return None
    if wish.command is Command.RELOAD and (unread(view) or incomplete(view) or view.page.navigating_since is not None):
        return None
    step = FORCED if wish.refused else WISHES[wish.command]
    return Plan(step, step.remedy, now)


def incomplete(view: View) -> bool:
    """Tell whether there is half a build on the disk."""
    return view.deploy.disk is not None and bool(view.deploy.disk.missing)


def granted(view: View, remedy: Remedy) -> View:
    """Return the view in which ``remedy`` has been ordered: it may be what was wished for, or more."""
    wish = view.wish
    if wish is None:
        return view
    if remedy in NEW_BROWSER or (wish.command is Command.RELOAD and remedy in (Remedy.GO_HOME, Remedy.RELOAD_FRESH)):
        return replace(view, wish=None, granting=wish)
    return view


def answer(view: View, fact: Fact, now: float, policy: Policy) -> tuple[View, list[Action]]:
    """Return what a fact means for who is waiting."""
    actions: list[Action] = []
    if isinstance(fact, f.Asked) and fact.command is Command.RELOAD:
        actions.append(Broadcast(fact.message, fact.ticket))
    if view.granting is not None and view.busy is None:
        view, told = _outcome(view, view.granting, fact)
        actions += told
    wish = view.wish
    if wish is None or wish.command is not Command.RELOAD or unread(view) or view.page.navigating_since is not None:
        return view, actions
    if _just_loaded(view, now, policy):
        return replace(view, wish=None), actions + _tell(wish, "not needed")
    if reason := _deferred(view, wish, now, policy):
        return replace(view, wish=replace(wish, tickets=())), actions + _tell(wish, f"deferred: {reason}")
    return view, actions


def _outcome(view: View, wish: Wish, fact: Fact) -> tuple[View, list[Action]]:
    """The action that was to grant the wish is over."""
    view = replace(view, granting=None)
    if isinstance(fact, f.Done):
        parts = fact.action.actions if isinstance(fact.action, Steps) else (fact.action,)
        how = "restarted" if any(isinstance(part, StartBrowser) for part in parts) else "reloaded"
        return view, _tell(wish, f"{how}: DevTools did not answer" if wish.refused else how)
    if view.browser.life is Life.UP and wish.command is Command.RELOAD:
        wish = replace(wish, command=Command.RESTART, why="DevTools did not answer", refused=True)
    newer = view.wish.tickets if view.wish else ()
    return replace(view, wish=replace(wish, tickets=wish.tickets + newer)), []


def _just_loaded(view: View, now: float, policy: Policy) -> bool:
    disk, last = view.deploy.disk, view.tried.build_at
    if disk is None or disk.version is None or last is None or site(view, policy) is not Site.HOME or view.page.error:
        return False
    return disk.version == shown(view) and now - last < RECENT_S


def _deferred(view: View, wish: Wish, now: float, policy: Policy) -> str:
    home, disk = view.server.home, view.deploy.disk
    if disk is not None and disk.missing:
        return f"the build is not complete: {disk.missing[0]}"
    if home is not None and home.at >= wish.at and home_good(view, policy, now) is False:
        return "server down"
    return ""


def _tell(wish: Wish, screen: str) -> list[Action]:
    return [Reply(ticket, screen) for ticket in wish.tickets]


# --- the other screens --------------------------------------------------------------------------


def unannounced(view: View) -> bool:
    """Tell whether the other screens have yet to hear of the build on the disk."""
    disk = view.deploy.disk
    if disk is None or disk.version is None or disk.missing or unread(view):
        return False
    return disk.version != view.deploy.announced


def announce(view: View, now: float, policy: Policy) -> tuple[View, list[Action], list[float]]:
    """Tell the other screens of a new build, once, when the server can give it to them. The first one that is seen is not new."""
    if not unannounced(view):
        return view, [], []
    first = view.deploy.announced is None
    if not first and policy.url is not None and home_good(view, policy, now) is not True:
        return view, [], []
    assert view.deploy.disk is not None, "there is something to announce"
    view = replace(view, deploy=replace(view.deploy, announced=view.deploy.disk.version))
    return view, [] if first else [Broadcast(NEW_BUILD)], []

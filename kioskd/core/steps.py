"""The steps: for each verdict what may be done about it, on which rung, and after how long. How they are climbed: ``ladder.py``.

A step says which rung it stands on, what is done, how long after the action before it (the first one: after the fault began),
and whether it is *guarded*: a page that can be read is never left unless a GET of home, just before, was answered as it was
when the page last loaded well; nor while the build on the disk is half made, for ``HALF_S`` at most. The last step repeats, at its own
pace, for ever: constant paces, no back-off, no giving up.

The picture in ``docs/design.md`` is drawn from ``STEPS``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum

from kioskd.core.facts import Command
from kioskd.core.policy import Policy
from kioskd.core.verdict import Verdict


class Rung(IntEnum):
    """How far this incident has gone."""

    CALM = 0
    SUSPECT = 1
    RELOADED = 2
    RESTARTED = 3
    REBOOTED = 4


class Remedy(Enum):
    """What a step does. ``orders.py`` turns each into actions."""

    START = "start the browser"
    OPEN = "open a new page"
    STOP_LOADING = "stop loading"
    GO_HOME = "go home"
    HOLD = "show the holding page"
    RELOAD = "reload the page"
    RELOAD_FRESH = "reload the page past its caches"
    UNHANG = "end the script and reload"
    KILL_RENDERER = "kill the renderer"
    RESTART = "restart the browser"
    RESTART_GENTLY = "restart the browser gracefully"
    REBOOT = "reboot the machine"


#: Restarts in one incident before something else is tried.
RESTARTS = 3

#: The pace of the last resort: reloads, for ever.
LAST_PACE_S = 300.0

#: How long the rung that cured the last incident of a kind is remembered.
MEMORY_S = 600.0

#: A page that went away may come back by itself, or be between two redirects.
AWAY_S = 2.0

#: Between two tries of what is cheap and usually helps: no hot loop, and yet at once to the eye.
SHORT_S = 1.0

#: After so many journeys home in one incident that led elsewhere, kioskd waits ``restart_after`` between two, on the holding page.
JOURNEYS = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do about a verdict."""

    rung: Rung
    remedy: Remedy
    after: Callable[[Policy], float]
    guarded: bool = False
    climbs: bool = True


def _at_once(policy: Policy) -> float:
    return 0.0


def _interval(policy: Policy) -> float:
    return policy.health.interval


def _short(policy: Policy) -> float:
    return SHORT_S


def _load_timeout(policy: Policy) -> float:
    return policy.health.page.load_timeout


def _away(policy: Policy) -> float:
    return AWAY_S


def _reload_after(policy: Policy) -> float:
    return policy.health.websocket.reload_after


def _restart_after(policy: Policy) -> float:
    return policy.health.websocket.restart_after


def _reload_to_restart(policy: Policy) -> float:
    return policy.health.websocket.restart_after - policy.health.websocket.reload_after


def _last_pace(policy: Policy) -> float:
    return LAST_PACE_S


STEPS: dict[Verdict, tuple[Step, ...]] = {
    Verdict.PAUSED: (),
    Verdict.NO_BROWSER: (Step(Rung.RESTARTED, Remedy.START, _interval, climbs=False),),
    Verdict.FROZEN: (Step(Rung.RESTARTED, Remedy.RESTART, _at_once),),
    Verdict.CRASHED: (
        Step(Rung.RELOADED, Remedy.RELOAD, _at_once),
        Step(Rung.RELOADED, Remedy.RELOAD, _short),
        Step(Rung.RELOADED, Remedy.RELOAD, _short),
        Step(Rung.RESTARTED, Remedy.RESTART, _interval),
    ),
    Verdict.LOADING: (Step(Rung.SUSPECT, Remedy.STOP_LOADING, _load_timeout, climbs=False),),
    Verdict.HUNG: (
        Step(Rung.RELOADED, Remedy.UNHANG, _at_once, guarded=True),
        Step(Rung.RELOADED, Remedy.KILL_RENDERER, _at_once, guarded=True),
        Step(Rung.RESTARTED, Remedy.RESTART, _interval, guarded=True),
    ),
    Verdict.AWAY: (Step(Rung.SUSPECT, Remedy.GO_HOME, _away, climbs=False),),
    Verdict.UNREADABLE: (Step(Rung.SUSPECT, Remedy.GO_HOME, _at_once, climbs=False),),
    Verdict.TOO_BIG: (Step(Rung.RESTARTED, Remedy.RESTART_GENTLY, _at_once, guarded=True),),
    Verdict.STALE: (
        Step(Rung.RELOADED, Remedy.RELOAD_FRESH, _at_once, guarded=True, climbs=False),
        Step(Rung.RELOADED, Remedy.RELOAD_FRESH, _short, guarded=True, climbs=False),
    ),
    Verdict.BLANK: (Step(Rung.RELOADED, Remedy.RELOAD, _at_once, guarded=True),),
    Verdict.STUCK: (
        Step(Rung.RELOADED, Remedy.RELOAD, _reload_after, guarded=True),
        Step(Rung.RESTARTED, Remedy.RESTART, _reload_to_restart, guarded=True),
        Step(Rung.RESTARTED, Remedy.RESTART, _restart_after, guarded=True),
    ),
    Verdict.SERVER_DOWN: (Step(Rung.RESTARTED, Remedy.RESTART, _restart_after),),
    Verdict.HEALTHY: (),
}

#: What takes the place of a restart when an incident has had its share of them.
LAST_RESORT = Step(Rung.RESTARTED, Remedy.RELOAD, _last_pace, guarded=True)
LAST_RESORT_HUNG = Step(Rung.RESTARTED, Remedy.UNHANG, _last_pace, guarded=True)  # a page that hangs does not reload
REBOOT = Step(Rung.REBOOTED, Remedy.REBOOT, _restart_after, guarded=True)

#: What an operator may wish for: a reload guarded like any, a restart whatever the server.
WISHES = {
    Command.RELOAD: Step(Rung.CALM, Remedy.RELOAD_FRESH, _at_once, guarded=True),
    Command.RESTART: Step(Rung.CALM, Remedy.RESTART_GENTLY, _at_once),
}

#: What a reload turns into that the browser does not take.
FORCED = Step(Rung.CALM, Remedy.RESTART, _at_once)

#: After one of these the page has nowhere else to come from: the way home is no journey back from somewhere.
NEW_BROWSER = (Remedy.START, Remedy.RESTART, Remedy.RESTART_GENTLY)

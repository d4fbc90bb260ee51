"""Quiet time, skipped: what a world is after days in which all is well, without living through each round.

Theory of operation
===================

While all is well, and nothing is under way, a kiosk goes its rounds: the page and the browser are asked, memory is measured, and the
answers are as before. Nothing changes but the moments of those rounds (``rounds``), each of which moves on by its own pace, and the ages
of everything else. So a skip moves these moments on by whole paces, and the clock. Three things keep that honest:

- It is done only where nothing is under way (``still``), where what will be answered is what was answered (``steady``), and where a round
  that was really lived through has changed nothing else (``rest``).
- Every rule of the kernel waits for ``now`` to come to a moment, and what is due stays due: waking it late is harmless. So a kernel that is
  woken at the far end, and wants nothing but its rounds, had nothing to do on the way. If it does want something the skip is taken back,
  and half of it is tried: in the end the moment itself is lived through.
- The last round is always lived through. And ``test_years.py`` holds that a life with skips and one without do the same at the same times,
  and end with the same view.
"""

from collections.abc import Callable
from dataclasses import replace
from math import floor

from kioskd.core import actions as a
from kioskd.core import facts as f
from kioskd.core.policy import Policy
from kioskd.core.readings import STARVED_S
from kioskd.core.rounds import MEMORY_PACE_S, POLL_S, pace
from kioskd.core.verdict import Verdict
from kioskd.core.view import View
from tests.core.world import World

#: Less than this is lived through.
SHORTEST_S = 60.0

#: What a kernel that goes its rounds asks for, and no more.
ROUNDS = (a.AskPage, a.AskBrowser, a.ReadMemory, a.ReadDeploy, a.LookForScreen)


def rounds(view: View, policy: Policy, move: Callable[[float, float], float]) -> View:
    """Return the view with the moments of the rounds moved on: ``move`` gets each, and its pace."""
    usual = pace(policy)
    browser, page, deploy, display = view.browser, view.page, view.deploy, view.display
    browser = replace(
        browser,
        answered_at=move(browser.answered_at, usual),
        memory_at=move(browser.memory_at, MEMORY_PACE_S),
        memory_asked_at=move(browser.memory_asked_at, MEMORY_PACE_S),
    )
    page = replace(page, reported_at=None if page.reported_at is None else move(page.reported_at, usual))
    if policy.deploy.url is not None and deploy.asked_at is not None:
        deploy = replace(deploy, asked_at=move(deploy.asked_at, POLL_S), read_at=move(deploy.read_at, POLL_S))
    if display.lacks:
        display = replace(display, looked_at=move(display.looked_at, policy.health.interval))
    return replace(
        view, browser=browser, page=page, deploy=deploy, display=display,
        page_asked_at=move(view.page_asked_at, usual), browser_asked_at=move(view.browser_asked_at, usual),
    )  # fmt: skip


def rest(view: View, policy: Policy) -> View:
    """Return what no round changes: the view without the rounds' moments, what they are numbered by, and ages in the page's words."""
    view = rounds(view, policy, lambda at, every: 0.0)
    report, link = view.page.report, view.link
    report = None if report is None else replace(_ageless(report), question=0)
    opened = None if link.open_since is None else round(link.open_since, 5)  # a difference of two clocks
    page = replace(view.page, report=report, question=None)
    return replace(view, questions=0, page=page, browser=replace(view.browser, question=None), link=replace(link, open_since=opened))


def _ageless(report: f.PageAnswered) -> f.PageAnswered:
    connections = tuple(
        replace(one, open_for=one.open_for and 1.0, dead_for=one.dead_for and 1.0, messages=0, silent_for=0.0) for one in report.connections
    )
    return replace(report, connections=connections)


def still(world: World) -> bool:
    """Tell whether all is well, and nothing is under way or expected."""
    kernel, view = world.kernel, world.kernel.view
    waiting = (view.busy, view.wish, view.granting, view.paused_until, view.deploy.touched_at, view.page.question, view.browser.question)
    well = kernel.judgement.verdict is Verdict.HEALTHY and kernel.ladder.incident is None and kernel.plan is None
    going_on = world._agenda or world.page.asked or world.browser.asked or view.server.asked or view.deploy.reading or view.complaints
    starved = any(world.now - at < STARVED_S for at in view.late_at)
    return well and not going_on and not starved and all(item is None for item in waiting)


def steady(world: World) -> bool:
    """Tell whether all that is around the kernel is as the kernel knows it, and stays so: no silence grows, no size is yet to be seen."""
    view, policy, page = world.kernel.view, world.kernel.policy, world.page
    seen = view.page.report
    if seen is None or page.quiet_at is not None or world.display.lacks != view.display.lacks:
        return False
    now = page.report(a.AskPage(seen.generation, seen.question, policy.health.page.stuck_text))
    size, known, limit = world.browser.size, view.browser.memory, policy.memory_limit
    weighed = limit is None or size == known or (known is None and size <= limit)
    built = not policy.deploy.given or world.deploy.read() == view.deploy.disk
    return _ageless(now) == _ageless(seen) and weighed and built


def pass_quietly(world: World, until: float) -> None:
    """Let time pass, and skip what is quiet of it."""
    usual = pace(world.kernel.policy)
    while world.now + SHORTEST_S < until:
        before = rest(world.kernel.view, world.kernel.policy)
        world.run(world.now + usual)
        _come_to_rest(world, until)
        length = until - usual - world.now
        if before == rest(world.kernel.view, world.kernel.policy) and still(world) and steady(world):
            while length >= SHORTEST_S and not _skipped(world, world.now + floor(length / usual) * usual):
                length /= 2
        world.run(min(until, world.now + (usual if length >= SHORTEST_S else SHORTEST_S)))
    world.run(until)


def _come_to_rest(world: World, until: float) -> None:
    """Let the answers come in that are on the way: that takes hundredths of a second."""
    while not still(world) and world._agenda and world._agenda[0][0] < min(until, world.now + 1.0):
        world.run(world._agenda[0][0])


def _skipped(world: World, until: float) -> bool:
    """Try to be at ``until``; tell whether nothing had to be done on the way. If not, nothing has happened."""
    kernel, policy, now, asked, did, told = world.kernel, world.kernel.policy, world.now, len(world.asked), len(world.did), len(world.facts)
    view, ladder, judgement, plan, wake_at = kernel.view, kernel.ladder, kernel.judgement, kernel.plan, kernel.wake_at
    before, turns, watched = rest(view, policy), world.turns, world.watch.taken.copy()

    def move(at: float, every: float) -> float:
        return at + floor((until - at) / every) * every if at else at

    rounds_gone = sum(floor((until - at) / pace(policy)) for at in (view.page_asked_at, view.browser_asked_at))
    kernel.view = replace(rounds(view, policy, move), questions=view.questions + rounds_gone)
    world.now = kernel.wake_at = until
    world.tell(f.Woke(until))
    asked_for = [action for _, action in world.asked[asked:] + world.did[did:]]
    if before == rest(kernel.view, policy) and all(isinstance(action, ROUNDS) for action in asked_for):
        return True
    kernel.view, kernel.ladder, kernel.judgement, kernel.plan, kernel.wake_at = view, ladder, judgement, plan, wake_at
    world.now, world.wake_at, world.turns, world.watch.taken, world._agenda = now, wake_at, turns, watched, []
    del world.asked[asked:], world.did[did:], world.facts[told:]
    world.watch.incident, world.watch.busy = ladder.incident, view.busy
    return False

"""The rounds: what is asked, and when. Nothing here disturbs the page.

- The page and the browser are asked together, at a constant pace, and the page at once after it loaded.
- The server is asked only in doubt, and once a load for the baseline.
- The deploy is read when it has settled; an incomplete one again each interval; one elsewhere every ``POLL_S``.
- Where there is no screen one is looked for.
- Dialogs and pop-ups are answered as they come.
"""

from dataclasses import replace
from functools import partial
from math import inf

from kioskd.core import facts as f
from kioskd.core import wishes
from kioskd.core.actions import (
    Action,
    AskBrowser,
    AskPage,
    ClosePopup,
    DismissDialog,
    LookForScreen,
    Probe,
    ProbeServer,
    ReadDeploy,
    ReadDocument,
    ReadMemory,
    RecordReboot,
    Remember,
)  # fmt: skip
from kioskd.core.ladder import Ladder, Plan
from kioskd.core.link import learnt
from kioskd.core.observe import SETTLE_AT_MOST_S
from kioskd.core.orders import FRESH_S, asked_just_now
from kioskd.core.policy import Policy, path
from kioskd.core.readings import expected_link, home_good, homes, waits_for_build, well_since
from kioskd.core.verdict import Judgement, Verdict, outdated
from kioskd.core.view import PROVEN_S, Life, Question, View

#: Between two questions to a page that keeps loading.
SOON_S = 0.25

#: How often the browser tree is measured, where a limit is set: reading it costs milliseconds, memory grows in hours.
MEMORY_PACE_S = 60.0

#: How often a version endpoint elsewhere is asked.
POLL_S = 30.0

#: Verdicts in which the answer of the server decides what may be done.
DOUBTFUL = {
    Verdict.NO_BROWSER, Verdict.CRASHED, Verdict.HUNG, Verdict.AWAY, Verdict.UNREADABLE,
    Verdict.TOO_BIG, Verdict.STALE, Verdict.BLANK, Verdict.STUCK, Verdict.SERVER_DOWN,
}  # fmt: skip

#: So long without an incident, and the budget of reboots is full again.
REFILL_S = 3600.0

Round = tuple[View, list[Action], list[float]]  # the view after asking, what to ask, when to come back


def pace(policy: Policy) -> float:
    """Seconds between two questions to the page: the interval, or less, so that a hang is seen within hang_after and a fifth."""
    return min(policy.health.interval, policy.health.page.hang_after / 5)


def ask_page(view: View, now: float, policy: Policy) -> Round:
    """Ask the page and the browser how they are."""
    browser, page = view.browser, view.page
    if browser.life is not Life.UP:
        return view, [], []
    actions: list[Action] = []
    due = view.page_asked_at + (SOON_S if page.ask_now else pace(policy))
    unlearnt = view.link.open_since if expected_link(view, policy) is None else None
    if unlearnt is not None and view.page_asked_at < (proof := unlearnt + PROVEN_S):  # it is learnt the moment that it can be
        due = min(due, max(proof, view.page_asked_at + SOON_S))
    number = view.questions
    askable = page.present and page.question is None and page.crashed_at is None
    if askable and now >= due:
        number += 1
        actions.append(AskPage(browser.generation, number, policy.health.page.stuck_text))
        page = replace(page, question=Question(number, now), ask_now=False)
        view = replace(view, page_asked_at=now)
    if browser.question is None and now >= view.browser_asked_at + pace(policy):
        number += 1
        actions.append(AskBrowser(browser.generation, number))
        view = replace(view, browser=replace(browser, question=Question(number, now)), browser_asked_at=now)
    if page.document and not page.asked_digest and page.report is not None and page.report.ready and policy.deploy.given:
        actions.append(ReadDocument(browser.generation, page.document))
        page = replace(page, asked_digest=True)
    times = [view.browser_asked_at + pace(policy)]
    if page.question is not None or browser.question is not None:
        times.append(now + pace(policy))  # only who was to look can tell that it did not: that time is no silence of theirs
    if askable:
        times.append(due)
    if not actions:  # most turns: nothing is copied for them
        return view, [], times
    return replace(view, page=page, questions=number), actions, times


def in_doubt(view: View, judgement: Judgement, policy: Policy) -> bool:
    """Tell whether the server's answer matters now."""
    page = view.page
    dead = view.link.dead_since is not None or page.text_since is not None or page.lifeless_since is not None
    waiting = view.wish is not None or dead or outdated(view, policy) or wishes.unannounced(view)
    return judgement.verdict in DOUBTFUL or (waiting and judgement.verdict in (Verdict.HEALTHY, Verdict.LOADING, Verdict.PAUSED))


def ask_server(judgement: Judgement, plans: tuple[Plan | None, ...], view: View, now: float, policy: Policy) -> Round:
    """Ask the server where there is doubt, at once before a guarded step, and once a load for the baseline."""
    if policy.url is None:
        return view, [], []
    server = view.server
    times: list[float] = []
    wanted: set[Probe] = set()
    socket = {Probe.SOCKET} if expected_link(view, policy) is not None else set()
    if in_doubt(view, judgement, policy):
        pace = _server_pace(judgement, plans[0], now, policy)
        due = now if server.round_at is None else server.round_at + pace
        if now >= due:
            wanted |= {Probe.HOME} | socket
            server = replace(server, round_at=now)
            due = now + pace
        times.append(due)
    if any(map(partial(_wants_guard, view, now, policy), plans)) and _guard_waits(view, now, policy):
        due = now if server.guard_at is None else server.guard_at + FRESH_S
        if now >= due:
            wanted.add(Probe.HOME)
            server = replace(server, guard_at=now)
        times.append(due)
    well = well_since(view, policy)
    load = f"{view.page.document} {expected_link(view, policy)}"  # learning the connection asks again: now for it too
    if well is not None and load != server.baseline_for:
        times.append(well + PROVEN_S)
        if now >= well + PROVEN_S:
            wanted |= {Probe.HOME} | socket
            server = replace(server, baseline_for=load, baselining=frozenset(wanted))
    if not wanted:
        return view, [], times
    urls = {Probe.HOME: policy.url, Probe.SOCKET: expected_link(view, policy) or ""}
    actions: list[Action] = [
        ProbeServer(probe, url, policy.health.timeout, homes(policy)) for probe, url in urls.items() if probe in wanted - server.asked
    ]
    return replace(view, server=replace(server, asked=server.asked | wanted)), actions, times


def _server_pace(judgement: Judgement, journey: Plan | None, now: float, policy: Policy) -> float:
    """Seconds between two rounds. Before a journey what the server said must not be older than that the page went: it may have sent it."""
    soon = judgement.verdict is Verdict.AWAY and journey is not None and now < journey.due
    return min(FRESH_S, policy.health.interval) if soon else policy.health.interval


def _wants_guard(view: View, now: float, policy: Policy, plan: Plan | None) -> bool:
    if plan is None or not plan.step.guarded or plan.due > now:
        return False
    return waits_for_build(view, plan.due, now, policy) is None


def _guard_waits(view: View, now: float, policy: Policy) -> bool:
    """Home has not been asked just now. After a bad answer the next round is soon enough."""
    unknown = view.server.home is None or home_good(view, policy, now) is not False
    return view.busy is None and unknown and not asked_just_now(view, now)


def read_deploy(view: View, now: float, policy: Policy) -> Round:
    """Read the deploy once at first, when a change has settled, and each interval while it is incomplete."""
    if not policy.deploy.given or view.deploy.reading:
        return view, [], []
    due = _deploy_due(view, now, policy)
    if due > now:
        return view, [], [due]
    return replace(view, deploy=replace(view.deploy, reading=True, asked_at=now, touched_at=None)), [ReadDeploy()], []


def _deploy_due(view: View, now: float, policy: Policy) -> float:
    deploy, interval = view.deploy, policy.health.interval
    if deploy.touched_at is not None:
        return min(deploy.touched_at + policy.deploy.settle, deploy.first_touched_at + SETTLE_AT_MOST_S)
    if deploy.asked_at is None:
        return now
    if policy.deploy.url is None:
        return deploy.asked_at + interval if deploy.disk is None or deploy.disk.missing or deploy.failed else inf
    if deploy.disk is not None and deploy.disk.missing:
        return deploy.asked_at + interval
    loaded = view.page.loaded_at  # of which build, nobody knows yet: the sooner it is asked, the surer it is that build
    if view.page.began is None and loaded is not None and loaded > deploy.asked_at:
        return loaded
    opened = view.link.open_since  # a deploy restarts servers: the page that has just come back may be the old one's
    soon = inf if opened is None or opened <= deploy.asked_at else max(opened, deploy.asked_at + interval)
    return min(deploy.asked_at + POLL_S, soon)


def read_memory(view: View, now: float, policy: Policy) -> Round:
    """Measure the browser tree at its own slow pace."""
    browser = view.browser
    if policy.memory_limit is None or browser.life is not Life.UP:
        return view, [], []
    due = browser.memory_asked_at + MEMORY_PACE_S
    if now < due:
        return view, [], [due]
    view = replace(view, browser=replace(browser, memory_asked_at=now))
    return view, [ReadMemory(browser.generation)], [now + MEMORY_PACE_S]


def look_for_screen(view: View, now: float, policy: Policy) -> Round:
    """Look for a screen while there is none to draw on: nothing tells of its coming."""
    display = view.display
    if display.life is not Life.UP or not display.lacks:
        return view, [], []
    due = display.looked_at + policy.health.interval
    if now < due:
        return view, [], [due]
    view = replace(view, display=replace(display, looked_at=now))
    return view, [LookForScreen(display.run)], [now + policy.health.interval]


def refill(ladder: Ladder, view: View, now: float, policy: Policy) -> Round:
    """Give the reboots back after an hour without an incident."""
    if view.reboots == 0 or ladder.incident is not None or ladder.calm_since is None:
        return view, [], []
    due = ladder.calm_since + REFILL_S
    if now < due:
        return view, [], [due]
    return replace(view, reboots=0), [RecordReboot(0)], []


def answer(view: View, fact: f.Fact, now: float, policy: Policy) -> tuple[View, list[Action]]:
    """What a fact asks for by itself: dialogs, pop-ups, what is worth remembering."""
    generation = getattr(fact, "generation", view.browser.generation)
    if generation != view.browser.generation:
        return view, []
    view, replies = wishes.answer(view, fact, now, policy)
    view, asked = _answer(view, fact, generation, policy)
    return view, replies + asked


def _answer(view: View, fact: f.Fact, generation: int, policy: Policy) -> tuple[View, list[Action]]:
    match fact:
        case f.DialogOpened():
            return view, [DismissDialog(generation, fact.kind)]
        case f.PopupOpened():
            return view, [ClosePopup(generation, fact.target)]
        case f.PageAnswered():
            url = learnt(view, fact, policy)
            if url is None or policy.url is None:
                return view, []
            home = path(policy.url)
            expected = (*(item for item in view.expected if item[0] != home), (home, url))
            return replace(view, expected=expected), [Remember(home, url)]
        case _:
            return view, []

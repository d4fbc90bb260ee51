"""The rounds: what is asked, and when. Nothing here disturbs the page.

- The page and the browser are asked together, at a constant pace, and the page at once after it loaded.
- The server is asked only in doubt, and once a load for the baseline.
- The deploy is read when it has settled; an incomplete one again each interval.
- Dialogs and pop-ups are answered as they come.
"""

from dataclasses import replace

from kioskd.core import facts as f
from kioskd.core.actions import (
    Action,
    AskBrowser,
    AskPage,
    ClosePopup,
    DismissDialog,
    Probe,
    ProbeServer,
    ReadDeploy,
    ReadDocument,
    ReadMemory,
    Remember,
)  # fmt: skip
from kioskd.core.ladder import Plan
from kioskd.core.link import learnt
from kioskd.core.observe import SETTLE_AT_MOST_S
from kioskd.core.orders import FRESH_S
from kioskd.core.policy import Policy, path
from kioskd.core.verdict import Judgement, Verdict
from kioskd.core.view import PROVEN_S, Life, Question, View, expected_link, home_good, well_since

#: Between two questions to a page that keeps loading.
SOON_S = 0.25

#: How often the browser tree is measured, where a limit is set: reading it costs milliseconds, memory grows in hours.
MEMORY_PACE_S = 60.0

#: Verdicts in which the answer of the server decides what may be done.
DOUBTFUL = {
    Verdict.NO_BROWSER, Verdict.CRASHED, Verdict.HUNG, Verdict.AWAY, Verdict.UNREADABLE,
    Verdict.STALE, Verdict.BLANK, Verdict.STUCK, Verdict.SERVER_DOWN,
}  # fmt: skip

Round = tuple[View, list[Action], list[float]]  # the view after asking, what to ask, when to come back


def pace(policy: Policy) -> float:
    """Seconds between two questions to the page: the interval, or less, so that a hang is seen within hang_after and a quarter."""
    return min(policy.health.interval, policy.health.page.hang_after / 4)


def ask_page(view: View, now: float, policy: Policy) -> Round:
    """Ask the page and the browser how they are."""
    browser, page = view.browser, view.page
    if browser.life is not Life.UP:
        return view, [], []
    actions: list[Action] = []
    due = page.asked_at + (SOON_S if page.ask_now else pace(policy))
    number = view.questions
    askable = page.present and page.question is None and page.crashed_at is None
    if askable and now >= due:
        number += 1
        actions.append(AskPage(browser.generation, number, policy.health.page.stuck_text))
        page = replace(page, question=Question(number, now), asked_at=now, ask_now=False)
    if browser.question is None and now >= view.browser_asked_at + pace(policy):
        number += 1
        actions.append(AskBrowser(browser.generation, number))
        view = replace(view, browser=replace(browser, question=Question(number, now)), browser_asked_at=now)
    if page.document and not page.asked_digest and page.report is not None and page.report.ready and policy.deploy.index:
        actions.append(ReadDocument(browser.generation, page.document))
        page = replace(page, asked_digest=True)
    times = [view.browser_asked_at + pace(policy)]
    if askable:
        times.append(due)
    return replace(view, page=page, questions=number), actions, times


def in_doubt(view: View, judgement: Judgement) -> bool:
    """Tell whether the server's answer matters now."""
    page = view.page
    dead = view.link.dead_since is not None or page.text_since is not None or page.lifeless_since is not None
    return judgement.verdict in DOUBTFUL or (dead and judgement.verdict in (Verdict.HEALTHY, Verdict.LOADING)) or view.wish is not None


def ask_server(view: View, judgement: Judgement, plan: Plan | None, now: float, policy: Policy) -> Round:
    """Ask the server where there is doubt, at once before a guarded step, and once a load for the baseline."""
    if policy.url is None:
        return view, [], []
    server = view.server
    times: list[float] = []
    wanted: set[Probe] = set()
    socket = {Probe.SOCKET} if expected_link(view, policy) is not None else set()
    if in_doubt(view, judgement):
        due = now if server.asked_at is None else server.asked_at + policy.health.interval
        if now >= due:
            wanted |= {Probe.HOME} | socket
            due = now + policy.health.interval
        times.append(due)
    if _guard_waits(view, plan, now, policy):
        wanted.add(Probe.HOME)
    well = well_since(view, policy)
    load = f"{view.page.document} {expected_link(view, policy)}"  # learning the connection asks again: now for it too
    if well is not None and load != server.baseline_for:
        times.append(well + PROVEN_S)
        if now >= well + PROVEN_S:
            wanted |= {Probe.HOME} | socket
            server = replace(server, baseline_for=load, baselining=tuple(sorted(probe.value for probe in wanted)))
    actions: list[Action] = []
    for probe in sorted(wanted - {Probe(name) for name, _ in server.asked}, key=lambda probe: probe.value):
        url = (policy.url if probe is Probe.HOME else expected_link(view, policy)) or ""
        actions.append(ProbeServer(probe, url, policy.health.timeout))
        server = replace(server, asked=(*server.asked, (probe.value, now)), asked_at=now)
    return replace(view, server=server), actions, times


def _guard_waits(view: View, plan: Plan | None, now: float, policy: Policy) -> bool:
    """A guarded step is due and home has not been asked just now. After a bad answer the next round is soon enough."""
    if plan is None or not plan.step.guarded or plan.due > now or view.busy is not None:
        return False
    heard = view.server.home
    return heard is None or (now - heard.at > FRESH_S and home_good(view, policy, now) is not False)


def read_deploy(view: View, now: float, policy: Policy) -> Round:
    """Read the deploy once at first, when a change has settled, and each interval while it is incomplete."""
    deploy = view.deploy
    if policy.deploy.index is None or deploy.reading:
        return view, [], []
    if deploy.touched_at is not None:
        first = deploy.first_touched_at if deploy.first_touched_at is not None else deploy.touched_at
        due = min(deploy.touched_at + policy.deploy.settle, first + SETTLE_AT_MOST_S)
    elif deploy.disk is None or deploy.disk.missing:
        due = now if deploy.asked_at is None else deploy.asked_at + policy.health.interval
    else:
        return view, [], []
    if now < due:
        return view, [], [due]
    deploy = replace(deploy, reading=True, asked_at=now, touched_at=None, first_touched_at=None)
    return replace(view, deploy=deploy), [ReadDeploy()], []


def read_memory(view: View, now: float, policy: Policy) -> Round:
    """Measure the browser tree at its own slow pace."""
    browser = view.browser
    if policy.memory_limit is None or browser.life is not Life.UP:
        return view, [], []
    due = view.memory_asked_at + MEMORY_PACE_S
    if now < due:
        return view, [], [due]
    return replace(view, memory_asked_at=now), [ReadMemory(browser.generation)], [now + MEMORY_PACE_S]


def answer(view: View, fact: f.Fact, now: float, policy: Policy) -> tuple[View, list[Action]]:
    """What a fact asks for by itself: dialogs, pop-ups, what is worth remembering."""
    generation = getattr(fact, "generation", view.browser.generation)
    if generation != view.browser.generation:
        return view, []
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

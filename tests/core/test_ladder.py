"""Which step is next, and when."""

from dataclasses import replace

import pytest

from kioskd.core import facts as f
from kioskd.core.actions import Place
from kioskd.core.ladder import Incident, Ladder, climb, plan, taken
from kioskd.core.policy import Deploy, Policy
from kioskd.core.steps import AWAY_S, JOURNEYS, LAST_RESORT, LAST_RESORT_HUNG, MEMORY_S, REBOOT, RESTARTS, SHORT_S, STEPS, Remedy, Rung
from kioskd.core.verdict import Judgement, Verdict
from kioskd.core.view import PROVEN_S, BrowserView, Heard, Life, Link, PageView, Question, ServerView, View
from tests.core.fake_page import HOME, SOCKET
from tests.core.fake_page import own_page as own

POLICY = Policy(url=HOME, deploy=Deploy(index="/srv/dist/index.html"))
INTERVAL, RELOAD_AFTER, RESTART_AFTER = POLICY.health.interval, POLICY.health.websocket.reload_after, POLICY.health.websocket.restart_after
NOW = 1000.0
REPORT = f.PageAnswered(1, 8, HOME, True, 200, True)
VIEW = View(
    goal=Place.HOME, went_at=900.0, expected=((HOME, SOCKET),), browser=BrowserView(1, Life.UP, proved=True, ordered_at=800.0),
    page=PageView(present=True, document="D", url=HOME, report=REPORT), link=Link(SOCKET, open_since=950.0),
)  # fmt: skip


def judged(verdict: Verdict, since: float = NOW) -> Judgement:
    return Judgement(verdict, since, "", None)


def next_step(verdict: Verdict, incident: Incident | None = None, view: View = VIEW, **ladder: object) -> tuple[Remedy, float]:
    found = plan(Ladder(incident=incident, **ladder), judged(verdict), view, NOW, POLICY)  # type: ignore[arg-type]
    assert found is not None
    return found.remedy, found.due


def incident(verdict: Verdict, steps: int = 0, **more: object) -> Incident:
    return replace(Incident(verdict, NOW - 100.0), taken=((verdict, steps),) if steps else (), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("verdict", [verdict for verdict, steps in STEPS.items() if len(steps) > 1])
def test_the_steps_of_a_verdict_come_in_their_order_and_the_last_one_for_ever(verdict: Verdict) -> None:
    steps = STEPS[verdict]
    for number in range(len(steps) + 2):
        remedy, _ = next_step(verdict, incident(verdict, number))
        assert remedy is steps[min(number, len(steps) - 1)].remedy


def test_patience_counts_from_the_fault_and_from_the_action_before() -> None:
    assert next_step(Verdict.STUCK) == (Remedy.RELOAD, NOW + RELOAD_AFTER)
    once = incident(Verdict.STUCK, 1, treated_at=NOW + RELOAD_AFTER)
    assert next_step(Verdict.STUCK, once) == (Remedy.RESTART, NOW + RESTART_AFTER)
    assert next_step(Verdict.STUCK, replace(once, treated_at=NOW - 500.0)) == (Remedy.RESTART, NOW + RELOAD_AFTER), "a new fault: its own"
    strained = replace(VIEW, late_at=(NOW - 2.0, NOW - 1.0))
    assert next_step(Verdict.STUCK, view=strained) == (Remedy.RELOAD, NOW + 3 * RELOAD_AFTER)


def test_a_raised_floor_skips_the_steps_below_it() -> None:
    assert next_step(Verdict.STUCK, incident(Verdict.HUNG, floor=Rung.RELOADED))[0] is Remedy.RELOAD
    assert next_step(Verdict.STUCK, incident(Verdict.HUNG, floor=Rung.RESTARTED))[0] is Remedy.RESTART
    assert next_step(Verdict.CRASHED, incident(Verdict.HUNG, floor=Rung.RESTARTED))[0] is Remedy.RESTART
    assert next_step(Verdict.CRASHED, incident(Verdict.HUNG, 0, floor=Rung.SUSPECT))[0] is Remedy.RELOAD
    assert next_step(Verdict.BLANK, incident(Verdict.HUNG, floor=Rung.RESTARTED))[0] is Remedy.RELOAD, "it has no other"


def test_what_cured_the_last_one_of_its_kind_is_remembered_for_ten_minutes() -> None:
    ended = NOW - 100.0
    fresh = Incident(Verdict.STUCK, NOW)
    for verdict, at, remedy in (
        (Verdict.STUCK, ended, Remedy.RESTART),
        (Verdict.HUNG, ended, Remedy.RELOAD),
        (Verdict.STUCK, NOW - MEMORY_S, Remedy.RELOAD),
        (Verdict.STUCK, NOW - MEMORY_S + 0.1, Remedy.RESTART),
    ):
        assert next_step(Verdict.STUCK, fresh, cured=((verdict, Rung.RESTARTED, at),))[0] is remedy


def test_after_its_share_of_restarts_the_machine_is_rebooted_where_that_is_allowed_else_the_page_reloaded() -> None:
    spent = incident(Verdict.STUCK, 9, restarts=RESTARTS)
    assert next_step(Verdict.STUCK, replace(spent, restarts=RESTARTS - 1))[0] is Remedy.RESTART
    assert next_step(Verdict.STUCK, spent)[0] is LAST_RESORT.remedy
    assert next_step(Verdict.HUNG, replace(spent, taken=((Verdict.HUNG, 9),)))[0] is LAST_RESORT_HUNG.remedy
    assert next_step(Verdict.FROZEN, spent)[0] is Remedy.RESTART, "there is nothing else for it"
    allowed = replace(POLICY, reboot=replace(POLICY.reboot, enabled=True))
    found = plan(Ladder(spent), judged(Verdict.STUCK), VIEW, NOW, allowed)
    assert found is not None and (found.step, found.due) == (REBOOT, NOW + RESTART_AFTER)
    found = plan(Ladder(spent), judged(Verdict.STUCK), replace(VIEW, reboots=1), NOW, allowed)
    assert found is not None and found.step is LAST_RESORT


# --- the way home -----------------------------------------------------------------------------------

GOOD, BAD = f.Answer(200, html=True, at_home=True), f.Answer(502)


def asked_home(answer: f.Answer, **page: object) -> View:
    view = replace(VIEW, server=ServerView(home=Heard(answer, NOW)))
    return replace(view, page=replace(view.page, **page))  # type: ignore[arg-type]


def test_home_is_gone_to_where_it_can_be_shown_else_the_holding_page_is() -> None:
    assert next_step(Verdict.AWAY, view=asked_home(GOOD)) == (Remedy.GO_HOME, NOW + AWAY_S)
    assert next_step(Verdict.AWAY, view=asked_home(BAD)) == (Remedy.HOLD, NOW + AWAY_S)
    assert next_step(Verdict.UNREADABLE, view=asked_home(GOOD)) == (Remedy.GO_HOME, NOW)
    on_hold = {"url": own("holding")}
    assert next_step(Verdict.UNREADABLE, view=asked_home(GOOD, **on_hold)) == (Remedy.GO_HOME, NOW)
    assert plan(Ladder(), judged(Verdict.UNREADABLE), asked_home(BAD, **on_hold), NOW, POLICY) is None, "it is there"


def test_where_nothing_is_known_of_home_only_the_dark_start_page_is_left_and_late() -> None:
    assert plan(Ladder(), judged(Verdict.AWAY), VIEW, NOW, POLICY) is None
    dark = replace(VIEW, page=replace(VIEW.page, url=own("start")))
    assert next_step(Verdict.UNREADABLE, view=dark) == (Remedy.GO_HOME, NOW + POLICY.health.page.load_timeout)


def test_the_same_journey_again_is_made_at_the_constant_pace() -> None:
    went = incident(Verdict.AWAY, acted_at=NOW - 1.0, last=(Verdict.AWAY, Remedy.GO_HOME))
    assert next_step(Verdict.UNREADABLE, went, view=asked_home(GOOD)) == (Remedy.GO_HOME, NOW - 1.0 + INTERVAL)
    assert next_step(Verdict.UNREADABLE, went, view=asked_home(BAD)) == (Remedy.HOLD, NOW)
    held = replace(went, last=(Verdict.AWAY, Remedy.HOLD))
    assert next_step(Verdict.UNREADABLE, held, view=asked_home(BAD)) == (Remedy.HOLD, NOW - 1.0 + INTERVAL)
    assert next_step(Verdict.UNREADABLE, replace(went, last=None), view=asked_home(GOOD)) == (Remedy.GO_HOME, NOW)


def test_after_three_journeys_that_led_elsewhere_the_holding_page_waits_between_two() -> None:
    tired = incident(Verdict.AWAY, acted_at=NOW - 10.0, last=(Verdict.AWAY, Remedy.GO_HOME), journeys=JOURNEYS)
    assert next_step(Verdict.AWAY, tired, view=asked_home(GOOD)) == (Remedy.HOLD, NOW + AWAY_S)
    assert next_step(Verdict.AWAY, replace(tired, journeys=JOURNEYS - 1), view=asked_home(GOOD))[0] is Remedy.GO_HOME
    waiting = replace(tired, last=(Verdict.AWAY, Remedy.HOLD))
    due = NOW - 10.0 + RESTART_AFTER
    assert next_step(Verdict.UNREADABLE, waiting, view=asked_home(GOOD, url=own("holding"))) == (Remedy.GO_HOME, due)


def test_a_page_of_our_own_can_always_be_gone_to() -> None:
    welcome = replace(VIEW, goal=Place.WELCOME)
    assert next_step(Verdict.UNREADABLE, view=welcome) == (Remedy.GO_HOME, NOW)


# --- a browser that is not there --------------------------------------------------------------------


def test_a_browser_that_had_worked_is_started_at_once_one_that_had_not_at_the_pace() -> None:
    gone = replace(VIEW, browser=BrowserView(1, Life.NONE, proved=True, ordered_at=800.0))
    acted = incident(Verdict.NO_BROWSER, acted_at=NOW - 1.0)
    assert next_step(Verdict.NO_BROWSER, acted, view=gone) == (Remedy.START, NOW)
    just = replace(gone, browser=replace(gone.browser, ordered_at=NOW - 0.1))
    assert next_step(Verdict.NO_BROWSER, acted, view=just) == (Remedy.START, NOW - 0.1 + SHORT_S), "no hot loop"
    never = replace(gone, browser=replace(gone.browser, proved=False))
    assert next_step(Verdict.NO_BROWSER, acted, view=never) == (Remedy.START, NOW - 1.0 + INTERVAL)
    assert next_step(Verdict.NO_BROWSER, view=never) == (Remedy.START, NOW)


def test_a_page_that_is_gone_is_opened_and_where_that_did_not_help_the_browser_restarted() -> None:
    lost = replace(VIEW, page=PageView())
    assert next_step(Verdict.NO_BROWSER, view=lost) == (Remedy.OPEN, NOW)
    again = incident(Verdict.NO_BROWSER, acted_at=NOW - 0.2, last=(Verdict.AWAY, Remedy.GO_HOME))
    assert next_step(Verdict.NO_BROWSER, again, view=lost) == (Remedy.OPEN, NOW - 0.2 + SHORT_S)
    opened = replace(again, last=(Verdict.NO_BROWSER, Remedy.OPEN))
    assert next_step(Verdict.NO_BROWSER, opened, view=lost) == (Remedy.RESTART, NOW - 0.2 + INTERVAL)


# --- incidents --------------------------------------------------------------------------------------


def test_an_incident_is_over_after_ten_seconds_of_health_and_what_cured_it_is_kept_for_its_kind() -> None:
    older = ((Verdict.HUNG, Rung.RELOADED, 500.0), (Verdict.STUCK, Rung.RELOADED, 600.0))
    begun = Ladder(incident(Verdict.STUCK, climbed=Verdict.STUCK, floor=Rung.RESTARTED), cured=older)
    well = climb(begun, judged(Verdict.HEALTHY), VIEW, NOW, POLICY)
    assert well == replace(begun, well_since=NOW)
    assert climb(well, judged(Verdict.HEALTHY), VIEW, NOW + PROVEN_S - 0.1, POLICY) == well
    over = climb(well, judged(Verdict.HEALTHY), VIEW, NOW + PROVEN_S, POLICY)
    assert over == Ladder(cured=(older[0], (Verdict.STUCK, Rung.RESTARTED, NOW + PROVEN_S)), calm_since=NOW + PROVEN_S)
    by_itself = climb(replace(well, incident=incident(Verdict.STUCK)), judged(Verdict.HEALTHY), VIEW, NOW + PROVEN_S, POLICY)
    assert by_itself.cured == older


def test_health_is_evidence_not_the_lack_of_it() -> None:
    begun = Ladder(incident(Verdict.STUCK), well_since=995.0)
    for unsure in (
        replace(VIEW, page=replace(VIEW.page, report=None)),
        replace(VIEW, page=replace(VIEW.page, report=replace(REPORT, ready=False))),
        replace(VIEW, page=replace(VIEW.page, blank_since=999.0)),
        replace(VIEW, link=Link(SOCKET, open_since=999.0, dead_since=900.0)),
    ):
        assert climb(begun, judged(Verdict.HEALTHY), unsure, NOW, POLICY).well_since is None


def test_a_page_that_owes_an_answer_is_not_cured_by_its_last_one() -> None:
    begun, late = Ladder(incident(Verdict.HUNG), well_since=NOW - 2 * PROVEN_S), POLICY.health.timeout
    for asked_at, over in ((NOW - late - 0.1, False), (NOW - late, True)):
        owing = replace(VIEW, page=replace(VIEW.page, question=Question(1, asked_at)))
        after = climb(begun, judged(Verdict.HEALTHY), owing, NOW, POLICY)
        assert after.incident is None if over else after == begun


def test_a_fault_begins_one_incident_and_goes_on_in_it() -> None:
    first = climb(Ladder(), judged(Verdict.STUCK, 950.0), VIEW, NOW, POLICY)
    assert first == Ladder(Incident(Verdict.STUCK, 950.0))
    assert climb(replace(first, well_since=990.0), judged(Verdict.HUNG), VIEW, NOW, POLICY) == first
    assert climb(Ladder(), judged(Verdict.STUCK, NOW + 5.0), VIEW, NOW, POLICY).incident == Incident(Verdict.STUCK, NOW)
    for calm in (Verdict.LOADING, Verdict.PAUSED):
        assert climb(Ladder(well_since=990.0), judged(calm), VIEW, NOW, POLICY) == Ladder()
    assert climb(replace(first, well_since=990.0), judged(Verdict.LOADING), VIEW, NOW, POLICY) == first
    assert climb(replace(first, well_since=990.0), judged(Verdict.PAUSED), VIEW, NOW, POLICY) == first


def test_a_step_that_was_taken_is_written_down() -> None:
    steps = STEPS[Verdict.STUCK]
    found = plan(Ladder(), judged(Verdict.STUCK), VIEW, NOW, POLICY)
    assert found is not None
    once = taken(Ladder(well_since=990.0), Verdict.STUCK, found, NOW)
    expected = Incident(Verdict.STUCK, NOW, Rung.RELOADED, Rung.RELOADED, acted_at=NOW, treated_at=NOW, climbed=Verdict.STUCK)
    assert once == Ladder(replace(expected, last=(Verdict.STUCK, Remedy.RELOAD), taken=((Verdict.STUCK, 1),)))
    restart = replace(found, step=steps[1], remedy=steps[1].remedy)
    twice = taken(once, Verdict.STUCK, restart, NOW + 40.0).incident
    assert twice is not None and (twice.rung, twice.taken) == (Rung.RESTARTED, ((Verdict.STUCK, 2),))
    assert (twice.restarts, twice.outage_restarts) == (1, 0)
    stop = STEPS[Verdict.LOADING][0]
    stopped = taken(once, Verdict.LOADING, replace(found, step=stop, remedy=stop.remedy), NOW + 30.0).incident
    assert stopped is not None and (stopped.acted_at, stopped.treated_at) == (NOW + 30.0, NOW), "it puts off no other step"
    down = taken(once, Verdict.SERVER_DOWN, restart, NOW + 40.0).incident
    assert down is not None and (down.restarts, down.outage_restarts) == (1, 1)


def test_only_a_way_back_from_somewhere_is_a_journey() -> None:
    found = plan(Ladder(), judged(Verdict.AWAY), asked_home(GOOD), NOW, POLICY)
    assert found is not None
    for remedy, journeys in ((None, 1), (Remedy.HOLD, 1), (Remedy.START, 0), (Remedy.RESTART, 0)):
        last = remedy and (Verdict.AWAY, remedy)
        gone = taken(Ladder(incident(Verdict.AWAY, last=last)), Verdict.AWAY, found, NOW).incident
        assert gone is not None and (gone.journeys, gone.floor, gone.climbed) == (journeys, Rung.SUSPECT, None)

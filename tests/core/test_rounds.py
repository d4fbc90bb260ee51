"""What is asked, to the moment."""

from dataclasses import replace

import pytest

from kioskd.core import actions as a
from kioskd.core import facts as f
from kioskd.core.ladder import Plan
from kioskd.core.orders import FRESH_S
from kioskd.core.policy import Deploy, Policy
from kioskd.core.rounds import SOON_S, ask_page, ask_server, in_doubt, pace
from kioskd.core.steps import LAST_RESORT, STEPS
from kioskd.core.verdict import Judgement, Verdict
from kioskd.core.view import PROVEN_S, BrowserView, Heard, Life, Link, PageView, Question, ServerView, View
from tests.core.fake_page import HOME, SOCKET

POLICY = Policy(url=HOME, deploy=Deploy(index="/srv/dist/index.html"), allow=("https://login.example/",))
NOW = 1000.0
PACE = pace(POLICY)
REPORT = f.PageAnswered(1, 8, HOME, True, 200, True)
VIEW = View(
    goal=a.Place.HOME, expected=((HOME, SOCKET),), questions=9, page_asked_at=NOW, browser_asked_at=NOW,
    browser=BrowserView(generation=1, life=Life.UP),
    page=PageView(present=True, document="D", url=HOME, committed_at=900.0, report=REPORT, asked_digest=True),
    link=Link(SOCKET, open_since=950.0), server=ServerView(baseline_for=f"D {SOCKET}"),
)  # fmt: skip

# --- the page and the browser ---------------------------------------------------------------------


def asked_page(view: View) -> tuple[list[a.Action], float]:
    _, actions, times = ask_page(view, NOW, POLICY)
    return actions, min(times)


def test_the_page_is_asked_when_its_time_has_come_and_not_before() -> None:
    assert asked_page(replace(VIEW, page_asked_at=NOW - PACE + 0.1)) == ([], NOW + 0.1)
    view, actions, times = ask_page(replace(VIEW, page_asked_at=NOW - PACE), NOW, POLICY)
    assert actions == [a.AskPage(1, 10, None)]
    assert view == replace(VIEW, page=replace(VIEW.page, question=Question(10, NOW)), questions=10)


def test_the_browser_is_asked_when_its_time_has_come_and_not_before() -> None:
    assert asked_page(replace(VIEW, browser_asked_at=NOW - PACE + 0.1)) == ([], NOW + 0.1)
    view, actions, times = ask_page(replace(VIEW, browser_asked_at=NOW - PACE), NOW, POLICY)
    assert actions == [a.AskBrowser(1, 10)]
    assert view == replace(VIEW, browser=replace(VIEW.browser, question=Question(10, NOW)), questions=10)


def test_a_page_of_which_there_is_news_is_asked_soon() -> None:
    news = replace(VIEW, page=replace(VIEW.page, ask_now=True))
    assert asked_page(replace(news, page_asked_at=NOW - SOON_S + 0.1)) == ([], NOW + 0.1)
    view, actions, _ = ask_page(replace(news, page_asked_at=NOW - SOON_S), NOW, POLICY)
    assert actions == [a.AskPage(1, 10, None)] and not view.page.ask_now


def test_a_connection_that_is_not_known_yet_is_asked_for_the_moment_it_has_been_open_for_ten_seconds() -> None:
    young = replace(VIEW, expected=(), link=Link(SOCKET, open_since=NOW - PROVEN_S + 1.0))
    assert asked_page(young) == ([], NOW + 1.0)
    assert asked_page(replace(young, link=Link(SOCKET, open_since=NOW - PROVEN_S + 0.1))) == ([], NOW + SOON_S), "not at once again"
    assert asked_page(replace(young, link=Link(SOCKET, open_since=NOW - PROVEN_S))) == ([], NOW + PACE), "that was this question"
    assert asked_page(replace(young, link=Link(SOCKET, open_since=NOW - PROVEN_S + PACE + 1.0))) == ([], NOW + PACE)
    assert asked_page(replace(young, expected=((HOME, SOCKET),))) == ([], NOW + PACE)


@pytest.mark.parametrize("changes", [{"question": Question(9, 999.0)}, {"crashed_at": 999.0}, {"present": False}])
def test_who_cannot_answer_is_not_asked(changes: dict[str, object]) -> None:
    view = replace(VIEW, page_asked_at=0.0, page=replace(VIEW.page, **changes))  # type: ignore[arg-type]
    assert asked_page(view) == ([], NOW + PACE)


# --- the server -----------------------------------------------------------------------------------

HOME_PROBE = a.ProbeServer(a.Probe.HOME, HOME, POLICY.health.timeout, frozenset({"http://localhost:3001", "https://login.example"}))
GUARDED = Plan(LAST_RESORT, LAST_RESORT.remedy, NOW)
TROUBLE = Judgement(Verdict.HUNG, 990.0, "", None)


def asked_server(plan: Plan | None = GUARDED, **server: object) -> tuple[list[a.Action], list[float]]:
    view = replace(VIEW, server=replace(VIEW.server, round_at=NOW, **server))  # type: ignore[arg-type]
    _, actions, times = ask_server(TROUBLE, (plan,), view, NOW, POLICY)
    return actions, times


def test_home_is_asked_just_before_a_guarded_step() -> None:
    good, bad = f.Answer(200, html=True, at_home=True), f.Answer(502)
    assert asked_server()[0] == [HOME_PROBE]
    assert asked_server(home=Heard(good, NOW - FRESH_S - 0.1))[0] == [HOME_PROBE]
    assert asked_server(home=Heard(good, NOW - FRESH_S))[0] == [], "it has just been"
    assert asked_server(home=Heard(bad, NOW - FRESH_S - 0.1))[0] == [], "after a bad answer the next round is soon enough"
    assert asked_server(plan=None)[0] == asked_server(plan=replace(GUARDED, due=NOW + 0.1))[0] == []
    assert asked_server(plan=replace(GUARDED, step=STEPS[Verdict.FROZEN][0]))[0] == [], "it is not guarded"


def test_home_is_asked_so_once_a_second() -> None:
    assert asked_server(guard_at=NOW - FRESH_S)[0] == [HOME_PROBE]
    actions, times = asked_server(guard_at=NOW - FRESH_S + 0.1)
    assert (actions, min(times)) == ([], pytest.approx(NOW + 0.1))


def test_home_is_not_asked_while_something_is_under_way() -> None:
    view = replace(VIEW, busy=a.Reload(1), server=replace(VIEW.server, round_at=NOW))
    assert ask_server(TROUBLE, (GUARDED,), view, NOW, POLICY)[1] == []


@pytest.mark.parametrize("sign", [{"text_since": 999.0}, {"lifeless_since": 999.0}])
def test_a_page_that_says_so_itself_is_a_reason_to_ask_the_server(sign: dict[str, object]) -> None:
    well = Judgement(Verdict.HEALTHY, NOW, "", None)
    assert not in_doubt(VIEW, well, POLICY)
    assert in_doubt(replace(VIEW, page=replace(VIEW.page, **sign)), well, POLICY)  # type: ignore[arg-type]
    assert in_doubt(replace(VIEW, link=Link(SOCKET, dead_since=999.0)), well, POLICY)
    assert in_doubt(replace(VIEW, wish=f.Command.RELOAD), well, POLICY)

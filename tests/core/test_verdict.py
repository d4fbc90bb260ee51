"""The table, row by row: when a row holds, since when, and in which words it is told."""

from dataclasses import replace

import pytest

from kioskd.core import facts as f
from kioskd.core.actions import Place
from kioskd.core.policy import Deploy, Policy
from kioskd.core.verdict import BIG_PAUSE_S, BLANK_PAUSE_S, TABLE, Verdict, judge
from kioskd.core.view import PROVEN_S, BrowserView, DeployView, Heard, Life, Link, PageView, Question, ServerView, Tried, View
from tests.core.fake_page import HOME, SOCKET
from tests.core.fake_page import own_page as own

POLICY = Policy(url=HOME, deploy=Deploy(index="/srv/dist/index.html"), memory_limit=800 << 20)
HEALTH, WAIT = POLICY.health, POLICY.health.page
NOW, BLANK_AFTER = 1000.0, 20.0
ONE, TWO = f.Version(1, "sha256:1"), f.Version(2, "sha256:2")
UP, DOWN = f.Answer(101), f.Answer(None, error="refused")
PAGE_UP = f.Answer(200, html=True, at_home=True)

REPORT = f.PageAnswered(1, 8, HOME, True, 200, True)
WELL = View(
    goal=Place.HOME, goal_since=100.0, went_at=110.0, expected=((HOME, SOCKET),),
    browser=BrowserView(generation=1, life=Life.UP, since=105.0, answered_at=999.0, proved=True),
    page=PageView(present=True, document="D", url=HOME, committed_at=120.0, moved_at=120.0, report=REPORT, reported_at=999.0,
                  began=f.DeployRead(ONE)),
    link=Link(SOCKET, open_since=121.0),
    deploy=DeployView(disk=f.DeployRead(ONE), read_at=101.0, known=(ONE,)),
)  # fmt: skip


def with_page(**changes: object) -> View:
    return replace(WELL, page=replace(WELL.page, **changes))  # type: ignore[arg-type]


def with_browser(**changes: object) -> View:
    return replace(WELL, browser=replace(WELL.browser, **changes))  # type: ignore[arg-type]


def heard(view: View, answer: f.Answer, home: f.Answer | None = None, **changes: object) -> View:
    server = ServerView(socket=Heard(answer, NOW), home=Heard(home or (PAGE_UP if answer is UP else answer), NOW))
    return replace(view, server=replace(server, **changes))  # type: ignore[arg-type]


DEAD = replace(WELL, link=Link(SOCKET, dead_since=950.0))
LOST = f.DeployRead(None, ("Cannot read it",))

ROWS: list[tuple[View, Verdict, float, str]] = [
    (WELL, Verdict.HEALTHY, NOW, "the page is as it should be"),
    (replace(WELL, paused_since=990.0, paused_until=1590.0), Verdict.PAUSED, 990.0, "paused for 600 s"),
    (with_browser(life=Life.NONE, reason="killed"), Verdict.NO_BROWSER, 105.0, "killed"),
    (with_browser(life=Life.STARTING, reason="starting"), Verdict.NO_BROWSER, 105.0, "starting"),
    (with_page(present=False, gone_at=990.0), Verdict.NO_BROWSER, 990.0, "the page closed itself"),
    (with_browser(question=Question(5, NOW - WAIT.hang_after)), Verdict.FROZEN, NOW, "the browser does not answer"),
    (with_page(crashed_at=990.0), Verdict.CRASHED, 990.0, "the page's renderer is gone"),
    (with_page(navigating_since=990.0), Verdict.LOADING, 990.0, "waiting for the server's document"),
    (with_page(navigating_since=990.0, crashed_at=980.0), Verdict.LOADING, 990.0, "waiting for the server's document"),
    (with_page(question=Question(5, NOW - WAIT.hang_after)), Verdict.HUNG, NOW, "the page does not answer, the browser does"),
    (with_page(url="http://elsewhere.example/", moved_at=990.0), Verdict.AWAY, 990.0, "the page is on another site"),
    (with_page(prompt="a sign-in", moved_at=990.0), Verdict.AWAY, 990.0, "a sign-in"),
    (replace(WELL, went_at=None), Verdict.UNREADABLE, 120.0, "another page is wanted"),
    (replace(WELL, goal_since=500.0), Verdict.UNREADABLE, 500.0, "another page is wanted"),
    (with_page(url=own("start"), moved_at=990.0), Verdict.UNREADABLE, 990.0, "just started"),
    (replace(with_page(url=own("start")), went_at=None), Verdict.UNREADABLE, 120.0, "just started"),
    (with_page(url=own("holding"), moved_at=990.0), Verdict.UNREADABLE, 990.0, "waiting for the server"),
    (replace(with_page(moved_at=990.0), goal=Place.WELCOME), Verdict.UNREADABLE, 990.0, "the built-in page is not there"),
    (replace(with_page(url=own("mistake")), goal=Place.WELCOME), Verdict.UNREADABLE, 120.0, "the built-in page is not there"),
    (replace(with_page(url=own("welcome")), goal=Place.WELCOME), Verdict.HEALTHY, NOW, "the page is as it should be"),
    (with_page(unreadable_since=990.0, report=replace(REPORT, status=502)), Verdict.UNREADABLE, 990.0, "the server answered 502"),
    (with_page(unreadable_since=990.0, report=replace(REPORT, status=0)), Verdict.UNREADABLE, 990.0, "an error page"),
    (with_page(unreadable_since=990.0, report=None), Verdict.UNREADABLE, 990.0, "an error page"),
    (with_browser(memory=(800 << 20) + 1, memory_at=990.0), Verdict.TOO_BIG, 990.0, "the browser holds 800 MB, the limit is 800 MB"),
    (replace(WELL, deploy=replace(WELL.deploy, disk=f.DeployRead(TWO), read_at=990.0)), Verdict.STALE, 990.0, "another build is on disk"),
    (with_page(blank_since=NOW - BLANK_AFTER), Verdict.BLANK, NOW, "nothing can be seen on the page"),
    (heard(DEAD, UP), Verdict.STUCK, 950.0, "the server is up and the page's connection is dead"),
    (
        heard(replace(WELL, link=Link(SOCKET, dead_since=950.0, silent=True)), UP), Verdict.STUCK, 950.0,
        "the server is up and the page's connection has been silent",
    ),
    (with_page(lifeless_since=960.0), Verdict.STUCK, 960.0, "the page says that it is not alive"),
    (with_page(text_since=970.0), Verdict.STUCK, 970.0, 'the page says "None"'),
    (heard(DEAD, DOWN), Verdict.SERVER_DOWN, 950.0, "the server is down; the page stays as it is"),
    (
        heard(replace(DEAD, page=replace(WELL.page, text_since=940.0)), DOWN), Verdict.SERVER_DOWN, 940.0,
        "the server is down; the page stays as it is",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("view", "verdict", "since", "why"), ROWS, ids=[f"{row[1].value} {row[3]}" for row in ROWS])
def test_a_row(view: View, verdict: Verdict, since: float, why: str) -> None:
    judgement = judge(view, NOW, POLICY)
    assert (judgement.verdict, judgement.since, judgement.why) == (verdict, since, why)


def test_every_row_is_here() -> None:
    assert {row[1] for row in ROWS} == set(Verdict) == set(TABLE)
    assert list(TABLE) == list(Verdict), "the table is in the order of the verdicts"


def at(view: View, now: float = NOW) -> Verdict:
    return judge(view, now, POLICY).verdict


def test_a_moment_before_its_patience_is_over_a_row_does_not_hold_and_is_looked_at_again_then() -> None:
    for view, verdict in (
        (with_browser(question=Question(5, NOW - WAIT.hang_after + 0.1)), Verdict.FROZEN),
        (with_page(question=Question(5, NOW - WAIT.hang_after + 0.1)), Verdict.HUNG),
        (with_page(blank_since=NOW - BLANK_AFTER + 0.1), Verdict.BLANK),
    ):
        early = judge(view, NOW, POLICY)
        assert (early.verdict, early.look_again) == (Verdict.HEALTHY, pytest.approx(NOW + 0.1))
        assert at(view, NOW + 0.1001) is verdict


def test_on_a_starved_host_every_patience_counts_three_times() -> None:
    late = {"late_at": (NOW - 20.0, NOW - 10.0)}
    for view in (
        with_browser(question=Question(5, NOW - WAIT.hang_after)),
        with_page(question=Question(5, NOW - WAIT.hang_after)),
        with_page(blank_since=NOW - BLANK_AFTER),
    ):
        assert at(replace(view, **late)) is Verdict.HEALTHY  # type: ignore[arg-type]
    blank = replace(with_page(blank_since=NOW - 3 * BLANK_AFTER), **late)  # type: ignore[arg-type]
    assert at(blank) is Verdict.BLANK


def test_a_page_hangs_only_where_the_browser_has_answered_since_it_was_asked() -> None:
    asked = NOW - WAIT.hang_after
    hung = with_page(question=Question(5, asked))
    assert at(replace(hung, browser=replace(hung.browser, answered_at=asked))) is Verdict.HEALTHY
    assert at(replace(hung, browser=replace(hung.browser, answered_at=asked + 0.1))) is Verdict.HUNG


def test_too_big_is_said_once_an_hour_and_not_of_a_browser_that_was_so_from_its_start() -> None:
    assert at(with_browser(memory=800 << 20)) is Verdict.HEALTHY
    big = with_browser(memory=900 << 20, memory_at=990.0)
    assert judge(big, NOW, POLICY).why == "the browser holds 900 MB, the limit is 800 MB"
    assert at(replace(big, browser=replace(big.browser, big_from_start=True))) is Verdict.HEALTHY
    assert judge(big, NOW, replace(POLICY, memory_limit=None)).verdict is Verdict.HEALTHY
    again = replace(big, tried=Tried(big_at=NOW - BIG_PAUSE_S + 1.0))
    assert (at(again), at(again, NOW + 1.0)) == (Verdict.HEALTHY, Verdict.TOO_BIG)


def test_a_blank_page_is_reloaded_for_its_build_once_and_not_within_ten_minutes_of_the_last() -> None:
    blank = with_page(blank_since=NOW - BLANK_AFTER)
    assert at(replace(blank, tried=Tried(blank=ONE))) is Verdict.HEALTHY
    assert at(replace(blank, tried=Tried(blank=TWO))) is Verdict.BLANK
    recent = replace(blank, tried=Tried(blank=TWO, blank_at=NOW - BLANK_PAUSE_S + 1.0))
    assert (at(recent), at(recent, NOW + 1.0)) == (Verdict.HEALTHY, Verdict.BLANK)


@pytest.mark.parametrize(
    "disk",
    [
        DeployView(),
        DeployView(disk=LOST),
        DeployView(disk=f.DeployRead(TWO, ("/app.js",))),
        DeployView(disk=f.DeployRead(TWO), touched_at=999.0),
        DeployView(disk=f.DeployRead(TWO), reading=True),
        DeployView(disk=f.DeployRead(ONE)),
    ],
)
def test_what_is_no_new_build(disk: DeployView) -> None:
    assert at(replace(WELL, deploy=disk)) is Verdict.HEALTHY


def test_a_new_build_is_nobodys_matter_away_from_home_or_while_home_cannot_be_had() -> None:
    new = replace(WELL, deploy=DeployView(disk=f.DeployRead(TWO), read_at=990.0))
    assert at(new) is Verdict.STALE
    assert at(heard(new, UP, home=DOWN)) is Verdict.HEALTHY
    assert at(replace(new, page=replace(new.page, began=None))) is Verdict.HEALTHY
    assert at(replace(new, goal=Place.WELCOME, page=replace(new.page, url=own("welcome")))) is Verdict.HEALTHY


def test_a_build_that_outlives_the_load_for_the_next_one_gets_one_more_after_a_while_and_then_only_words() -> None:
    view = replace(WELL, deploy=DeployView(disk=f.DeployRead(TWO), read_at=930.0), tried=Tried(stale=TWO, stale_at=940.0))
    again = NOW - HEALTH.websocket.restart_after
    for changed, verdict, since in (
        (view, Verdict.STALE, 1000.0),
        (replace(view, tried=replace(view.tried, stale_at=again + 1.0)), Verdict.HEALTHY, NOW),
        (replace(view, late_at=(NOW - 10.0, NOW - 5.0)), Verdict.HEALTHY, NOW),
        (replace(view, tried=replace(view.tried, again=True)), Verdict.HEALTHY, NOW),
        (heard(view, UP, home=DOWN), Verdict.HEALTHY, NOW),
    ):
        judgement = judge(changed, NOW, POLICY)
        assert (judgement.verdict, judgement.since) == (verdict, since) and "still shows another" in judgement.why
    assert judge(replace(view, tried=replace(view.tried, stale_at=again + 1.0)), NOW, POLICY).look_again == NOW + 1.0
    for nothing_kept in (replace(view, tried=Tried(stale=ONE, again=True)), replace(WELL, tried=Tried(stale=ONE))):
        assert "still shows" not in judge(nothing_kept, NOW, POLICY).why
    assert at(replace(view, tried=Tried(stale=ONE, again=True))) is Verdict.STALE


def test_a_dead_connection_is_stuck_only_with_a_server_that_is_up_and_a_page_that_answers() -> None:
    assert at(DEAD) is Verdict.HEALTHY, "the server has not been asked"
    assert at(heard(replace(DEAD, link=Link(SOCKET, open_since=995.0, dead_since=950.0)), UP)) is Verdict.HEALTHY, "it is coming back"
    old = heard(replace(DEAD, page=replace(WELL.page, question=Question(9, NOW - HEALTH.timeout))), UP)
    assert (at(old), at(old, NOW + 0.1)) == (Verdict.STUCK, Verdict.HEALTHY)


def test_the_oldest_cause_is_the_one_that_is_told() -> None:
    both = heard(replace(DEAD, page=replace(WELL.page, text_since=940.0, lifeless_since=930.0)), UP)
    assert judge(both, NOW, POLICY).since == 930.0
    assert at(heard(with_page(text_since=940.0), DOWN)) is Verdict.HEALTHY, "its connection is open: the server cannot be down"


def test_after_the_servers_return_the_page_has_ten_seconds_before_its_reload() -> None:
    back = heard(DEAD, UP, up_since=995.0)
    assert judge(back, NOW, POLICY).since == 995.0 + PROVEN_S - HEALTH.websocket.reload_after
    long_ago = heard(DEAD, UP, up_since=100.0)
    assert judge(long_ago, NOW, POLICY).since == 950.0


def test_a_server_is_down_only_where_something_is_wrong_and_no_connection_is_open() -> None:
    assert at(heard(WELL, DOWN)) is Verdict.HEALTHY
    assert at(heard(replace(WELL, link=Link()), DOWN)) is Verdict.HEALTHY
    assert at(heard(replace(with_page(text_since=940.0), link=Link(SOCKET, open_since=121.0)), DOWN)) is Verdict.HEALTHY


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (f.Answer(None, error="refused"), "waiting for the server: refused"),
        (f.Answer(401), "waiting for the server, which asks for a sign-in"),
        (f.Answer(502), "waiting for the server, which answered 502"),
        (f.Answer(200, at_home=True), "waiting for the server, whose answer is no web page"),
        (f.Answer(200, html=True), "waiting for the server, which leads to another site: name it in allow, if it is meant"),
        (f.Answer(200, html=True, at_home=True), "waiting for the server"),
    ],
)
def test_the_holding_page_says_why_it_stands_there(answer: f.Answer, why: str) -> None:
    view = View(goal=Place.HOME, went_at=1.0, page=PageView(present=True, url=own("holding")))
    view = replace(view, browser=replace(view.browser, life=Life.UP), server=ServerView(home=Heard(answer, 5.0)))
    assert judge(view, 5.0, POLICY).why == why
    assert judge(replace(view, went_at=None), 5.0, POLICY).why == why, "also where it came first of all"
    assert judge(replace(view, server=ServerView()), 5.0, POLICY).why == "waiting for the server"

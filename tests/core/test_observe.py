"""What each fact about the browser, the server, the deploy and our own actions changes. The page's are in ``test_page.py``."""

from dataclasses import replace

import pytest

from kioskd.core import actions as a
from kioskd.core import facts as f
from kioskd.core.browser import browser_gone, browser_starting
from kioskd.core.observe import KNOWN_VERSIONS, late, observe
from kioskd.core.policy import Deploy, Policy, WebSocket, Word
from kioskd.core.readings import STARVED_S
from kioskd.core.view import BrowserView, DeployView, Heard, Life, Link, PageView, Question, ServerView, Tried, View, Wish
from tests.core.fake_page import HOME, SOCKET

POLICY = Policy(url=HOME, deploy=Deploy(index="/srv/dist/index.html"), memory_limit=800)
NOW = 1000.0
ONE, TWO = f.Version(1, "sha256:1"), f.Version(2, "sha256:2")
REPORT = f.PageAnswered(1, 8, HOME, True, 200, True)

VIEW = View(
    goal=a.Place.HOME, goal_since=100.0, went_at=110.0, expected=((HOME, SOCKET),),
    browser=BrowserView(generation=1, life=Life.UP, since=105.0, ordered_at=104.0, pid=7, product="Chrome/156",
                        question=Question(5, 990.0)),
    page=PageView(present=True, document="D", url=HOME, committed_at=120.0, report=REPORT, question=Question(6, 991.0),
                  began=f.DeployRead(ONE), loaded_at=120.5),
    link=Link(SOCKET, open_since=121.0),
    server=ServerView(asked=frozenset(a.Probe), round_at=980.0),
    deploy=DeployView(disk=f.DeployRead(ONE), read_at=101.0, known=(ONE,)),
)  # fmt: skip


def after(fact: f.Fact, view: View = VIEW, policy: Policy = POLICY) -> View:
    return observe(view, fact, NOW, policy)


# --- the configuration ----------------------------------------------------------------------------


def test_another_home_is_gone_to_and_nothing_is_known_of_it() -> None:
    new = replace(POLICY, url=HOME + "other")
    assert after(f.ConfigRead(new)) == replace(VIEW, goal_since=NOW, link=Link(), server=ServerView())
    assert after(f.ConfigRead(replace(POLICY, url=None))).goal is a.Place.WELCOME
    assert after(f.ConfigRead(POLICY), replace(VIEW, mistakes=("bad",))) == VIEW


def test_another_way_to_look_at_the_connection_or_another_deploy_begins_anew() -> None:
    silent = replace(POLICY, health=replace(POLICY.health, websocket=WebSocket(silence=Word.OFF)))
    assert after(f.ConfigRead(silent)) == replace(VIEW, link=Link())
    moved = replace(POLICY, deploy=Deploy(index="/srv/other/index.html"))
    assert after(f.ConfigRead(moved)) == replace(VIEW, deploy=DeployView(), page=replace(VIEW.page, began=None))


def test_mistakes_are_told_and_change_nothing_else() -> None:
    assert after(f.ConfigRejected(("bad",))) == replace(VIEW, mistakes=("bad",))
    told = after(f.ConfigRejected(("bad",)), View())
    assert told == View(goal=a.Place.MISTAKE, goal_since=NOW, mistakes=("bad",))
    assert observe(told, f.ConfigRejected(("bad",)), NOW + 5.0, POLICY) == told
    assert observe(told, f.ConfigRejected(("worse",)), NOW + 5.0, POLICY).goal_since == NOW + 5.0


# --- our own time ---------------------------------------------------------------------------------


def test_a_late_turn_makes_everything_younger_that_was_waiting() -> None:
    view = replace(VIEW, busy_since=985.0, late_at=(NOW - STARVED_S, NOW - STARVED_S + 0.1))
    expected = replace(
        view, busy_since=988.0, late_at=(NOW - STARVED_S + 0.1, NOW),
        browser=replace(VIEW.browser, question=Question(5, 993.0)), page=replace(VIEW.page, question=Question(6, 994.0)),
    )  # fmt: skip
    assert late(view, 3.0, NOW) == expected
    nobody = replace(VIEW, browser=replace(VIEW.browser, question=None), page=replace(VIEW.page, question=None))
    assert late(nobody, 3.0, NOW) == replace(nobody, busy_since=3.0, late_at=(NOW,))


# --- the browser ----------------------------------------------------------------------------------


def test_a_browser_from_its_order_to_its_end() -> None:
    first = browser_starting(View(), 1, NOW)
    assert first == View(browser=BrowserView(1, Life.STARTING, NOW, NOW, "starting"))
    up = observe(first, f.BrowserStarted(1, 7, "Chrome/156"), NOW + 1.0, POLICY)
    assert up == View(
        browser=BrowserView(1, Life.UP, NOW + 1.0, NOW, "", "Chrome/156", 7, memory_asked_at=NOW + 1.0),
        page=PageView(present=True, committed_at=NOW + 1.0, moved_at=NOW + 1.0),
    )
    gone = observe(up, f.BrowserGone(1, "killed", 7), NOW + 2.0, POLICY)
    assert gone == View(browser=replace(up.browser, life=Life.NONE, since=NOW + 2.0, reason="killed", pid=None, deaths=1))
    again = browser_starting(gone, 2, NOW + 3.0)
    assert again == View(browser=BrowserView(2, Life.STARTING, NOW + 3.0, NOW + 3.0, "starting again: killed", deaths=1))
    assert browser_starting(up, 2, NOW).browser.reason == "starting", "in place of one that lives"


def test_a_started_browser_that_nobody_waits_for_changes_nothing() -> None:
    assert after(f.BrowserStarted(1, 8, "Chrome/157")) == VIEW
    assert after(f.BrowserGone(2, "killed", 8)) == VIEW
    gone = browser_gone(VIEW, "killed", True, NOW)
    assert browser_gone(gone, "its pipe closed", True, NOW + 1.0) == gone


def test_deaths_are_counted_of_processes_that_never_showed_anything() -> None:
    assert after(f.BrowserGone(1, "killed", 7)).browser.deaths == 1
    assert after(f.BrowserGone(1, "not installed", None)).browser.deaths == 0
    assert after(f.BrowserGone(1, "killed", 7), replace(VIEW, browser=replace(VIEW.browser, proved=True))).browser.deaths == 0


def test_its_answer_ends_its_question() -> None:
    assert after(f.BrowserAnswered(1, 5)) == replace(VIEW, browser=replace(VIEW.browser, question=None, answered_at=NOW))


@pytest.mark.parametrize(("size", "big"), [(800, False), (801, True)])
def test_the_first_measurement_tells_whether_it_is_big_by_nature(size: int, big: bool) -> None:
    first = after(f.MemoryRead(1, size))
    assert first == replace(VIEW, browser=replace(VIEW.browser, memory=size, memory_at=NOW, big_from_start=big))
    later = observe(after(f.MemoryRead(1, 1)), f.MemoryRead(1, size), NOW + 60.0, POLICY)
    assert (later.browser.memory, later.browser.memory_at, later.browser.big_from_start) == (size, NOW + 60.0, False)
    assert observe(first, f.MemoryRead(1, 1), NOW, POLICY).browser.big_from_start is big
    assert after(f.MemoryRead(1, size), policy=replace(POLICY, memory_limit=None)).browser.big_from_start is False


# --- the server -----------------------------------------------------------------------------------

UP, DOWN = f.Answer(101), f.Answer(None, error="refused")
PAGE_UP = f.Answer(200, html=True, at_home=True)


def test_an_answer_is_heard_and_the_probe_is_over() -> None:
    view = after(f.ServerAnswered(a.Probe.SOCKET, SOCKET, UP))
    assert view == replace(VIEW, server=replace(VIEW.server, socket=Heard(UP, NOW), asked=frozenset({a.Probe.HOME})))
    view = after(f.ServerAnswered(a.Probe.HOME, HOME, PAGE_UP))
    assert view == replace(VIEW, server=replace(VIEW.server, home=Heard(PAGE_UP, NOW), asked=frozenset({a.Probe.SOCKET})))


@pytest.mark.parametrize("url", [HOME, "http://another.example/"])
def test_an_answer_that_says_nothing_ends_the_probe_all_the_same(url: str) -> None:
    answer = None if url == HOME else PAGE_UP
    view = replace(VIEW, server=replace(VIEW.server, baselining=frozenset(a.Probe)))
    rest = frozenset({a.Probe.SOCKET})
    expected = replace(VIEW, server=replace(VIEW.server, asked=rest, baselining=rest))
    assert after(f.ServerAnswered(a.Probe.HOME, url, answer), view) == expected


@pytest.mark.parametrize(("status", "kept"), [(101, True), (403, True), (499, True), (500, False), (503, False), (None, False)])
def test_the_baseline_is_what_a_page_gets_that_is_well(status: int | None, kept: bool) -> None:
    view = replace(VIEW, server=replace(VIEW.server, baselining=frozenset(a.Probe)))
    answer = f.Answer(status)
    for probe, url in ((a.Probe.SOCKET, SOCKET), (a.Probe.HOME, HOME)):
        server = after(f.ServerAnswered(probe, url, answer), view).server
        assert (server.socket_class if probe is a.Probe.SOCKET else server.home_class) == (answer if kept else None)
        assert (server.home_class if probe is a.Probe.SOCKET else server.socket_class) is None
        unasked = after(f.ServerAnswered(probe, url, answer)).server
        assert (unasked.socket_class, unasked.home_class) == (None, None), "no baseline was asked for"
        ill = after(f.ServerAnswered(probe, url, answer), replace(view, link=Link(SOCKET, dead_since=990.0))).server
        assert (ill.socket_class, ill.home_class) == (None, None), "the page is not well"


def test_its_going_and_its_return_are_remembered() -> None:
    down = after(f.ServerAnswered(a.Probe.SOCKET, SOCKET, DOWN), replace(VIEW, server=replace(VIEW.server, up_since=500.0)))
    assert (down.server.down_since, down.server.up_since) == (NOW, None)
    still = observe(down, f.ServerAnswered(a.Probe.SOCKET, SOCKET, DOWN), NOW + 5.0, POLICY)
    assert (still.server.down_since, still.server.up_since) == (NOW, None)
    back = observe(still, f.ServerAnswered(a.Probe.SOCKET, SOCKET, UP), NOW + 10.0, POLICY)
    assert (back.server.down_since, back.server.up_since) == (None, NOW + 10.0)
    goes_on = observe(back, f.ServerAnswered(a.Probe.SOCKET, SOCKET, UP), NOW + 15.0, POLICY)
    assert (goes_on.server.down_since, goes_on.server.up_since) == (None, NOW + 10.0)


# --- the deploy -----------------------------------------------------------------------------------


def test_a_change_counts_from_when_it_was_made_but_not_from_before_the_settle_time() -> None:
    settle = POLICY.deploy.settle
    for age, at in ((0.0, NOW), (0.4, NOW - 0.4), (settle + 9.0, NOW - settle), (-5.0, NOW)):
        assert after(f.DeployTouched(age)) == replace(VIEW, deploy=replace(VIEW.deploy, touched_at=at, first_touched_at=at))
    again = replace(VIEW, deploy=replace(VIEW.deploy, touched_at=995.0, first_touched_at=990.0))
    assert after(f.DeployTouched(), again).deploy == replace(again.deploy, touched_at=NOW, first_touched_at=990.0)
    newer = replace(VIEW, deploy=replace(VIEW.deploy, touched_at=NOW - 0.1, first_touched_at=990.0))
    assert after(f.DeployTouched(0.5), newer).deploy == newer.deploy, "news of an older change"


@pytest.mark.parametrize(
    ("loaded_at", "age", "amid"), [(None, 0.0, True), (None, 0.6, False), (NOW - 0.3, 0.0, False), (NOW - 0.3, 0.4, True)]
)  # its load began 0.5 s ago
def test_a_page_that_was_loaded_amid_a_change_is_of_no_known_version(loaded_at: float | None, age: float, amid: bool) -> None:
    view = replace(VIEW, page=replace(VIEW.page, load_at=NOW - 0.5, loaded_at=loaded_at))
    assert after(f.DeployTouched(age), view).page == replace(view.page, amid=amid)


def test_a_page_that_was_loaded_before_a_change_is_of_no_known_version_either_where_the_disk_had_not_been_read() -> None:
    view = replace(VIEW, page=replace(VIEW.page, load_at=NOW - 0.5, loaded_at=NOW - 0.3, began=None))
    assert after(f.DeployTouched(0.0), view).page.amid


@pytest.mark.parametrize("half", [f.DeployRead(TWO, ("app.js",)), f.DeployRead(None, ("Cannot read it",)), f.DeployRead(None)])
def test_what_becomes_whole_again_or_comes_after_another_may_be_tried_again(half: f.DeployRead) -> None:
    view = replace(VIEW, tried=Tried(stale=ONE))
    assert after(f.DeployRead(ONE), view).tried == Tried(stale=ONE)
    assert after(f.DeployRead(TWO), view).tried == after(half, view).tried == Tried()


def test_a_reading_is_what_is_on_disk_and_the_last_eight_builds_are_known() -> None:
    read = f.DeployRead(TWO)
    assert after(read) == replace(VIEW, deploy=DeployView(disk=read, read_at=NOW, found_since=NOW, known=(ONE, TWO)))
    assert after(f.DeployRead(ONE), replace(VIEW, deploy=replace(VIEW.deploy, known=(ONE, TWO)))).deploy.known == (TWO, ONE)
    many = tuple(f.Version(number, f"sha256:{number}") for number in range(10, 10 + KNOWN_VERSIONS))
    assert after(read, replace(VIEW, deploy=replace(VIEW.deploy, known=many))).deploy.known == (*many[1:], TWO)
    lost = f.DeployRead(None, ("Cannot read it",))
    assert after(lost) == replace(VIEW, deploy=DeployView(disk=lost, read_at=NOW, found_since=NOW, known=(ONE,)))


def test_what_is_found_again_has_been_there_since_it_was_found_first() -> None:
    half = f.DeployRead(TWO, ("app.js",))
    found = after(half, replace(VIEW, deploy=replace(VIEW.deploy, disk=half, found_since=990.0))).deploy
    assert (found.found_since, found.read_at) == (990.0, NOW)
    assert after(f.DeployRead(TWO), replace(VIEW, deploy=found)).deploy.found_since == NOW


def test_a_load_that_began_before_anybody_had_looked_took_what_was_there() -> None:
    view = replace(VIEW, page=replace(VIEW.page, began=None))
    assert after(f.DeployRead(TWO), view).page.began == f.DeployRead(TWO)
    changed = replace(view, page=replace(view.page, amid=True))
    assert after(f.DeployRead(TWO), changed).page.amid, "what it took of what is known by no reading afterwards"
    stirring = replace(view, deploy=replace(view.deploy, touched_at=NOW))
    assert after(f.DeployRead(TWO), stirring).page.began is None, "this may be what was there before"
    assert after(f.DeployRead(TWO)).page.began == f.DeployRead(ONE)


# --- what came of our own actions -----------------------------------------------------------------


@pytest.mark.parametrize("fact", [f.Done(a.ReadDeploy()), f.Failed(a.ReadDeploy(), "broken")])
def test_a_reading_is_over(fact: f.Done | f.Failed) -> None:
    view = replace(VIEW, deploy=replace(VIEW.deploy, reading=True))
    assert after(fact, view) == replace(VIEW, deploy=replace(VIEW.deploy, reading=False, failed=isinstance(fact, f.Failed)))


def test_a_probe_that_failed_is_over() -> None:
    view = after(f.Failed(a.ProbeServer(a.Probe.HOME, HOME, 4.0), "broken"))
    assert view == replace(VIEW, server=replace(VIEW.server, asked=frozenset({a.Probe.SOCKET})))


def test_a_question_that_could_not_be_put_is_taken_back_and_no_other() -> None:
    assert after(f.Failed(a.AskPage(1, 6), "gone")) == replace(VIEW, page=replace(VIEW.page, question=None))
    assert after(f.Failed(a.AskBrowser(1, 5), "gone")) == replace(VIEW, browser=replace(VIEW.browser, question=None))
    for fact in (
        f.Failed(a.AskPage(1, 7), "gone"), f.Failed(a.AskBrowser(1, 4), "gone"), f.Done(a.AskPage(1, 6)), f.Done(a.AskBrowser(1, 5)),
        f.Done(a.Reload(1)),
    ):  # fmt: skip
        assert after(fact) == VIEW
    mute = replace(VIEW, browser=replace(VIEW.browser, question=None), page=replace(VIEW.page, question=None))
    assert after(f.Failed(a.AskPage(1, 6), "gone"), mute) == after(f.Failed(a.AskBrowser(1, 5), "gone"), mute) == mute


def doing(action: a.Action, view: View = VIEW) -> View:
    return replace(view, busy=action, busy_since=999.0)


def test_a_load_that_was_stopped_is_over() -> None:
    view = doing(a.StopLoading(1), replace(VIEW, page=replace(VIEW.page, navigating_since=960.0)))
    expected = replace(VIEW.page, question=Question(6, NOW), loaded_at=NOW, ask_now=True)
    assert after(f.Done(a.StopLoading(1)), view) == replace(view, busy=None, page=expected)


def test_a_build_is_tried_once_it_was_loaded_past_the_caches() -> None:
    fresh, plain = a.Reload(1, fresh=True), a.Reload(1)
    assert after(f.Done(fresh), doing(fresh)) == replace(doing(fresh), busy=None, tried=Tried(stale=ONE, stale_at=NOW))
    assert after(f.Done(plain), doing(plain)) == replace(doing(plain), busy=None)
    for began in (None, f.DeployRead(TWO, ("/app.js",))):
        view = doing(fresh, replace(VIEW, page=replace(VIEW.page, began=began)))
        assert after(f.Done(fresh), view) == replace(view, busy=None)


@pytest.mark.parametrize(
    ("tried", "asked_for", "again"),
    [
        (Tried(stale=ONE), False, True),
        (Tried(stale=ONE), True, False),
        (Tried(stale=ONE, again=True), True, True),
        (Tried(stale=TWO, again=True), False, False),
        (Tried(stale=TWO, again=True), True, False),
    ],
)
def test_a_second_load_for_a_build_counts_where_nobody_asked_for_it(tried: Tried, asked_for: bool, again: bool) -> None:
    fresh = a.Reload(1, fresh=True)
    view = replace(doing(fresh), tried=tried, granting=Wish(f.Command.RELOAD, 998.0) if asked_for else None)
    assert after(f.Done(fresh), view) == replace(view, busy=None, tried=Tried(stale=ONE, stale_at=NOW, again=again))


def test_what_could_not_be_done_is_not_believed_to_have_been() -> None:
    pending = replace(VIEW, page=replace(VIEW.page, navigating_since=995.0))
    still = replace(VIEW.page, navigating_since=None)
    for action in (a.Reload(1), a.StopLoading(1), a.Steps((a.EndScript(1), a.Reload(1)))):
        assert after(f.Failed(action, "no"), doing(action, pending)) == replace(doing(action), busy=None, page=still)
    home = a.Navigate(1, a.Place.HOME)
    assert after(f.Failed(home, "no"), doing(home, pending)) == replace(doing(home), busy=None, page=still, went_at=None)
    kill = a.KillRenderer(1)
    assert after(f.Failed(kill, "no"), doing(kill, pending)) == replace(doing(kill, pending), busy=None)
    start = a.Steps((a.StopBrowser(1), a.StartBrowser(2)))
    view = doing(start, replace(VIEW, browser=replace(VIEW.browser, life=Life.STARTING)))
    assert after(f.Failed(start, "no"), view) == browser_gone(replace(view, busy=None), "no", died=False, now=NOW)

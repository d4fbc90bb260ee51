"""What each fact about the page changes, and that it changes nothing else."""

from dataclasses import replace

import pytest

from kioskd.core import facts as f
from kioskd.core.observe import observe
from kioskd.core.policy import Deploy, Health, Page, Policy
from kioskd.core.view import BrowserView, Life, Link, PageView, Question, View
from tests.core.fake_page import HOME, SOCKET
from tests.core.fake_page import own_page as own

POLICY = Policy(url=HOME, deploy=Deploy(index="/srv/dist/index.html"))
NOW = 1000.0
DISK = f.DeployRead(f.Version(1, "sha256:1"))

#: A page of which everything is known.
PAGE = PageView(
    present=True, gone_at=1.0, document="D1", url=HOME, committed_at=900.0, asked_before=3, question=Question(9, 990.0),
    report=f.PageAnswered(1, 8, HOME, True, 200, True), reported_at=980.0, moved_at=800.0, digest="sha256:1", asked_digest=True, began=DISK,
    loaded_at=902.0,
)  # fmt: skip
BROWSER = BrowserView(generation=1, life=Life.UP, pid=7, deaths=2, set_aside=True)
VIEW = View(browser=BROWSER, page=PAGE, link=Link(SOCKET, open_since=905.0), questions=9, expected=((HOME, SOCKET),))


def after(fact: f.Fact, page: PageView = PAGE, view: View = VIEW) -> View:
    return observe(replace(view, page=page), fact, NOW, POLICY)


def says(question: int = 9, **report: object) -> f.PageAnswered:
    sound = f.PageAnswered(1, question, HOME, True, 200, True, connections=(f.Connection(SOCKET, 95.0, None),))
    return replace(sound, **report)  # type: ignore[arg-type]


def test_gone_and_opened_again() -> None:
    assert after(f.PageGone(1)) == replace(VIEW, page=PageView(present=False, gone_at=NOW))
    assert after(f.PageOpened(1)) == replace(VIEW, page=PageView(present=True, committed_at=NOW, moved_at=NOW))


def test_a_crash_ends_the_question_and_the_load() -> None:
    loading = replace(PAGE, navigating_since=995.0)
    assert after(f.RendererGone(1), loading) == replace(VIEW, page=replace(PAGE, crashed_at=NOW, question=None))


def test_a_navigation_begins_with_what_is_on_disk() -> None:
    newer = f.DeployRead(f.Version(2, "sha256:2"))
    view = replace(VIEW, deploy=replace(VIEW.deploy, disk=newer))
    troubled = replace(PAGE, crashed_at=990.0, prompt="a sign-in")
    expected = replace(PAGE, navigating_since=NOW, began=newer, load_at=NOW, loaded_at=None)
    assert after(f.NavigationStarted(1, HOME), troubled, view).page == expected
    pending = replace(PAGE, navigating_since=995.0)
    since = replace(expected, navigating_since=995.0, load_at=995.0)
    assert after(f.NavigationStarted(1, HOME), pending, view).page == since, "since the first one"
    for deploy in (replace(view.deploy, touched_at=990.0), replace(view.deploy, reading=True)):  # what is there has not been read yet
        assert after(f.NavigationStarted(1, HOME), troubled, replace(view, deploy=deploy)).page == replace(expected, began=None)


def test_a_load_that_ended_is_asked_and_its_time_is_not_held_against_the_page() -> None:
    loading = replace(PAGE, navigating_since=995.0)
    view = after(f.NavigationEnded(1), loading)
    over = replace(PAGE, loaded_at=NOW, ask_now=True)
    assert view.page == replace(over, question=Question(9, NOW))
    assert after(f.NavigationEnded(1)).page == over, "no load was pending: the question keeps its age"
    assert after(f.NavigationEnded(1), replace(loading, question=None)).page == replace(over, question=None)


def test_the_first_load_of_anything_of_ours_proves_the_browser() -> None:
    assert after(f.NavigationEnded(1)).browser == replace(BROWSER, proved=True, deaths=0, set_aside=False)
    dark = replace(PAGE, url=own("start"))
    assert after(f.NavigationEnded(1), dark).browser == BROWSER
    proved = replace(VIEW, browser=replace(BROWSER, proved=True))
    assert after(f.NavigationEnded(1), dark, proved).browser == replace(BROWSER, proved=True, deaths=0, set_aside=False)


def test_a_document_takes_the_place_of_the_one_before() -> None:
    page = replace(PAGE, prompt="a sign-in", navigating_since=995.0, crashed_at=940.0, blank_since=950.0, text_since=960.0)
    page = replace(page, lifeless_since=970.0, amid=True)
    before = replace(VIEW, link=Link(SOCKET, 905.0, 930.0, asleep=True, silent=True))
    view = after(f.DocumentCommitted(1, "D2", HOME + "?again"), page, before)
    assert view.page == PageView(
        present=True, document="D2", url=HOME + "?again", committed_at=NOW, ask_now=True, asked_before=9, prompt="a sign-in",
        moved_at=800.0, began=DISK, amid=True, text_since=960.0, lifeless_since=970.0,
    )  # fmt: skip
    assert view.link == Link(SOCKET, dead_since=930.0)


def test_a_document_somewhere_else_has_moved_now() -> None:
    assert after(f.DocumentCommitted(1, "D2", "http://elsewhere.example/")).page.moved_at == NOW
    assert after(f.DocumentCommitted(1, "D2", own("holding"))).page.moved_at == NOW


def test_an_error_page_is_unreadable_since_the_first() -> None:
    page = after(f.DocumentCommitted(1, "D2", HOME, error=True)).page
    assert (page.error, page.unreadable_since) == (True, NOW)
    page = after(f.DocumentCommitted(1, "D3", HOME, error=True), replace(page, unreadable_since=990.0)).page
    assert (page.error, page.unreadable_since) == (True, 990.0)
    assert after(f.DocumentCommitted(1, "D4", HOME), page).page.unreadable_since is None


def test_a_prompt_ends_the_load() -> None:
    view = after(f.Prompted(1, "a sign-in"), replace(PAGE, navigating_since=995.0))
    assert view.page == replace(PAGE, prompt="a sign-in", moved_at=NOW)


def test_the_digest_is_of_this_document_only() -> None:
    assert after(f.DocumentRead(1, "D1", "sha256:2")).page == replace(PAGE, digest="sha256:2")
    assert after(f.DocumentRead(1, "D0", "sha256:2")) == VIEW


def test_an_answer_is_the_word_of_the_page() -> None:
    answer = says()
    assert after(answer).page == replace(PAGE, question=None, report=answer, reported_at=NOW)
    moved = says(url=HOME + "#part")
    assert after(moved).page == replace(PAGE, question=None, report=moved, reported_at=NOW, url=HOME + "#part")
    assert after(says(question=4)).page.report is not None
    assert after(says(question=3)) == VIEW, "the last word of the document before"


@pytest.mark.parametrize(
    ("status", "failed"), [(None, False), (0, False), (200, False), (404, False), (499, False), (500, True), (501, True), (502, True)]
)
def test_a_server_error_is_unreadable(status: int | None, failed: bool) -> None:
    assert after(says(status=status)).page.unreadable_since == (NOW if failed else None)


def test_what_failed_stays_at_the_address_that_was_asked_for() -> None:
    for failing, page in ((says(url="chrome-error://chromewebdata/", status=0), PAGE), (says(url="http://x/"), replace(PAGE, error=True))):
        after_it = after(failing, page).page
        assert (after_it.url, after_it.unreadable_since) == (HOME, NOW)
    assert after(says(status=500), replace(PAGE, unreadable_since=950.0)).page.unreadable_since == 950.0


def test_since_when_it_is_blank_says_so_or_is_not_alive() -> None:
    asked_for = replace(POLICY, health=Health(page=Page(stuck_text="no connection")))
    assert after(says(visible=False)).page.blank_since == NOW
    assert after(says(visible=False), replace(PAGE, blank_since=950.0)).page.blank_since == 950.0
    assert after(says(visible=False, ready=False)).page.blank_since is None, "it is not finished"
    assert after(says(), replace(PAGE, blank_since=950.0)).page.blank_since is None
    assert observe(VIEW, says(stuck_text=True), NOW, asked_for).page.text_since == NOW
    assert after(says(stuck_text=True)).page.text_since is None, "nobody has asked for that"
    assert after(says(), replace(PAGE, text_since=950.0)).page.text_since is None
    assert after(says(alive=False)).page.lifeless_since == NOW
    assert after(says(alive=None), replace(PAGE, lifeless_since=950.0)).page.lifeless_since is None
    assert after(says(alive=True), replace(PAGE, lifeless_since=950.0)).page.lifeless_since is None


def test_a_page_that_went_elsewhere_in_its_history_has_moved() -> None:
    assert after(says(url="http://elsewhere.example/")).page.moved_at == NOW
    assert after(says()).page.moved_at == 800.0


def test_what_it_says_of_its_connection_is_followed() -> None:
    assert after(says()).link == Link(SOCKET, open_since=905.0)
    assert after(says(connections=(f.Connection(SOCKET, None, 4.0),))).link == Link(SOCKET, dead_since=996.0)


@pytest.mark.parametrize("fact", [f.DialogOpened(1, "alert"), f.PopupOpened(1, "T"), f.RendererGone(2), says(generation=0), f.Woke(0.0)])
def test_what_changes_nothing(fact: f.Fact) -> None:
    assert after(fact) == VIEW


def test_a_page_without_a_browser_says_nothing() -> None:
    gone = replace(VIEW, browser=replace(BROWSER, life=Life.STARTING))
    assert after(f.RendererGone(1), view=gone) == gone

"""Single readings of the view."""

from dataclasses import replace

import pytest

from kioskd.core import facts as f
from kioskd.core.policy import Deploy, Policy, origin, path
from kioskd.core.readings import STARVED_S, home_good, own_page, same_site, server_up, shown, strain, well_since
from kioskd.core.view import Heard, PageView, ServerView, View
from tests.core.fake_page import HOME, SOCKET
from tests.core.fake_page import own_page as own
from tests.core.world import settled

POLICY = Policy(url=HOME, deploy=Deploy(index="/srv/dist/index.html"))

# --- URLs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://host/path?q", "http://host"),
        ("http://host:80/", "http://host"),
        ("https://host:443/", "https://host"),
        ("ws://host:80/", "ws://host"),
        ("wss://host:443", "wss://host"),
        ("https://host:80/", "https://host:80"),
        ("http://Host:3001/", "http://host:3001"),
        ("http://[::1]:3001/", "http://[::1]:3001"),
        ("http://[", ""),
        ("http://host:99999/", ""),
        ("about:blank", ""),
        ("", ""),
    ],
)
def test_origin(url: str, expected: str) -> None:
    assert origin(url) == expected


def test_path_leaves_out_query_and_fragment() -> None:
    assert path("http://host/a?b#c") == path("http://host/a#c?b") == "http://host/a"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ws://host:1/", "http://host:2/", True),
        ("ws://live.example.org/", "http://www.example.org/", True),
        ("ws://example.org/", "http://www.example.org/", True),
        ("ws://example.com/", "http://example.org/", False),
        ("ws://10.0.0.1/", "http://10.1.0.1/", False),
        ("ws://[::1]/", "http://[::2]/", False),
        ("ws://one/", "http://other/", False),
        ("nonsense", "nonsense", False),
    ],
)
def test_same_site(one: str, other: str, same: bool) -> None:
    assert same_site(one, other) is same


def test_own_pages_name_themselves() -> None:
    assert own_page(own("holding")) == "holding"
    assert own_page("data:text/html,kioskd=holding;") is None
    assert own_page(HOME) is None


# --- the version --------------------------------------------------------------------------------


def test_the_version_on_the_screen() -> None:
    view = settled(POLICY).kernel.view
    one, two = f.Version(1, "sha256:1"), f.Version(2, "sha256:2")
    page = replace(view.page, began=f.DeployRead(two), digest="sha256:1")
    assert shown(replace(view, page=page, deploy=replace(view.deploy, known=(one, two)))) == one
    assert shown(replace(view, page=page, deploy=replace(view.deploy, known=(two,)))) == two
    assert shown(replace(view, page=replace(page, digest=None))) == two
    assert shown(replace(view, page=replace(page, digest="sha256:2"))) == two
    assert shown(replace(view, page=replace(page, began=None))) is None
    assert shown(replace(view, page=replace(page, began=f.DeployRead(two, ("app.js",))))) is None
    assert shown(replace(view, page=replace(page, amid=True), deploy=replace(view.deploy, known=(one, two)))) is None
    again = replace(one, mtime=9)
    assert shown(replace(view, page=page, deploy=replace(view.deploy, known=(one, again)))) == again


# --- the server -----------------------------------------------------------------------------------

WELL = f.Answer(200, html=True, at_home=True)
PATIENCE_S = 2 * POLICY.health.interval + POLICY.health.timeout  # how long an answer counts


def heard(answer: f.Answer, baseline: f.Answer | None = None, ago: float = 0.0) -> bool | None:
    return home_good(View(server=ServerView(home=Heard(answer, 1000.0 - ago), home_class=baseline)), POLICY, 1000.0)


@pytest.mark.parametrize(
    ("answer", "good"),
    [
        (WELL, True),
        (replace(WELL, status=204), True),
        (replace(WELL, status=299), True),
        (replace(WELL, status=300), False),
        (replace(WELL, status=199), False),
        (replace(WELL, html=False), False),
        (replace(WELL, at_home=False), False),
        (f.Answer(101), True),
        (f.Answer(None, error="refused"), False),
    ],
)
def test_what_a_good_answer_is(answer: f.Answer, good: bool) -> None:
    assert heard(answer) is good


def test_the_baseline_is_as_good_in_status_html_and_origin_but_not_in_words() -> None:
    odd = f.Answer(403, html=False, at_home=False, error="no entry")
    assert heard(odd) is False
    assert heard(odd, baseline=replace(odd, error="keep out")) is True
    for other in (replace(odd, status=404), replace(odd, html=True), replace(odd, at_home=True)):
        assert heard(odd, baseline=other) is False
    assert heard(WELL, baseline=odd) is True


def test_an_answer_counts_for_two_rounds_and_a_timeout() -> None:
    assert heard(WELL, ago=PATIENCE_S) is True
    assert heard(WELL, ago=PATIENCE_S + 0.1) is None
    assert home_good(View(), POLICY, 1000.0) is None


def test_the_server_is_up_by_its_socket_where_one_is_expected_else_by_home() -> None:
    view = View(server=ServerView(home=Heard(WELL, 1000.0), socket=Heard(f.Answer(502), 1000.0)))
    assert server_up(view, POLICY, 1000.0) is True
    assert server_up(replace(view, expected=((HOME, SOCKET),)), POLICY, 1000.0) is False


def test_since_when_home_is_as_it_should_be() -> None:
    page = PageView(present=True, url=HOME, committed_at=900.0, report=f.PageAnswered(1, 1, HOME, True, 200, True))
    view = View(page=page)
    assert well_since(view, POLICY) == 900.0
    known = replace(view, expected=((HOME, SOCKET),))
    assert well_since(known, POLICY) is None
    assert well_since(replace(known, link=replace(known.link, open_since=880.0)), POLICY) == 900.0
    assert well_since(replace(known, link=replace(known.link, open_since=920.0)), POLICY) == 920.0
    loading = f.PageAnswered(1, 1, HOME, False, 200, True)
    for other in (replace(page, report=None), replace(page, report=loading), replace(page, unreadable_since=950.0), replace(page, url="http://x/")):
        assert well_since(replace(view, page=other), POLICY) is None


def test_two_late_turns_within_a_minute_are_strain_and_the_minute_is_not_longer() -> None:
    assert strain(View(late_at=(940.1, 1000.0)), 1000.0) == 3.0
    assert strain(View(late_at=(1000.0 - STARVED_S, 1000.0)), 1000.0) == 1.0

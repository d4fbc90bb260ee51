"""The page's own connection: which one it is, and since when it is dead."""

from dataclasses import replace

import pytest

from kioskd.core import actions as a
from kioskd.core import facts as f
from kioskd.core.link import AUTO_SILENCE_S, CONNECT_S, follow, learnt
from kioskd.core.policy import Deploy, Policy, WebSocket, Word
from kioskd.core.readings import expected_link
from kioskd.core.verdict import Verdict, judge
from kioskd.core.view import PROVEN_S, Link, PageView, Question, View
from tests.core.fake_page import HOME, SOCKET
from tests.core.world import World, settled

POLICY = Policy(url=HOME, deploy=Deploy(index="/srv/dist/index.html"))


def with_websocket(**keys: object) -> Policy:
    return replace(POLICY, health=replace(POLICY.health, websocket=WebSocket(**keys)))  # type: ignore[arg-type]


def report(*connections: f.Connection) -> f.PageAnswered:
    return f.PageAnswered(1, 1, HOME, True, 200, True, connections=connections)


def hear(world: World, *connections: f.Connection) -> None:
    number = world.kernel.view.questions + 1
    world.tell(replace(report(*connections), generation=world.browser.generation, question=number))


def test_the_expected_connection() -> None:
    view = View(expected=((HOME, SOCKET),))
    assert expected_link(view, POLICY) == SOCKET
    assert expected_link(view, with_websocket(url=Word.OFF)) is None
    assert expected_link(view, with_websocket(url="ws://localhost:3001/x?y")) == "ws://localhost:3001/x"
    assert expected_link(view, Policy()) is None
    assert expected_link(view, replace(POLICY, url=HOME + "other")) is None


def test_a_connection_is_learnt_when_it_has_been_open_for_ten_seconds() -> None:
    view = settled(POLICY, expected=False).kernel.view
    view = replace(view, expected=())
    young, old = f.Connection(SOCKET, 9.9, None), f.Connection(SOCKET, 10.0, None)
    assert learnt(view, report(young), POLICY) is None
    assert learnt(view, report(old), POLICY) == SOCKET
    assert learnt(view, report(old), with_websocket(url=Word.OFF)) is None
    assert learnt(view, report(old), with_websocket(url=SOCKET)) is None
    assert learnt(replace(view, page=replace(view.page, url="http://elsewhere/")), report(old), POLICY) is None
    assert learnt(view, report(replace(old, url="ws://elsewhere.example/")), POLICY) is None


def test_of_several_connections_the_talkative_one_is_learnt_and_kept_until_another_talks_twice_as_much() -> None:
    view = replace(settled(POLICY, expected=False).kernel.view, expected=())
    dev, live = f.Connection("ws://localhost:3001/dev", 99.0, None, messages=1), f.Connection(SOCKET, 20.0, None, messages=50)
    assert learnt(view, report(dev, live), POLICY) == SOCKET
    known = replace(view, expected=((HOME, SOCKET),))
    assert learnt(known, report(dev, live), POLICY) is None
    assert learnt(known, report(replace(dev, messages=100), live), POLICY) is None
    assert learnt(known, report(replace(dev, messages=101), live), POLICY) == dev.url
    assert learnt(known, report(dev), POLICY) == dev.url


def test_the_configured_connection_is_the_one_that_is_looked_at() -> None:
    world = settled(with_websocket(url=SOCKET))
    hear(world, f.Connection("ws://localhost:3001/dev", 99.0, None, messages=9), f.Connection(SOCKET, None, 3.0))
    assert world.kernel.view.link.url == SOCKET
    assert world.kernel.view.link.dead_since == world.now - 3.0


def test_where_the_expected_connection_is_not_tried_another_open_one_does() -> None:
    world = settled(POLICY)
    hear(world, f.Connection("ws://localhost:3001/new", 5.0, None, messages=3), f.Connection("ws://localhost:3001/shut", None, 5.0))
    link = world.kernel.view.link
    assert (link.url, link.open_since, link.dead_since) == ("ws://localhost:3001/new", world.now - 5.0, None)
    hear(world, f.Connection("ws://localhost:3001/shut", None, 5.0))
    assert world.kernel.view.link.dead_since == world.now, "dead since it was last seen open, not since the document began"


def test_a_connection_whose_worker_has_gone_is_dead_since_it_was_last_seen_open() -> None:
    world = settled(POLICY)
    hear(world)
    assert world.kernel.view.link.dead_since == world.now


def test_a_page_that_closed_its_connection_and_ended_the_worker_expects_none() -> None:
    world = settled(POLICY)
    hear(world, f.Connection(SOCKET, None, 1.0, closed_by_page=True))
    hear(world)
    assert (world.kernel.view.link.asleep, world.kernel.view.link.dead_since) == (True, None)


def test_a_new_document_has_two_seconds_to_connect_but_its_patience_counts_from_the_beginning() -> None:
    world = settled(POLICY)
    begun = world.now
    world.tell(f.DocumentCommitted(1, "D9", HOME))
    hear(world)
    assert world.kernel.view.link.dead_since is None
    world.now += 2.0
    hear(world)
    assert world.kernel.view.link.dead_since == begun


def test_the_old_word_of_a_page_that_answers_no_more_is_no_evidence_about_its_connection() -> None:
    world = settled(POLICY)
    hear(world, f.Connection(SOCKET, None, 1.0))
    for probe, url, answer in ((a.Probe.HOME, HOME, f.Answer(200, True, True)), (a.Probe.SOCKET, SOCKET, f.Answer(101))):
        world.tell(f.ServerAnswered(probe, url, answer))
    assert world.kernel.judgement.verdict is Verdict.STUCK
    page = replace(world.kernel.view.page, question=Question(999, world.now))
    world.kernel.view = replace(world.kernel.view, page=page)
    world.now += POLICY.health.timeout + 0.1
    assert judge(world.kernel.view, world.now, POLICY).verdict is not Verdict.STUCK


def test_a_connection_is_dead_until_one_has_been_open_for_ten_seconds() -> None:
    world = settled(POLICY)
    hear(world, f.Connection(SOCKET, None, 2.0))
    dead = world.kernel.view.link.dead_since
    assert dead == world.now - 2.0
    hear(world, f.Connection(SOCKET, 9.0, None))
    assert (world.kernel.view.link.dead_since, world.kernel.view.link.open_since) == (dead, world.now - 9.0)
    hear(world, f.Connection(SOCKET, None, 0.5))
    assert world.kernel.view.link.dead_since == dead
    hear(world, f.Connection(SOCKET, 10.0, None))
    assert world.kernel.view.link.dead_since is None


def test_silence_is_five_of_the_longest_gaps_and_at_least_90_s_for_one_that_talks() -> None:
    world = settled(POLICY)

    def silent(seconds: float, messages: int, gap: float) -> bool:
        hear(world, f.Connection(SOCKET, 500.0, None, messages=messages, silent_for=seconds, longest_gap=gap))
        return world.kernel.view.link.silent

    assert not silent(400.0, 19, 1.0)
    assert not silent(89.9, 20, 1.0)
    assert silent(90.0, 20, 1.0)
    assert world.kernel.view.link.dead_since == world.now
    assert not silent(149.0, 20, 30.0)
    assert silent(151.0, 20, 30.0)
    assert world.kernel.view.link.dead_since == world.now - 1.0
    assert not silent(149.0, 20, 2.0)  # the longest gap ever seen is kept


def test_a_page_that_holds_no_connection_expects_none() -> None:
    world = settled(POLICY, expected=False)
    world.kernel.view = replace(world.kernel.view, expected=())
    hear(world, f.Connection(SOCKET, None, 5.0, closed_by_page=True))
    assert world.kernel.view.link.asleep and world.kernel.view.link.dead_since is None
    hear(world)
    assert world.kernel.view.link.url is None


# --- one report, one judgement --------------------------------------------------------------------

NOW, COMMITTED = 1000.0, 900.0
OTHER = "ws://localhost:3001/other"


def judged(
    *connections: f.Connection, before: Link | None = None, expected: bool = True, policy: Policy = POLICY, committed: float = COMMITTED
) -> Link:
    page = PageView(present=True, document="D", url=HOME, committed_at=committed)
    view = View(page=page, link=before or Link(), expected=((HOME, SOCKET),) if expected else ())
    return follow(view, report(*connections), NOW, policy).link


def test_none_held() -> None:
    assert judged() == Link(SOCKET, dead_since=COMMITTED)
    assert judged(before=Link(SOCKET, open_since=950.0)) == Link(SOCKET, dead_since=NOW)
    assert judged(before=Link(SOCKET, dead_since=930.0)) == Link(SOCKET, dead_since=930.0)
    assert judged(before=Link(SOCKET, asleep=True)) == Link(SOCKET, asleep=True)
    assert judged(before=Link(SOCKET, dead_since=930.0), expected=False) == Link()


def test_none_held_yet_by_a_new_document() -> None:
    assert judged(committed=NOW - CONNECT_S + 0.01) == Link(SOCKET)
    assert judged(committed=NOW - CONNECT_S) == Link(SOCKET, dead_since=NOW - CONNECT_S)
    assert judged(committed=NOW - 1.0, before=Link(SOCKET, dead_since=930.0)) == Link(SOCKET, dead_since=930.0)


def test_one_that_is_not_open() -> None:
    assert judged(f.Connection(SOCKET, None, 3.0)) == Link(SOCKET, dead_since=NOW - 3.0)
    assert judged(f.Connection(SOCKET, None, None)) == Link(SOCKET, dead_since=NOW)
    assert judged(f.Connection(SOCKET, None, 3.0), expected=False) == Link(SOCKET)
    assert judged(f.Connection(SOCKET, None, 3.0, closed_by_page=True)) == Link(SOCKET, asleep=True)


def test_one_that_is_open() -> None:
    dead = Link(SOCKET, dead_since=930.0)
    assert judged(f.Connection(SOCKET, 5.0, None), expected=False, before=dead) == Link(SOCKET, open_since=NOW - 5.0)
    assert judged(f.Connection(SOCKET, PROVEN_S, None), before=dead) == Link(SOCKET, open_since=NOW - PROVEN_S)
    assert judged(f.Connection(SOCKET, 9.99, None), before=dead) == Link(SOCKET, open_since=NOW - 9.99, dead_since=930.0)


def test_one_that_is_silent() -> None:
    strict = with_websocket(silence=60.0)
    silent = f.Connection(SOCKET, 200.0, None, messages=5, silent_for=61.0)
    assert judged(silent, policy=strict) == Link(SOCKET, dead_since=NOW - 1.0, silent=True)
    assert judged(replace(silent, silent_for=60.0), policy=strict) == Link(SOCKET, dead_since=NOW, silent=True)
    assert judged(replace(silent, silent_for=59.9), policy=strict) == Link(SOCKET, open_since=NOW - 200.0)
    assert judged(silent, policy=strict, committed=NOW - 1.0) == Link(SOCKET, silent=True), "a new document has its two seconds"
    assert judged(silent, policy=with_websocket(silence=Word.OFF)) == Link(SOCKET, open_since=NOW - 200.0)


def test_the_longest_gap_of_sixteen_connections_is_kept() -> None:
    page = PageView(present=True, document="D", url=HOME, committed_at=COMMITTED)
    known = tuple((f"ws://localhost:3001/{letter}", 7.0) for letter in "abcdefghijklmnop")
    view = View(page=page, expected=((HOME, SOCKET),), gaps=known)
    gaps = follow(view, report(f.Connection(SOCKET, 200.0, None, messages=50, longest_gap=0.25)), NOW, POLICY).gaps
    assert gaps == (*known[1:], (SOCKET, 0.25))
    assert AUTO_SILENCE_S == 90.0


@pytest.mark.parametrize(
    ("connections", "picked"),
    [
        ((f.Connection(OTHER, 3.0, None, messages=9), f.Connection(SOCKET, None, 1.0)), SOCKET),
        ((f.Connection(OTHER, 3.0, None, messages=1), f.Connection(OTHER + "2", 3.0, None, messages=2)), OTHER + "2"),
        ((f.Connection(OTHER, 3.0, None, messages=2), f.Connection(OTHER + "2", 3.0, None, messages=1)), OTHER),
        ((f.Connection(OTHER, None, 3.0, messages=9), f.Connection(OTHER + "2", 3.0, None, messages=1)), OTHER + "2"),
        ((f.Connection("ws://elsewhere.example/", 3.0, None, messages=9), f.Connection(OTHER, 3.0, None)), OTHER),
    ],
)
def test_which_one_is_looked_at(connections: tuple[f.Connection, ...], picked: str) -> None:
    assert judged(*connections).url == picked


def test_which_one_is_looked_at_where_none_is_known() -> None:
    shut, young = f.Connection(OTHER, None, 3.0, messages=9), f.Connection(OTHER + "2", 3.0, None)
    assert judged(shut, young, expected=False).url == young.url
    assert judged(young, shut, expected=False).url == young.url
    assert judged(shut, replace(shut, url=OTHER + "2", messages=10), expected=False).url == OTHER + "2"
    assert judged(f.Connection("ws://elsewhere.example/", 99.0, None), expected=False) == Link()


def test_the_configured_one_may_be_anywhere_and_is_the_only_one() -> None:
    live = "ws://elsewhere.example/live"
    configured = with_websocket(url=live + "?key=1")
    assert judged(f.Connection(SOCKET, 99.0, None, messages=9), policy=configured) == Link(live, dead_since=COMMITTED)
    assert judged(f.Connection(live, 99.0, None), policy=configured).open_since == NOW - 99.0


@pytest.mark.parametrize(
    ("page", "policy"),
    [
        (PageView(present=True, url="http://elsewhere.example/", committed_at=COMMITTED), POLICY),
        (PageView(present=True, url=HOME, committed_at=COMMITTED, error=True), POLICY),
        (PageView(present=True, url=HOME, committed_at=COMMITTED), with_websocket(url=Word.OFF)),
    ],
)
def test_where_nothing_is_to_be_seen_nothing_is_judged(page: PageView, policy: Policy) -> None:
    view = View(page=page, link=Link(SOCKET, dead_since=930.0), expected=((HOME, SOCKET),))
    assert follow(view, report(f.Connection(SOCKET, 99.0, None)), NOW, policy) == view

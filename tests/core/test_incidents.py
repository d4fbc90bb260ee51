"""What is kept of an incident: told by a world in which things go wrong, and bounded."""

import pytest

from kioskd.core import actions as a
from kioskd.core import facts as f
from kioskd.core.incidents import FULL, START_S, Chronicle, Entry, Kind
from kioskd.core.policy import Policy
from kioskd.core.steps import Remedy
from kioskd.core.verdict import Verdict
from tests.core.fake_page import HOME
from tests.core.world import World, settled


def chronicled(world: World, start_s: float = START_S) -> list[Entry]:
    """Keep the entries of a world from now on, as the shell does."""
    chronicle, handle, kept = Chronicle(world.kernel, start_s), world.kernel.handle, []

    def written(fact: f.Fact, now: float) -> tuple[list[a.Action], float]:
        answer = handle(fact, now)
        kept.extend(chronicle.turn(now, fact))
        return answer

    world.kernel.handle = written  # type: ignore[method-assign]
    return kept


def test_a_page_that_gave_up_its_connection_is_one_incident_with_its_cure() -> None:
    world = settled(Policy(url=HOME))
    kept, began = chronicled(world), world.now
    world.do("page.give_up_socket")
    world.run(world.now + 60)
    assert [(each.kind, each.verdict, each.remedy) for each in kept] == [
        (Kind.BEGAN, Verdict.STUCK, None),
        (Kind.DONE, Verdict.STUCK, Remedy.RELOAD),
        (Kind.SEEN, Verdict.HEALTHY, None),
        (Kind.CURED, Verdict.HEALTHY, Remedy.RELOAD),
    ]
    cured = kept[-1]
    assert cured.seconds is not None and 20 <= cured.seconds <= 25
    assert kept[0].at - began < 1 and kept[0].text == "the server is up and the page's connection is dead"


def test_what_is_mended_in_the_turn_in_which_it_is_seen_is_told_for_what_it_was() -> None:
    world = settled(Policy(url=HOME))
    kept = chronicled(world)
    world.do("page.crash")
    world.run(world.now + 60)
    assert [(each.kind, each.verdict, each.remedy) for each in kept] == [
        (Kind.BEGAN, Verdict.CRASHED, None),
        (Kind.DONE, Verdict.CRASHED, Remedy.RELOAD),
        (Kind.SEEN, Verdict.HEALTHY, None),
        (Kind.CURED, Verdict.HEALTHY, Remedy.RELOAD),
    ]
    assert "crash" in kept[0].text.lower() or "renderer" in kept[0].text.lower()


def test_evidence_is_kept_before_the_first_step_and_after_the_cure_and_of_nothing_else() -> None:
    world = settled(Policy(url=HOME))
    before, asked = len(world.did), len(world.asked)
    world.do("page.give_up_socket")
    world.run(world.now + 60)
    ((_, reload),) = world.did[before:]
    assert isinstance(reload, a.Steps)
    assert reload.actions == (a.KeepEvidence(1), a.Reload(1))
    after = [action for _, action in world.asked[asked:] if isinstance(action, a.KeepEvidence)]
    assert after == [a.KeepEvidence(1, after=True)]


def test_who_does_not_answer_is_not_asked_for_evidence() -> None:
    """A page that hangs, or a browser that does, shows nothing; waiting for that would be a second more."""
    for trouble, remedy in (("page.hang", a.EndScript), ("browser.freeze", a.StopBrowser)):
        world = settled(Policy(url=HOME))
        before = len(world.did)
        world.do(trouble)
        world.run(world.now + 40)
        first = world.did[before][1]
        assert isinstance(first, a.Steps)
        assert first.actions[0] == a.KeepEvidence(1, asks=False) and isinstance(first.actions[1], remedy)


def started(*troubles: str, start_s: float = START_S) -> tuple[World, list[Entry]]:
    """A kioskd that has just started, with these troubles from the first moment."""
    world = World(Policy(url=HOME))
    for trouble in troubles:
        world.do(trouble)
    world.boot(Policy(url=HOME))
    return world, chronicled(world, start_s)


def test_a_start_of_kioskd_is_no_incident() -> None:
    world, kept = started()
    world.run(world.now + 60)
    assert kept == []
    world.do("page.give_up_socket")
    world.run(world.now + 15)
    assert [each.kind for each in kept] == [Kind.BEGAN], "the first one is"


def test_another_page_that_is_wanted_is_no_incident_unless_it_cannot_be_had() -> None:
    world = settled(Policy(url=HOME))
    kept = chronicled(world)
    world.tell(f.ConfigRead(Policy(url=HOME + "other")))
    world.run(world.now + 30)
    assert kept == [] and world.kernel.view.page.url == HOME + "other"
    for url in (HOME + "third", HOME + "fourth"):  # somebody tries
        world.tell(f.ConfigRead(Policy(url=url)))
        world.run(world.now + 2)
    world.run(world.now + 30)
    assert kept == [] and world.kernel.view.page.url == HOME + "fourth"
    world.do("server.stop")
    world.tell(f.ConfigRead(Policy(url=HOME)))
    world.run(world.now + 30)
    assert kept[0].kind is Kind.BEGAN


@pytest.mark.parametrize(("trouble", "end"), [("browser.vanish", "browser.install"), ("server.stop", "server.start")])
def test_a_start_that_is_more_than_one_is_told_from_its_beginning(trouble: str, end: str) -> None:
    world, kept = started(trouble)
    world.run(world.now + 2)
    assert (kept[0].kind, kept[0].text) == (Kind.BEGAN, "not started yet") and 1000.0 <= kept[0].at < world.now - 1
    world.do(end)
    world.run(world.now + 60)
    assert kept[-1].kind is Kind.CURED and kept[-1].remedy is not None


def test_a_start_that_takes_too_long_is_told_while_it_lasts() -> None:
    world, kept = started(start_s=0.4)
    world.run(world.now + 1)
    assert [each.kind for each in kept] == [Kind.BEGAN, Kind.SEEN, Kind.DONE, Kind.SEEN, Kind.DONE, Kind.SEEN]
    world.run(world.now + 60)
    assert kept[-1].kind is Kind.CURED and kept[-1].seconds is not None and kept[-1].seconds < 1


def test_lines_of_the_log_belong_to_an_incident_while_it_lasts() -> None:
    world = settled(Policy(url=HOME))
    chronicle, handle, telling = Chronicle(world.kernel), world.kernel.handle, []

    def written(fact: f.Fact, now: float) -> tuple[list[a.Action], float]:
        answer = handle(fact, now)
        ends = [entry.kind for entry in chronicle.turn(now, fact)][-1:] == [Kind.CURED]
        telling.append((chronicle.telling, ends))
        return answer

    world.kernel.handle = written  # type: ignore[method-assign]
    world.do("page.crash")
    world.run(world.now + 60)
    lasted = telling.index((False, True))
    assert lasted > 0 and {each for each, _ in telling[:lasted]} == {True} and {each for each, _ in telling[lasted:]} == {False}


def test_a_quiet_day_adds_nothing() -> None:
    world = settled(Policy(url=HOME))
    kept = chronicled(world)
    world.run(world.now + 86400)
    assert kept == []


def test_what_goes_by_itself_has_no_remedy() -> None:
    world = settled(Policy(url=HOME))
    kept = chronicled(world)
    world.do("server.stop")
    world.run(world.now + 3)
    world.do("server.start")
    world.run(world.now + 60)
    assert kept[0].kind is Kind.BEGAN and kept[-1].kind is Kind.CURED and kept[-1].remedy is None
    assert not [each for each in kept if each.kind is Kind.DONE]


def test_a_step_that_cannot_be_carried_out_is_said_to_have_failed() -> None:
    world = settled(Policy(url=HOME))
    kept = chronicled(world)
    world.do("browser.vanish")
    world.do("browser.kill")
    world.run(world.now + 1)
    failed = [each for each in kept if each.kind is Kind.FAILED]
    assert [(each.remedy, each.text) for each in failed] == [(Remedy.START, "Cannot find a browser")]
    assert len([each for each in kept if each.kind is Kind.DONE]) == 1


def test_an_incident_of_weeks_is_bounded_and_says_what_it_left_out() -> None:
    world = settled(Policy(url=HOME))
    kept = chronicled(world)
    world.do("browser.vanish")
    world.do("browser.kill")
    world.run(world.now + 4 * 3600)
    assert FULL < len(kept) <= FULL + 4 + 1
    assert sum(each.left_out for each in kept) > 5_000
    world.do("browser.install")
    world.run(world.now + 60)
    assert kept[-1].kind is Kind.CURED

"""The story: whole chapters from which everything is decided again, within bounds, whatever the days were like."""

import random
import tracemalloc
from dataclasses import replace

import pytest

from kioskd.core import actions as a
from kioskd.core import facts as f
from kioskd.core import story as story_module
from kioskd.core.kernel import Kernel, State
from kioskd.core.story import Chapter, Story, Worth, weight
from kioskd.core.view import View
from tests.core.fake_page import HOME
from tests.core.test_properties import BROWSER, PAGE, POLICY, REST, SERVER
from tests.core.world import World, settled

#: Of a kioskd that is started anew the story begins anew, too.
VERBS = [verb for verb in PAGE + BROWSER + SERVER + REST if verb != "host.restart_kioskd"]

SMALL, CHAPTER = 64 << 10, 8 << 10


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story_module, "LIMIT", SMALL)
    monkeypatch.setattr(story_module, "CHAPTER", CHAPTER)


def recorded(world: World) -> Story:
    """Keep the story of a world from now on, as the shell does."""
    story, handle = Story(world.kernel), world.kernel.handle

    def written(fact: f.Fact, now: float) -> tuple[list[a.Action], float]:
        actions, wake_at = handle(fact, now)
        story.add(now, fact, actions)
        return actions, wake_at

    world.kernel.handle = written  # type: ignore[method-assign]
    return story


def again(chapter: Chapter) -> Kernel:
    """Go through a chapter again, and see the same actions; return the kernel that has."""
    kernel = Kernel(chapter.state)
    for now, fact, actions in chapter.turns:
        assert tuple(kernel.handle(fact, now)[0]) == actions
    return kernel


@pytest.mark.parametrize("seed", range(4))
def test_from_any_chapter_on_everything_is_decided_again(small: None, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(story_module, "LIMIT", 64 << 20)  # all chapters
    world, dice = settled(POLICY), random.Random(seed)
    story = recorded(world)
    for _ in range(60):
        world.do(dice.choice(VERBS))
        world.run(world.now + dice.uniform(0, 40))
    chapters = story.chapters()
    assert len(chapters) > 20 and sum(len(chapter.turns) for chapter in chapters) > 1000
    for chapter, following in zip(chapters, [*chapters[1:], None], strict=True):
        kernel = again(chapter)
        assert following is None or kernel.state == following.state
    last = again(chapters[-1])
    assert last.state == world.kernel.state and (last.plan == world.kernel.plan or not chapters[-1].turns)


def test_what_is_written_later_is_not_in_what_was_taken() -> None:
    world = settled(POLICY)
    story = recorded(world)
    world.run(world.now + 10.0)
    taken = story.chapters()
    before = len(taken[-1].turns)
    world.run(world.now + 10.0)
    assert len(taken[-1].turns) == before < len(story.chapters()[-1].turns)


def test_trouble_at_night_is_still_there_in_the_morning(small: None) -> None:
    world = settled(POLICY)
    story = recorded(world)
    world.run(world.now + 600.0)
    world.do("browser.kill")
    world.run(world.now + 300.0)
    world.run(world.now + 5 * 3600.0)
    chapters = story.chapters()
    assert story.size <= SMALL
    (night,) = [chapter for chapter in chapters if any(isinstance(fact, f.BrowserGone) for _, fact, _ in chapter.turns)]
    assert night.worth is Worth.STEPS and chapters[-1].number - night.number > 30
    again(night)
    assert [chapter.number for chapter in chapters] == sorted(chapter.number for chapter in chapters)


def test_of_a_long_incident_the_beginning_and_the_end_stay(small: None) -> None:
    world = settled(POLICY)
    story = recorded(world)
    world.do("page.always_leave http://login.example/")
    began = world.now
    world.run(world.now + 2 * 3600.0)
    incident = world.kernel.ladder.incident
    assert incident is not None and incident.since - began < 60.0
    chapters = story.chapters()
    assert story.size <= SMALL and all(chapter.worth is Worth.STEPS for chapter in chapters[:-1])
    assert chapters[0].turns[0][0] <= incident.since <= chapters[0].turns[-1][0] + 5.0
    assert chapters[1].number > chapters[0].number + 10, "in between much was given up"
    assert chapters[1].turns[0][0] > world.now - 1800.0, "and the rest is the end"


def test_a_verdict_that_came_and_went_is_worth_more_than_rounds(small: None) -> None:
    world = settled(POLICY)
    story = recorded(world)
    generation = world.browser.generation
    world.tell(f.NavigationStarted(generation, HOME))
    world.tell(f.NavigationEnded(generation))
    world.run(world.now + 3 * 3600.0)
    first = story.chapters()[0]
    assert (first.number, first.worth) == (1, Worth.VERDICTS)


def test_facts_of_any_size_are_bounded(small: None) -> None:
    kernel = Kernel()
    story = Story(kernel)
    largest = weight(f.BrowserGone(1, "x" * (SMALL // 2)))
    for nth in range(50):
        fact = f.BrowserGone(1, chr(ord("a") + nth % 20) * (SMALL // 2))
        story.add(float(nth), fact, kernel.handle(fact, float(nth))[0])
        assert story.size <= SMALL + largest + CHAPTER
    before = story.chapters()[-1].number
    story.add(51.0, f.BrowserGone(1, "x" * (2 * SMALL)), [])
    assert [chapter.number for chapter in story.chapters()] == [before + 1], "what alone is too much is not kept either"


def test_what_is_counted_is_what_is_held() -> None:
    """The estimate must not be below the truth, or the bound is none; nor far above."""
    world = World(POLICY)
    world.boot(POLICY)
    world.run(world.now + 60.0)
    story = Story(Kernel(world.kernel.state))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for nth in range(3000):
            now = world.now + nth
            url = f"{HOME}{nth}"
            connections = (f.Connection(f"ws://localhost:3001/{nth}", now, None, silent_for=now / 3, longest_gap=now / 7),)
            story.add(now, f.PageAnswered(1, nth + 1000, url, True, 200, True, connections=connections), [a.AskPage(1, nth + 1000)])
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 0.9 * held <= story.size <= 1.6 * held, (held, story.size)


def test_a_kernel_that_goes_on_from_a_state_knows_when_it_wanted_to_be_woken() -> None:
    world = settled(POLICY)
    other, late = Kernel(world.kernel.state), world.wake_at + 20.0
    for kernel in (world.kernel, other):
        kernel.handle(f.Woke(world.wake_at), late)
    assert world.kernel.view.late_at == (late,) and other.state == world.kernel.state


def test_a_kernel_that_goes_on_from_a_state_is_the_same() -> None:
    assert Kernel().state == State() and Kernel(State(view=replace(View(), questions=7))).view.questions == 7

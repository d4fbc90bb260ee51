"""A story as JSON: exact there and back, whatever the core can say; without secrets; and of what strangers send nothing but its form."""

import enum
import json
import re
import types
from dataclasses import fields, is_dataclass, replace
from math import inf, isfinite
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kioskd.core import actions as a
from kioskd.core import facts as f
from kioskd.core.kernel import Kernel, State
from kioskd.core.policy import Word
from kioskd.core.story import Chapter, Story
from kioskd.errors import KioskdError
from kioskd.wire import story
from kioskd.wire.status import Clocks
from tests.core.test_properties import POLICY
from tests.core.world import World

CLOCKS = Clocks(5000.25, 1_763_000_000.5)
VERSION = "0.1.0"


def anything(hint: Any) -> st.SearchStrategy[Any]:
    """Give all that a type of the core's can be. (A colon may begin a URL, of which not all is told.)"""
    if hint is a.Steps:
        simple = [kind for kind in get_args(a.Action) if kind is not a.Steps]
        return st.builds(a.Steps, st.lists(st.one_of([anything(kind) for kind in simple]), max_size=3).map(tuple))
    if hasattr(hint, "__supertype__"):
        return anything(hint.__supertype__)
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: st.text(st.characters(blacklist_characters=":", blacklist_categories=()), max_size=8),
        int: st.integers(-(10**15), 10**15),
        float: st.floats(-1e15, 1e15) | st.just(inf) | st.integers(0, 99),
        bool: st.booleans(),
        types.NoneType: st.none(),
    }
    if hint in plain:
        return plain[hint]
    args = get_args(hint)
    if get_origin(hint) is tuple:
        return st.lists(anything(args[0]), max_size=2).map(tuple) if args[1:] == (...,) else st.tuples(*map(anything, args))
    if get_origin(hint) is frozenset:
        return st.frozensets(anything(args[0]), max_size=2)
    if args:
        return st.one_of([anything(part) for part in args])
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        return st.deferred(lambda: st.builds(hint, **{each.name: anything(hints[each.name]) for each in fields(hint)}))
    return st.sampled_from(hint)


turns = st.lists(st.tuples(st.floats(0, 1e6), anything(f.Fact), st.lists(anything(a.Action), max_size=2).map(tuple)), max_size=5)


def written(*chapters: Chapter) -> str:
    return "".join(story.lines(chapters, VERSION, CLOCKS))


def read(text: str, ours: str = VERSION) -> story.Told:
    return story.read(text.encode(), "the.story", ours)


@settings(max_examples=60)
@given(anything(State), turns)
def test_what_is_written_is_read_again_to_the_letter(state: State, happened: list[Any]) -> None:
    chapters = Chapter(3, state, sorted(happened, key=lambda turn: turn[0]), 0), Chapter(7, State(), [], 0)
    told = read(written(*chapters))
    assert (told.version, told.clocks) == (VERSION, CLOCKS)
    assert [(each.number, each.state, each.turns) for each in told.chapters] == [(each.number, each.state, each.turns) for each in chapters]
    assert repr(told.chapters[0].turns) == repr(chapters[0].turns) or any(isinstance(part, frozenset) for part in walk(happened))


def walk(value: Any) -> list[Any]:
    """Return a value and all that it is made of."""
    if is_dataclass(value):
        return [value, *(part for each in fields(value) for part in walk(getattr(value, each.name)))]
    if isinstance(value, list | tuple):
        return [value, *(part for each in value for part in walk(each))]
    return [value]


@pytest.mark.parametrize("kind", [*get_args(f.Fact), *get_args(a.Action)])
def test_every_fact_and_action_there_is_can_be_told(kind: type) -> None:
    one = anything(kind)

    @settings(max_examples=3, database=None)
    @given(one)
    def try_it(value: Any) -> None:
        assert story.read_value(f.Fact if kind in get_args(f.Fact) else a.Action, json.loads(json.dumps(story._plain(value, {})))) == value

    try_it()


# --- secrets --------------------------------------------------------------------------------------

SECRETS = {
    "http://user:pa55@h/x": "http://hidden-1@h/x",
    "http://h/x?token=5ecret#id=5ecret": "http://h/x?hidden-1#hidden-2",
    "http://h/x#5ecret?": "http://h/x#hidden-1",
    "http://h/x?": "http://h/x?",
    "wss://5ecret@h:81?a": "wss://hidden-1@h:81?hidden-2",
    "http://h/a@b": "http://h/a@b",
    "data:text/html;charset=utf-8;kioskd=holding;base64,5ecret": "data:text/html;charset=utf-8;kioskd=holding;base64,hidden-1",
    "data:,": "data:,",
    "HTTP://U:5ecret@H/?x": "HTTP://hidden-1@H/?hidden-2",
    'cannot load "http://h/?k=5ecret", nor data:text/html,5ecret.': 'cannot load "http://h/?hidden-1", nor data:text/html,hidden-2.',
    "http://h/?5ecret: refused": "http://h/?hidden-1",
    "http://[": "http://[",
    "about:blank": "about:blank",
    "at 12:30": "at 12:30",
}


@pytest.mark.parametrize("url", SECRETS)
def test_what_may_be_secret_in_a_url_is_a_number(url: str) -> None:
    hidden: dict[str, int] = {}
    public = story._public(url, hidden)
    assert public == SECRETS[url]
    assert story._public(url, hidden) == public, "the same for the same"
    assert story._public(public, hidden) == public, "which stands for itself, when a story that was read is written again"


def test_a_story_without_its_secrets_is_decided_the_same() -> None:
    home = "http://user:pa55word@localhost:3001/?token=5ecret"
    world = World(replace(POLICY, url=home))
    world.boot(world.policy, ((home.partition("?")[0], "ws://localhost:3001/live"),))
    world.kernel = Kernel()
    world.boot(world.policy)
    kept, handle = Story(world.kernel), world.kernel.handle

    def recorded(fact: f.Fact, now: float) -> tuple[list[a.Action], float]:
        actions, wake_at = handle(fact, now)
        kept.add(now, fact, actions)
        return actions, wake_at

    world.kernel.handle = recorded  # type: ignore[method-assign]
    for verb in ("page.show_blank", "server.stop", "page.crash", "server.start", "page.go_away http://x.example/?s=5ecret", "browser.kill"):
        world.run(world.now + 60.0)
        world.do(verb)
    world.run(world.now + 60.0)
    text = written(*kept.chapters())
    assert "pa55word" not in text and "5ecret" not in text and "hidden-" in text
    for chapter in read(text).chapters:
        kernel = Kernel(chapter.state)
        for now, fact, actions in chapter.turns:
            assert tuple(kernel.handle(fact, now)[0]) == actions


# --- what is no story -----------------------------------------------------------------------------

HEAD = json.dumps({"story": 1, "kioskd": VERSION, "monotonic": 1.0, "wall": 2.0})
CHAPTER = json.dumps({"chapter": 1, "state": {"State": {}}})
END = '{"end": 1}'


def turn(fact: str = '{"Woke": {"due": 1}}', actions: str = "[]", now: str = "1.5") -> str:
    return f"[{now}, {fact}, {actions}]"


WRONG = {
    "": "the.story:1: this is no story of kioskd: get one with curl --unix-socket",
    "{": "the.story:1: this is no story",
    "url: http://x/\n": "the.story:1: this is no story",
    "[" * 100_000: "the.story:1: this is no story",
    '{"story": 1, "kioskd": 1, "monotonic": 1, "wall": 1}': "the.story:1: this is no story",
    '{"story": true, "kioskd": "0", "monotonic": 1, "wall": 1e300}': "the.story:1: this is no story",
    '{"story": 1, "kioskd": "0", "monotonic": 1e300, "wall": 1}': "the.story:1: this is no story",
    '{"story": 1, "kioskd": "0", "monotonic": NaN, "wall": 1}': "the.story:1: this is no story",
    '{"story": 2, "kioskd": "3.0.0"}': "the.story:1: this is form 2 of a story, by kioskd 3.0.0: replay it there; form 1 is read here",
    HEAD: "the.story:1: the end is missing: the file was cut off; fetch it again",
    f"{HEAD}\n{CHAPTER}\n{turn()}\n": "the.story:4: is no whole line of JSON",
    f"{HEAD}\n{CHAPTER}\n{turn()}": "the.story:3: the end is missing",
    f"{HEAD}\n{CHAPTER}\n{turn()[:-4]}": "the.story:3: is no whole line of JSON: the file is damaged, or was cut off; fetch it again",
    f"{HEAD}\n{CHAPTER}\n{END}": "the.story:3: the story had 1 turns, here are 0: fetch it again",
    f"{HEAD}\n{CHAPTER}\n{turn()}\n{END}\n{turn()}": "the.story:4: is neither a chapter, nor a turn in one, nor the end",
    f"{HEAD}\n{turn()}": "the.story:2: is neither",
    f"{HEAD}\n{CHAPTER}\n{turn()}\n{turn(now='1.4')}": "the.story:4: the moment 1.4 is before that of the line above, 1.5",
    f"{HEAD}\n{CHAPTER}\n{turn(now='1e400')}": "the.story:3: the moment: inf is out of all bounds",
    f"{HEAD}\n{CHAPTER}\n{turn(now='true')}": "the.story:3: the moment: true stands where a number belongs",
    f"{HEAD}\n{CHAPTER}\n{turn(now='1' * 5000)}": "the.story:3: is no whole line",
    f"{HEAD}\n{CHAPTER}\n{turn(now='1' * 500)}": "the.story:3: the moment: 1111",
}


def steps(depth: int, inmost: str = "") -> str:
    return '{"Done": {"action": ' + '{"Steps": {"actions": [' * depth + inmost + "]}}" * depth + "}}"


FACTS, ACTIONS = (f"one of {len(get_args(kinds))} known names" for kinds in (f.Fact, a.Action))

#: Facts that are none, and what is said of them.
NO_FACTS = {
    "1": f"1 stands where {FACTS} belongs",
    '{"Flew": {}}': f'"Flew" is not known here; {FACTS} belongs here',
    '{"Woke": {}, "Done": {}}': f"stands where {FACTS} belongs",
    '{"Woke": []}': "Woke: [] stands where its fields belong",
    '{"Woke": {}}': "Woke.due: is missing",
    '{"Woke": {"due": "1"}}': 'Woke.due: "1" stands where a number belongs',
    '{"Woke": {"due": null}}': "Woke.due: null stands where a number belongs",
    '{"Woke": {"due": 1e300}}': "Woke.due: 1e+300 is out of all bounds",
    '{"Woke": {"due": 1, "\\u001b[2J": 1}}': 'Woke: has no field "\\x1b[2J"',
    '{"BrowserGone": {"generation": 1.5, "reason": ""}}': "BrowserGone.generation: 1.5 stands where a whole number belongs",
    '{"BrowserGone": {"generation": 1, "reason": "", "pid": "x"}}': 'pid: "x" stands where a whole number or null belongs',
    '{"Asked": {"command": {"Command": "FLY"}}}': 'Command: "FLY" is none of RELOAD, RESTART, PAUSE, RESUME',
    '{"Asked": {"command": {"Command": []}}}': "Command: [] is none of RELOAD, RESTART, PAUSE, RESUME",
    '{"Asked": {"command": "RELOAD"}}': 'Asked.command: "RELOAD" stands where Command belongs',
    '{"ConfigRejected": {"errors": "x"}}': 'ConfigRejected.errors: "x" stands where a list belongs',
    '{"ConfigRejected": {"errors": ["a", 1]}}': "ConfigRejected.errors: number 2: 1 stands where a text belongs",
    '{"Remembered": {"expected": [["a"]], "reboots": 0}}': "Remembered.expected: number 1: 1 things stand where 2 belong",
    '{"Done": {"action": {"ProbeServer": {"probe": {"Probe": "HOME"}, "url": "", "timeout": 1, "homes": [1]}}}}':
        "Done.action: ProbeServer.homes: of the set: 1 stands where a text belongs",
    steps(300): "has too many things inside one another: kioskd did not write it",
    steps(60, '{"Flew": {}}'): f'Steps.actions: number 1: "Flew" is not known here; {ACTIONS} belongs here',
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_what_is_no_story_is_told_with_its_place(text: str) -> None:
    with pytest.raises(KioskdError, match=f"^{re.escape(WRONG[text])}"):
        read(text)


@pytest.mark.parametrize("fact", NO_FACTS, ids=range(len(NO_FACTS)))
def test_what_is_no_fact_is_told_with_its_place(fact: str) -> None:
    with pytest.raises(KioskdError, match=f"^the.story:3: .*{re.escape(NO_FACTS[fact])}$") as told:
        read(f"{HEAD}\n{CHAPTER}\n{turn(fact)}\n{END}\n")
    assert len(str(told.value)) < 300 and str(told.value).isprintable()


def test_what_is_too_large_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "LARGEST", 2 << 20)
    with pytest.raises(KioskdError, match="the.story: is larger than 2 MB"):
        read(" " * ((2 << 20) + 1))
    monkeypatch.setattr(story, "LONGEST_LINE", 1 << 20)
    with pytest.raises(KioskdError, match="the.story:2: is longer than 1 MB"):
        read(HEAD + "\n" + " " * ((1 << 20) + 1))


def test_a_story_of_another_version_says_whose_it_is() -> None:
    text = f"{HEAD}\n{CHAPTER}\n" + turn('{"Flew": {}}')
    with pytest.raises(KioskdError, match=r"\(the story is of kioskd 0.1.0, this is 0.2.0: replay it there\)$"):
        read(text, "0.2.0")


def test_what_was_added_since_is_as_by_default() -> None:
    told = read(f"{HEAD}\n{CHAPTER}\n" + turn('{"DisplayStarted": {"run": 3}}') + f"\n{END}\n")
    assert told.chapters[0].turns == [(1.5, f.DisplayStarted(3), ())] and told.chapters[0].state == State()


def test_only_what_a_float_can_be_and_a_word_is_no_text() -> None:
    assert story.read_value(float, "inf") == inf and isfinite(story.read_value(float, 1))
    assert story.read_value(str | Word, {"Word": "AUTO"}) is Word.AUTO and story.read_value(str | Word, "auto") == "auto"
    for wrong in ("nan", "-inf", True, None, []):
        with pytest.raises(ValueError):
            story.read_value(float, wrong)


def test_classes_are_known_by_their_names() -> None:
    """Two of one name would be one."""
    known: dict[str, type] = {}

    def look(hint: Any) -> None:
        hint = getattr(hint, "__supertype__", hint)
        for part in get_args(hint):
            look(part)
        if isinstance(hint, type) and (is_dataclass(hint) or issubclass(hint, enum.Enum)) and known.get(hint.__name__) is not hint:
            assert hint.__name__ not in known
            known[hint.__name__] = hint
            for each in get_type_hints(hint).values() if is_dataclass(hint) else ():
                look(each)

    look(tuple[f.Fact | a.Action | State, ...])
    assert {"State", "PageAnswered", "Steps", "Rung", "Word"} <= known.keys()

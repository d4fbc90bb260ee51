"""``kioskd replay``: what a person reads of a story, and what is said of a file that is none."""

import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import kioskd
from kioskd import cli
from kioskd.core import actions as a
from kioskd.core import facts as f
from kioskd.core import ladder
from kioskd.core.kernel import State
from kioskd.core.story import Chapter, Worth
from kioskd.core.view import View
from kioskd.replay import LONGEST, Replay, printable, text
from kioskd.wire import story
from kioskd.wire.status import Clocks
from tests.core.fake_page import HOME, SOCKET
from tests.core.test_properties import POLICY
from tests.core.test_story import recorded
from tests.core.world import World

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def told() -> str:
    """An evening: the start, a page that gives up, quiet, a killed browser."""
    world = World(POLICY)
    kept = recorded(world)
    world.wake_at = world.now
    world.tell(f.Remembered(((HOME, SOCKET),), 0))
    world.tell(f.ConfigRead(POLICY))
    world.run(world.now + 45.0)
    world.do("page.give_up_socket")
    world.run(world.now + 100.0)
    world.do("browser.kill")
    world.run(world.now + 30.0)
    return "".join(story.lines(kept.chapters(), kioskd.__version__, Clocks(world.now, 1_763_000_000.0)))


def replay(told: str, everything: bool = False) -> tuple[list[str], bool]:
    it = Replay(story.read(told.encode(), "it", kioskd.__version__), everything)
    return list(it.lines()), it.same


def command(*arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "kioskd", "replay", *arguments], capture_output=True, text=True, cwd=REPOSITORY, timeout=60, input=given
    )


def test_what_was_decided_is_told_and_the_rounds_are_not(told: str) -> None:
    lines, same = replay(told)
    whole = "\n".join(lines)
    assert same and re.fullmatch(r"The same \d+ decisions again\.", lines[-1])
    killed = re.search(r"^\S+ \S+ +\+145\.000 < BrowserGone (.*)\n(.*)\n(.*)", whole, re.MULTILINE)
    assert killed is not None and 'reason="Chromium was killed by SIGKILL"' in killed[1]
    assert "= NO_BROWSER (RESTARTED): starting again" in killed[2] and killed[3].endswith("> StartBrowser generation=2")
    assert "2025-11-13 02:12:50.000" in whole, "the moment by the wall clock, thirty seconds before the story was told"
    reload = "> Steps actions=[KeepEvidence generation=1, Reload generation=1]"
    for part in ("= STUCK (SUSPECT): the server is up and the page's connection is dead", reload, "(CALM)"):
        assert part in whole
    assert "AskPage" not in whole and "BrowserAnswered" not in whole
    assert len(lines) < 80 < len(replay(told, everything=True)[0])
    assert "> AskPage" in "\n".join(replay(told, everything=True)[0])


def test_another_decision_is_told_with_its_moment(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "SHORT_S", 1000.0)  # a killed browser is started again much later
    lines, same = replay(told)
    assert not same and lines[-1].startswith("Not the same decisions")
    (then,) = [nth for nth, line in enumerate(lines) if line.endswith("> then: StartBrowser generation=2")]
    assert "< BrowserGone" in lines[then - 2] and "= NO_BROWSER (SUSPECT)" in lines[then - 1]
    assert "+145.000" in lines[then] and lines[then + 1].endswith("> now: nothing else")


def test_a_gap_is_told_and_the_next_chapter_stands_for_itself(told: str) -> None:
    kept = story.read(told.encode(), "it", kioskd.__version__)
    last = kept.chapters[-1]
    alone = replace(last, number=last.number + 4)
    it = Replay(replace(kept, chapters=(last, alone, replace(last, number=last.number + 5))))
    lines = list(it.lines())
    assert it.same
    assert [line for line in lines if "not kept" in line] == ["# 3 chapters in between were not kept"]


def test_what_only_looks_like_a_story_is_no_crash() -> None:
    turns = [(2.0, f.ConfigRead(POLICY), ()), (2.0, f.Woke(1.0), ())]
    broken = State(view=replace(View(), late_at=("x",)))  # type: ignore[arg-type]
    it = Replay(story.Told("9", Clocks(1.0, 1.0), (Chapter(1, broken, turns, 0, 0, Worth.ROUNDS),)))
    lines = list(it.lines())
    assert not it.same and "! kioskd's core cannot take this in: TypeError" in lines[-2]


def test_an_empty_story() -> None:
    lines = list(Replay(story.Told("9", Clocks(1.0, 1.0), (Chapter(1, State(), [], 0),))).lines())
    assert lines == ["An empty story: kioskd had only just been started."]


def test_texts_move_no_terminal() -> None:
    assert printable("a\x1b[2J\n\ud800\u202e") == "a\\x1b[2J\\n\\ud800\\u202e"
    assert len(printable("x" * 1000)) == LONGEST
    assert text(a.ProbeServer(a.Probe.HOME, "u", 4.0, frozenset({"b", "a"}))) == 'ProbeServer probe=HOME url="u" timeout=4 homes=["a", "b"]'
    assert text(f.BrowserGone(1, "\x07")) == 'BrowserGone generation=1 reason="\\x07"'


# --- the command ----------------------------------------------------------------------------------


def test_the_same_again_is_0_from_a_file_and_from_standard_input(told: str, tmp_path: Path) -> None:
    file = tmp_path / "kioskd.story"
    file.write_text(told)
    from_file, piped = command(str(file)), command("-", given=told)
    assert (from_file.returncode, from_file.stderr) == (0, "") and from_file.stdout == piped.stdout
    assert from_file.stdout.splitlines()[-1].startswith("The same ") and "\033" not in from_file.stdout
    assert len(command("--all", str(file)).stdout) > len(from_file.stdout)


def test_another_decision_is_1(told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "kioskd.story"
    file.write_text(told)
    assert cli.main(["replay", str(file)]) == 0
    monkeypatch.setattr(ladder, "SHORT_S", 1000.0)
    assert cli.main(["replay", str(file)]) == 1
    assert "> now: nothing else" in capsys.readouterr().out


BAD = {
    "cut off": (lambda told: told[: len(told) // 2], "is no whole line of JSON: the file is damaged, or was cut off; fetch it again"),
    "cut between lines": (lambda told: told[: told.rindex("\n", 0, -1) + 1], "is no whole line of JSON"),
    "nothing": (lambda told: "", ":1: this is no story of kioskd: get one with curl"),
    "no JSON": (lambda told: "url: http://localhost/\n", ":1: this is no story of kioskd"),
    "another form": (lambda told: told.replace('"story":1', '"story":2', 1), ":1: this is form 2 of a story"),
    "a wrong type": (lambda told: told.replace('"generation":1', '"generation":"1"', 1), 'stands where a whole number belongs'),
    "huge": (lambda told: " " * (story.LARGEST + 1), "is larger than 64 MB"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_story_is_1_and_a_sentence(told: str, tmp_path: Path, what: str) -> None:
    spoil, said = BAD[what]
    file = tmp_path / "kioskd.story"
    file.write_text(spoil(told))
    answer = command(str(file))
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith(f"{file}:") and said in answer.stderr and answer.stderr.count("\n") == 1


def test_of_another_version_it_is_said_where_it_cannot_be_read(told: str) -> None:
    head, rest = told.split("\n", 1)
    other = json.dumps({**json.loads(head), "kioskd": "7.0"}) + "\n" + rest
    assert command("-", given=other).stdout.startswith("# told by kioskd 7.0 at ")
    answer = command("-", given=other.replace('{"Woke":', '{"Rose":'))
    assert answer.returncode == 1 and answer.stderr.startswith("standard input:") and "of kioskd 7.0, this is" in answer.stderr


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        answer = command(str(path))
        assert answer.returncode == 1 and answer.stderr.startswith(f"{path}: cannot be read: {why}")


def test_the_help_says_where_to_get_one() -> None:
    answer = command("--help")
    assert "curl --unix-socket" in answer.stdout and story.FETCH in answer.stdout
    assert command().returncode == 2


def test_colours_are_for_terminals(told: str, tmp_path: Path) -> None:
    file = tmp_path / "kioskd.story"
    file.write_text(told)
    for variables, wanted in (({}, True), ({"NO_COLOR": "1"}, False)):
        ours, theirs = pty.openpty()
        environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | variables
        with subprocess.Popen(
            [sys.executable, "-m", "kioskd", "replay", str(file)], stdout=theirs, cwd=REPOSITORY, env=environment
        ) as process:
            os.close(theirs)
            seen = b""
            try:
                while piece := os.read(ours, 65536):
                    seen += piece
            except OSError:  # how a terminal ends on Linux
                pass
            os.close(ours)
            assert process.wait(30) == 0
        assert (b"\033[32m" in seen) is wanted


def test_who_reads_only_the_beginning_gets_no_traceback(told: str, tmp_path: Path) -> None:
    file = tmp_path / "kioskd.story"
    file.write_text(told)
    line = f"{sys.executable} -m kioskd replay --all {file} | head -1"
    answer = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, cwd=REPOSITORY, timeout=60)
    assert answer.stderr == "" and answer.stdout.startswith("# told by kioskd")

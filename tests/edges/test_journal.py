"""The journal rule's ear, and what is said where there is no journal. A real journald: ``tests/system``."""

import asyncio
import contextlib
import time
from pathlib import Path

import pytest

from kioskd.core.facts import Fact, JournalHeard
from kioskd.core.policy import JournalRule
from kioskd.edges import journal
from kioskd.edges.journal import Journal, _Ear
from tests.aio import asynctest

RULE = JournalRule("dashboard", "to 0 clients", 5, clear="to [1-9]")


def test_an_ear_counts_since_the_last_line_that_clears() -> None:
    ear = _Ear(RULE)
    assert ear.told(0.0) is None
    for line in ("published to 0 clients", "something else", "published to 0 clients"):
        ear.hear(line)
    assert ear.told(0.0) == JournalHeard(RULE, 2)
    assert ear.told(0.0) is None, "told twice"
    for line in ("to 0 clients", "to 3 clients", "to 0 clients"):
        ear.hear(line)
    assert ear.told(0.0) == JournalHeard(RULE, 1, cleared=True)
    ear.hear("x" * journal.LINE + "to 0 clients")
    assert ear.told(0.0) is None, "the end of an endless line"


@pytest.mark.parametrize("match", [r"(a+)+b", r"(?:a|a)*b", r".*.*.*b"])
def test_an_expression_that_comes_to_no_end_is_ended_and_tried_again_later(match: str, caplog: pytest.LogCaptureFixture) -> None:
    ear, began = _Ear(JournalRule("dashboard", match)), time.process_time()
    ear.hear("ab")
    for _ in range(journal.LINES):
        ear.hear("a" * journal.LINE)
    assert ear.told(5.0) == JournalHeard(ear._rule, 1), "what was understood before it counts"
    assert time.process_time() - began < 5 * journal.THOUGHT_S
    ear.hear("ab")
    assert ear.told(4.9 + journal.DEAF_S) is None
    ear.hear("ab")
    assert ear.told(5.0 + journal.DEAF_S) == JournalHeard(ear._rule, 1)
    assert caplog.text.count("does not come to an end") == 1


def test_units_are_named_as_systemctl_takes_them() -> None:
    names = {"dashboard": "dashboard.service", "dashboard.service": "dashboard.service", "a@b": "a@b.service", "x.scope": "x.scope"}
    assert {name: _Ear(JournalRule(name, "x")).unit for name in names} == names


@asynctest
async def test_no_journal_and_no_permission_are_said_and_tried_again(tmp_path: Path) -> None:
    told: list[Fact] = []
    it = Journal(told.append, (RULE,), (str(tmp_path / "none"),))
    task = asyncio.create_task(it.run())
    await says(it, "there is none in")
    (tmp_path / "none" / "machine").mkdir(parents=True)
    (tmp_path / "none" / "machine" / "system.journal").touch(mode=0)
    await says(it, "systemd-journal")
    it.follow(())
    await says(it, None)
    assert not told
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def says(it: Journal, part: str | None) -> None:
    async with asyncio.timeout(2 * journal.RETRY_S):
        while (it.problem is None) != (part is None) or (part or "") not in (it.problem or ""):
            await asyncio.sleep(0.02)  # its status tells nobody; the fact is what ends this

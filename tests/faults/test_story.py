"""What a real kioskd decided about a real browser is decided again, from what it tells of it."""

from pathlib import Path

import aiohttp
import pytest

import kioskd
from kioskd.core import ladder
from kioskd.core.facts import BrowserGone
from kioskd.replay import Replay
from kioskd.wire.story import Told, read
from tests.aio import asynctest
from tests.faults.stage import START_S, Stage, comes_back, kept
from tests.faults.test_config import command
from tests.faults.test_processes import killed

pytestmark = pytest.mark.chromium


@asynctest
async def test_a_killed_browser_is_decided_again_and_otherwise_by_another_kioskd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with kept(tmp_path, query="?token=5ecret") as stage:
        await stage.proven()
        await comes_back(stage, START_S, killed)
        await stage.proven()
        file = await only_for_those_who_may(stage)
    code, said = await command("replay", str(file))
    print(said)
    assert code == 0
    gone, last = said.index("< BrowserGone generation=1"), said.splitlines()[-1]
    assert "> StartBrowser generation=2" in said[gone:] and "= HEALTHY" in said[gone:]
    assert last.startswith("The same ") and last.endswith(" decisions again.")
    assert "5ecret" not in file.read_text()

    monkeypatch.setattr(ladder, "SHORT_S", 1000.0)  # a kioskd that lets a killed browser lie
    told = read(file.read_bytes(), "it", kioskd.__version__)
    replay = Replay(told)
    lines = list(replay.lines())
    assert not replay.same
    (then,) = [nth for nth, line in enumerate(lines) if "> then: StartBrowser generation=2" in line]
    assert f"{moment(told):+.3f}" in lines[then] and "> now: " in lines[then + 1]


async def only_for_those_who_may(stage: Stage) -> Path:
    assert stage.kiosk is not None
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{stage.kiosk.port}/api/story") as answer:
        assert answer.status == 401
    return await stage.kiosk.story()


def moment(told: Told) -> float:
    """When the browser was killed, from the first fact on."""
    turns = [turn for chapter in told.chapters for turn in chapter.turns]
    return next(now for now, fact, _ in turns if isinstance(fact, BrowserGone)) - turns[0][0]

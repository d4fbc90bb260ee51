"""Row 12: what a page can hang over itself, and nobody is there to click away."""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.aio import asynctest
from tests.faults.display import display
from tests.faults.stage import Stage, bare, comes_back, kept, stays_away, until
from tests.faults.visitor import FLAGS, Visitor, admitting

pytestmark = pytest.mark.chromium

BOUND = 3.0


async def unblocked(stage: Stage, verb: str) -> float:
    """Break it, and return after how many seconds the page went on: it stands still while its dialog is open."""
    await stage.dashboard.do(verb)
    return await stage.dashboard.back(BOUND)


def downloads_to(profile: Path, folder: Path) -> dict[str, Any]:
    """A profile as a person has set it up."""
    folder.mkdir()
    (profile / "Default").mkdir(parents=True)
    (profile / "Default" / "Preferences").write_text(json.dumps({"download": {"default_directory": str(folder)}}))
    return {"profile": str(profile)}


def files(folder: Path) -> Iterable[Path]:
    return list(folder.iterdir())


@pytest.mark.parametrize("dialog", ["alert", "confirm", "prompt"])
@asynctest
async def test_a_dialog_is_dismissed(tmp_path: Path, dialog: str) -> None:
    async with kept(tmp_path) as stage:
        document, pid = await stage.dashboard.document(), stage.victim.pid
        print(f"back after {await unblocked(stage, dialog):.2f} s")
        await stage.nothing_changed(document, pid, loads=1)


@pytest.mark.parametrize("dialog", ["alert", "confirm", "prompt"])
@asynctest
async def test_without_kioskd_a_dialog_stays(tmp_path: Path, dialog: str) -> None:
    async with bare(tmp_path) as stage:
        with pytest.raises(TimeoutError):
            await unblocked(stage, dialog)


# --- "Leave site?" is asked only where somebody has touched the page


async def asks_before_it_is_left(stage: Stage) -> None:
    async with Visitor(stage.victim.profile) as visitor:
        await visitor.click()
    await stage.dashboard.do("beforeunload")


@asynctest
async def test_a_page_that_asks_before_it_is_left_is_let_go(tmp_path: Path) -> None:
    async with kept(tmp_path, browser={"command": admitting(tmp_path)}) as stage:
        await comes_back(stage, BOUND, asks_before_it_is_left)


@asynctest
async def test_without_kioskd_it_waits_for_an_answer(tmp_path: Path) -> None:
    async with bare(tmp_path, flags=FLAGS) as stage:
        await stays_away(stage, BOUND, asks_before_it_is_left)


# --- printing: headless Chromium shows no dialog, so this needs a display


@asynctest
async def test_a_page_that_prints_goes_on(tmp_path: Path) -> None:
    async with display(tmp_path) as screen, kept(tmp_path, display={"mode": "inherit"}, environment=screen.variables) as stage:
        document, pid = await stage.dashboard.document(), stage.victim.pid
        print(f"back after {await unblocked(stage, 'print'):.2f} s")
        await stage.nothing_changed(document, pid, loads=1)


@asynctest
async def test_without_kioskd_the_print_dialog_stays(tmp_path: Path) -> None:
    async with display(tmp_path) as screen, bare(tmp_path, display=screen.variables) as stage:
        with pytest.raises(TimeoutError):
            await unblocked(stage, "print")


# --- pop-ups: Chromium itself lets none open where nobody has touched the page


@asynctest
async def test_a_pop_up_is_closed(tmp_path: Path) -> None:
    async with kept(tmp_path, browser={"command": admitting(tmp_path)}) as stage, Visitor(stage.victim.profile) as visitor:
        document, pid, home = await stage.dashboard.document(), stage.victim.pid, await visitor.pages()
        await visitor.click()
        moment = time.monotonic()
        await stage.dashboard.do("popup")
        await visitor.sees_a_page_come_and_go(BOUND)
        print(f"closed after {time.monotonic() - moment:.2f} s")
        assert await visitor.pages() == home
        await stage.dashboard.back(BOUND)
        await stage.nothing_changed(document, pid, loads=1)


@asynctest
async def test_without_kioskd_a_pop_up_stays(tmp_path: Path) -> None:
    async with bare(tmp_path, flags=FLAGS) as stage, Visitor(stage.victim.profile) as visitor:
        await visitor.click()
        await stage.dashboard.do("popup")
        with pytest.raises(TimeoutError):
            await visitor.sees_a_page_come_and_go(BOUND)
        assert len(await visitor.pages()) == 2


# --- downloads


@asynctest
async def test_a_download_is_denied(tmp_path: Path) -> None:
    folder = tmp_path / "downloads"
    async with kept(tmp_path, browser=downloads_to(tmp_path / "profile", folder)) as stage:
        document, pid = await stage.dashboard.document(), stage.victim.pid
        await stage.dashboard.do("download")
        await stage.stays(BOUND, document)
        assert any(request["path"] == "/download" for request in (await stage.dashboard.state())["requests"])
        assert not files(folder)
        await stage.dashboard.back(BOUND)
        await stage.nothing_changed(document, pid, loads=1)


@asynctest
async def test_without_kioskd_it_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "downloads"
    async with bare(tmp_path, **downloads_to(tmp_path / "profile", folder)) as stage:
        await stage.dashboard.do("download")
        await until(lambda: bool(files(folder)), BOUND)

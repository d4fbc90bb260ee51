"""Row 15: the profile remembers that Chromium was killed. Broken and locked ones are in ``cases``."""

import shutil
from pathlib import Path

import pytest

from tests.aio import asynctest
from tests.faults.cases.profile import RESTORE_BUTTON, SEEN, exit_type
from tests.faults.display import Display, display
from tests.faults.stage import bare, kept, until

pytestmark = pytest.mark.chromium

# --- "Restore pages?": asked only on a display, over a profile that is some ten seconds old and whose browser was killed


async def aged(folder: Path, screen: Display) -> Path:
    """A profile that remembers a kill: Chromium writes that down some ten seconds after its start."""
    profile = folder / "aged"
    async with bare(folder / "aging", profile=str(profile), display=screen.variables) as stage:
        await until(lambda: exit_type(profile) == "Crashed", 30)
        stage.victim.kill()
    return profile


@asynctest
async def test_nobody_is_asked_whether_pages_are_to_be_restored(tmp_path: Path) -> None:
    async with display(tmp_path) as screen:
        profile = await aged(tmp_path, screen)
        shutil.copytree(profile, tmp_path / "control", symlinks=True, ignore=shutil.ignore_patterns("Singleton*"))

        # the control, a window as on a desktop: it does ask
        without = ("--kiosk", "--hide-crash-restore-bubble", "--noerrdialogs")
        async with bare(tmp_path, profile=str(tmp_path / "control"), display=screen.variables, without=without):
            await until(lambda: screen.pixels(RESTORE_BUTTON) > SEEN, 10)

        async with kept(tmp_path, browser={"profile": str(profile)}, display={"mode": "inherit"}, environment=screen.variables) as stage:
            with pytest.raises(TimeoutError):
                await until(lambda: screen.pixels(RESTORE_BUTTON) > SEEN, 5)
            await stage.dashboard.back(3)

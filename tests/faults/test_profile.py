"""Row 15: the profile is broken, locked by another host, or remembers that Chromium was killed."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kioskd.demo.dashboard import Dashboard
from tests.aio import asynctest
from tests.faults.display import Display, display
from tests.faults.stage import bare, cold_start, kept, until

pytestmark = pytest.mark.chromium

Damage = Callable[[Path], None]


async def no_page_yet(dashboard: Dashboard) -> None:
    """The start is what is broken."""


def rubbish(profile: Path) -> None:
    """Bytes of no meaning in every file that counts. Chromium mends this itself."""
    (profile / "Default").mkdir(parents=True)
    for name in ("Preferences", "Secure Preferences", "Cookies", "History", "Web Data", "Login Data"):
        (profile / "Default" / name).write_bytes(os.urandom(4096))
    (profile / "Local State").write_bytes(os.urandom(4096))


def lock_of_another_host(profile: Path) -> None:
    profile.mkdir()
    (profile / "SingletonLock").symlink_to("elsewhere-4711")


def lock_is_a_folder(profile: Path) -> None:
    """What a file system check may leave behind."""
    (profile / "SingletonLock" / "lost").mkdir(parents=True)


def not_writable(profile: Path) -> None:
    profile.mkdir(mode=0o500)


@pytest.mark.parametrize("damage", [rubbish, lock_of_another_host, lock_is_a_folder, not_writable])
@asynctest
async def test_a_broken_profile_costs_seconds(tmp_path: Path, damage: Damage) -> None:
    cold, profile, memory = await cold_start(tmp_path), tmp_path / "profile", tmp_path / "memory"
    damage(profile)
    memory.mkdir(mode=0o700)
    environment = {"XDG_RUNTIME_DIR": str(memory)}  # where a profile is made when its own place cannot be written
    moment = time.monotonic()
    async with kept(tmp_path, trouble=no_page_yet, browser={"profile": str(profile)}, environment=environment) as stage:
        print(f"back after {await stage.dashboard.back(cold + 30, after=moment):.2f} s")


@pytest.mark.parametrize("damage", [lock_of_another_host, lock_is_a_folder, not_writable])
@asynctest
async def test_without_kioskd_it_does_not_start(tmp_path: Path, damage: Damage) -> None:
    damage(tmp_path / "profile")
    async with bare(tmp_path, trouble=no_page_yet, profile=str(tmp_path / "profile")) as stage:
        await until(lambda: not stage.victim.processes(), 10)  # it gave up: nobody will start it again
        assert await stage.dashboard.document() is None


# --- "Restore pages?": asked only on a display, over a profile that is some ten seconds old and whose browser was killed

RESTORE_BUTTON = (168, 199, 250)  # the colour of the bubble's button, and of nothing on the page
SEEN = 1000  # pixels of it


async def aged(folder: Path, screen: Display) -> Path:
    """A profile that remembers a kill: Chromium writes that down some ten seconds after its start."""
    profile = folder / "aged"
    async with bare(folder / "aging", profile=str(profile), display=screen.variables) as stage:
        await until(lambda: _exit_type(profile) == "Crashed", 30)
        stage.victim.kill()
    return profile


def _exit_type(profile: Path) -> str | None:
    try:
        return str(json.loads((profile / "Default" / "Preferences").read_text())["profile"]["exit_type"])
    except (OSError, ValueError, KeyError):
        return None


@asynctest
async def test_nobody_is_asked_whether_pages_are_to_be_restored(tmp_path: Path) -> None:
    async with display(tmp_path) as screen:
        profile = await aged(tmp_path, screen)
        shutil.copytree(profile, tmp_path / "control", symlinks=True, ignore=shutil.ignore_patterns("Singleton*"))

        # the control, a window as on a desktop: it does ask
        without = ("--kiosk", "--hide-crash-restore-bubble", "--noerrdialogs")
        async with bare(tmp_path, profile=str(tmp_path / "control"), display=screen.variables, without=without):
            await until(lambda: screen.pixels(RESTORE_BUTTON) > SEEN, 10)

        async with kept(
            tmp_path, browser={"profile": str(profile)}, display={"mode": "inherit"}, environment=screen.variables
        ) as stage:
            with pytest.raises(TimeoutError):
                await until(lambda: screen.pixels(RESTORE_BUTTON) > SEEN, 5)
            await stage.dashboard.back(3)

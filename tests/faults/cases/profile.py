"""Row 15: the profile is broken, locked, or cannot be written."""

import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from kioskd.demo.kiosk import merged
from tests.faults import inside
from tests.faults.case import Control, Touches, case
from tests.faults.display import display
from tests.faults.scene import Missed, Scene
from tests.faults.stage import START_S, until

HEALS = "Chromium mends this itself, or does without"


def rubbish(profile: Path) -> None:
    (profile / "Default").mkdir(parents=True)
    for name in ("Preferences", "Secure Preferences", "Cookies", "History", "Web Data", "Login Data"):
        (profile / "Default" / name).write_bytes(os.urandom(4096))
    (profile / "Local State").write_bytes(os.urandom(4096))


def emptied(profile: Path) -> None:
    (profile / "Default").mkdir(parents=True)
    for name in ("Preferences", "Cookies", "History", "Web Data"):
        (profile / "Default" / name).touch()
    (profile / "Local State").touch()


def folder_for_a_file(profile: Path) -> None:
    (profile / "Local State" / "lost").mkdir(parents=True)
    (profile / "Default" / "Preferences" / "lost").mkdir(parents=True)


def lock_of_another_host(profile: Path) -> None:
    profile.mkdir()
    (profile / "SingletonLock").symlink_to("elsewhere-4711")


def lock_of_a_living_process(profile: Path) -> None:
    profile.mkdir()
    (profile / "SingletonLock").symlink_to(f"{socket.gethostname()}-{os.getppid()}")
    (profile / "SingletonSocket").symlink_to("/nowhere/SingletonSocket")


def lock_is_a_folder(profile: Path) -> None:
    (profile / "SingletonLock" / "lost").mkdir(parents=True)


def not_writable(profile: Path) -> None:
    profile.mkdir(mode=0o500)


def is_a_file(profile: Path) -> None:
    profile.touch()


def link_to_nowhere(profile: Path) -> None:
    profile.symlink_to("unplugged/profile")


DAMAGES: dict[str, tuple[Callable[[Path], None], str, bool]] = {  # what is done, in words, and whether Chromium helps itself
    "rubbish": (rubbish, "Its files hold bytes of no meaning, as after a power cut", True),
    "emptied": (emptied, "Its files are empty, as after a power cut", True),
    "folder-for-a-file": (folder_for_a_file, "Files of it have become folders, as after a repair of the file system", True),
    "lock-of-another-host": (lock_of_another_host, "It is locked by a browser of another host, as after a copy of the card", False),
    "lock-of-a-living-process": (lock_of_a_living_process, "It is locked by a browser whose number another process has by now", True),
    "lock-is-a-folder": (lock_is_a_folder, "Its lock is a folder, as after a repair of the file system", False),
    "not-writable": (not_writable, "It may not be written", False),
    "is-a-file": (is_a_file, "A file has its place", True),
    "link-to-nowhere": (link_to_nowhere, "It is a link to a disk that is not there", True),
}

for name, (damage, words, heals) in DAMAGES.items():

    @case(
        "15",
        name=f"profile-{name}",
        within=lambda t: t.cold + 30,
        control=Control.HEALS if heals else Control.STAYS_AWAY,
        why=HEALS if heals else "",
        damage=damage,
        words=words,
    )
    async def damaged(scene: Scene, damage: Callable[[Path], None], words: str) -> None:
        """The profile is damaged before the start. {words}."""
        damage(scene.profile)
        await in_memory(scene)
        scene.begins()
        await scene.start(waits=False)


@case("15", within=lambda t: t.cold + 30, inside=True)
async def profile_on_a_read_only_disk(scene: Scene) -> None:
    """The profile's disk is read-only at the start, as a card is that has reached its end."""
    scene.profile.mkdir()
    await inside.read_only(scene.profile)
    await in_memory(scene)
    scene.begins()
    await scene.start(waits=False)


DIES = """#!/bin/sh
# A browser that dies of what is in its profile, as long as that is there.
[ -e "{poison}" ] && exit 139
exec chromium "$@"
"""


@case("15", within=lambda t: t.cold + 30)
async def profile_kills_the_browser(scene: Scene) -> None:
    """The browser dies of its profile at each start, before it shows anything."""
    poison = scene.profile / "Default" / "poison"
    poison.parent.mkdir(parents=True)
    poison.touch()
    scene.command = scene.script("chromium-that-dies", DIES.format(poison=poison))
    scene.begins()
    await scene.start(waits=False)


RESTORE_BUTTON = (168, 199, 250)  # the colour of the bubble's button, and of nothing on the page
SEEN = 1000  # pixels of it


def exit_type(profile: Path) -> str | None:
    """How the browser has ended, by its profile; "Crashed" stands there from some ten seconds after its start on, until it ends well."""
    try:
        return str(json.loads((profile / "Default" / "Preferences").read_text())["profile"]["exit_type"])
    except (OSError, ValueError, KeyError):
        return None


@case("15", within=lambda t: t.cold + 30, touches=Touches.BROWSER)
async def killed_and_remembers_it(scene: Scene) -> None:
    """The browser is killed once its profile remembers that it runs, on a display: "Restore pages?" would be the next thing to be seen."""
    screen = await scene.stack.enter_async_context(display(scene.folder))  # without one Chromium shows no such question
    scene.environment |= screen.variables
    scene.config = merged(scene.config, {"display": {"mode": "inherit"}})
    await scene.start()
    await until(lambda: exit_type(scene.profile) == "Crashed", START_S)
    scene.begins()
    scene.victim.kill()
    with suppress(TimeoutError):
        await until(lambda: screen.pixels(RESTORE_BUTTON) > SEEN, 10.0)
        raise Missed("Restore pages? is asked on the wall")


async def in_memory(scene: Scene) -> None:
    """Where a profile is made when its own place cannot be written."""
    memory = scene.folder / "memory"
    memory.mkdir(mode=0o700)
    if scene.kept:
        scene.environment["XDG_RUNTIME_DIR"] = str(memory)

"""Row 18: kioskd's own compositor is killed, frozen, or hangs at its start. A real cage, on wlroots' headless backend."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from kioskd.demo.kiosk import merged
from tests.faults.case import Control, Touches, case
from tests.faults.scene import Missed, Scene
from tests.faults.stage import START_S, until

NO_SCREEN_NEEDED = {"WLR_BACKENDS": "headless", "WLR_LIBINPUT_NO_DEVICES": "1", "WLR_RENDERER": "pixman"}
FIRST_ANSWER_S = 20.0  # of a browser that hangs at its start
CONNECTED = "03"  # Linux's SS_CONNECTED
OWN = "without kioskd there is no compositor of its own"


def in_cage(scene: Scene) -> None:
    """Let kioskd's picture go to a cage of its own."""
    run = scene.stack.enter_context(tempfile.TemporaryDirectory(prefix="kioskd-run-"))  # the path of a socket has to be short
    scene.environment |= {"XDG_RUNTIME_DIR": run, **NO_SCREEN_NEEDED}
    scene.config = merged(scene.config, {"display": {"mode": "cage"}})


def cages(scene: Scene) -> Iterator[psutil.Process]:
    """The compositors that this kioskd has started."""
    assert scene.kiosk is not None and scene.kiosk.process is not None, "it was started"
    for child in psutil.Process(scene.kiosk.process.pid).children():
        with contextlib.suppress(psutil.Error):
            if child.name() == "cage":
                yield child


async def drawn_on(scene: Scene, other_than: int | None = None) -> None:
    """Wait until somebody draws on a compositor, on another than this one: a browser without one would be back in the dark."""

    def drawn() -> bool:
        return any(cage.pid != other_than for cage in cages(scene)) and _connected(scene.environment["XDG_RUNTIME_DIR"])

    await until(drawn, 20.0)


def _connected(folder: str) -> bool:
    """Whether there is a connection to a Wayland socket in this folder. A browser's environment would not tell: it writes over that."""
    for line in Path("/proc/net/unix").read_text().splitlines():
        state, path = line.split()[5], line.split()[-1]
        if state == CONNECTED and path.startswith(f"{folder}/wayland-"):
            return True
    return False


def only_cage(scene: Scene) -> psutil.Process:
    (cage,) = cages(scene)
    return cage


@case("18", within=lambda t: t.cold + 5, touches=Touches.BROWSER, alone=True, control=Control.NONE, why=OWN)
async def compositor_killed(scene: Scene) -> None:
    """The compositor is killed."""
    in_cage(scene)
    await scene.start()
    cage = only_cage(scene)
    scene.begins()
    cage.kill()
    await drawn_on(scene, cage.pid)


@case("18", within=lambda t: t.cold + 5, touches=Touches.BROWSER, alone=True, control=Control.NONE, why=OWN)
async def compositor_killed_again_and_again(scene: Scene) -> None:
    """The compositor is killed three times, each time as soon as the page is back."""
    in_cage(scene)
    await scene.start()
    for _ in range(2):
        only_cage(scene).kill()
        await scene.again(scene.times.cold + 5)
    only_cage(scene).kill()


@case("18", within=lambda t: t.cold + 5, touches=Touches.BROWSER, alone=True, control=Control.NONE, why=OWN)
async def compositor_and_browser_killed(scene: Scene) -> None:
    """The compositor and the browser are killed at the same time, as by a kernel that is out of memory."""
    in_cage(scene)
    await scene.start()
    cage = only_cage(scene)
    scene.begins()
    scene.victim.kill()
    cage.kill()
    await drawn_on(scene, cage.pid)


@case(
    "18", within=lambda t: 3 * t.hang_after + FIRST_ANSWER_S + t.cold + 10, touches=Touches.BROWSER, alone=True,
    control=Control.NONE, why=OWN,
    instead="first the page is taken to hang, then its browser, and only one that hangs at its start tells of the compositor",
)  # fmt: skip
async def compositor_frozen(scene: Scene) -> None:
    """The compositor is stopped: the page's frames stop, a browser that restarts on it hangs, and so it goes."""
    in_cage(scene)
    await scene.start()
    only_cage(scene).suspend()


@case("1", within=lambda t: t.cold + 1, touches=Touches.BROWSER, alone=True, control=Control.NONE, why=OWN)
async def browser_killed_on_a_compositor(scene: Scene) -> None:
    """The browser is killed; its compositor stays, for browsers come and go."""
    in_cage(scene)
    await scene.start()
    before = only_cage(scene).pid
    scene.begins()
    scene.victim.kill()
    await scene.shows(START_S, browser__pid=lambda pid: pid not in (None, scene.pid))
    if only_cage(scene).pid != before:
        raise Missed("the compositor was started anew")
    await drawn_on(scene)


HANGS = """#!/bin/sh
# A compositor that never says that it is up, but where it paints in software.
[ "$WLR_RENDERER" = pixman ] && exec {real} "$@"
touch "{again}"
{does}
"""

for name, does, words in (
    ("hangs", "exec sleep 600", "hangs at its start"),
    ("fails", "exit 1", "fails at its start, as without its card"),
):

    @case(
        "18", name=f"compositor-{name}-at-its-start", within=lambda t: 15 + t.cold, control=Control.NONE, why=OWN, does=does, words=words
    )  # fmt: skip
    async def at_its_start(scene: Scene, does: str, words: str) -> None:
        """The compositor {words}; the next one works."""
        tools, again, real = scene.folder / "tools", scene.folder / "again", shutil.which("cage")
        tools.mkdir()
        (tools / "cage").write_text(HANGS.format(again=again, real=real, does=does))
        (tools / "cage").chmod(0o755)
        in_cage(scene)
        del scene.environment["WLR_RENDERER"]  # kioskd itself is to choose that, the second time
        scene.environment["PATH"] = f"{tools}:{os.environ['PATH']}"
        await scene.start(waits=False)
        await until(again.exists, 10.0)
        scene.begins()
        await drawn_on(scene)

"""Row 22: the browser cannot be started, for whatever reason, or the port is taken. Said clearly, and tried again for ever."""

import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kioskd.demo.kiosk import free_port, merged
from tests.faults.case import Control, Touches, case
from tests.faults.scene import Scene
from tests.faults.stage import START_S

FIRST_ANSWER_S = 20.0  # as shipped
WORKS = 'exec chromium "$@"'


def command(scene: Scene, script: str, mode: int = 0o755, first: str = "#!/bin/sh\n") -> Path:
    """The browser's command; written anew it is another file, as after an upgrade."""
    fresh = scene.folder / "browser.new"
    fresh.write_text(f"{first}{script}\n")
    fresh.chmod(mode)
    scene.command = str(scene.folder / "browser")
    return fresh.replace(scene.command)


def missing(scene: Scene) -> None:
    scene.command = str(scene.folder / "browser")


def link_to_nowhere(scene: Scene) -> None:
    missing(scene)
    Path(scene.command).symlink_to("unpacked/browser")


def not_executable(scene: Scene) -> None:
    command(scene, WORKS, 0o644)


def no_program(scene: Scene) -> None:
    command(scene, "half of a browser", first="\x7fELF")


def does(script: str) -> Callable[[Scene], object]:
    return lambda scene: command(scene, script)


LIBRARY = "libnss3.so: cannot open shared object file"

BROKEN: dict[str, tuple[Callable[[Scene], object], str, str]] = {  # what the command is, in words, and how the status says so
    "missing": (missing, "is missing", "No such file or directory"),
    "a-link-to-nowhere": (link_to_nowhere, "is a link to nowhere", "No such file or directory"),
    "not-executable": (not_executable, "may not be executed", "Permission denied"),
    "no-program": (no_program, "is cut off in the middle, as by a full disk", "Exec format error"),
    "exits": (does("exit 7"), "ends at once", "exit code 7"),
    "crashes": (does("kill -SEGV $$"), "crashes at once", "SIGSEGV"),
    "lacks-a-library": (does(f"echo {LIBRARY} >&2; exit 127"), "lacks a library", LIBRARY),
    "says-rubbish": (does("head -c 100000 /dev/urandom >&4; exec sleep 60"), "says rubbish", "pipe"),
    "says-rubbish-for-ever": (does("yes '{\"id\": 1}' >&4"), "says rubbish without an end", "bytes without an end"),
    "answers-wrongly": (does("yes '{\"id\": 1}' | tr '\\n' '\\0' >&4"), "answers without being asked", "pipe"),
}

#: Without kioskd there is no pipe: nothing is said, to nobody.
ON_THE_PIPE = ("says-rubbish", "says-rubbish-for-ever", "answers-wrongly")
NO_PIPE: dict[str, Any] = {"control": Control.NONE, "why": "without kioskd there is no pipe"}

for name, (broken, words, why) in BROKEN.items():

    @case(
        "22", name=f"browser-{name}", within=lambda t: t.interval + t.cold + 1, alone=True,
        **NO_PIPE if name in ON_THE_PIPE else {}, broken=broken, words=words, why_=why,
    )  # fmt: skip
    async def browser_is_broken(scene: Scene, broken: Callable[[Scene], object], words: str, why_: str) -> None:
        """The browser's program {words}; five tries later it is mended."""
        broken(scene)
        await scene.start(waits=False)
        known = await scene.shows(15, verdict="NO_BROWSER", why=lambda text: why_ in text)
        for more in range(1, 5) if known else ():  # more than the three after which a profile is set aside
            least = known["browser"]["generation"] + more
            await scene.shows(scene.times.interval + 2, browser__generation=lambda number, least=least: number >= least)
        await scene.lasts(scene.times.interval)
        command(scene, WORKS)
        scene.begins()


@case("22", within=lambda t: FIRST_ANSWER_S + t.interval + t.cold + 1, slow=True)
async def browser_never_answers(scene: Scene) -> None:
    """The browser's program runs and answers nothing; it is mended while it is tried once more."""
    command(scene, "exec sleep 600")
    await scene.start(waits=False)
    await scene.shows(FIRST_ANSWER_S + 3, verdict="NO_BROWSER", why=lambda text: "did not answer DevTools within 20 s" in text)
    await scene.lasts(scene.times.interval)  # the control's, which shows nothing, has read its program by then
    command(scene, WORKS)
    scene.begins()


@case("22", within=lambda t: t.interval + t.cold + 1, touches=Touches.BROWSER, alone=True)
async def browser_upgraded_and_killed(scene: Scene) -> None:
    """The browser's program is gone for a while, as while dpkg unpacks; when another is there the browser, untouched so far, is killed."""
    browser = command(scene, WORKS)
    await scene.start()
    browser.unlink()
    await scene.lasts(3.0)
    await scene.untouched()
    command(scene, 'exec chromium --user-agent="Mozilla/5.0 upgraded" "$@"')
    scene.victim.kill()


@case("22", within=lambda t: t.interval + t.cold + 1, touches=Touches.BROWSER, alone=True)
async def browser_killed_while_it_is_upgraded(scene: Scene) -> None:
    """The browser is killed while its program is gone, as while dpkg unpacks; then another is there."""
    browser = command(scene, WORKS)
    await scene.start()
    browser.unlink()
    scene.victim.kill()
    await scene.shows(3, verdict="NO_BROWSER", why=lambda text: "No such file or directory" in text)
    command(scene, 'exec chromium --user-agent="Mozilla/5.0 upgraded" "$@"')
    scene.begins()


@case(
    "22", within=lambda t: t.cold + 5, alone=True,
    touches=Touches.BROWSER, control=Control.NONE, why="it is kioskd that the package's trigger tells",
)  # fmt: skip
async def browser_upgraded(scene: Scene) -> None:
    """The browser's program is replaced, and kioskd is told: the old one is ended as from a menu, and the new one started."""
    command(scene, WORKS)
    await scene.start()
    command(scene, 'exec chromium --user-agent="Mozilla/5.0 upgraded" "$@"')
    assert scene.kiosk is not None
    scene.begins()
    scene.kiosk.strike(signal.SIGUSR1)
    await scene.logged("Chromium was replaced by another version", START_S)
    await scene.recorded("Chromium ended with exit code 0")  # asked to, and not killed


PORT = "the port is kioskd's own"


@case("22", within=lambda t: t.cold + 5, alone=True, control=Control.NONE, why=PORT)
async def port_in_use(scene: Scene) -> None:
    """Another program has kioskd's port at the start."""
    squatted(scene)
    scene.begins()
    await scene.start(waits=False)
    await scene.logged("another program has this port", START_S)


@case("22", undisturbed=lambda t: 3.0, control=Control.NONE, why=PORT)
async def port_in_use_for_a_while(scene: Scene) -> None:
    """Another program had kioskd's port at the start; when it is free again kioskd takes it within 6 s."""
    squatter = squatted(scene)
    await scene.start(waits=False)
    await scene.dashboard.back(START_S)
    await scene.note()
    squatter.close()
    await scene.shows(5 + 1, page__url=scene.url)


def squatted(scene: Scene) -> socket.socket:
    """Take the port that kioskd is to have."""
    port = free_port()
    scene.config = merged(scene.config, {"api": {"listen": f"127.0.0.1:{port}"}})
    return scene.stack.enter_context(socket.create_server(("127.0.0.1", port)))


@case("22", within=lambda t: t.settle + 3, touches=Touches.PAGE, once=True, control=Control.NONE, why=PORT)
async def port_in_use_at_a_deploy(scene: Scene) -> None:
    """Another program has kioskd's port; a build is deployed."""
    squatted(scene)
    scene.follows_deploys()
    await scene.start(waits=False)
    await scene.dashboard.back(START_S)
    await scene.note()
    await scene.deploy("2")

"""Rows 1 to 4, 19 and 23: the browser's processes are killed, frozen, kept busy, grow."""

import signal
import time
from typing import Any

import psutil

from kioskd.core.actions import Reload
from kioskd.core.steps import LAST_PACE_S
from kioskd.demo.kiosk import merged
from tests.faults.case import Control, Touches, case
from tests.faults.scene import Scene
from tests.faults.stage import START_S, until

SERVICES = {"gpu": "gpu-process", "network-service": "network.mojom.NetworkService"}
ANSWERS_S = 1.0
WELL_S = 2.0
HEALS = "Chromium starts its service processes again by itself"


@case("1", within=lambda t: t.cold + 1, touches=Touches.BROWSER, alone=True)
async def browser_killed(scene: Scene) -> None:
    """The browser is killed."""
    await scene.start()
    scene.victim.kill()


@case("1", within=lambda t: t.cold + 1, touches=Touches.BROWSER, alone=True)
async def browser_killed_ten_times(scene: Scene) -> None:
    """The browser is killed ten times in a row."""
    await scene.start()
    for _ in range(9):
        scene.victim.kill()
        await scene.again(scene.times.cold + 1)
    scene.victim.kill()


@case("2", within=lambda t: t.hang_after + t.cold + 7, touches=Touches.BROWSER)
async def browser_frozen(scene: Scene) -> None:
    """The browser's whole tree is stopped."""
    await scene.start()
    scene.victim.freeze()


@case("2", within=lambda t: t.hang_after + t.cold + 7, touches=Touches.BROWSER)
async def main_process_frozen(scene: Scene) -> None:
    """The browser's main process is stopped, and then the connection is cut: the page lives, and can open no other."""
    await scene.start()
    scene.victim.freeze("")
    await scene.dashboard.do("drop")


@case("3", within=lambda t: 3.0, touches=Touches.PAGE)
async def renderer_killed(scene: Scene) -> None:
    """The renderer is killed: "Aw, Snap"."""
    await scene.start()
    scene.victim.crash_renderers()


@case(
    "2", within=lambda t: Reload.deadline_s + t.cold + 7, touches=Touches.BROWSER,
    instead="found by a reload that is not taken within its deadline, long before it would count as a hang",
)  # fmt: skip
async def browser_frozen_and_a_hook_calls(scene: Scene) -> None:
    """The browser is stopped, and long before that is seen a deploy hook wants the page loaded anew: it does not take the reload."""
    scene.config = merged(scene.config, {"health": {"page": {"hang_after": 60}}})
    await scene.start()
    scene.victim.freeze()
    scene.begins()
    if scene.kiosk is not None:
        answer = await scene.kiosk.reload()
        assert answer["screen"] == "restarted: DevTools did not answer", answer
    else:
        await scene.victim.deployed()


FOUR_TIMES: dict[str, Any] = {
    "within": lambda t: t.interval + t.cold + 3, "touches": Touches.BROWSER,
    "instead": "three times in 3 s; the fourth time reloads have not helped for long, and the browser is restarted",
}  # fmt: skip


@case("3", **FOUR_TIMES)
async def renderer_killed_again_and_again(scene: Scene) -> None:
    """The renderer is killed, and each time the page is back once more: reloads do not help for long."""
    await scene.start()
    for _ in range(3):
        scene.victim.crash_renderers()
        await scene.again(3.0)
    scene.victim.crash_renderers()


@case("3", **FOUR_TIMES)
async def renderer_killed_whenever_it_is_well(scene: Scene) -> None:
    """The same of a page whose connection says nothing, and each time it has been well for a moment, which is no cure yet."""
    scene.config = merged(scene.config, {"health": {"websocket": {"url": "off"}}})
    await scene.start()
    for _ in range(3):
        scene.victim.crash_renderers()
        await scene.again(3.0)
        await scene.dashboard.back(5.0, after=time.monotonic() + WELL_S)
        await scene.note()
    scene.victim.crash_renderers()


@case("3", within=lambda t: t.hang_after + 5, touches=Touches.PAGE)
async def endless_loop(scene: Scene) -> None:
    """A script of the page never ends."""
    await scene.start()
    scene.burns = True
    await scene.dashboard.do("endless_loop")


async def loops_on_each_load(scene: Scene, restarts: int, after: float = 0.0, **switches: Any) -> None:
    """Let no script end, whatever is loaded (``after`` seconds), until the browser has been restarted so often."""
    times, scene.burns = scene.times, True
    await scene.dashboard.switch(at_load=[{"verb": "endless_loop", "seconds": after}], **switches)
    await scene.dashboard.do("endless_loop")
    for _ in range(restarts):  # the script ended and a reload; the renderer killed; a restart
        await scene.restarted(0, 3 * (times.hang_after + 5) + times.interval + times.cold)


@case("3", within=lambda t: t.hang_after + 5 + t.cold, instead="counted from the restart: nothing less has helped")
async def endless_loop_after_each_load(scene: Scene) -> None:
    """No script of the page ever ends, also after a reload and in another renderer; mended in the next browser, and counted from there."""
    await scene.start()
    await loops_on_each_load(scene, restarts=1)
    await scene.dashboard.switch(at_load=[])


@case("3", within=lambda t: t.hang_after + 5 + t.cold, instead="counted from the restart: nothing less has helped")
async def endless_loop_soon_after_each_load(scene: Scene) -> None:
    """Each document answers at first and opens no connection, and a second later no script of it ends; mended, and counted, as that."""
    await scene.start()
    await loops_on_each_load(scene, restarts=1, after=ANSWERS_S, transport="none")
    await scene.dashboard.switch(at_load=[], transport="websocket")


@case(
    "3", within=lambda t: LAST_PACE_S + t.hang_after + 5, touches=Touches.PAGE, slow=True,
    instead="three restarts have not helped: what is left is a try every five minutes",
)  # fmt: skip
async def endless_loop_for_ever(scene: Scene) -> None:
    """No script of the page ever ends, in no browser; it is mended after the third, when all that is left is a try every five minutes."""
    await scene.start()
    await loops_on_each_load(scene, restarts=3)
    await scene.asks_for("/settings", START_S, time.monotonic())  # the last thing that its page does before it loops
    await scene.shows(START_S, needs_person=True)
    await scene.dashboard.switch(at_load=[])


@case("3", within=lambda t: t.hang_after + 5 + t.cold, touches=Touches.PAGE)
async def renderer_frozen(scene: Scene) -> None:
    """The renderer is stopped."""
    await scene.start()
    scene.victim.freeze("renderer")


for service, kind in SERVICES.items():
    for times in (1, 5):

        @case(
            "4",
            name=f"{service}-killed" + ("" if times == 1 else f"-{times}-times"),
            within=lambda t: t.cold + 5,
            same_document=True,
            control=Control.HEALS,
            why=HEALS,
            service=service.replace("-", " "),
            kind=kind,
            often="once" if times == 1 else f"{times} times",
            times=times,
        )
        async def service_killed(scene: Scene, service: str, kind: str, often: str, times: int) -> None:
            """The browser's {service} process is killed, {often}."""
            await scene.start()
            for nth in range(times):
                if nth:
                    await scene.dashboard.back(scene.times.cold + 5)
                await until(lambda: scene.victim.processes(kind) != [], scene.times.cold + 5)
                scene.victim.signal(signal.SIGKILL, kind)


RELAYED = """#!/bin/sh
# Between kioskd and its browser: two relays. Chromium itself holds both ends of its pipes, and so never sees them close.
cd "$(mktemp -d)" && mkfifo commands answers
cat <&3 >commands &
cat <answers >&4 &
exec chromium "$@" 3<>commands 4<>answers
"""


@case("23", within=lambda t: t.cold + 1, touches=Touches.BROWSER, alone=True, control=Control.NONE, why="without kioskd there is no pipe")
async def pipe_closed(scene: Scene) -> None:
    """The DevTools pipe is closed while the browser lives."""
    scene.command = scene.script("relayed", RELAYED)
    await scene.start()
    relays = [child for child in psutil.Process(scene.victim.pid).children() if child.name() == "cat"]
    assert len(relays) == 2
    scene.begins()
    for relay in relays:
        relay.kill()
    await scene.logged("The browser closed its DevTools pipe")  # and it has not ended first


# --- row 19: memory is measured once a minute

MEASURED_S = 60.0
LIMIT = "900M"


@case("19", within=lambda t: MEASURED_S + t.interval + t.cold + 5, touches=Touches.BROWSER, slow=True)
async def memory_grows_over_the_limit(scene: Scene) -> None:
    """A script of the page takes ever more memory: the browser's tree is over `health.memory`."""
    scene.config = merged(scene.config, {"health": {"memory": LIMIT}})
    await scene.start()
    await scene.shows(MEASURED_S + 10, browser__memory=lambda size: size is not None)  # it was small
    scene.begins()
    await scene.dashboard.do("memory_hog", megabytes=900)
    await scene.logged("restarting as planned", MEASURED_S + scene.times.interval + 5)
    await scene.recorded("Chromium ended with exit code 0")  # asked to, and not killed


@case("19", undisturbed=lambda t: MEASURED_S + 5, control=Control.HEALS, why="a page that takes much memory is no fault as such", slow=True)
async def memory_over_the_limit_from_the_start(scene: Scene) -> None:
    """The browser's tree is over `health.memory` right after its start, and would be so again: that is said, and no more."""
    scene.config = merged(scene.config, {"health": {"memory": "50M"}})
    await scene.start()
    await scene.shows(MEASURED_S + 10, problems=lambda problems: "over health.memory" in problems.get("memory", ""))

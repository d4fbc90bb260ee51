"""Row 21: the wall clock jumps. kioskd alone is deceived (libfaketime, CLOCK_REALTIME only)."""

from datetime import UTC, datetime
from pathlib import Path

from tests.faults.case import Control, Touches, case
from tests.faults.scene import Scene

SAID_S = 5.0
TEN_YEARS_S = 10 * 365 * 86400
EVERYBODYS = "the machine's clock is everybody's: kioskd alone is deceived"


def deceived(scene: Scene, off: int = 0) -> Path:
    """Let kioskd's wall clock be off by so many seconds; return the file that says by how many.

    By the library for one thread: that for several takes the place of pthread's conditions, too, by which Python's threads take turns,
    and a file that is read for each look at the clock is read by whoever holds all others up. Between 25 others a reload took 4.7 s so.
    """
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    clock = scene.folder / "clock"
    tell(clock, off)
    scene.environment |= {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    scene.command = scene.script("chromium-that-is-told-the-time", '#!/bin/sh\nunset LD_PRELOAD\nexec chromium "$@"\n')
    return clock


def tell(clock: Path, off: int) -> None:
    clock.write_text(f"{off:+d}")


async def jumps(scene: Scene, clock: Path, seconds: int) -> None:
    """Let the clock jump to so many seconds off the true time, and wait until kioskd's status tells that time."""
    tell(clock, seconds)
    year = datetime.now(UTC).year + round(seconds / (365 * 86400))
    await scene.shows(SAID_S, page__asked=lambda asked: abs(int(asked[:4]) - year) <= 1)


for name, jump, words in (("ahead", TEN_YEARS_S, "ahead"), ("back", -TEN_YEARS_S, "back")):

    @case(
        "21",
        name=f"clock-jumps-{name}",
        undisturbed=lambda t: t.restart_after + 4,
        control=Control.NONE,
        why=EVERYBODYS,
        jump=jump,
        words=words,
    )
    async def clock_jumps(scene: Scene, jump: int, words: str) -> None:
        """The wall clock jumps ten years {words}."""
        clock = deceived(scene)
        scene.follows_deploys()
        await scene.start()
        await jumps(scene, clock, jump)

    @case(
        "21",
        name=f"clock-jumps-{name}-before-a-deploy",
        within=lambda t: t.settle + 3,
        touches=Touches.PAGE,
        once=True,
        control=Control.NONE,
        why=EVERYBODYS,
        jump=jump,
        words=words,
    )
    async def clock_jumps_before_a_deploy(scene: Scene, jump: int, words: str) -> None:
        """The wall clock has jumped ten years {words}; then a build is deployed."""
        clock = deceived(scene)
        scene.follows_deploys()
        await scene.start()
        await jumps(scene, clock, jump)
        await scene.untouched()
        await scene.deploy("2")

    @case(
        "21",
        name=f"clock-jumps-{name}-while-cut-off",
        within=lambda t: t.reload_after + 7,
        touches=Touches.PAGE,
        not_before=lambda t: t.reload_after,
        control=Control.NONE,
        why=EVERYBODYS,
        jump=jump,
        words=words,
    )
    async def clock_jumps_while_cut_off(scene: Scene, jump: int, words: str) -> None:
        """The wall clock jumps ten years {words} while the page is cut off, having given up its WebSocket."""
        clock = deceived(scene)
        await scene.start()
        scene.begins()
        await scene.dashboard.do("give_up")
        await scene.shows(SAID_S, page__connection__dead_since=lambda since: since is not None)
        await jumps(scene, clock, jump)


@case("21", undisturbed=lambda t: t.restart_after + 4, control=Control.NONE, why=EVERYBODYS)
async def clock_set_after_the_start(scene: Scene) -> None:
    """The machine has no clock of its own: it starts years ago, and is told the time when the page is there."""
    clock = deceived(scene, -TEN_YEARS_S)
    scene.follows_deploys()
    await scene.start()
    await jumps(scene, clock, 0)

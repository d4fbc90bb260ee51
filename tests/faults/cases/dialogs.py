"""Row 12: what a page can hang over itself, and nobody is there to click away."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable

from kioskd.demo.kiosk import merged
from tests.faults.case import Touches, case
from tests.faults.display import display
from tests.faults.scene import Away, Scene
from tests.faults.stage import until
from tests.faults.visitor import Visitor, admitting

BOUND_S = 3.0


@contextlib.asynccontextmanager
async def touched(scene: Scene) -> AsyncIterator[Visitor]:
    """A person who has touched the page: "Leave site?" and pop-ups are for such pages only."""
    async with Visitor(scene.profile) as visitor:
        await visitor.click()
        yield visitor


async def seen(scene: Scene, what: Awaitable[object], otherwise: str) -> None:
    """Wait for what the server cannot see; where it does not come the page does not count as back."""
    limit = BOUND_S if scene.kept else scene.waits * BOUND_S
    try:
        async with asyncio.timeout(limit):
            await what
    except TimeoutError as error:
        raise Away(otherwise, limit) from error


for kind in ("alert", "confirm", "prompt"):

    @case("12", name=kind, within=lambda t: BOUND_S, touches=Touches.NOTHING, kind=kind)
    async def dialog(scene: Scene, kind: str) -> None:
        """The page calls {kind}()."""
        await scene.start()
        await scene.dashboard.do(kind)


@case("12", within=lambda t: BOUND_S, touches=Touches.NOTHING)
async def confirm_with_consequences(scene: Scene) -> None:
    """The page asks whether it may load itself anew (confirm()): it is not to be agreed to."""
    await scene.start()
    scene.begins()
    await scene.dashboard.do("navigate_away", url="javascript:void (confirm() && location.reload())")
    await scene.lasts(1.0)
    await scene.untouched()


@case("12", within=lambda t: BOUND_S, touches=Touches.NOTHING)
async def dialog_after_dialog(scene: Scene) -> None:
    """Six dialogs of the page, one behind the other."""
    await scene.start()
    for kind in ("alert", "confirm", "prompt") * 2:
        await scene.dashboard.do(kind)


@case("12", within=lambda t: BOUND_S, touches=Touches.PAGE)
async def dialog_at_load(scene: Scene) -> None:
    """The page calls alert() each time it is loaded."""
    await scene.start()
    await scene.dashboard.switch(at_load=[{"verb": "alert"}])
    await scene.dashboard.do("reload_self")


@case("12", within=lambda t: BOUND_S, touches=Touches.PAGE)
async def asks_before_it_is_left(scene: Scene) -> None:
    """The page reloads itself, and has Chromium ask before it is left."""
    scene.command = admitting(scene.folder)
    await scene.start()
    async with touched(scene):
        await scene.dashboard.do("beforeunload")


@case("12", within=lambda t: BOUND_S, touches=Touches.NOTHING)
async def prints(scene: Scene) -> None:
    """The page prints itself."""
    screen = await scene.stack.enter_async_context(display(scene.folder))  # without one Chromium shows no such dialog
    scene.environment |= screen.variables
    scene.config = merged(scene.config, {"display": {"mode": "inherit"}})
    await scene.start()
    await scene.dashboard.do("print")


@case("12", within=lambda t: BOUND_S, touches=Touches.NOTHING)
async def pop_up(scene: Scene) -> None:
    """The page opens a window over itself."""
    scene.command = admitting(scene.folder)
    await scene.start()
    async with touched(scene) as visitor:
        scene.begins()
        await scene.dashboard.do("popup")
        await seen(scene, visitor.sees_a_page_come_and_go(scene.waits * BOUND_S), "the pop-up stays")


@case("12", within=lambda t: BOUND_S, touches=Touches.NOTHING)
async def download(scene: Scene) -> None:
    """The page downloads a file."""
    folder, preferences = scene.folder / "downloads", scene.profile / "Default" / "Preferences"
    folder.mkdir()
    preferences.parent.mkdir(parents=True)
    preferences.write_text(json.dumps({"download": {"default_directory": str(folder)}}))
    await scene.start()
    scene.begins()
    await scene.dashboard.do("download")
    await scene.dashboard.asked_for("/download", BOUND_S)
    with contextlib.suppress(TimeoutError):
        await until(lambda: any(folder.iterdir()), BOUND_S / 2)  # and leave time to be back in
        await seen(scene, until(lambda: not any(folder.iterdir()), scene.waits * BOUND_S), "the file is on the disk")

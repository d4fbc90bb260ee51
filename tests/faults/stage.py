"""The stage on which a fault is played: a dashboard, a kioskd in front of it, and a control that has no kioskd.

Patience is shortened (``QUICK``), so that a story takes seconds; the relations between the times stay. A page is *back* by the
oracle's word only: the dashboard's server saw a nonce, sent after the fault, echoed from an animation frame of the newest version.
"""

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

import kioskd
from kioskd.demo.dashboard import Dashboard
from kioskd.demo.kiosk import Bare, Kiosk, Victim, merged
from kioskd.replay import Replay
from kioskd.wire.story import read

QUICK: dict[str, Any] = {
    "interval": 1,
    "timeout": 1,
    "websocket": {"reload_after": 3, "restart_after": 8},
    "page": {"load_timeout": 4, "hang_after": 3, "blank_after": 3},
}

#: The same times, for the bounds: seconds.
INTERVAL, RELOAD_AFTER, RESTART_AFTER, SETTLE = 1.0, 3.0, 8.0, 1.0

#: A small wall: painting a large one is a quarter of what a start costs, and many tests run at a time.
SMALL = ("--screen-info={640x360}",)

#: No bound of a start: a machine that is busy with other tests may take this long before anything is broken.
START_S = 60.0

#: How often Chromium's files are read so that they stay in the page cache (``cached``).
READ_AGAIN_S = 10.0

#: Chromium reloads an error page of its own 1 s, 5 s and 30 s after it came: after so long it is not the one that helps the control.
TRIED_AGAIN_S = 15.0

#: What is wrong with a dashboard from the start.
Trouble = Callable[[Dashboard], Awaitable[object]]


@dataclass
class Stage:
    """A dashboard and who looks at it."""

    dashboard: Dashboard
    victim: Victim
    kiosk: Kiosk | None  # None on the control's stage

    async def nothing_changed(self, document: str | None, pid: int, loads: int) -> None:
        """Assert that the same document stands in the same process, and was loaded once."""
        assert await self.dashboard.document() == document, "the document was replaced"
        assert self.victim.pid == pid, "the browser was restarted"
        assert len(await self.dashboard.loads()) == loads, "the document was loaded again"

    async def proven(self) -> None:
        """Wait until kioskd has learnt the page's connection, holds it for sound, and has asked for the baseline.

        From then on a dead connection is dead since the fault, not since the start.
        """
        here, there = (lambda value: value is not None), "page__connection__"
        sound = {f"{there}expected": here, f"{there}open_since": here, f"{there}dead_since": None, "server__socket": here}
        await self.shows(START_S, verdict="HEALTHY", **sound)

    async def shows(self, within: float, **wanted: Any) -> dict[str, Any]:
        """Wait until kioskd's status has these values (see ``Kiosk.shows``)."""
        assert self.kiosk is not None, "the control has no status"
        return await self.kiosk.shows(within, **wanted)

    async def stays(self, seconds: float, document: str | None) -> None:
        """Assert that no other document than this one is back for so long."""
        with pytest.raises(TimeoutError):
            await self.dashboard.back(seconds, other_than=document)


@contextlib.asynccontextmanager
async def kept(
    folder: Path,
    *,
    learnt: bool = True,
    quick: bool = True,
    deploy: bool | Path | str | dict[str, Any] = False,
    switches: dict[str, Any] | None = None,
    trouble: Trouble | None = None,
    environment: dict[str, str] | None = None,
    front: Path | None = None,
    query: str = "",
    **over: Any,
) -> AsyncIterator[Stage]:
    """A dashboard kept by kioskd, with its page back.

    ``learnt``: kioskd remembers the page's connection from an earlier run. ``quick``: patience is shortened.
    ``deploy``: the dashboard's own dist is followed, another index, an endpoint of the dashboard's server, or what the section says.
    ``trouble``: is there from the start, and the page not waited for.
    ``environment``: what kioskd's is to have besides this test's own.
    ``front``: a built front end in place of the demo's own; ``query``: of the page's URL.
    """
    folder = folder / "kept"
    folder.mkdir(parents=True)
    async with Dashboard(_dist(folder, front)) as dashboard:
        if switches:
            await dashboard.switch(**switches)
        settings = merged({"browser": {"flags": list(SMALL)}, **({"health": QUICK} if quick else {})}, over)
        if isinstance(deploy, dict):
            settings = merged({"deploy": deploy}, settings)
        elif isinstance(deploy, str):
            settings = merged({"deploy": {"url": dashboard.url + deploy}}, settings)
        elif deploy:
            settings = merged({"deploy": {"index": str(dashboard.index if deploy is True else deploy)}}, settings)
        kiosk = Kiosk(dashboard.url + query, folder, environment, **settings)
        if learnt:
            remember(kiosk.state, dashboard.url, dashboard.socket_url)
        if trouble:
            await trouble(dashboard)
        async with kiosk:
            try:
                if not trouble:
                    await dashboard.back(START_S)
                yield Stage(dashboard, kiosk, kiosk)
            except BaseException:
                print(kiosk.log())
                await tell(kiosk)
                raise


async def tell(kiosk: Kiosk) -> None:
    """Print what was decided, while there is somebody who can tell."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(5):
            file = await kiosk.story()
        for line in Replay(read(file.read_bytes(), file.name, kioskd.__version__)).lines():
            print(line, file=sys.stderr)


@contextlib.asynccontextmanager
async def bare(
    folder: Path, switches: dict[str, Any] | None = None, trouble: Trouble | None = None, front: Path | None = None, **browser: Any
) -> AsyncIterator[Stage]:
    """The control: the same dashboard before a Chromium that nobody keeps, with its page back.

    ``front``: a built front end in place of the demo's own; ``browser``: see ``Bare``.
    """
    folder = folder / "bare"
    folder.mkdir(parents=True)
    async with Dashboard(_dist(folder, front)) as dashboard:
        if switches:
            await dashboard.switch(**switches)
        if trouble:
            await trouble(dashboard)
        async with Bare(dashboard.url, folder, **{"flags": SMALL, **browser}) as victim:
            if not trouble:
                await dashboard.back(START_S)
            yield Stage(dashboard, victim, None)


def _dist(folder: Path, front: Path | None) -> Path:
    if front is not None:
        shutil.copytree(front, folder / "dist")
    return folder / "dist"


def remember(state: Path, home: str, connection: str) -> None:
    """Write what an earlier run of kioskd would have written."""
    state.mkdir(parents=True, exist_ok=True)
    content = {"expected": [[home, connection]], "reboots": {"spent": 0, "boot": "", "into": ""}}
    (state / "remembered.json").write_text(json.dumps(content))


async def cold_start(folder: Path, display: Mapping[str, str] | None = None) -> float:
    """C: the seconds a bare Chromium takes here and now from its start until the server has the first nonce back.

    ``display``: the variables of what it draws on, if not headless: painting into a compositor takes longer.
    """
    folder = folder / "cold"
    folder.mkdir(parents=True)
    async with Dashboard(folder / "dist") as dashboard:
        started = time.monotonic()
        async with Bare(dashboard.url, folder, flags=SMALL, display=display or {}):
            return await dashboard.back(START_S, after=started)


@contextlib.asynccontextmanager
async def cached() -> AsyncIterator[None]:
    """Keep Chromium's files in the page cache, where they were while C was measured, five starts in a row.

    Some kernels (DAMON) take pages away that half a minute nobody has used: a start then takes five times as long, whoever starts it.
    """
    with tempfile.TemporaryDirectory(prefix="kioskd-cached-") as folder:
        async with Bare("about:blank", Path(folder)) as bare:
            await until(lambda: any(bare.processes("renderer")), START_S)
            mapped = {each.path for each in psutil.Process(bare.pid).memory_maps()}

    def read() -> None:
        for file in filter(os.path.isfile, mapped):
            with open(file, "rb", buffering=0) as it:
                while it.read(1 << 20):
                    pass

    async def keep() -> None:
        while True:
            await asyncio.to_thread(read)
            await asyncio.sleep(READ_AGAIN_S)

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        task.cancel()


async def until(holds: Callable[[], bool], within: float) -> None:
    """Wait for what nothing tells of."""
    async with asyncio.timeout(within):
        while not holds():
            await asyncio.sleep(0.05)


async def comes_back(stage: Stage, within: float, break_it: Callable[[Stage], Awaitable[None]]) -> float:
    """Assert that another document stands on the screen ``within`` seconds of the fault; return after how many."""
    document, moment = await stage.dashboard.document(), time.monotonic()
    await break_it(stage)
    seconds = await stage.dashboard.back(within, after=moment, other_than=document)
    print(f"back after {seconds:.2f} s, the bound is {within:.2f} s")
    return seconds


async def stays_away(stage: Stage, seconds: float, break_it: Callable[[Stage], Awaitable[None]]) -> None:
    """Assert that nobody brings the control's page back within ``seconds`` of the fault."""
    document, moment = await stage.dashboard.document(), time.monotonic()
    await break_it(stage)
    with pytest.raises(TimeoutError):
        await stage.dashboard.back(seconds, after=moment, other_than=document)

"""Row 22: the browser cannot be started, for whatever reason, or the port is taken. Said clearly, and tried again for ever."""

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kioskd.demo.dashboard import Dashboard
from kioskd.demo.kiosk import free_port
from tests.aio import asynctest
from tests.faults.stage import INTERVAL, Stage, bare, cold_start, kept, until

pytestmark = pytest.mark.chromium

FIRST_ANSWER_S = 20.0  # as shipped
SHIPPED_INTERVAL = 5.0


async def no_page_yet(dashboard: Dashboard) -> None:
    """The start is what is broken."""


def command(folder: Path, script: str, mode: int = 0o755) -> Path:
    """A browser command; written anew it is another file, as after an upgrade."""
    fresh = folder / "browser.new"
    fresh.write_text(f"#!/bin/sh\n{script}\n")
    fresh.chmod(mode)
    return fresh.replace(folder / "browser")


WORKS = 'exec chromium "$@"'


@asynccontextmanager
async def starting(folder: Path, browser: Path, **health: float) -> AsyncIterator[Stage]:
    async with kept(folder, trouble=no_page_yet, browser={"command": str(browser)}, health=health) as stage:
        yield stage


@pytest.mark.parametrize(
    ("script", "mode", "why"),
    [
        (None, 0, "No such file or directory"),
        (WORKS, 0o644, "Permission denied"),
        ("exit 7", 0o755, "exit code 7"),
        ("echo libnss3.so: cannot open shared object file >&2; exit 127", 0o755, "libnss3.so: cannot open shared object file"),
        ("head -c 100000 /dev/urandom >&4; exec sleep 60", 0o755, "pipe"),
        ("yes '{\"id\": 1}' >&4", 0o755, "bytes without an end"),
        ("yes '{\"id\": 1}' | tr '\\n' '\\0' >&4", 0o755, "pipe"),
    ],
    ids=["missing", "not-executable", "exits", "library-missing", "rubbish", "endless-rubbish", "wrong-answers"],
)
@pytest.mark.alone
@asynctest
async def test_a_browser_that_does_not_start_is_named_and_tried_for_ever(tmp_path: Path, script: str | None, mode: int, why: str) -> None:
    browser = tmp_path / "browser" if script is None else command(tmp_path, script, mode)
    cold = await cold_start(tmp_path)
    async with starting(tmp_path, browser) as stage:
        known = await stage.shows(15, verdict="NO_BROWSER", why=lambda text: why in text)
        tried = known["browser"]["generation"]
        for more in range(1, 5):  # more than the three after which a profile is set aside
            await stage.shows(INTERVAL + 2, browser__generation=lambda number, least=tried + more: number >= least)
        command(tmp_path, WORKS)
        print(f"back after {await stage.dashboard.back(INTERVAL + cold + 1):.2f} s")


@asynctest
async def test_it_is_tried_at_the_shipped_pace(tmp_path: Path) -> None:
    async with starting(tmp_path, tmp_path / "browser", interval=SHIPPED_INTERVAL, timeout=4) as stage:
        moments = []
        first = (await stage.shows(15, verdict="NO_BROWSER"))["browser"]["generation"]
        for more in range(1, 4):
            await stage.shows(SHIPPED_INTERVAL + 1, browser__generation=lambda number, least=first + more: number >= least)
            moments.append(time.monotonic())
        assert all(4 < later - earlier < 6 for earlier, later in zip(moments, moments[1:], strict=False)), moments


@asynctest
async def test_a_browser_that_never_answers_is_given_up_and_tried_again(tmp_path: Path) -> None:
    cold = await cold_start(tmp_path)
    async with starting(tmp_path, command(tmp_path, "exec sleep 600")) as stage:
        moment = time.monotonic()
        await stage.shows(START := FIRST_ANSWER_S + 3, verdict="NO_BROWSER", why=lambda text: "did not answer DevTools within 20 s" in text)
        assert time.monotonic() - moment <= START
        command(tmp_path, WORKS)
        moment = time.monotonic()
        try:
            await stage.dashboard.back(INTERVAL + cold + 1, after=moment)
        except TimeoutError:  # the next try had begun before the browser was mended
            await stage.dashboard.back(FIRST_ANSWER_S + INTERVAL + cold + 1, after=moment)


@pytest.mark.alone
@asynctest
async def test_an_upgrade_under_the_browser_touches_nothing_and_the_next_start_uses_it(tmp_path: Path) -> None:
    browser = command(tmp_path, WORKS)
    cold = await cold_start(tmp_path)
    async with starting(tmp_path, browser) as stage:
        await stage.dashboard.back(60)
        document, pid = await stage.dashboard.document(), stage.victim.pid
        browser.unlink()  # as while dpkg unpacks
        await stage.stays(3, document)
        await stage.nothing_changed(document, pid, loads=1)
        stage.victim.kill()
        await stage.shows(3, verdict="NO_BROWSER", why=lambda text: "No such file or directory" in text)
        command(tmp_path, 'exec chromium --user-agent="Mozilla/5.0 upgraded" "$@"')
        await stage.dashboard.back(INTERVAL + cold + 1, other_than=document)


@asynctest
async def test_without_kioskd_nobody_starts_it_again(tmp_path: Path) -> None:
    cold = await cold_start(tmp_path)
    async with bare(tmp_path) as stage:
        document = await stage.dashboard.document()
        stage.victim.kill()
        await stage.stays(INTERVAL + cold + 1, document)


@asynctest
async def test_a_port_in_use_costs_the_api_only_and_only_until_it_is_free(tmp_path: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as squatter:
        async with kept(tmp_path, api={"listen": f"127.0.0.1:{port}"}) as stage:  # the page is back
            assert stage.kiosk is not None
            stage.kiosk.port, kiosk = port, stage.kiosk
            await until(lambda: f"127.0.0.1:{port}" in kiosk.log() and "another program has this port" in kiosk.log(), 5)
            squatter.close()
            await stage.shows(5 + 1, page__url=stage.dashboard.url)

"""The page in a bare Chromium: the control for everything that is tested with kioskd in front of it."""

import asyncio
import os
import pwd
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kioskd.demo.dashboard import Dashboard
from tests.aio import asynctest

pytestmark = pytest.mark.chromium
FLAGS = ("--headless", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


@asynccontextmanager
async def chromium(url: str) -> AsyncIterator[None]:
    """A Chromium with nobody behind it, run by an ordinary user."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        as_user: dict[str, str] = {}
        if os.geteuid() == 0:
            shutil.chown(home, "nobody")
            as_user = {"user": "nobody", "group": str(pwd.getpwnam("nobody").pw_gid)}
        browser = await asyncio.create_subprocess_exec(
            "/usr/bin/chromium",
            *(*FLAGS, f"--user-data-dir={home}/profile", url),
            env={**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            **{key: int(value) if value.isdigit() else value for key, value in as_user.items()},  # type: ignore[arg-type]
        )
        try:
            yield
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            await browser.wait()


@asynctest
async def test_a_bare_chromium_is_back_and_comes_back_by_itself_where_the_page_does(tmp_path: Path) -> None:
    async with Dashboard(tmp_path / "dist") as dashboard:
        await dashboard.switch(retry_s=0.2)
        async with chromium(dashboard.url):
            await dashboard.back(within=20)
            document = await dashboard.document()
            assert await dashboard.do("drop") == 1
            await dashboard.back(within=5)
            await dashboard.kill()
            await dashboard.start()
            await dashboard.back(within=5)
            assert await dashboard.document() == document and len(await dashboard.loads()) == 1


@asynctest
async def test_nothing_brings_back_a_page_that_gave_up(tmp_path: Path) -> None:
    async with Dashboard(tmp_path / "dist") as dashboard:
        await dashboard.switch(retry="weak", tries=3, retry_s=0.05)
        async with chromium(dashboard.url):
            await dashboard.back(within=20)
            await dashboard.switch(socket="refuse")
            await dashboard.do("drop")
            asked = 0
            while asked < 3:
                asked = sum(request["path"] == "/ws" for request in (await dashboard.state())["requests"]) - 1
            await dashboard.switch(socket="normal")
            with pytest.raises(TimeoutError):
                await dashboard.back(within=1.5)


@asynctest
async def test_every_transport_brings_the_nonce_back(tmp_path: Path) -> None:
    async with Dashboard(tmp_path / "dist") as dashboard:
        async with chromium(dashboard.url):
            await dashboard.back(within=20)
            for transport in ("worker", "iframe_same", "iframe_srcdoc", "iframe_other", "event_source", "websocket"):
                document = await dashboard.document()
                await dashboard.switch(transport=transport)
                assert await dashboard.do("reload_self") == 1
                await dashboard.back(within=10, other_than=document)


@asynctest
async def test_a_new_build_is_seen_only_after_a_load(tmp_path: Path) -> None:
    async with Dashboard(tmp_path / "dist") as dashboard:
        async with chromium(dashboard.url):
            await dashboard.back(within=20)
            dashboard.deploy("2")
            moment = time.monotonic()
            with pytest.raises(TimeoutError, match="by version '1'"):
                await dashboard.back(within=1.5, after=moment)
            await dashboard.do("reload_self")
            await dashboard.back(within=10)
            assert await dashboard.version() == "2"

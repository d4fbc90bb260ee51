"""Row 20 and bad input: a mistake in the configuration is told with file and line, and never costs the wall its page."""

import asyncio
import base64
import html
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from kioskd.demo.dashboard import Dashboard
from kioskd.demo.kiosk import Kiosk, merged
from tests.aio import asynctest
from tests.faults.stage import INTERVAL, QUICK, START_S, bare, kept

pytestmark = pytest.mark.chromium

EX_CONFIG = 78
SOON_S = INTERVAL + 5  # for a mended file: the page is built in, so home is one load away

BAD: dict[str, tuple[bytes, str]] = {
    "broken YAML": (b"url: [http://a\nallow: {", ":"),
    "unknown key": (b"\nurll: http://a/", ':2: urll: '),
    "no scheme": (b"url: localhost:3001", ":1: url: "),
    "negative duration": (b"\nhealth:\n  interval: -5s", ":3: health.interval: "),
    "list for mapping": (b"url: http://a/\nhealth:\n  - interval: 5s", "health: "),
    "twice": (b"url: http://a/\nurl: http://b/", ":2: url: "),
    "alias bomb": (b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", ":1: "),
    "python tag": (b"url: !!python/object/apply:os.system [ls]", ":1: "),
    "ten megabytes": (b"#" * (10 << 20), ":1: "),
    "binary": (bytes(range(256)), ":2: "),
}


async def check(path: Path) -> tuple[int | None, str]:
    """Run ``kioskd check-config``."""
    return await command("check-config", str(path))


async def command(*words: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kioskd", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 20)
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, said.decode()


@asynccontextmanager
async def started_with(
    folder: Path, text: bytes, good: dict[str, Any] | None = None, **over: Any
) -> AsyncIterator[tuple[Dashboard, Kiosk]]:
    """A kioskd started on a bad file, which begins with where to draw, keep and listen. ``good``: its last good file had this, too."""
    async with Dashboard(folder / "dist") as dashboard:
        kiosk = Kiosk(dashboard.url, folder, **merged({"health": QUICK}, over))
        where = {key: kiosk.config[key] for key in ("browser", "display", "api", "state")}
        kiosk.config_file.write_bytes(yaml.safe_dump(where).encode() + text)
        if good is not None:
            kiosk.state.mkdir()
            (kiosk.state / "last-good.yaml").write_text(yaml.safe_dump(merged(kiosk.config, good)))
        async with kiosk:
            try:
                yield dashboard, kiosk
            except BaseException:
                print(kiosk.log())
                raise


def overheard_browser(folder: Path) -> Path:
    """Return a Chromium that writes down what it is told through its DevTools pipe, in ``told`` beside it."""
    command = folder / "chromium"
    command.write_text(f'#!/bin/bash\nexec 3< <(exec tee {folder / "told"} <&3)\nexec chromium "$@"\n')
    command.chmod(0o755)
    return command


def on_the_wall(folder: Path) -> str:
    """Return the text of the page of mistakes that the browser was told to show last."""
    pages = re.findall(rb"kioskd=mistake;base64,([A-Za-z0-9+/=]+)", (folder / "told").read_bytes())
    return html.unescape(re.sub("<.*?>", "", base64.b64decode(pages[-1]).decode()))


@pytest.mark.parametrize(("text", "where"), BAD.values(), ids=BAD)
@asynctest
async def test_check_config_says_what_and_where(tmp_path: Path, text: bytes, where: str) -> None:
    path = tmp_path / "kioskd.yaml"
    path.write_bytes(text)
    code, said = await check(path)
    assert code == EX_CONFIG
    assert said.startswith(f"{path}:") and where in said, said
    assert "Traceback" not in said and len(said) < 1000, said


@asynctest
async def test_check_config_of_an_empty_file_and_of_none(tmp_path: Path) -> None:
    empty = tmp_path / "empty.yaml"
    empty.write_bytes(b"")
    code, said = await check(empty)
    assert code == 0 and "welcome page" in said, said
    for path in (tmp_path, tmp_path / "none.yaml", Path("/dev/zero")):
        code, said = await check(path)
        assert code == EX_CONFIG and said.startswith(f"{path}:1: ") and said.count("\n") == 1, said


@asynctest
async def test_strict_ends(tmp_path: Path) -> None:
    path = tmp_path / "kioskd.yaml"
    path.write_text("url: localhost\n")
    code, said = await command("run", "--strict", "--config", str(path))
    assert code == EX_CONFIG and said.startswith(f"{path}:1: url: "), said


@pytest.mark.parametrize(("text", "where"), BAD.values(), ids=BAD)
@asynctest
async def test_broken_at_start_the_last_good_one_is_used(tmp_path: Path, text: bytes, where: str) -> None:
    async with started_with(tmp_path, text, good={}) as (dashboard, kiosk):
        await dashboard.back(START_S)
        known = await kiosk.status()
        (mistake, *_) = known["configuration"]["mistakes"]
        assert mistake.startswith(f"{kiosk.config_file}:") and mistake in kiosk.log()


@asynctest
async def test_without_one_the_screen_says_what_is_wrong_until_it_is_mended(tmp_path: Path) -> None:
    browser = {"command": str(overheard_browser(tmp_path))}
    async with started_with(tmp_path, b"urll: http://localhost/", browser=browser) as (dashboard, kiosk):
        known = await kiosk.shows(START_S, page__url=lambda url: "kioskd=mistake" in url, verdict="HEALTHY")
        (mistake,) = known["configuration"]["mistakes"]
        line = kiosk.config_file.read_text().splitlines().index("urll: http://localhost/") + 1
        assert mistake.startswith(f"{kiosk.config_file}:{line}: urll: ") and mistake in kiosk.log()
        assert mistake in on_the_wall(tmp_path)
        moment = time.monotonic()
        kiosk.configure()
        await dashboard.back(SOON_S, after=moment)
        await kiosk.shows(5, configuration__mistakes=[])


@asynctest
async def test_broken_on_reload_nothing_changes_but_the_status(tmp_path: Path) -> None:
    async with kept(tmp_path) as stage:
        assert stage.kiosk is not None and stage.kiosk.process is not None
        document, pid = await stage.dashboard.document(), stage.victim.pid
        stage.kiosk.write("url: localhost\n")
        mistake = f"{stage.kiosk.config_file}:1: url: "
        await stage.shows(5, configuration__mistakes=lambda mistakes: any(each.startswith(mistake) for each in mistakes))
        stage.kiosk.process.send_signal(signal.SIGHUP)
        await stage.stays(3, document)
        await stage.nothing_changed(document, pid, 1)
        stage.kiosk.configure()
        await stage.shows(5, configuration__mistakes=[])
        await stage.nothing_changed(document, pid, 1)


@asynctest
async def test_another_url_is_gone_to_and_none_shows_the_welcome_page(tmp_path: Path) -> None:
    async with kept(tmp_path) as stage, Dashboard(tmp_path / "other" / "dist") as other:
        assert stage.kiosk is not None
        pid, moment = stage.victim.pid, time.monotonic()
        stage.kiosk.configure(url=other.url)
        await other.back(SOON_S, after=moment)
        del stage.kiosk.config["url"]
        stage.kiosk.configure()
        await stage.shows(SOON_S, page__url=lambda url: "kioskd=welcome" in url)
        moment = time.monotonic()
        stage.kiosk.configure(url=stage.dashboard.url)
        await stage.dashboard.back(SOON_S, after=moment)
        assert stage.victim.pid == pid


@asynctest
async def test_started_without_a_url_it_shows_the_welcome_page(tmp_path: Path) -> None:
    async with Kiosk(None, tmp_path) as kiosk:
        await kiosk.shows(START_S, page__url=lambda url: "kioskd=welcome" in url, verdict="HEALTHY")


@asynctest
async def test_without_kioskd_a_browser_without_its_page_gets_none(tmp_path: Path) -> None:
    async with bare(tmp_path) as stage:
        document = await stage.dashboard.document()
        await stage.dashboard.do("navigate_away", url="about:blank")
        await stage.stays(SOON_S, document)

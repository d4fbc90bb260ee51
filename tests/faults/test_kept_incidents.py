"""What a user is told of an incident: the same by kioskctl, whatever happens to kioskd and its power in the middle."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kioskd.demo.kiosk import Kiosk
from kioskd.errors import KioskdError
from tests.aio import asynctest
from tests.faults.stage import RELOAD_AFTER, START_S, kept

pytestmark = pytest.mark.chromium


async def kioskctl(kiosk: Kiosk, *arguments: str) -> str:
    """What the command prints, asked of this kioskd."""

    def run() -> str:
        code = "import sys; from kioskd.ctl import main; sys.exit(main())"
        command = [sys.executable, "-c", code, *arguments, "--socket", kiosk.control]
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return await asyncio.to_thread(run)


async def incidents(kiosk: Kiosk) -> list[dict[str, Any]]:
    return list(json.loads(await kioskctl(kiosk, "incidents", "--json"))["incidents"])


@pytest.mark.alone  # it is to be told as it is meant to go: with a patience of seconds a busy machine makes other stories of it
@asynctest
async def test_the_stuck_page_is_told_from_the_first_sign_to_the_cure_with_a_picture_of_both(tmp_path: Path) -> None:
    async with kept(tmp_path) as stage:
        assert stage.kiosk is not None
        await stage.shows(START_S, rung="CALM")
        await stage.proven()
        await stage.dashboard.do("give_up")
        await stage.dashboard.back(RELOAD_AFTER + 7 + START_S, other_than=await stage.dashboard.document())
        await stage.shows(START_S, rung="CALM")
        async with asyncio.timeout(START_S):
            while len((told := (await incidents(stage.kiosk))[0])["evidence"]) < 2:
                await asyncio.sleep(0.2)  # the second is taken when the incident is over
        assert (told["verdict"], told["cure"]) == ("STUCK", "reload the page")
        assert [(each["what"], each["outcome"]) for each in told["actions"]] == [("reload the page", "helped")]
        assert RELOAD_AFTER - 1 <= told["seconds"] < RELOAD_AFTER + START_S
        before, after = told["evidence"]
        acted, taken, cured = (datetime.fromisoformat(at) for at in (told["actions"][0]["at"], before["at"], told["ended"]))
        assert acted - timedelta(seconds=1) <= taken <= acted + timedelta(seconds=1) < cured
        for evidence in (before, after):
            assert evidence["memory"] > 10 << 20
            file = tmp_path / evidence["picture"]
            await kioskctl(stage.kiosk, "show", str(told["id"]), "--picture", evidence["picture"], "-o", str(file))
            assert file.read_bytes()[:3] == b"\xff\xd8\xff", "no JPEG"
        text = await kioskctl(stage.kiosk, "show", str(told["id"]))
        assert "STUCK: the server is up and the page's connection is dead" in text and "reload the page  (helped)" in text
        assert f"{told['id']:>5}  " in await kioskctl(stage.kiosk, "incidents")
        assert "● HEALTHY" in await kioskctl(stage.kiosk, "status")


@asynctest
async def test_a_power_cut_in_the_middle_loses_nothing_that_was_told(tmp_path: Path) -> None:
    async with kept(tmp_path) as stage:
        kiosk = stage.kiosk
        assert kiosk is not None and kiosk.process is not None
        await stage.shows(START_S, rung="CALM")
        await stage.proven()
        await stage.dashboard.do("give_up")
        await stage.shows(START_S, rung="RELOADED")
        (number,) = [each["id"] for each in await incidents(kiosk) if each["verdict"] == "STUCK"]
        kiosk.strike(signal.SIGKILL)
        with contextlib.suppress(KioskdError):  # the browser ends by itself when nobody holds its pipe, and may have done so already
            kiosk.signal(signal.SIGKILL, None)
        await kiosk.process.wait()
        with (kiosk.state / "incidents.jsonl").open("ab") as file:
            file.write(b'{"id":%d,"what":"cu' % number)  # what the power cut has torn
        await kiosk.start()
        await stage.shows(START_S, verdict="HEALTHY", rung="CALM")
        known = {each["id"]: each for each in await incidents(kiosk)}
        assert known[number]["interrupted"] and [each["what"] for each in known[number]["actions"]] == ["reload the page"]
        assert max(known) == number, "a start is no incident"


@asynctest
async def test_the_screen_is_left_alone_while_somebody_works_on_it(tmp_path: Path) -> None:
    async with kept(tmp_path) as stage:
        assert stage.kiosk is not None
        await stage.shows(START_S, rung="CALM")
        await stage.proven()
        assert "left alone for 10m" in await kioskctl(stage.kiosk, "pause", "10m")
        known = await stage.shows(START_S, verdict="PAUSED")
        assert known["paused_until"]
        document = await stage.dashboard.document()
        await stage.dashboard.do("give_up")
        await stage.stays(2 * RELOAD_AFTER, document)
        assert "looked after again" in await kioskctl(stage.kiosk, "resume")
        await stage.dashboard.back(RELOAD_AFTER + 7 + START_S, other_than=document)


@asynctest
async def test_what_is_on_the_screen_can_be_had_and_the_browser_restarted(tmp_path: Path) -> None:
    async with kept(tmp_path) as stage:
        assert stage.kiosk is not None
        await stage.shows(START_S, rung="CALM")
        file, document, pid = tmp_path / "now.png", await stage.dashboard.document(), stage.victim.pid
        await kioskctl(stage.kiosk, "screenshot", "-o", str(file))
        assert file.read_bytes()[:4] == b"\x89PNG"
        assert "restarting" in await kioskctl(stage.kiosk, "restart", "as the test wants it")
        await stage.dashboard.back(START_S, other_than=document)
        assert stage.victim.pid != pid and "as the test wants it" in stage.kiosk.log()

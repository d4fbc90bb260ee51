"""One of those that kioskd is compared with is a unit: its machine keeps a Chromium that this one sees."""

import os
import pwd
import time
from pathlib import Path

import pytest

from kioskd.demo.dashboard import Dashboard
from tests.aio import lasting
from tests.faults.peers import Launch, Systemd, machine

pytestmark = pytest.mark.system

START_S, BACK_S = 30.0, 20.0


@lasting(120.0)
async def test_a_unit_restarts_its_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = pwd.getpwnam("nobody")
    folder = tmp_path / "a peer"
    folder.mkdir()
    for each in (tmp_path, folder):
        os.chown(each, nobody.pw_uid, nobody.pw_gid)
    with machine.booted(Path(os.environ["KIOSKD_ROOT"]), tmp_path) as (it, orders):
        monkeypatch.setenv("KIOSKD_PEERS_MACHINE", str(orders))
        monkeypatch.setenv("TMPDIR", str(tmp_path))  # a dashboard leaves its socket's folder there
        async with Dashboard(tmp_path / "dist") as dashboard:
            victim = Systemd(Launch(dashboard.url, folder, folder / "profile"))
            async with victim:
                await dashboard.back(START_S)
                assert {process.username() for process in victim.processes()} == {"nobody"}
                document, moment = await dashboard.document(), time.monotonic()
                victim.kill()
                await dashboard.back(BACK_S, after=moment, other_than=document)
                victim.freeze()  # and is ended all the same
            assert victim.processes() == []
            assert "kiosk@" not in it.run("systemctl", "list-units", "--plain", "--no-legend", "--state=active,activating,failed")

"""The peers keep what they claim, and leave nothing behind. What a fault does to them beside kioskd is the matrix's business."""

import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from kioskd.demo.dashboard import Dashboard
from kioskd.errors import EdgeUnavailable
from tests.aio import asynctest, lasting
from tests.faults.peers import PEERS, CarefulPage, CronJob, DeployHook, Launch, Nothing, Peer, Systemd, machine
from tests.faults.stage import SMALL, START_S, until

BACK_S = 20.0  # generous: a pause of a second, and a start
STAYS_AWAY_S = 5.0  # all the others are back by then
RELOADS_AFTER_S, RETRIES_AFTER_S = 60.0, 5.0


@asynccontextmanager
async def before(dashboard: Dashboard, peer: Peer) -> AsyncIterator[None]:
    """The page is back, and at the end nothing of the peer's is left: neither supervisor nor browser, nor what they started."""
    await dashboard.switch(**peer.switches)
    async with peer:
        await dashboard.back(START_S)
        assert of_the(peer)
        yield
    assert not of_the(peer)


def of_the(peer: Peer) -> list[str]:
    """What runs for the sake of a peer, by what it was started with."""
    signs, found = (str(peer.launch.folder), peer._marker), []
    for process in psutil.process_iter():
        try:
            told = [*process.cmdline(), *process.environ().values()]
            if process.status() != psutil.STATUS_ZOMBIE and any(sign in each for each in told for sign in signs):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def launch(dashboard: Dashboard, folder: Path) -> Launch:
    return Launch(f"{dashboard.url}?a=1&b=2", folder / "a peer", folder / "a peer" / "profile", flags=SMALL)


@pytest.mark.chromium
@pytest.mark.parametrize("peer", [peer for peer in PEERS if not issubclass(peer, Nothing | Systemd)], ids=lambda peer: peer.name)
@asynctest
async def test_those_that_restart_a_browser_do(tmp_path: Path, peer: type[Peer]) -> None:
    async with Dashboard(tmp_path / "dist") as dashboard:
        victim = peer(launch(dashboard, tmp_path))
        async with before(dashboard, victim):
            document, moment = await dashboard.document(), time.monotonic()
            victim.kill()
            print(f"back after {await dashboard.back(BACK_S, after=moment, other_than=document):.2f} s")


@pytest.mark.chromium
@pytest.mark.parametrize("peer", [Nothing, CarefulPage], ids=lambda peer: peer.name)
@asynctest
async def test_a_browser_that_nobody_restarts_stays_away(tmp_path: Path, peer: type[Peer]) -> None:
    async with Dashboard(tmp_path / "dist") as dashboard:
        victim = peer(launch(dashboard, tmp_path))
        async with before(dashboard, victim):
            victim.kill()
            await dashboard.unconnected(BACK_S)
            with pytest.raises(TimeoutError):
                await dashboard.back(STAYS_AWAY_S)


@pytest.mark.chromium
@asynctest
async def test_a_careful_page_comes_back_by_itself_when_its_server_does_and_gives_nothing_up(tmp_path: Path) -> None:
    async with Dashboard(tmp_path / "dist") as dashboard, before(dashboard, CarefulPage(launch(dashboard, tmp_path))):
        document, moment = await dashboard.document(), time.monotonic()
        await dashboard.switch(on_close="reload")  # which it does not do
        assert await dashboard.do("give_up") == 1
        await dashboard.unconnected(BACK_S)
        seconds = await dashboard.back(BACK_S, after=(gone := time.monotonic())) + gone - moment
        assert RETRIES_AFTER_S <= seconds < 2 * RETRIES_AFTER_S
        moment = time.monotonic()
        await dashboard.kill()
        await dashboard.start()
        assert await dashboard.back(BACK_S, after=moment) < 2 * RETRIES_AFTER_S
        assert await dashboard.document() == document and len(await dashboard.loads()) == 1


@pytest.mark.defaults
@lasting(RELOADS_AFTER_S + START_S + 60)
async def test_a_careful_page_reloads_itself_after_a_minute(tmp_path: Path) -> None:
    async with Dashboard(tmp_path / "dist") as dashboard, before(dashboard, CarefulPage(launch(dashboard, tmp_path))):
        moment = time.monotonic()
        await dashboard.switch(socket="refuse")
        await dashboard.do("drop")
        seconds = await dashboard.loaded(2, RELOADS_AFTER_S + BACK_S) - moment
        assert RELOADS_AFTER_S <= seconds < RELOADS_AFTER_S + RETRIES_AFTER_S
        document = await dashboard.document()
        await dashboard.switch(socket="normal")
        await dashboard.back(BACK_S, other_than=document)
        assert len(await dashboard.loads()) == 2


@pytest.mark.chromium
@asynctest
async def test_a_hook_restarts_the_browser_upon_a_deploy(tmp_path: Path) -> None:
    async with Dashboard(tmp_path / "dist") as dashboard:
        victim = DeployHook(launch(dashboard, tmp_path))
        async with before(dashboard, victim):
            dashboard.deploy("2")
            await victim.deployed()
            await dashboard.back(BACK_S)
            assert await dashboard.version() == "2"


async def its_connection_goes(dashboard: Dashboard, victim: Peer) -> None:
    await dashboard.switch(socket="refuse")
    await dashboard.do("drop")


async def its_renderer_goes(dashboard: Dashboard, victim: Peer) -> None:
    victim.crash_renderers()


@pytest.mark.chromium
@pytest.mark.parametrize("error", [its_connection_goes, its_renderer_goes], ids=lambda error: error.__name__)
@asynctest
async def test_a_job_kills_the_browser_for_an_error_of_the_page_and_for_nothing_else(
    tmp_path: Path, error: Callable[[Dashboard, Peer], Awaitable[None]]
) -> None:
    async with Dashboard(tmp_path / "dist") as dashboard:
        victim = CronJob(replace(launch(dashboard, tmp_path), phase=0.3), period_s=0.5)
        async with before(dashboard, victim):
            said = victim.launch.folder / "log"
            seen = said.read_text()
            await until(lambda: said.read_text().count("no errors") >= seen.count("no errors") + 2, BACK_S)
            assert "killed" not in said.read_text()
            document = await dashboard.document()
            await error(dashboard, victim)
            await until(lambda: "killed" in said.read_text(), BACK_S)
            await dashboard.switch(socket="normal")
            await dashboard.back(BACK_S, other_than=document)


@asynctest
async def test_a_peer_that_cannot_be_had_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KIOSKD_PEERS_MACHINE", raising=False)
    monkeypatch.setenv("KIOSKD_PEERS_NO_MACHINE", "that needs root")
    with pytest.raises(EdgeUnavailable, match="Cannot start systemd: that needs root"):
        async with Systemd(Launch("http://127.0.0.1:1/", tmp_path, tmp_path / "profile")):
            pytest.fail("it was started")
    (tmp_path / "network").write_text("net:[1]")
    monkeypatch.setenv("KIOSKD_PEERS_MACHINE", str(tmp_path))
    assert Systemd.missing() == "the machine has not the network that this is played in"


def test_without_a_machine_the_others_go_on(tmp_path: Path) -> None:
    asked = ["--root", str(tmp_path / "none"), "--share", str(tmp_path), "--", "sh", "-c", 'test -n "$KIOSKD_PEERS_NO_MACHINE" && exit 3']
    assert machine.main(asked) == 3


def test_who_is_told_to_end_waits_for_what_the_command_has_to_put_away(tmp_path: Path) -> None:
    away = tmp_path / "away"
    script = f"trap 'sleep 0.3; touch {away}; exit 5' TERM; echo there; while true; do sleep 0.05; done"
    words = ["-m", "tests.faults.peers.machine", "--root", str(tmp_path / "none"), "--share", str(tmp_path), "--", "sh", "-c", script]
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"there\n"
        process.terminate()
        assert process.wait(BACK_S) == 5 and away.exists()


def test_each_has_a_name_and_says_what_it_is() -> None:
    assert len({peer.name for peer in PEERS}) == len({peer.says for peer in PEERS}) == len(PEERS) == 8

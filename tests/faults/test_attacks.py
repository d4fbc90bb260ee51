"""Bad input at its worst, under a watchdog as systemd has one: no ping is late, kioskd stays small and answers, and the page stays.

There is no control: nothing is broken that somebody would have to bring back.
"""

import asyncio
import contextlib
import json
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from kioskd.demo.kiosk import Kiosk
from kioskd.edges.gate import HEAD_S
from kioskd.edges.http_api import CONNECTIONS
from tests.aio import lasting
from tests.faults.attackers import ATTACKS
from tests.faults.stage import START_S, Stage, kept

pytestmark = [pytest.mark.chromium, pytest.mark.alone]

WATCHDOG_S = 2.0  # the unit has 30 s: fifteen times the load of these attacks would pass there
EACH = 0.012  # MB that one costs which has not asked for anything
GROWTH = 24.0
SO_TIMESTAMP = 29  # asm-generic/socket.h; Python has no name for it
LONGEST = "\U0001f600" * 1000  # a thousand characters are 12 KB of JSON


class Systemd:
    """The other end of sd_notify. The kernel stamps each message as it is sent: that this process is busy does not count."""

    def __init__(self, address: Path) -> None:
        self.environment = {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6))}
        self._pings: list[float] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)
        self._socket.bind(str(address))
        asyncio.get_running_loop().add_reader(self._socket, self._hear)

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                message, more, _, _ = self._socket.recvmsg(4096, 256)
                if message == b"WATCHDOG=1":
                    ((_, _, stamp),) = more
                    seconds, micro = struct.unpack("qq", stamp)
                    self._pings.append(seconds + micro / 1e6)

    def longest_gap(self, since: float) -> float:
        """The longest time between two pings, from the last one before ``since`` (of the wall clock) until now."""
        self._hear()
        before = [ping for ping in self._pings if ping <= since][-1:]
        moments = [*before, *(ping for ping in self._pings if ping > since), time.time()]
        return max(b - a for a, b in zip(moments, moments[1:], strict=False))

    def close(self) -> None:
        """Listen no more."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()


@contextlib.asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[tuple[Stage, Kiosk, Systemd]]:
    """A kept dashboard whose page is well, and who watches kioskd."""
    systemd = Systemd(folder / "notify")
    try:
        async with kept(folder, environment=systemd.environment) as stage:
            assert stage.kiosk is not None
            await stage.shows(START_S, verdict="HEALTHY")
            yield stage, stage.kiosk, systemd
    finally:
        systemd.close()


async def attack(name: str, kiosk: Kiosk) -> Counter[str]:
    """Let it happen, and add up what came of it."""
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.attackers", name, str(kiosk.port), kiosk.control, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(ATTACKS[name].processes)
    ]
    try:
        said = [json.loads(out) for out, _ in await asyncio.gather(*(process.communicate() for process in processes))]
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
    return sum(map(Counter, said), Counter[str]())


def memory(kiosk: Kiosk, what: str) -> int:
    """Return kioskd's memory in bytes: ``VmRSS`` now, ``VmHWM`` at its highest so far."""
    assert kiosk.process is not None
    (line,) = [line for line in Path(f"/proc/{kiosk.process.pid}/status").read_text().splitlines() if line.startswith(f"{what}:")]
    return int(line.split()[1]) << 10


async def answered(kiosk: Kiosk, within: float, port: bool = False) -> float:
    """Return after how many seconds a client that means well has its answer; ``port``: on the port, where it may have to try again."""
    connector = None if port else aiohttp.UnixConnector(kiosk.control)
    began = time.monotonic()
    async with asyncio.timeout(within), aiohttp.ClientSession(connector=connector) as session:
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with session.get(f"http://127.0.0.1:{kiosk.port}/healthz") as response:
                    assert response.status == 200
                    return time.monotonic() - began
            if not port:
                pytest.fail("it was refused")
            await asyncio.sleep(0.05)


async def tell(kiosk: Kiosk) -> list[int]:
    """Broadcast the longest message there is, forty times at once; return how many clients were told each time."""
    return [answer["clients"] for answer in await asyncio.gather(*(kiosk.reload(LONGEST) for _ in range(40)))]


MINUTES = ["a million reconnects"]
KINDS = {
    "requests": [name for name, how in ATTACKS.items() if how.control or name.startswith(("requests", "heads"))],
    "listeners": [name for name, how in ATTACKS.items() if b"GET /ws" in how.openings[0] and not how.deaf and not how.total],
    "who never read": ["listeners who never read"],
    "connections": ["ten thousand connections"],
}


def test_every_attack_is_tried() -> None:
    assert sorted(sum(KINDS.values(), MINUTES)) == sorted(ATTACKS)


@pytest.mark.parametrize("names", KINDS.values(), ids=KINDS)
@lasting(180)
async def test_under_attack_no_ping_is_late_and_the_page_stays(tmp_path: Path, names: list[str]) -> None:
    await all_borne(tmp_path, names)


@pytest.mark.rest
@lasting(3600)
async def test_under_a_million_reconnects_no_ping_is_late_and_the_page_stays(tmp_path: Path) -> None:
    """Takes a quarter of an hour: ``scripts/test -- tests/faults/test_attacks.py -m rest``."""
    await all_borne(tmp_path, MINUTES)


async def all_borne(folder: Path, names: list[str]) -> None:
    """Assert that kioskd bears these attacks."""
    async with watched(folder) as (stage, kiosk, systemd):
        document, pid = await stage.dashboard.document(), stage.victim.pid
        for name in names:
            await borne(name, kiosk, systemd)
        assert stage.victim.pid == pid, "the browser was restarted"
        if "listeners who never read" not in names:  # broadcasts come with reloads
            await stage.nothing_changed(document, pid, 1)
        assert len(kiosk.log()) < 20_000, "the log is filled"


async def borne(name: str, kiosk: Kiosk, systemd: Systemd) -> None:
    """Assert that kioskd bears this attack."""
    how, began, small, slowest, told = ATTACKS[name], time.time(), memory(kiosk, "VmRSS"), 0.0, [0]
    attacking = asyncio.create_task(attack(name, kiosk))
    try:
        while not attacking.done():
            slowest = max(slowest, await answered(kiosk, 5))
            if how.gets == "open":
                answers = await tell(kiosk)
                told += answers if time.time() - began < how.lasts_s else []  # later they may have gone by themselves
            if how.processes > 1 and not how.again and time.time() - began > HEAD_S:
                await answered(kiosk, HEAD_S, port=True)
                assert not attacking.done(), "only when they had gone was there a place for anybody else"
                break
            await asyncio.wait([attacking], timeout=0.1)
        came = await attacking
    finally:
        attacking.cancel()
    after = await answered(kiosk, WATCHDOG_S, port=True)
    gap, grown = systemd.longest_gap(began), (memory(kiosk, "VmHWM") - small) / 1e6
    print(f"{name}: gap {gap:.2f} s, answers {slowest:.2f} s, after it {after:.2f} s, grown {grown:.0f} MB, {dict(came)}, told {told[-1:]}")
    assert gap < WATCHDOG_S, f"{name}: the watchdog would have ended kioskd"
    assert slowest < WATCHDOG_S, name
    assert grown < GROWTH + EACH * min(came["held"], CONNECTIONS), name
    assert came[how.gets] or (how.more and came["refused"]), (name, came)  # an answer can be lost on who does not stop talking
    assert not set(came) - {how.gets, "refused", "closed", "open", "held"}, (name, came)
    assert not how.total or came["left"] == how.total * how.processes, f"not all came in: {came}"
    assert came["closed"] <= CONNECTIONS, "those beyond the limit were to be refused at once"
    if how.gets == "open":
        assert max(told) == how.width and told[-1] == 0, f"they were told for ever: {told}"

"""``scripts/bench``: what kioskd costs, and how fast it is, against what the same machine does without it in the same minutes.

Nine figures, each the median of ``--runs``, with a bound; ends with 1 where one is missed. ``--json`` writes all that was measured.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import psutil

from kioskd.demo.dashboard import Dashboard
from kioskd.demo.kiosk import Bare, Kiosk, free_port
from kioskd.demo.listeners import Crowd, Plain
from kioskd.errors import KioskdError

START_S = 60.0
WITHIN_S = 20.0
SETTLE_S = 1.0
LISTENERS = 2000
CALM = {"verdict": "HEALTHY", "rung": "CALM"}
BARE_ASYNCIO = "import asyncio; print(flush=True); asyncio.run(asyncio.sleep(60))"


@dataclass(slots=True)
class Figure:
    """What was measured, beside what it is measured against, if anything."""

    name: str
    unit: str
    bound: float  # of the median; of the ratio of the medians where there is something to compare with
    allowance: float = 0.0  # what is granted before the ratio is taken
    measured: list[float] = field(default_factory=list)
    against: list[float] = field(default_factory=list)

    @property
    def value(self) -> float:
        """The figure that the bound is for."""
        taken = median(self.measured) - self.allowance
        return taken / median(self.against) if self.against else taken

    @property
    def kept(self) -> bool:
        """Whether it is within its bound."""
        return self.value <= self.bound

    def line(self) -> str:
        """Say it in one line."""
        said = f"{median(self.measured):.3g} {self.unit}"
        if self.against:
            granted = f" less {self.allowance:g} {self.unit}" if self.allowance else ""
            said += f"{granted} against {median(self.against):.3g} {self.unit}: {self.value:.2f} times"
        return f"{'kept  ' if self.kept else 'MISSED'} {self.name}: {said} (bound {self.bound:g}{' times' if self.against else ''})"


class Bench:
    """The figures, filled one after the other."""

    def __init__(self, folder: Path, runs: int, window_s: float) -> None:
        self._folder, self._runs, self._window_s = folder, runs, window_s
        self.memory = Figure("memory at rest (RSS), against a bare asyncio interpreter", "MB", 2.0)
        self.idle = Figure(f"CPU at rest, over {window_s:g} s", "% of a core", 0.3)
        self.fed = Figure(f"CPU with a page that receives 180 messages of 4 KB a second, over {window_s:g} s", "% of a core", 0.5)
        self.start = Figure("start of kioskd to start of Chromium", "s", 0.5)
        self.killed = Figure("browser killed to page back, against the cold start of a bare Chromium", "s", 1.15)
        self.deployed = Figure("index.html renamed to new version back, against a bare Page.reload", "s", 1.3, SETTLE_S)
        # A broadcast is a write for each client, whoever does it: twice a plain loop's time is still well below a second on a Raspberry Pi,
        # and leaves room for the turns that kioskd gives to others in between, and for the reload of its own page at the same moment.
        told = f"POST /api/reload to its message at {LISTENERS} clients, against a plain aiohttp loop:"
        self.told = Figure(f"{told} median", "s", 2.0), Figure(f"{told} 99th percentile", "s", 2.0)
        # 20 KB here, most of it aiohttp's: as many as are taken (4000) must fit into a tenth of the memory of a Pi that has 1 GB.
        self.listener = Figure("memory per client that listens (growth of RSS), against a plain aiohttp's", "KB", 1.5)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All nine."""
        return self.memory, self.idle, self.fed, self.start, self.killed, self.deployed, *self.told, self.listener

    async def run(self) -> None:
        """Measure everything."""
        await self._starts()
        await self._kills()
        await self._deploys()
        await self._broadcasts()
        await self._rests()

    async def _starts(self) -> None:
        for number in range(self._runs):
            self._tell("starting kioskd", number)
            async with self._stage(f"start-{number}") as (_, kiosk):
                born = psutil.Process(_pid(kiosk)).create_time()
                self.start.measured.append(psutil.Process(kiosk.pid).create_time() - born)

    async def _kills(self) -> None:
        async with self._stage("kill") as (dashboard, kiosk), Dashboard(self._folder / "cold") as other:
            for number in range(self._runs):
                self._tell("killing the browser", number)
                started = time.monotonic()
                async with Bare(other.url, self._folder):
                    self.killed.against.append(await other.back(START_S, after=started))
                await kiosk.shows(START_S, **CALM)
                document, moment = await dashboard.document(), time.monotonic()
                kiosk.kill()
                self.killed.measured.append(await dashboard.back(WITHIN_S, after=moment, other_than=document))

    async def _deploys(self) -> None:
        port = free_port()
        async with self._stage("deploy") as (dashboard, kiosk), Dashboard(self._folder / "reload") as other:
            async with Bare(other.url, self._folder / "reload-bare", flags=(f"--remote-debugging-port={port}",)):
                await other.back(START_S)
                for number in range(self._runs):
                    self._tell("deploying", number)
                    document, moment = await other.document(), time.monotonic()
                    await _reload(port)
                    self.deployed.against.append(await other.back(WITHIN_S, after=moment, other_than=document))
                    await kiosk.shows(START_S, **CALM)
                    moment = time.monotonic()
                    dashboard.deploy(f"2.{number}")
                    self.deployed.measured.append(await dashboard.back(WITHIN_S, after=moment))

    async def _broadcasts(self) -> None:
        async with self._stage("broadcast") as (_, kiosk), Plain() as plain:
            await kiosk.shows(START_S, **CALM)
            alone = _memory(_pid(kiosk)), _memory(plain.pid)
            async with Crowd(kiosk.port, LISTENERS) as crowd, Crowd(plain.port, LISTENERS) as other:
                self.listener.measured.append(1000 * (_memory(_pid(kiosk)) - alone[0]) / LISTENERS)
                self.listener.against.append(1000 * (_memory(plain.pid) - alone[1]) / LISTENERS)
                for number in range(self._runs):
                    self._tell(f"telling {LISTENERS} clients", number)
                    ours, theirs = await crowd.hear(f"told {number}", kiosk.reload), await other.hear(f"told {number}", plain.tell)
                    for figure, share in zip(self.told, (0.5, 0.99), strict=True):
                        figure.measured.append(ours[int(share * LISTENERS)])
                        figure.against.append(theirs[int(share * LISTENERS)])

    async def _rests(self) -> None:
        async with self._stage("idle") as (_, idle), self._stage("fed", firehose=True) as (_, fed):
            for kiosk in (idle, fed):
                await kiosk.shows(START_S, **CALM, page__connection__expected=lambda url: url is not None)
            for number in range(self._runs):
                self._tell("resting", number)
                (at_rest, busy) = await asyncio.gather(_share(idle, self._window_s), _share(fed, self._window_s))
                self.idle.measured.append(at_rest)
                self.fed.measured.append(busy)
                self.memory.measured.append(_memory(_pid(idle)))
                self.memory.against.append(await _bare_interpreter())

    @asynccontextmanager
    async def _stage(self, name: str, **switches: Any) -> AsyncIterator[tuple[Dashboard, Kiosk]]:
        folder = self._folder / name
        folder.mkdir()
        async with Dashboard(folder / "dist") as dashboard:
            if switches:
                await dashboard.switch(**switches)
            deploy = {"index": str(dashboard.index), "settle": SETTLE_S}
            async with Kiosk(dashboard.url, folder, deploy=deploy) as kiosk:
                await dashboard.back(START_S)
                yield dashboard, kiosk

    def _tell(self, what: str, number: int) -> None:
        print(f"\r\x1b[K{what}: {number + 1} of {self._runs}", end="", file=sys.stderr, flush=True)


def _pid(kiosk: Kiosk) -> int:
    assert kiosk.process is not None, "it was entered"
    return kiosk.process.pid


def _memory(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss / 1e6)


async def _share(kiosk: Kiosk, seconds: float) -> float:
    """Return the percentage of a core that kioskd's own process takes."""
    process = psutil.Process(_pid(kiosk))
    before, began = process.cpu_times(), time.monotonic()
    await asyncio.sleep(seconds)
    after = process.cpu_times()
    return 100 * (after.user + after.system - before.user - before.system) / (time.monotonic() - began)


async def _bare_interpreter() -> float:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", BARE_ASYNCIO, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None, "asked for above"
    try:
        await process.stdout.readline()
        await asyncio.sleep(0.2)  # until its loop is there
        return _memory(process.pid)
    finally:
        process.kill()
        await process.wait()


async def _reload(port: int) -> None:
    """Reload the page of a bare Chromium as kioskd does, past the cache, with nothing around it."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/json") as response:
            (page, *_) = [target for target in await response.json() if target["type"] == "page"]
        async with session.ws_connect(page["webSocketDebuggerUrl"]) as devtools:
            await devtools.send_json({"id": 1, "method": "Page.reload", "params": {"ignoreCache": True}})
            await devtools.receive()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 where a bound is missed."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="of each measurement (default: %(default)s)")
    parser.add_argument("--window", type=float, default=60.0, metavar="SECONDS", help="of one measurement of CPU (default: %(default)g)")
    parser.add_argument("--json", action="store_true", help="print what was measured as JSON")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="kioskd-bench-", ignore_cleanup_errors=True) as name:
        bench = Bench(Path(name), options.runs, options.window)
        try:
            asyncio.run(bench.run())
        except (KioskdError, TimeoutError) as error:
            print(f"\nCannot measure: {error}", file=sys.stderr)
            return 1
    print("\r\x1b[K", end="", file=sys.stderr)
    if options.json:
        print(json.dumps([{**asdict(figure), "value": figure.value, "kept": figure.kept} for figure in bench.figures], indent=1))
    else:
        print("\n".join(figure.line() for figure in bench.figures))
    return 0 if all(figure.kept for figure in bench.figures) else 1


if __name__ == "__main__":
    sys.exit(main())

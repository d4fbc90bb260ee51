"""``scripts/demo``: a live dashboard in a real Chromium under kioskd; with ``--break`` a walk through its faults.

The shipped defaults are in force: nothing is made quicker for the show. Each fault tells what was broken, what kioskd
saw, what it did, and after how many seconds the *server* saw the page back.
"""

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kioskd.demo.dashboard import Dashboard
from kioskd.demo.dist import How
from kioskd.demo.kiosk import Kiosk
from kioskd.errors import KioskdError

OUTAGE_S = 8.0
TOLD = re.compile(r" (?:INFO|WARNING) ([=>]) (.*)")  # what the shell logs: a verdict, an action
BOLD, DIM, GREEN, RED, PLAIN = ("\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[0m") if sys.stdout.isatty() else ("",) * 5


@dataclass(frozen=True, slots=True)
class Fault:
    """One stop of the tour. ``within``: seconds that the page may take, start of Chromium included."""

    broken: str
    break_it: Callable[[Dashboard, Kiosk], Awaitable[float]]  # returns the moment from which the seconds count
    within: float
    new_document: bool = True  # the page comes back as another document


async def _kill(dashboard: Dashboard, kiosk: Kiosk) -> float:
    kiosk.kill()
    return time.monotonic()


async def _freeze(dashboard: Dashboard, kiosk: Kiosk) -> float:
    kiosk.freeze()
    return time.monotonic()


async def _crash(dashboard: Dashboard, kiosk: Kiosk) -> float:
    kiosk.crash_renderers()
    return time.monotonic()


async def _deploy(dashboard: Dashboard, kiosk: Kiosk) -> float:
    dashboard.deploy("2", How.REBUILD)
    return time.monotonic()


async def _outage(dashboard: Dashboard, kiosk: Kiosk) -> float:
    await dashboard.kill()
    await asyncio.sleep(OUTAGE_S)
    await dashboard.start()
    return time.monotonic()


def _page(verb: str, **arguments: object) -> Callable[[Dashboard, Kiosk], Awaitable[float]]:
    async def tell(dashboard: Dashboard, kiosk: Kiosk) -> float:
        moment = time.monotonic()
        await dashboard.do(verb, **arguments)
        return moment

    return tell


async def _reload_into_outage(dashboard: Dashboard, kiosk: Kiosk) -> float:
    document = await dashboard.document()
    await dashboard.switch(on_close="reload")
    await dashboard.do("reload_self")  # the switch is told to new documents
    await dashboard.back(10, other_than=document)
    await dashboard.kill()
    await asyncio.sleep(OUTAGE_S)
    await dashboard.start()
    return time.monotonic()


async def _bad_gateway(dashboard: Dashboard, kiosk: Kiosk) -> float:
    await dashboard.switch(http="502")
    await dashboard.do("reload_self")
    await asyncio.sleep(OUTAGE_S)
    await dashboard.switch(http="normal")
    return time.monotonic()


async def _away(dashboard: Dashboard, kiosk: Kiosk) -> float:
    return await _page("navigate_away", url=dashboard.other_url)(dashboard, kiosk)


FAULTS = (
    Fault("the browser is killed (SIGKILL)", _kill, 5),
    Fault("the tab crashes", _crash, 3),
    Fault("a new front end is built: dist/ removed and made again", _deploy, 5),
    Fault("the page opens an alert() that nobody closes", _page("alert"), 3, new_document=False),
    Fault("the page goes to another site", _away, 5),
    Fault("the server answers 502 for a while, and the page is reloaded into it", _bad_gateway, 10),
    Fault(f"the server goes away for {OUTAGE_S:.0f} s; the page waits for it", _outage, 20, new_document=False),
    Fault("the page gives up its WebSocket: \"no connection\", for ever", _page("give_up"), 27),
    Fault(f"the server goes away for {OUTAGE_S:.0f} s, and the page reloads itself into the outage", _reload_into_outage, 10),
    Fault("the page runs an endless loop", _page("endless_loop"), 20),
    Fault("the page goes blank", _page("blank"), 25),
    Fault("the browser freezes (SIGSTOP, every process of it)", _freeze, 27),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return 0 if, with ``--break``, every fault was recovered from in time."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__.split("\n\n")[0])
    parser.add_argument("--break", action="store_true", dest="tour", help="walk through the faults and end")
    parser.add_argument("--headless", action="store_true", help="draw no window, even where there is a display")
    options = parser.parse_args(arguments)
    try:
        return asyncio.run(_demo(options.tour, options.headless))
    except KeyboardInterrupt:
        return 0
    except KioskdError as error:
        print(f"{RED}{error}{PLAIN}", file=sys.stderr)
        return 1


async def _demo(tour: bool, headless: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="kioskd-demo-") as name:
        folder = Path(name)
        async with Dashboard(folder / "dist") as dashboard:
            window = not headless and ("DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ)
            kiosk = Kiosk(dashboard.url, folder, deploy={"index": str(dashboard.index)}, display={"mode": "auto" if window else "headless"})
            started = time.monotonic()
            async with kiosk:
                try:
                    seconds = await dashboard.back(within=60, after=started)
                except TimeoutError as error:
                    raise KioskdError(f"{error}\n{kiosk.log()}") from None
                print(f"The dashboard {dashboard.url} is on {'your display' if window else 'a screen without a display (headless)'}"
                      f" after {seconds:.1f} s.")  # fmt: skip
                print(f"Ask kioskd: http://127.0.0.1:{kiosk.port}/api/status, or look at its console: http://127.0.0.1:{kiosk.port}/")
                print(f"(python3 -m kioskd.ctl pair --socket {kiosk.control} prints the link that opens all of it)")
                return await (_tour(dashboard, kiosk) if tour else _stay(dashboard, kiosk))


async def _stay(dashboard: Dashboard, kiosk: Kiosk) -> int:
    print(f"\nBreak it, and look on. For example:\n  kill -9 {kiosk.pid}\n"
          f"  curl -d '{{\"verb\": \"give_up\"}}' -H 'Content-Type: application/json' {dashboard.control_url}do\n"
          f"  touch {dashboard.index}\n  scripts/demo --break    walks through {len(FAULTS)} faults by itself\n\n"
          "What happens (Ctrl+C ends it):")  # fmt: skip
    told = 0
    while True:
        lines = kiosk.log().splitlines()
        for line in lines[told:]:
            print("  " + line)
        told = len(lines)
        await asyncio.sleep(0.2)


async def _tour(dashboard: Dashboard, kiosk: Kiosk) -> int:
    results = [await _stop(number, fault, dashboard, kiosk) for number, fault in enumerate(FAULTS, 1)]
    lost = results.count(None)
    if lost:
        print(f"\n{RED}{lost} of {len(FAULTS)} faults were not recovered from in time.{PLAIN}")
        return 1
    print(f"\n{GREEN}All {len(FAULTS)} faults: the right page came back, and nobody touched anything.{PLAIN}")
    return 0


async def _stop(number: int, fault: Fault, dashboard: Dashboard, kiosk: Kiosk) -> float | None:
    print(f"\n{BOLD}{number}. {fault.broken}{PLAIN}", flush=True)
    # The last fault's incident is over, and the page's connection known: it is expected once it has been open for 10 s.
    open_now = {"page__connection__expected": bool, "page__connection__open_since": bool, "page__connection__dead_since": None}
    await kiosk.shows(60, verdict="HEALTHY", rung="CALM", **open_now)
    said = len(kiosk.log().splitlines())
    document = await dashboard.document()
    moment = await fault.break_it(dashboard, kiosk)
    seconds: float | None
    try:
        seconds = await dashboard.back(fault.within, after=moment, other_than=document if fault.new_document else None)
        verdict = f"{GREEN}back after {seconds:.1f} s{PLAIN} (bound {fault.within:.0f} s)"
    except TimeoutError as error:
        seconds, verdict = None, f"{RED}{error}{PLAIN}"
    await dashboard.switch(on_close="retry", at_load=[])
    for line in kiosk.log().splitlines()[said:]:
        if found := TOLD.search(line):
            print(f"   {'saw' if found[1] == '=' else 'did'}: {DIM}{found[2]}{PLAIN}")
    print(f"   {verdict}", flush=True)
    return seconds


if __name__ == "__main__":
    sys.exit(main())

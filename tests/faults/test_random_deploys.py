"""Two hundred deploys at random: never half a build on the screen, the last one in the end, a load for each that settled at most.

The judge is the server's log, of what it really sent, beside the builder's story of what it really wrote.

One race is nobody's to win: a build that is taken away after kioskd has ordered its load, and before the browser has fetched all of
it. kioskd was right when it ordered. So there are two stories. In the one the builder spares the moment at which a build has settled,
and everything holds to the letter. In the other its changes come whenever they come: a load that was overtaken is told and counted,
there may be few, and it must be mended; that is all that is let pass.
"""

import math
import os
import random
import re
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kioskd.core.actions import Reload
from tests.aio import lasting
from tests.faults.builder import Builder, Stand
from tests.faults.stage import kept

pytestmark = pytest.mark.defaults

DEPLOYS = int(os.environ.get("KIOSKD_DEPLOYS") or 200)
SETTLE = 0.3
WITHIN_S = SETTLE + 3

#: A file's time is that of the kernel's last tick, and the story is written after the change: by so much the two may differ.
TICK_S = 0.02

#: From a change, over the news of it, to kioskd: 30 ms, and this on a machine that does ten things at a time.
LEAD_S = 0.25

#: What a load may take from the moment at which its build has settled. Half as much was too little once, at a load of 20.
SPARED_S = 1.2

#: From the moment at which a build has settled to the order, and from that to the request: the middle one of all. Both are 10 to 20 ms
#: on a still machine; a single one may be late, for a browser gets no processor or the disk has just been stirred again.
PROMPT_S = 0.25

#: An order and a request that are further apart have nothing to do with each other: a browser takes an order within its deadline.
ORDER_S = Reload.deadline_s

#: Of the loads so many may be overtaken, where none is spared: one in ten.
OVERTAKEN = 0.1

#: Another story each time: two hundred that are always the same would find nothing new. One that fails is told, with its seed.
SEED = int(os.environ.get("KIOSKD_SEED") or random.randrange(1 << 32))


@dataclass(frozen=True)
class Order:
    """An order to load the page: when, and the verdict for which."""

    at: float
    verdict: str


@dataclass(frozen=True)
class Load:
    """A load as the server saw it: when its document went out, and when what was not whole did.

    ``ordered``: when kioskd wanted it, by its own log; a browser may be late. Where nobody ordered it: when it came, for no verdict.
    """

    at: float
    ordered: float
    verdict: str
    failed: tuple[float, ...]

    def due(self, stands: Iterable[Stand]) -> list[Stand]:
        """The builds that had settled when it was ordered: the last of them is what it is for."""
        return [stand for stand in stands if stand.settled(SETTLE - TICK_S) and stand.since + SETTLE - TICK_S <= self.ordered]

    def overtaken(self, stands: Iterable[Stand]) -> bool:
        """Whether the build that was to be loaded had settled, and was taken away just then."""
        return any(stand.torn or self.ordered - LEAD_S < stand.until <= min(self.failed) + TICK_S for stand in self.due(stands)[-1:])


def loads_of(sent: list[dict[str, Any]], orders: list[Order]) -> list[Load]:
    """The loads, in order."""
    documents = [one["at"] for one in sent if not one["path"].startswith("/assets/")]
    found = []
    for before, at, following in zip([0.0, *documents], documents, [*documents[1:], math.inf], strict=False):
        parts = [one for one in sent if at <= one["at"] < following]
        order = [Order(at, ""), *(order for order in orders if max(before, at - ORDER_S) < order.at <= at)][-1]
        found.append(Load(at, order.at, order.verdict, tuple(one["at"] for one in parts if one["status"] != 200 or one["lacks"])))
    return found


ORDER = re.compile(r"^(\S+ \S+) [A-Z]+ > reload the page(?: past its caches)? \((?P<verdict>\w+)\)$", re.MULTILINE)


def ordered_by(log: str) -> list[Order]:
    """When kioskd ordered loads, and for what, by its log: its story keeps the beginning and what was of late. Its clock is our own."""
    ahead = time.time() - time.monotonic()
    times = ((datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S,%f").astimezone(), found["verdict"]) for found in ORDER.finditer(log))
    return [Order(at.timestamp() - ahead, verdict) for at, verdict in times]


def not_due(loads: list[Load], stands: list[Stand]) -> list[Load]:
    """The loads that no build paid for: each that has settled by then pays for one."""
    paid: set[float] = set()
    found = []
    for load in loads:
        due = [stand.since for stand in load.due(stands)]
        if not due or due[-1] in paid:
            found.append(load)
        paid.update(due[-1:])
    return found


def tell(builder: Builder, sent: list[dict[str, Any]]) -> None:
    """Print what was written, and what was sent (``>``), in order."""
    lines = [(one.at, f"  {one.what}: {one.version}, lacks {list(one.lacks)}") for one in builder.story]
    for one in sent:
        lines.append((one["at"], f"> {one['path']} {one['status']} {one['version'] or ''} {one['lacks'] or ''}"))
    for at, line in sorted(lines):
        print(f"{at - builder.story[0].at:8.3f} {line}")


@pytest.mark.parametrize("spares", [SPARED_S, 0.0], ids=["spares-a-load", "spares-none"])
@lasting(500)
async def test_random_deploys(tmp_path: Path, spares: float) -> None:
    print(f"KIOSKD_SEED={SEED}")
    index = tmp_path / "kept" / "dist" / "index.html"
    async with kept(tmp_path, deploy={"index": str(index), "settle": f"{SETTLE:g}s"}) as stage:
        pid, builder = stage.victim.pid, Builder(index.parent, SEED, SETTLE, spares)
        try:
            await builder.deploy(DEPLOYS)
            written = builder.story[-1].at
            seconds = await stage.dashboard.back(WITHIN_S, after=written)
            await stage.stays(WITHIN_S, await stage.dashboard.document())
        finally:
            sent = (await stage.dashboard.state())["sent"]
            tell(builder, sent)
        assert stage.kiosk is not None
        first, *loads = loads_of(sent, ordered_by(stage.kiosk.log()))
        # What was written in place just as the page took it may leave it without its connection, on a machine that is late with the rest.
        cures = [load for load in loads if load.verdict == "STUCK"]
        stands = builder.stands()
        overtaken = [load for load in loads if load.failed and load.overtaken(stands)]
        settled = sum(stand.settled(SETTLE) for stand in stands)
        lead = statistics.median(load.ordered - due[-1].at - SETTLE for load in loads if (due := load.due(stands)))
        lag = statistics.median(load.at - load.ordered for load in loads)
        print(
            f"{DEPLOYS} deploys in {time.monotonic() - builder.story[0].at:.1f} s, {settled} settled, "
            f"{len(loads)} loads, ordered {lead:.3f} s after they were due and asked for {lag:.3f} s later, "
            f"{len(overtaken)} of them overtaken, {len(cures)} for a page that was stuck, "
            f"the last one shown {seconds:.2f} s after it was written"
        )
        assert await stage.dashboard.version() == stands[-1].version
        assert not [load for load in [first, *loads] if load.failed and load not in overtaken], "half a build was shown"
        assert len(overtaken) <= (0 if spares else OVERTAKEN * len(loads)) and not loads[-1].failed
        assert 2 * sum(load.verdict == "STALE" for load in loads) > len(loads), "kioskd's log tells what it orders"
        assert len(cures) <= OVERTAKEN * len(loads), "pages that were stuck"
        assert not not_due([load for load in loads if load not in cures], stands), "a load that no settled deploy paid for"
        assert lead <= PROMPT_S and lag <= PROMPT_S
        assert stage.victim.pid == pid, "the browser was restarted"

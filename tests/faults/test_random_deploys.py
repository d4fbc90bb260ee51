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
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.aio import lasting
from tests.faults.builder import Builder, Stand
from tests.faults.stage import kept

pytestmark = pytest.mark.defaults

DEPLOYS = int(os.environ.get("KIOSKD_DEPLOYS") or 200)
SETTLE = 0.3
WITHIN_S = SETTLE + 3

#: A file's time is that of the kernel's last tick, and the story is written after the change: by so much the two may differ.
TICK_S = 0.02

#: From news of a change, over kioskd's order, to the browser's request: 30 ms, and this on a machine that does ten things at a time.
LEAD_S = 0.25

#: What a load may take from the moment at which its build has settled, on such a machine.
SPARED_S = 0.6

#: Of the loads so many may be overtaken, where none is spared: one in ten.
OVERTAKEN = 0.1

#: Another story each time: two hundred that are always the same would find nothing new. One that fails is told, with its seed.
SEED = int(os.environ.get("KIOSKD_SEED") or random.randrange(1 << 32))


@dataclass(frozen=True)
class Load:
    """A load as the server saw it: when its document went out, and when what was not whole did."""

    at: float
    failed: tuple[float, ...]

    def overtaken(self, stands: Iterable[Stand]) -> bool:
        """Whether the build that was to be loaded had settled, and was taken away just then."""
        due = [stand for stand in stands if stand.settled(SETTLE - TICK_S) and stand.since + SETTLE - TICK_S <= self.at]
        return any(stand.torn or self.at - LEAD_S < stand.until <= min(self.failed) + TICK_S for stand in due[-1:])


def loads_of(sent: list[dict[str, Any]]) -> list[Load]:
    """The loads, in order."""
    documents = [one["at"] for one in sent if not one["path"].startswith("/assets/")]
    found = []
    for at, following in zip(documents, [*documents[1:], math.inf], strict=True):
        parts = [one for one in sent if at <= one["at"] < following]
        found.append(Load(at, tuple(one["at"] for one in parts if one["status"] != 200 or one["lacks"])))
    return found


def not_due(loads: list[Load], stands: list[Stand]) -> list[Load]:
    """The loads that no build paid for: each that has settled by then pays for one."""
    paid: set[float] = set()
    found = []
    for load in loads:
        due = [stand.since for stand in stands if stand.settled(SETTLE - TICK_S) and stand.since + SETTLE - TICK_S <= load.at]
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
        first, *loads = loads_of(sent)
        stands = builder.stands()
        overtaken = [load for load in loads if load.failed and load.overtaken(stands)]
        settled = sum(stand.settled(SETTLE) for stand in stands)
        print(
            f"{DEPLOYS} deploys in {time.monotonic() - builder.story[0].at:.1f} s, {settled} settled, "
            f"{len(loads)} loads, {len(overtaken)} of them overtaken, the last one shown {seconds:.2f} s after it was written"
        )
        assert await stage.dashboard.version() == stands[-1].version
        assert not [load for load in [first, *loads] if load.failed and load not in overtaken], "half a build was shown"
        assert len(overtaken) <= (0 if spares else OVERTAKEN * len(loads)) and not loads[-1].failed
        assert not not_due(loads, stands), "a load that no settled deploy paid for"
        assert stage.victim.pid == pid, "the browser was restarted"

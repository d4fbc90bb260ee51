"""The fault matrix with short patience: every case with kioskd, and without it. ``scripts/faults`` plays it as shipped.

Some are played as shipped here, too, in the slow ring: the incident that kioskd was made for, and what takes minutes by its nature.
"""

import asyncio
import dataclasses
import functools
import os
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest

import tests.faults.cases  # noqa: F401 - enters them
from tests.aio import lasting
from tests.faults.case import CASES, Case, Control, Times, quick, shipped
from tests.faults.play import limit_s, play
from tests.faults.stage import cold_start

SEED = int(os.environ.get("KIOSKD_SEED", random.getrandbits(32)))

#: Played as shipped in the slow ring; the control runs beside it.
AS_SHIPPED = (
    "gave-up-socket",
    "new-documents-open-none",
    "half-open-auto",
    "packets-dropped-auto",
    "page-gave-up-in-a-long-outage",
    "restarted-once-in-an-outage",
    "closed-at-once-for-ever",
    "built-elsewhere",
)

#: What needs a machine is played by ``scripts/faults``, and of the package by tests/system.
PLAYED = [each for each in CASES.values() if not (each.slow or each.machine)]


#: These last for half a minute and more, with short patience, too.
LONG = {
    "event-source-server-restarts",
    "firewall-rejects-and-the-page-reconnects",
    "handshake-503",
    "heavy-loss",
    "kioskd-stopped-long",
    "latency-of-seconds",
    "maintenance-page-before-a-readable-page",
    "page-reconnects-after-a-long-outage",
    "portal-before-a-readable-page",
    "proxy-answers-502",
    "redirecting-portal-before-a-readable-page",
    "server-flaps",
    "server-hung-and-was-killed",
    "websocket-server-restarts",
}


#: The scenes of the incident that kioskd has to win: never left out. (Its long outage is among those played as shipped.)
INCIDENT = {
    "websocket-server-restarts",
    "page-gave-up-in-a-short-restart",
    "deploy-rename",
    "deploy-and-a-restart-that-was-too-long",
    "deploy-while-the-server-is-down-weak",
    "further-file-changed",
}


def fast_half() -> set[str]:
    """Half of the cases of each row: the shortest; but of those that must be alone only the first, for want of time.

    The rest is for who changes something: ``scripts/faults --quick``.
    """
    rows: dict[str, list[Case]] = {}
    for each in sorted(PLAYED, key=lambda case: (case.name in LONG, case.bound(quick()))):
        rows.setdefault(each.row, []).append(each)
    fast = set()
    for row in rows.values():  # of whom the slow ring plays some
        alone, company = [each for each in row if each.alone], [each for each in row if not each.alone]
        ordered = [*alone[:1], *company, *alone[1:]]
        fast |= {each.name for each in ordered[: (len(row) + 1) // 2]}
    return (fast | INCIDENT) - set(AS_SHIPPED)


FAST = fast_half()

#: Of the controls one of each row: they change with Chromium, not with kioskd.
LEFT_ALONE = [each for each in PLAYED if each.control is not Control.NONE]
OF_ROW = {row: [each.name for each in LEFT_ALONE if each.row == row and each.name in FAST][:1] for row in {each.row for each in PLAYED}}


def param(case: Case, fast: bool, alone: bool = False) -> Any:
    return pytest.param(case, id=case.name, marks=[pytest.mark.rest] * (not fast) + [pytest.mark.alone] * alone)


KEPT = [param(each, each.name in FAST, each.alone) for each in PLAYED]
CONTROLS = [param(each, each.name in OF_ROW[each.row]) for each in LEFT_ALONE]


@functools.cache
def cold_in_company() -> float:
    """C of this worker, with all the others beside it."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(cold_start(Path(folder)))


async def well(case: Case, who: str, folder: Path, times: Times) -> None:
    outcome = await play(case, who, folder, times, SEED)
    print(outcome)
    assert outcome.well, f"{case.says} {outcome.said} (KIOSKD_SEED={SEED})"


@pytest.mark.chromium
@pytest.mark.parametrize("case", KEPT)
def test_with_kioskd_it_is_back_in_time(tmp_path: Path, case: Case) -> None:
    company = cold_in_company() if case.needs_cold and not case.alone else 0.0

    @lasting(limit_s(case, quick()))
    async def story() -> None:
        cold = await cold_start(tmp_path) if case.needs_cold and case.alone else company
        await well(case, "kioskd", tmp_path, dataclasses.replace(quick(), cold=cold))

    story()


@pytest.mark.chromium
@pytest.mark.parametrize("case", CONTROLS)
def test_without_kioskd_it_stays_away_or_it_heals_by_itself(tmp_path: Path, case: Case) -> None:
    @lasting(limit_s(case, quick()))
    async def story() -> None:
        await well(case, "nothing", tmp_path, dataclasses.replace(quick(), cold=1.0))

    story()


@pytest.mark.defaults
@pytest.mark.parametrize("name", AS_SHIPPED)
def test_at_the_shipped_patience(tmp_path: Path, name: str) -> None:
    case = CASES[name]

    @lasting(limit_s(case, shipped()))
    async def story() -> None:
        times = dataclasses.replace(shipped(), cold=await cold_start(tmp_path) if case.needs_cold else 0.0)
        async with asyncio.TaskGroup() as both:
            both.create_task(well(case, "kioskd", tmp_path, times))
            both.create_task(well(case, "nothing", tmp_path, times))

    story()

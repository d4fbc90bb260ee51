"""Rows 5, 6, 7, 9 and 24 once more, at the shipped patience: eleven minutes, four at a time.

Each control runs beside its story, before a dashboard of its own.
"""

import asyncio
import time
from pathlib import Path

import pytest

from kioskd.core.link import AUTO_SILENCE_S, TALKATIVE_MESSAGES
from kioskd.core.policy import Health
from tests.aio import lasting
from tests.faults.stage import START_S, Stage, bare, cold_start, kept, stays_away

pytestmark = pytest.mark.defaults

INTERVAL, RELOAD_AFTER, RESTART_AFTER = Health().interval, Health().websocket.reload_after, Health().websocket.restart_after
PACE = 1.0  # of the dashboard's messages
OUTAGE_S = 600.0
LIMIT_S = OUTAGE_S + 2 * START_S
WEAK = {"retry": "weak"}  # ten tries, two seconds apart: the page of the incident


async def gives_up(stage: Stage) -> None:
    await stage.dashboard.do("give_up")


async def is_half_open(stage: Stage) -> None:
    await stage.dashboard.do("half_open")


async def gives_up_for_ever(stage: Stage) -> None:
    await stage.dashboard.do("give_up_and_new_documents_open_none")


async def is_without_its_server(stage: Stage) -> None:
    await stage.dashboard.kill()
    with pytest.raises(TimeoutError):
        await stage.dashboard.back(OUTAGE_S)
    await stage.dashboard.start()


@lasting(LIMIT_S)
async def test_a_page_that_gave_up_its_connection_is_reloaded(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        document, pid, moment = await stage.dashboard.document(), stage.victim.pid, time.monotonic()
        await gives_up(stage)
        seconds = await stage.dashboard.back(RELOAD_AFTER + 7, after=moment, other_than=document)
        print(f"back after {seconds:.2f} s, the bound is {RELOAD_AFTER + 7:.2f} s")
        assert seconds >= RELOAD_AFTER
        assert stage.victim.pid == pid

    async with bare(tmp_path) as control, kept(tmp_path, learnt=False, quick=False) as stage:
        await stage.proven()
        async with asyncio.TaskGroup() as both:
            both.create_task(story(stage))
            both.create_task(stays_away(control, RELOAD_AFTER + 7, gives_up))


@lasting(LIMIT_S)
async def test_where_a_reload_does_not_help_the_browser_is_restarted(tmp_path: Path) -> None:
    bound = RESTART_AFTER + await cold_start(tmp_path) + 5

    async def story(stage: Stage) -> None:
        document, pid, moment = await stage.dashboard.document(), stage.victim.pid, time.monotonic()
        await gives_up_for_ever(stage)
        await stage.dashboard.asked_for("/settings", RELOAD_AFTER + 7, after=moment)
        await stage.dashboard.switch(transport="websocket")  # the reloaded document has been told to open none: only the next one will
        seconds = await stage.dashboard.back(bound, after=moment, other_than=document)
        print(f"back after {seconds:.2f} s, the bound is {bound:.2f} s")
        assert seconds >= RESTART_AFTER
        assert stage.victim.pid != pid, "only a restart can have brought it back"

    async with bare(tmp_path) as control, kept(tmp_path, learnt=False, quick=False) as stage:
        await stage.proven()
        async with asyncio.TaskGroup() as both:
            both.create_task(story(stage))
            both.create_task(stays_away(control, bound, gives_up_for_ever))


@lasting(LIMIT_S)
async def test_a_half_open_connection_is_dead_once_it_has_been_silent_for_longer_than_it_ever_was(tmp_path: Path) -> None:
    bound = AUTO_SILENCE_S + RELOAD_AFTER + 7

    async def story(stage: Stage) -> None:
        document, pid, moment = await stage.dashboard.document(), stage.victim.pid, time.monotonic()
        await is_half_open(stage)
        seconds = await stage.dashboard.back(bound, after=moment, other_than=document)
        print(f"back after {seconds:.2f} s, the bound is {bound:.2f} s")
        assert seconds >= AUTO_SILENCE_S + RELOAD_AFTER - PACE
        assert stage.victim.pid == pid

    async with bare(tmp_path) as control, kept(tmp_path, learnt=False, quick=False) as stage:
        await stage.proven()
        await stage.dashboard.back(START_S, after=time.monotonic() + (TALKATIVE_MESSAGES + 5) * PACE)  # so many messages later
        async with asyncio.TaskGroup() as both:
            both.create_task(story(stage))
            both.create_task(stays_away(control, bound, is_half_open))


@lasting(LIMIT_S)
async def test_an_outage_of_ten_minutes_leaves_the_page_as_it_is_until_its_end(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        document, pid, loads = await stage.dashboard.document(), stage.victim.pid, len(await stage.dashboard.loads())
        await is_without_its_server(stage)
        moment = time.monotonic()
        assert (stage.victim.pid, len(await stage.dashboard.loads())) == (pid, loads), "untouched meanwhile"
        seconds = await stage.dashboard.back(INTERVAL + 15, after=moment, other_than=document)
        print(f"back after {seconds:.2f} s, the bound is {INTERVAL + 15:.2f} s")
        assert stage.victim.pid == pid, "an outage is no reason for a restart"

    async with bare(tmp_path, WEAK) as control, kept(tmp_path, learnt=False, quick=False, switches=WEAK) as stage:
        await stage.proven()
        async with asyncio.TaskGroup() as both:
            both.create_task(story(stage))
            both.create_task(stays_away(control, OUTAGE_S + INTERVAL + 15, is_without_its_server))


@lasting(LIMIT_S)
async def test_where_outages_are_to_restart_the_browser_it_is_restarted_once(tmp_path: Path) -> None:
    # The control is the outage above: with the shipped during_outage the browser is not restarted at all.
    bound = RESTART_AFTER + await cold_start(tmp_path) + 5
    async with kept(tmp_path, learnt=False, quick=False, health={"websocket": {"during_outage": "restart"}}) as stage:
        await stage.proven()
        pid, moment = stage.victim.pid, time.monotonic()
        await stage.dashboard.kill()
        known = await stage.shows(bound, browser__pid=lambda now: now not in (None, pid))
        assert time.monotonic() - moment >= RESTART_AFTER
        second = known["browser"]["pid"]
        with pytest.raises(TimeoutError):
            await stage.shows(3 * RESTART_AFTER, browser__pid=lambda now: now != second)

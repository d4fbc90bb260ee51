"""Rows 5, 6, 7 and the second half of 23: the page's live connection is dead, and the server is up."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.aio import asynctest, lasting
from tests.faults.stage import RELOAD_AFTER, RESTART_AFTER, Stage, bare, cold_start, kept, stays_away

pytestmark = pytest.mark.chromium

#: Where the connection lives, and what else is open meanwhile and must not count.
PAGES: dict[str, dict[str, Any]] = {
    "socket": {},
    "event-source": {"transport": "event_source"},
    "worker": {"transport": "worker"},
    "frame-of-the-same-origin": {"transport": "iframe_same"},
    "srcdoc-frame": {"transport": "iframe_srcdoc"},
    "frame-of-another-site": {"transport": "iframe_other"},
    "development-socket-lives-on": {"dev_socket": True},
    "analytics-socket-lives-on": {"analytics": True},
}

COOKIE = {"cookie": True}  # the handshake needs one

SILENCE = 3.0
PACE = 1.0  # of the dashboard's messages: silence counts from the last one before the fault


async def gives_up(stage: Stage) -> None:
    await stage.dashboard.do("give_up")


async def gives_up_for_ever(stage: Stage) -> None:
    await stage.dashboard.do("give_up_and_new_documents_open_none")


async def is_half_open(stage: Stage) -> None:
    await stage.dashboard.do("half_open")


async def is_closed_at_once(stage: Stage) -> None:
    await stage.dashboard.switch(socket="accept_and_close")
    await stage.dashboard.do("drop")


def other_than(pid: int) -> Callable[[int | None], bool]:
    return lambda now: now not in (None, pid)


async def reloaded(stage: Stage) -> None:
    """Row 5: its connection given up, the page is back by a reload, and not before its time."""
    document, pid, moment = await stage.dashboard.document(), stage.victim.pid, time.monotonic()
    await gives_up(stage)
    seconds = await stage.dashboard.back(RELOAD_AFTER + 7, after=moment, other_than=document)
    print(f"back after {seconds:.2f} s, the bound is {RELOAD_AFTER + 7:.2f} s")
    assert seconds >= RELOAD_AFTER, "the page must be given its time to reconnect"
    assert stage.victim.pid == pid, "a reload is enough"


@pytest.mark.parametrize("page", PAGES)
@asynctest
async def test_a_page_that_gave_up_its_connection_is_reloaded(tmp_path: Path, page: str) -> None:
    async with kept(tmp_path, learnt=False, switches=PAGES[page]) as stage:
        await stage.proven()
        await reloaded(stage)


@pytest.mark.parametrize("switches", [*PAGES.values(), COOKIE], ids=[*PAGES, "cookie"])
@asynctest
async def test_without_kioskd_it_stays_given_up(tmp_path: Path, switches: dict[str, Any]) -> None:
    async with bare(tmp_path, switches) as stage:
        await stays_away(stage, RELOAD_AFTER + 7, gives_up)


@asynctest
async def test_a_handshake_that_needs_the_pages_cookie_is_answered_403_and_that_means_up(tmp_path: Path) -> None:
    async with kept(tmp_path, learnt=False, switches=COOKIE) as stage:
        await stage.proven()
        assert (await stage.shows(0.5))["server"]["socket"]["status"] == 403, "the probe has no cookie"
        await reloaded(stage)


@asynctest
async def test_where_a_reload_does_not_help_the_browser_is_restarted(tmp_path: Path) -> None:
    cold = await cold_start(tmp_path)
    async with kept(tmp_path, learnt=False) as stage:
        await stage.proven()
        document, pid, moment = await stage.dashboard.document(), stage.victim.pid, time.monotonic()
        await gives_up_for_ever(stage)
        await stage.dashboard.asked_for("/settings", RELOAD_AFTER + 7, after=moment)
        await stage.dashboard.switch(transport="websocket")  # the reloaded document has been told to open none: only the next one will
        seconds = await stage.dashboard.back(RESTART_AFTER + cold + 5, after=moment, other_than=document)
        print(f"back after {seconds:.2f} s, the bound is {RESTART_AFTER + cold + 5:.2f} s")
        assert seconds >= RESTART_AFTER
        assert stage.victim.pid != pid, "only a restart can have brought it back"


@asynctest
async def test_without_kioskd_it_stays_given_up_for_ever(tmp_path: Path) -> None:
    cold = await cold_start(tmp_path)
    async with bare(tmp_path) as stage:
        await stays_away(stage, RESTART_AFTER + cold + 5, gives_up_for_ever)


@asynctest
async def test_a_half_open_connection_is_dead_once_it_has_been_silent_for_too_long(tmp_path: Path) -> None:
    async with kept(tmp_path, learnt=False, health={"websocket": {"silence": SILENCE}}) as stage:
        await stage.proven()
        document, pid, moment = await stage.dashboard.document(), stage.victim.pid, time.monotonic()
        await is_half_open(stage)
        seconds = await stage.dashboard.back(SILENCE + RELOAD_AFTER + 7, after=moment, other_than=document)
        print(f"back after {seconds:.2f} s, the bound is {SILENCE + RELOAD_AFTER + 7:.2f} s")
        assert seconds >= SILENCE + RELOAD_AFTER - PACE
        assert stage.victim.pid == pid, "a reload is enough"


@asynctest
async def test_without_kioskd_it_stays_half_open(tmp_path: Path) -> None:
    async with bare(tmp_path) as stage:
        await stays_away(stage, SILENCE + RELOAD_AFTER + 7, is_half_open)


@lasting(120)
async def test_a_server_that_closes_each_connection_at_once_gets_a_reload_three_restarts_and_then_slow_reloads(tmp_path: Path) -> None:
    cold = await cold_start(tmp_path)
    async with kept(tmp_path, learnt=False) as stage:
        await stage.proven()
        pid, moment = stage.victim.pid, time.monotonic()
        await is_closed_at_once(stage)
        reloaded_after = await stage.dashboard.asked_for("/", RELOAD_AFTER + 7, after=moment)
        assert reloaded_after >= RELOAD_AFTER
        for restart in (1, 2, 3):
            due = moment + restart * RESTART_AFTER + cold + 5
            known = await stage.shows(due - time.monotonic(), browser__pid=other_than(pid), browser__state="up")
            assert time.monotonic() - moment >= restart * RESTART_AFTER
            pid = known["browser"]["pid"]
        known = await stage.shows(RESTART_AFTER, needs_person=True, verdict="STUCK", next=lambda step: step is not None)
        assert known["next"]["action"] == "reload the page"
        paced = datetime.fromisoformat(known["next"]["at"]).timestamp() - time.time()
        assert 300 - 2 * RESTART_AFTER < paced <= 300, "a reload every five minutes"
        with pytest.raises(TimeoutError):
            await stage.shows(RESTART_AFTER + 2, browser__pid=other_than(pid))


@asynctest
async def test_without_kioskd_it_goes_on_being_closed(tmp_path: Path) -> None:
    async with bare(tmp_path) as stage:
        await stays_away(stage, RELOAD_AFTER + 7, is_closed_at_once)

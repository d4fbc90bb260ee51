"""Rows 8, 9, 10, 24 and 25: the server is restarted, away, refusing, silent, or somebody else stands in front of it."""

import time
from pathlib import Path
from typing import Any

import pytest

from kioskd.demo.dashboard import Dashboard
from kioskd.demo.kiosk import Bare, Kiosk
from tests.aio import asynctest, lasting
from tests.faults.fronts import NAME, Names
from tests.faults.stage import (
    INTERVAL,
    QUICK,
    RESTART_AFTER,
    SMALL,
    START_S,
    TRIED_AGAIN_S,
    Stage,
    Trouble,
    bare,
    cold_start,
    kept,
    stays_away,
)  # fmt: skip

pytestmark = pytest.mark.chromium

HOLDING = "data:text/html;charset=utf-8;kioskd=holding"
OUTAGE_S = 25.0  # three times restart_after
RESTART_S = 3.0
BUSY_S = 8.0

#: A page that has given up long before its server returns: nobody but kioskd can help it.
WEAK = {"retry": "weak", "tries": 2, "retry_s": 0.5}

#: What is wrong with the server, by the switch of the demo's front; "down" is not a switch.
FRONTS: dict[str, dict[str, Any]] = {
    "down": {},
    "error-500": {"http": "500"},
    "empty-502": {"http": "502"},
    "silence": {"http": "hang"},
}


def breaks(front: str) -> Trouble:
    async def trouble(dashboard: Dashboard) -> None:
        await (dashboard.switch(**FRONTS[front]) if FRONTS[front] else dashboard.do("down"))
        await dashboard.do("drop")

    return trouble


async def mend(dashboard: Dashboard) -> float:
    """Everything is well with the server from the moment returned."""
    await dashboard.switch(http="normal")
    await dashboard.do("up")
    return time.monotonic()


async def outage(stage: Stage, seconds: float) -> float:
    """The server is killed, stays away for so long, and is started again; return the moment of its return."""
    await stage.dashboard.kill()
    with pytest.raises(TimeoutError):
        await stage.dashboard.back(seconds)
    await stage.dashboard.start()
    return time.monotonic()


# --- row 8: nothing is to be done ---------------------------------------------------------------


@asynctest
async def test_a_server_that_restarts_within_seconds_is_the_pages_own_matter(tmp_path: Path) -> None:
    async with kept(tmp_path, learnt=False) as stage:
        await stage.proven()
        document, pid, loads = await stage.dashboard.document(), stage.victim.pid, len(await stage.dashboard.loads())
        moment = await outage(stage, RESTART_S)
        await stage.dashboard.back(INTERVAL + 10, after=moment)
        await stage.stays(RESTART_AFTER, document)
        await stage.nothing_changed(document, pid, loads)


@asynctest
async def test_without_kioskd_the_page_reconnects_by_itself_too(tmp_path: Path) -> None:
    async with bare(tmp_path) as stage:  # self-healing
        await stage.dashboard.back(INTERVAL + 10, after=await outage(stage, RESTART_S))


@asynctest
async def test_a_page_that_is_busy_for_a_while_is_left_alone(tmp_path: Path) -> None:
    async with kept(tmp_path, learnt=False, health={"page": {"hang_after": BUSY_S + 2}}) as stage:
        await stage.proven()
        document, pid, loads = await stage.dashboard.document(), stage.victim.pid, len(await stage.dashboard.loads())
        await stage.dashboard.do("busy", seconds=BUSY_S)
        await stage.stays(BUSY_S + 4, document)
        await stage.dashboard.back(2)
        await stage.nothing_changed(document, pid, loads)


@asynctest
async def test_without_kioskd_a_busy_page_comes_round_too(tmp_path: Path) -> None:
    async with bare(tmp_path) as stage:  # self-healing
        document = await stage.dashboard.document()
        await stage.dashboard.do("busy", seconds=BUSY_S)
        await stage.dashboard.back(BUSY_S + 2, after=time.monotonic() + BUSY_S)
        assert await stage.dashboard.document() == document


@lasting(120)
async def test_a_page_that_closed_its_connection_on_purpose_is_left_alone(tmp_path: Path) -> None:
    async with kept(tmp_path, learnt=False) as stage:
        await stage.proven()
        document, pid, loads = await stage.dashboard.document(), stage.victim.pid, len(await stage.dashboard.loads())
        await stage.dashboard.do("close_on_purpose")
        await stage.stays(3 * RESTART_AFTER, document)
        await stage.nothing_changed(document, pid, loads)


@asynctest
async def test_without_kioskd_it_stands_as_well(tmp_path: Path) -> None:
    async with bare(tmp_path) as stage:  # self-healing: nothing is wrong with it
        document, pid, loads = await stage.dashboard.document(), stage.victim.pid, len(await stage.dashboard.loads())
        await stage.dashboard.do("close_on_purpose")
        await stage.stays(RESTART_AFTER, document)
        await stage.nothing_changed(document, pid, loads)


# --- row 9: the server is away for long ---------------------------------------------------------


@lasting(120)
async def test_a_page_that_gave_up_in_a_long_outage_is_left_readable_and_reloaded_after_it(tmp_path: Path) -> None:
    async with kept(tmp_path, learnt=False, switches=WEAK) as stage:
        await stage.proven()
        document, pid, loads = await stage.dashboard.document(), stage.victim.pid, len(await stage.dashboard.loads())
        moment = await outage(stage, OUTAGE_S)
        known = await stage.shows(0.5)
        assert (known["verdict"], known["page"]["url"]) == ("SERVER_DOWN", stage.dashboard.url)
        assert (stage.victim.pid, len(await stage.dashboard.loads())) == (pid, loads), "untouched meanwhile"
        seconds = await stage.dashboard.back(INTERVAL + 15, after=moment, other_than=document)
        print(f"back after {seconds:.2f} s, the bound is {INTERVAL + 15:.2f} s")
        assert stage.victim.pid == pid, "an outage is no reason for a restart"


@asynctest
async def test_without_kioskd_it_does_not_come_back_after_the_outage(tmp_path: Path) -> None:
    async with bare(tmp_path, WEAK) as stage:
        moment = await outage(stage, 5)  # so short an outage only helps it
        with pytest.raises(TimeoutError):
            await stage.dashboard.back(INTERVAL + 15, after=moment)


@lasting(120)
async def test_a_page_that_reconnects_after_a_long_outage_was_never_touched(tmp_path: Path) -> None:
    async with kept(tmp_path, learnt=False) as stage:
        await stage.proven()
        document, pid, loads = await stage.dashboard.document(), stage.victim.pid, len(await stage.dashboard.loads())
        await stage.dashboard.back(INTERVAL + 10, after=await outage(stage, OUTAGE_S))  # self-healing, as it would be without kioskd
        await stage.stays(RESTART_AFTER, document)
        await stage.nothing_changed(document, pid, loads)


# --- row 10: the page cannot be had -------------------------------------------------------------


@pytest.mark.parametrize("front", FRONTS)
@asynctest
async def test_a_server_that_cannot_be_had_at_boot_is_waited_for_on_the_holding_page(tmp_path: Path, front: str) -> None:
    async with kept(tmp_path, trouble=breaks(front)) as stage:
        await stage.shows(START_S, page__url=HOLDING, browser__state="up", server__up=False)
        await stage.stays(2 * INTERVAL, None)
        moment = await mend(stage.dashboard)
        seconds = await stage.dashboard.back(INTERVAL + 5, after=moment)
        print(f"back after {seconds:.2f} s, the bound is {INTERVAL + 5:.2f} s")


@pytest.mark.parametrize("front", FRONTS)
@asynctest
async def test_without_kioskd_the_error_stays(tmp_path: Path, front: str) -> None:
    async with bare(tmp_path, trouble=breaks(front)) as stage:
        if front != "down":  # there it is Chromium alone that knows of its try
            await stage.dashboard.asked_for("/", START_S)
        await stage.stays(TRIED_AGAIN_S, None)
        moment = await mend(stage.dashboard)
        with pytest.raises(TimeoutError):
            await stage.dashboard.back(INTERVAL + 5, after=moment)


@pytest.mark.parametrize("front", ["down", "error-500", "empty-502"])
@asynctest
async def test_a_page_that_reloads_itself_into_the_outage_is_replaced_by_the_holding_page(tmp_path: Path, front: str) -> None:
    async with kept(tmp_path, learnt=False, switches={"on_close": "reload"}) as stage:
        await stage.proven()
        pid, document = stage.victim.pid, await stage.dashboard.document()
        await breaks(front)(stage.dashboard)
        await stage.shows(10, page__url=HOLDING, server__up=False)
        moment = await mend(stage.dashboard)
        seconds = await stage.dashboard.back(INTERVAL + 5, after=moment, other_than=document)
        print(f"back after {seconds:.2f} s, the bound is {INTERVAL + 5:.2f} s")
        assert stage.victim.pid == pid, "an outage is no reason for a restart"


@asynctest
async def test_a_page_that_reloads_itself_into_silence_is_given_back_and_reloaded_when_the_server_returns(tmp_path: Path) -> None:
    async with kept(tmp_path, learnt=False, switches={"on_close": "reload"}) as stage:
        await stage.proven()
        pid, document = stage.victim.pid, await stage.dashboard.document()
        await breaks("silence")(stage.dashboard)
        known = await stage.shows(10, verdict="SERVER_DOWN")
        assert known["page"]["url"] == stage.dashboard.url, "the old document was not lost, and it can be read"
        moment = await mend(stage.dashboard)
        seconds = await stage.dashboard.back(INTERVAL + 15, after=moment, other_than=document)  # row 9's bound: it is no holding page
        print(f"back after {seconds:.2f} s, the bound is {INTERVAL + 15:.2f} s")
        assert stage.victim.pid == pid, "an outage is no reason for a restart"


@pytest.mark.parametrize("front", FRONTS)
@asynctest
async def test_without_kioskd_a_page_that_reloaded_itself_into_the_outage_stays_there(tmp_path: Path, front: str) -> None:
    async with bare(tmp_path, {"on_close": "reload"}) as stage:
        document = await stage.dashboard.document()
        await breaks(front)(stage.dashboard)
        await stage.stays(TRIED_AGAIN_S, document)
        moment = await mend(stage.dashboard)
        with pytest.raises(TimeoutError):
            await stage.dashboard.back(INTERVAL + 5, after=moment)


@asynctest
async def test_a_name_that_cannot_be_resolved_is_waited_for_on_the_holding_page(tmp_path: Path) -> None:
    names = Names(tmp_path)
    async with Dashboard(tmp_path / "dist") as dashboard:
        url = dashboard.url.replace("127.0.0.1", NAME)
        async with Kiosk(url, tmp_path, names.variables, health=QUICK, browser={"flags": list(SMALL)}) as kiosk:
            known = await kiosk.shows(START_S, page__url=HOLDING, server__up=False, server__home=lambda home: home is not None)
            assert (known["verdict"], known["page"]["url"]) == ("UNREADABLE", HOLDING)
            assert NAME in known["server"]["home"]["error"]
            pid = kiosk.pid
            with pytest.raises(TimeoutError):
                await kiosk.shows(RESTART_AFTER + 2, browser__pid=lambda now: now != pid)
            names.learn()
            seconds = await dashboard.back(INTERVAL + 5)
            print(f"back after {seconds:.2f} s, the bound is {INTERVAL + 5:.2f} s")
            assert kiosk.pid == pid


@asynctest
async def test_without_kioskd_a_name_that_could_not_be_resolved_stays_an_error(tmp_path: Path) -> None:
    names = Names(tmp_path)
    async with Dashboard(tmp_path / "dist") as dashboard:
        async with Bare(dashboard.url.replace("127.0.0.1", NAME), tmp_path, flags=SMALL, display=names.variables):
            with pytest.raises(TimeoutError):
                await dashboard.back(TRIED_AGAIN_S)
            names.learn()
            with pytest.raises(TimeoutError):
                await dashboard.back(INTERVAL + 5)


# --- row 24: the ungated rule -------------------------------------------------------------------


@lasting(120)
async def test_where_outages_are_to_restart_the_browser_it_is_restarted_once(tmp_path: Path) -> None:
    # The control is row 9: with the shipped during_outage the browser is not restarted at all.
    cold = await cold_start(tmp_path)
    async with kept(tmp_path, learnt=False, health={"websocket": {"during_outage": "restart"}}) as stage:
        await stage.proven()
        pid, moment = stage.victim.pid, time.monotonic()
        await stage.dashboard.kill()
        known = await stage.shows(RESTART_AFTER + cold + 5, browser__pid=lambda now: now not in (None, pid))
        assert time.monotonic() - moment >= RESTART_AFTER
        second = known["browser"]["pid"]
        with pytest.raises(TimeoutError):
            await stage.shows(3 * RESTART_AFTER, browser__pid=lambda now: now != second)


# --- row 25: somebody else answers --------------------------------------------------------------


@lasting(120)
async def test_a_readable_page_is_not_left_for_a_portal(tmp_path: Path) -> None:
    async with kept(tmp_path, learnt=False, switches=WEAK) as stage:
        await stage.proven()
        document, pid, loads = await stage.dashboard.document(), stage.victim.pid, len(await stage.dashboard.loads())
        await stage.dashboard.switch(http="portal")
        await stage.dashboard.do("drop")
        await stage.stays(2 * RESTART_AFTER, document)
        await stage.nothing_changed(document, pid, loads)
        moment = await mend(stage.dashboard)
        seconds = await stage.dashboard.back(INTERVAL + 15, after=moment, other_than=document)
        print(f"back after {seconds:.2f} s, the bound is {INTERVAL + 15:.2f} s")
        assert stage.victim.pid == pid


@asynctest
async def test_without_kioskd_it_does_not_come_back_after_the_portal(tmp_path: Path) -> None:
    async def meets_a_portal(stage: Stage) -> None:
        await stage.dashboard.switch(http="portal")
        await stage.dashboard.do("drop")
        await stage.stays(5, await stage.dashboard.document())
        await mend(stage.dashboard)

    async with bare(tmp_path, WEAK) as stage:
        await stays_away(stage, 5 + INTERVAL + 15, meets_a_portal)


@asynctest
async def test_a_portal_that_took_the_pages_place_is_left_when_it_is_gone(tmp_path: Path) -> None:
    async def portal(dashboard: Dashboard) -> None:
        await dashboard.switch(http="portal")

    async with kept(tmp_path, trouble=portal) as stage:
        await stage.dashboard.asked_for("/", START_S)
        await stage.stays(RESTART_AFTER, None)
        moment = await mend(stage.dashboard)
        seconds = await stage.dashboard.back(INTERVAL + 15, after=moment)
        print(f"back after {seconds:.2f} s, the bound is {INTERVAL + 15:.2f} s")


@asynctest
async def test_without_kioskd_the_portal_stays(tmp_path: Path) -> None:
    async def portal(dashboard: Dashboard) -> None:
        await dashboard.switch(http="portal")

    async with bare(tmp_path, trouble=portal) as stage:
        await stage.dashboard.asked_for("/", START_S)
        moment = await mend(stage.dashboard)
        with pytest.raises(TimeoutError):
            await stage.dashboard.back(INTERVAL + 15, after=moment)

"""Incidents on a real disk: written at once, read again, bounded, and never fatal."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kioskd.core.incidents import Entry, Kind
from kioskd.core.steps import Remedy, Rung
from kioskd.core.verdict import Verdict
from kioskd.edges import incidents as ledger_module
from kioskd.edges.incidents import FILE, LIMIT, PICTURES, PICTURES_LIMIT, Ledger
from kioskd.wire.incidents import Evidence
from kioskd.wire.status import Clocks
from tests.aio import asynctest


def began(why: str = "the server is up and the page's connection is dead") -> Entry:
    return Entry(Kind.BEGAN, time.monotonic(), Verdict.STUCK, Rung.SUSPECT, why)


def cured() -> Entry:
    return Entry(Kind.CURED, time.monotonic(), Verdict.HEALTHY, Rung.RELOADED, "", Remedy.RELOAD, 20.5)


class Kept:
    """A ledger at work."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.ledger = Ledger(str(state), lambda: Clocks(time.monotonic(), time.time()))

    async def __aenter__(self) -> Ledger:
        self.ledger.open()
        self._running = asyncio.create_task(self.ledger.run())
        return self.ledger

    async def __aexit__(self, *_: object) -> None:
        self._running.cancel()
        await asyncio.wait([self._running])


async def until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not await asyncio.to_thread(fact):
            await asyncio.sleep(0.01)


def lines(state: Path) -> list[str]:
    path = state / FILE
    return path.read_text().splitlines() if path.exists() else []


@asynctest
async def test_an_incident_is_on_the_disk_line_by_line_and_is_read_again(tmp_path: Path) -> None:
    async with Kept(tmp_path) as ledger:
        assert await ledger.shown() == {"incidents": [], "torn_lines": 0}
        assert ledger.add([began()]) == 1
        await until(lambda: len(lines(tmp_path)) == 1)
        ledger.keep(Evidence(errors=("it broke",)), b"\xff\xd8picture")
        ledger.add([cured()])
        await until(lambda: len(lines(tmp_path)) == 3)
        assert ledger.add([began(), cured()]) == 2
        await until(lambda: len(lines(tmp_path)) == 5)
        second, first = (await ledger.shown())["incidents"]
        assert (first["id"], first["cure"], second["id"]) == (1, "reload the page", 2)
        (evidence,) = first["evidence"]
        assert evidence["errors"] == ["it broke"] and await ledger.picture(evidence["picture"]) == b"\xff\xd8picture"
        assert await ledger.picture("../" + FILE) is None and await ledger.picture("") is None
        ledger._names = lambda: ["given-up.jpg"]  # type: ignore[method-assign]
        assert await ledger.picture("given-up.jpg") is None, "this very moment"
    for path in (tmp_path / FILE, tmp_path / PICTURES / "1-1.jpg"):
        assert path.stat().st_mode & 0o077 == 0, "a page may show what is not for everybody"


@asynctest
async def test_while_nothing_happens_nothing_is_written(tmp_path: Path) -> None:
    async with Kept(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


@asynctest
async def test_a_power_cut_costs_the_last_line_at_most(tmp_path: Path) -> None:
    async with Kept(tmp_path) as ledger:
        ledger.add([began(), cured(), began("half of this is lost")])
        await until(lambda: len(lines(tmp_path)) == 3)
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:-40])
    async with Kept(tmp_path) as ledger:
        assert ledger.add([began("after")]) == 2
        await until(lambda: b"after" in (tmp_path / FILE).read_bytes())
        known = await ledger.shown()
    assert [(each["id"], each["why"]) for each in known["incidents"]] == [(2, "after"), (1, began().text)]
    assert known["torn_lines"] == 1


@asynctest
async def test_what_was_not_over_when_kioskd_ended_is_said_to_be_interrupted(tmp_path: Path) -> None:
    async with Kept(tmp_path) as ledger:
        ledger.add([began()])
        await until(lambda: len(lines(tmp_path)) == 1)
    async with Kept(tmp_path) as ledger:
        await until(lambda: len(lines(tmp_path)) == 2)
        (told,) = (await ledger.shown())["incidents"]
    assert told["interrupted"] and told["ended"] and told["cure"] is None


@asynctest
async def test_a_week_of_incidents_stays_under_its_bound(tmp_path: Path) -> None:
    async with Kept(tmp_path) as ledger:
        for number in range(7 * 24 * 60 // 10):  # one every ten minutes
            ledger.add([began("x" * 400), cured()])
            if number % 100 == 0:
                ledger.keep(Evidence(journal=("y" * 300,) * 20), bytes(1 << 20))
            if number % 20 == 0:
                await until(lambda: not ledger._waiting)
        await until(lambda: not ledger._waiting)
        known = (await ledger.shown())["incidents"]
        assert known[0]["id"] == 1008 and len(known) == 100
        assert all(each["cure"] for each in known)
    size = (tmp_path / FILE).stat().st_size
    pictures = sum(each.stat().st_size for each in (tmp_path / PICTURES).iterdir())
    assert size <= LIMIT + (64 << 10) and 0 < pictures <= PICTURES_LIMIT
    assert sorted(os.listdir(tmp_path)) == [PICTURES, FILE]


@asynctest
async def test_a_disk_that_takes_nothing_is_said_and_what_waited_is_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "RETRY_S", 0.05)
    state = tmp_path / "state"
    state.write_text("a file has the folder's place")
    async with Kept(state) as ledger:
        ledger.add([began()])
        ledger.keep(Evidence(), b"picture")
        await until(lambda: ledger.problem is not None and "Cannot" in ledger.problem)
        state.unlink()
        await until(lambda: len(lines(state)) == 2)
        await until(lambda: ledger.problem is None)
        assert json.loads(lines(state)[1])["what"] == "evidence"


@pytest.mark.parametrize(
    "rubbish", [b"", b"\n\n", b"\xff\xfe\x00", b"[]\n{}\nnull\n", b"{" * 100_000, b'{"id":1e999,"what":"began","at":"x"}\n']
)
@asynctest
async def test_a_file_of_rubbish_is_never_fatal(tmp_path: Path, rubbish: bytes) -> None:
    (tmp_path / FILE).write_bytes(rubbish)
    async with Kept(tmp_path) as ledger:
        assert ledger.add([began(), cured()]) == 1
        await until(lambda: b"cured" in (tmp_path / FILE).read_bytes())
        (told,) = (await ledger.shown())["incidents"]
    assert told["cure"] == "reload the page"


@asynctest
async def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / FILE).symlink_to(tmp_path / "elsewhere")
    async with Kept(tmp_path / "state") as ledger:
        ledger.add([began()])
        await until(lambda: ledger.problem is not None)
    assert not (tmp_path / "elsewhere").exists()

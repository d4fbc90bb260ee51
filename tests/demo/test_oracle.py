"""The oracle believes only nonces that came back."""

import asyncio
import contextlib
import time

import pytest

from kioskd.demo.oracle import CELLS, KEEP, NONCE_BITS, Oracle, Request, cells, painted
from tests.aio import asynctest


@asynctest
async def test_back_waits_for_an_echo_of_the_newest_version() -> None:
    oracle = Oracle(lambda: "2")
    waiting = asyncio.create_task(oracle.back(time.monotonic()))
    oracle.echoed(oracle.nonce(), "1", "a", 0.0)  # an old build
    oracle.echoed(123, "2", "a", 0.0)  # a nonce that never went out
    nonce = oracle.nonce()
    oracle.echoed(nonce, "2", "b", 0.0)
    echo = await waiting
    assert (echo.version, echo.document, echo.nonce) == ("2", "b", nonce)
    assert [kept.back for kept in oracle.echoes] == [False, True]


@asynctest
async def test_a_nonce_counts_once_and_only_if_sent_after_the_moment() -> None:
    oracle = Oracle(lambda: "1")
    early = oracle.nonce()
    after = time.monotonic()
    oracle.echoed(early, "1", "a", 0.0)
    oracle.echoed(early, "1", "a", 0.0)
    assert len(oracle.echoes) == 1
    waiting = asyncio.create_task(oracle.back(after))
    await asyncio.sleep(0)
    assert not waiting.done()
    oracle.echoed(oracle.nonce(), "1", "a", 0.0)
    assert (await waiting).sent >= after


@asynctest
async def test_another_document_can_be_asked_for() -> None:
    oracle = Oracle(lambda: "1")
    oracle.echoed(oracle.nonce(), "1", "a", 0.0)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0):
            await oracle.back(0, other_than="a")
            pytest.fail("it took the document that does not count")
    assert (await oracle.back(0)).document == "a"


@asynctest
async def test_a_connection_opened_since_a_moment_can_be_asked_for() -> None:
    oracle = Oracle(lambda: "1")
    oracle.echoed(oracle.nonce(), "1", "a", 5.0)
    waiting = asyncio.create_task(oracle.back(0, opened_after=5.0))
    await asyncio.sleep(0)
    assert not waiting.done()
    oracle.echoed(oracle.nonce(), "1", "a", 5.1)
    assert (await waiting).opened == 5.1


def test_records_are_bounded() -> None:
    oracle = Oracle(lambda: "1")
    first = oracle.nonce()
    for _ in range(KEEP + 5):
        oracle.asked(Request(0, "GET", "/", True, True))
        oracle.nonce()
    oracle.echoed(first, "1", "a", 0.0)
    assert len(oracle.requests) == len(oracle.loads) == KEEP
    assert not oracle.echoes, "the oldest nonces are forgotten"


@pytest.mark.parametrize("nonce", [0, 1, 0b101_000_110, 2**NONCE_BITS - 1, 0xABCDEF])
def test_the_strip_tells_the_nonce(nonce: int) -> None:
    assert len(cells(nonce)) == CELLS
    assert painted(cells(nonce)) == nonce


def test_the_first_cell_has_the_highest_bits() -> None:
    assert cells(0b110 << 21)[0] == (True, True, False)

"""The pipe against a browser that is a few lines in this file: real descriptors, real loop."""

import asyncio
import json
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from kioskd.edges.cdp_pipe import CdpPipe
from kioskd.errors import CdpClosed, CdpError
from kioskd.wire.cdp import Event
from tests.aio import asynctest


class Everything:
    def __contains__(self, _: object) -> bool:
        return True


EVERYTHING = Everything()


class FakeBrowser:
    """The far ends of the two pipes."""

    def __init__(self, wanted: Any = EVERYTHING) -> None:
        self.commands_fd, near_write = os.pipe()
        near_read, self.answers_fd = os.pipe()
        self.events: list[Event] = []
        self.closed: list[str] = []
        self.pipe = CdpPipe(near_read, near_write, wanted=wanted, on_event=self.events.append, on_closed=self.closed.append)
        for fd in (self.answers_fd, self.commands_fd):
            os.set_blocking(fd, False)

    def says(self, data: bytes) -> None:
        os.write(self.answers_fd, data)

    def answers(self, **message: Any) -> None:
        self.says(json.dumps(message, separators=(",", ":")).encode() + b"\0")

    def heard(self) -> list[dict[str, Any]]:
        return [json.loads(part) for part in os.read(self.commands_fd, 1 << 20).split(b"\0") if part]

    def leave(self) -> None:
        for fd in (self.commands_fd, self.answers_fd):
            os.close(fd)
        self.pipe.close()


async def until(holds: Callable[[], Any]) -> None:
    while not holds():
        await asyncio.sleep(0)


@asynctest
async def test_answers_find_their_commands_in_any_order() -> None:
    far = FakeBrowser()
    first, second = far.pipe.request("A.a"), far.pipe.request("B.b", {"x": 1}, "S")
    assert far.heard() == [{"id": 1, "method": "A.a"}, {"id": 2, "method": "B.b", "params": {"x": 1}, "sessionId": "S"}]
    far.answers(id=2, result={"y": 2})
    far.answers(id=1, error={"code": 1, "message": "not today"})
    assert await second == {"y": 2}
    with pytest.raises(CdpError, match="A.a: not today"):
        await first
    far.leave()


@asynctest
async def test_only_wanted_events_are_read() -> None:
    far = FakeBrowser(wanted={"Page.x"})
    far.answers(method="Page.y", params={})
    far.says(b'{"method":"Page.z", this is not even JSON}\0')
    far.answers(method="Page.x", params={"n": 1}, sessionId="S")
    await until(lambda: far.events)
    assert far.events == [Event("Page.x", {"n": 1}, "S")]
    far.leave()


@pytest.mark.parametrize("end", ["eof", "rubbish", "ours"])
@asynctest
async def test_the_end_fails_every_pending_command_once(end: str) -> None:
    far = FakeBrowser()
    pending = [far.pipe.request("A.a") for _ in range(3)]
    if end == "eof":
        os.close(far.answers_fd)
        far.answers_fd = os.dup(far.commands_fd)
    elif end == "rubbish":
        far.says(b"Segmentation fault\0")
    else:
        far.pipe.close("enough")
    results = await asyncio.gather(*pending, return_exceptions=True)
    assert [type(result) for result in results] == [CdpClosed] * 3
    assert len(far.closed) == 1 and far.pipe.closed == far.closed[0]
    with pytest.raises(CdpClosed):
        await far.pipe.command("A.a")
    far.leave()
    assert len(far.closed) == 1


@asynctest
async def test_a_browser_that_has_gone_is_noticed_by_writing_too() -> None:
    far = FakeBrowser()
    os.close(far.commands_fd)
    far.commands_fd = os.dup(far.answers_fd)
    with pytest.raises(CdpClosed, match="Broken pipe"):
        await far.pipe.command("A.a")
    far.leave()


@asynctest
async def test_what_a_stopped_browser_does_not_read_waits_and_has_a_bound() -> None:
    far = FakeBrowser()
    big = {"x": "y" * 100_000}
    waiting = [far.pipe.request("A.a", big) for _ in range(5)]
    received = b""
    while received.count(b"\0") < 5:  # it wakes up: everything is there, whole
        with suppress(BlockingIOError):
            received += os.read(far.commands_fd, 1 << 20)
        await asyncio.sleep(0)
    assert [json.loads(part)["id"] for part in received.split(b"\0") if part] == [1, 2, 3, 4, 5]
    waiting += [far.pipe.request("A.a", big) for _ in range(50)]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert "stopped reading" in str(results[0]) and len(far.closed) == 1
    far.leave()


@asynctest
async def test_a_cancelled_command_is_forgotten_and_its_late_answer_harmless() -> None:
    far = FakeBrowser()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await far.pipe.command("A.a")
    far.answers(id=1, result={})
    far.answers(id=2, result={"z": 1})
    assert await far.pipe.command("A.a") == {"z": 1}
    assert far.pipe._pending == {}
    far.leave()


@asynctest
async def test_a_flood_is_read_in_few_turns_and_answers_still_come() -> None:
    far = FakeBrowser(wanted=())
    loop, turns = asyncio.get_running_loop(), 0
    flood = b'{"method":"Page.frameResized","params":{}}\0'
    over = loop.create_future()
    loop.call_later(0.5, over.set_result, None)

    def write() -> None:
        nonlocal turns
        turns += 1
        try:
            os.write(far.answers_fd, flood)
        except BlockingIOError:
            pass
        if not over.done():
            loop.call_soon(write)

    far.pipe._reads = 0.0  # the free ones are spent
    reads, read = 0, far.pipe._read

    def count() -> None:
        nonlocal reads
        reads += 1
        read()

    loop.add_reader(far.pipe._read_fd, count)
    far.pipe._read = count  # type: ignore[method-assign]
    write()
    answer = far.pipe.request("A.a")
    await over
    assert turns > 100 * reads or reads < 15
    while not answer.done():  # the pipe is full of the flood
        with suppress(BlockingIOError):
            far.answers(id=1, result={"ok": True})
        await asyncio.sleep(0.01)
    assert await answer == {"ok": True}
    far.leave()

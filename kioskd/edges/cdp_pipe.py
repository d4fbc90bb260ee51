"""The two pipes to a browser's DevTools: commands go out, answers and events come in."""

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable, Container
from typing import Any

from kioskd.errors import CdpClosed, CdpError
from kioskd.wire.cdp import Answer, Decoder, Event, decode, encode, method_of

log = logging.getLogger(__name__)

_CHUNK = 256 * 1024
_READS = 16  # of one chunk each, before the loop's other work gets its turn
_UNREAD = 4 * 1024 * 1024  # commands a stopped browser may leave lying before the pipe counts as dead
_BURST = 100  # reads that are free; then _PACE a second, so that a page that floods the pipe costs little
_PACE = 10.0

Then = Callable[[Answer], None]


class CdpPipe:
    """DevTools over a pair of descriptors, which the pipe owns from now on.

    Closing, from whichever side, fails every pending command with ``CdpClosed`` and calls ``on_closed`` once with the reason.
    """

    def __init__(
        self,
        read_fd: int,
        write_fd: int,
        *,
        wanted: Container[str],
        on_event: Callable[[Event], None],
        on_closed: Callable[[str], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._read_fd, self._write_fd = read_fd, write_fd
        self._wanted, self._on_event, self._on_closed = wanted, on_event, on_closed
        self._decoder = Decoder()
        self._pending: dict[int, Then] = {}
        self._last_id = 0
        self._unsent = bytearray()
        self._closed: str | None = None
        self.spoilt = False  # it was we who closed it, for what came through it
        self._reads, self._refilled = float(_BURST), self._loop.time()
        self._resting: asyncio.TimerHandle | None = None
        for fd in (read_fd, write_fd):
            os.set_blocking(fd, False)
        try:
            fcntl.fcntl(read_fd, fcntl.F_SETPIPE_SZ, 1024 * 1024)
        except OSError as error:  # the user's allowance of pipe memory is spent
            log.debug("Cannot widen the DevTools pipe: %s", error)
        self._loop.add_reader(read_fd, self._read)

    @property
    def closed(self) -> str | None:
        """Why the pipe is closed; None while it is open."""
        return self._closed

    async def command(self, method: str, params: dict[str, Any] | None = None, session: str | None = None) -> dict[str, Any]:
        """Send a command and return its result. Raise ``CdpError`` where it is refused, ``CdpClosed`` where the pipe ends."""
        return await self.request(method, params, session)

    def request(self, method: str, params: dict[str, Any] | None = None, session: str | None = None) -> asyncio.Future[dict[str, Any]]:
        """Send a command now; the future, which somebody must await or cancel, gets what ``command`` returns or raises."""
        answered: asyncio.Future[dict[str, Any]] = self._loop.create_future()

        def resolve(answer: Answer) -> None:
            if answered.done():
                return
            if answer.error is None:
                answered.set_result(answer.result)
            elif self._closed is not None:
                answered.set_exception(CdpClosed(answer.error))
            else:
                answered.set_exception(CdpError(method, answer.error))

        id = self.send(method, params, session, resolve)
        answered.add_done_callback(lambda _: self._pending.pop(id, None))
        return answered

    def send(self, method: str, params: dict[str, Any] | None = None, session: str | None = None, then: Then | None = None) -> int:
        """Send a command without waiting; ``then`` gets its answer, an error too when the pipe ends first. Return its id."""
        if self._closed is not None:
            raise CdpClosed(self._closed)
        self._last_id += 1
        if then is not None:
            self._pending[self._last_id] = then
        self._write(encode(self._last_id, method, params, session))
        return self._last_id

    def close(self, reason: str = "The DevTools pipe was closed") -> None:
        """Close both ends; what is pending fails. A second call does nothing."""
        if self._closed is not None:
            return
        self._closed = reason
        if self._resting is not None:
            self._resting.cancel()
        self._loop.remove_reader(self._read_fd)
        self._loop.remove_writer(self._write_fd)
        os.close(self._read_fd)
        os.close(self._write_fd)
        pending, self._pending = self._pending, {}
        for id, then in pending.items():
            then(Answer(id, error=reason))
        self._on_closed(reason)

    def _write(self, data: bytes) -> None:
        if not self._unsent:
            try:
                data = data[os.write(self._write_fd, data) :]
            except BlockingIOError:
                pass
            except OSError as error:
                self._loop.call_soon(self.close, f"Cannot write to the browser's pipe: {error.strerror}")
                return
            if data:
                self._loop.add_writer(self._write_fd, self._flush)
        self._unsent += data
        if len(self._unsent) > _UNREAD:
            self._loop.call_soon(self.close, "The browser has stopped reading its pipe")

    def _flush(self) -> None:
        try:
            del self._unsent[: os.write(self._write_fd, self._unsent)]
        except BlockingIOError:
            return
        except OSError as error:
            self.close(f"Cannot write to the browser's pipe: {error.strerror}")
            return
        if not self._unsent:
            self._loop.remove_writer(self._write_fd)

    def _read(self) -> None:
        try:
            for _ in range(_READS):
                try:
                    data = os.read(self._read_fd, _CHUNK)
                except BlockingIOError:
                    break
                if not data:
                    self.close("The browser closed its DevTools pipe")
                    return
                for frame in self._decoder.feed(data):
                    self._take(frame)
                if self._closed is not None:
                    return
        except CdpClosed as error:
            self.spoilt = True
            self.close(str(error))
            return
        except OSError as error:
            self.close(str(error))
            return
        self._rest_if_flooded()

    def _take(self, frame: bytes) -> None:
        method = method_of(frame)
        if method is not None and method not in self._wanted:
            return
        message = decode(frame)
        if isinstance(message, Event):
            self._on_event(message)
        elif (then := self._pending.pop(message.id, None)) is not None:
            then(message)
        elif message.error is not None:
            log.debug("DevTools refused command %d: %s", message.id, message.error)

    def _rest_if_flooded(self) -> None:
        now = self._loop.time()
        self._reads = min(self._reads + (now - self._refilled) * _PACE, _BURST) - 1
        self._refilled = now
        if self._reads < 0:
            self._loop.remove_reader(self._read_fd)
            self._resting = self._loop.call_later(1 / _PACE, self._wake)

    def _wake(self) -> None:
        self._resting = None
        self._loop.add_reader(self._read_fd, self._read)

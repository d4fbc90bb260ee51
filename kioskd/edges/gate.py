"""What a connection may cost. It stands between the socket and aiohttp, which reads, parses and keeps whatever comes.

A connection is one request: a head, within ``HEAD_S``; a body only where one is asked for, and no more of it than is ever taken; an answer.
What comes early is held, what is too much is left in the sender's socket. A listener's connection lives on, and hears more than it says.
"""

import asyncio
import enum
import re
from collections.abc import Callable
from typing import Self

HEAD_S = 10.0
HEAD = 32 << 10  # bytes; a browser with all its cookies sends a quarter of that
BODY = 16 << 10  # bytes
HELD = 2 * BODY  # of a body in chunks, which have heads of their own
ANSWER_S = 40.0  # who asks for a reload waits for 25 s, after 5 s for the body
SAID = 1 << 10  # bytes from a listener between two pings: a pong has 6, a good-bye 131 at most
_END = re.compile(rb"[^\r\n]\r?\n\r?\n")  # of a head, as every parser sees it; empty lines before one do not count
_BEFORE = 4  # bytes of that which may have come before


class _Stage(enum.Enum):
    HEAD = enum.auto()
    HOLD = enum.auto()  # what is behind the head has not been asked for
    BODY = enum.auto()
    FRAMES = enum.auto()


class Gate(asyncio.Protocol):
    """One connection. ``said``: the bytes that a listener has sent since somebody set this to 0."""

    __slots__ = ("said", "_inner", "_leave", "_transport", "_deadline", "_stage", "_held")

    def __init__(self, inner: asyncio.Protocol, leave: Callable[[], None]) -> None:
        self.said = 0
        self._inner, self._leave = inner, leave
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._stage = _Stage.HEAD
        self._held = b""  # in HEAD, the last bytes that were passed on

    @classmethod
    def of(cls, transport: asyncio.BaseTransport | None) -> Self:
        """Return the one at this connection; raises ConnectionResetError where it is lost."""
        gate = transport.get_protocol() if transport is not None else None
        if not isinstance(gate, cls):
            raise ConnectionResetError("The connection is lost")
        return gate

    @property
    def behind(self) -> int:
        """How many bytes the other end has not taken."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def abort(self) -> None:
        """End it at once."""
        if self._transport is not None:
            self._transport.abort()

    def take_body(self) -> None:
        """Let the body of the request in."""
        self._open(_Stage.BODY, 0)

    def take_frames(self) -> None:
        """From now on somebody listens here, for as long as he likes."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._open(_Stage.FRAMES, 1)  # he has said that he wants to

    def _open(self, stage: _Stage, said: int) -> None:
        held, self._held, self._stage, self.said = self._held, b"", stage, said
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        if held:
            self.data_received(held)

    def _allow(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self.abort)

    # --- what asyncio tells ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport), "of a stream"
        self._transport = transport
        self._allow(HEAD_S)
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._transport = self._deadline = None
        self._leave()
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on what may come now."""
        match self._stage:
            case _Stage.HEAD:
                self._head(data)
            case _Stage.HOLD:
                self._hold(data)
            case _Stage.BODY:
                self._body(data)
            case _Stage.FRAMES:
                self.said += len(data)
                if self.said > SAID:
                    self.abort()
                else:
                    self._inner.data_received(data)

    def _head(self, data: bytes) -> None:
        end = _END.search(self._held + data)
        here = end.end() - len(self._held) if end else len(data)
        self.said += here
        if self.said > HEAD:
            self.abort()
            return
        self._held = (self._held + data)[-_BEFORE:]
        if end:
            self._stage, self._held, self.said = _Stage.HOLD, b"", 0
            self._allow(ANSWER_S)
        self._inner.data_received(data[:here])
        if end and here < len(data):
            self.data_received(data[here:])

    def _hold(self, data: bytes) -> None:
        self._held += data[: HELD - len(self._held)]
        if len(self._held) == HELD:
            self._pause()

    def _body(self, data: bytes) -> None:
        taken = data[: max(0, HELD - self.said)]
        self.said += len(data)
        if taken:
            self._inner.data_received(taken)
        if self.said >= HELD:
            self._pause()

    def _pause(self) -> None:
        """Take no more: it stays in the sender's socket until the answer has ended this."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def eof_received(self) -> bool | None:
        """The other end sends no more."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """The other end reads too slowly."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._inner.resume_writing()


class Gates:
    """Makes them: ``most`` at a time, and who comes then is shown out at once."""

    def __init__(self, inner: Callable[[], asyncio.Protocol], most: int) -> None:
        """``inner`` makes aiohttp's protocol of one connection."""
        self._inner, self._most = inner, most
        self.open = 0

    def __call__(self) -> asyncio.BaseProtocol:
        """Return who is to have the next connection. A whole backlog is taken in one turn of the loop: so it counts from here."""
        if self.open >= self._most:
            return _Refuse()
        self.open += 1
        return Gate(self._inner(), self._left)

    def _left(self) -> None:
        self.open -= 1


class _Refuse(asyncio.Protocol):
    """One connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "of a TCP connection"
        transport.abort()

"""The DevTools pipe's language: JSON objects, each ended by a NUL. Bytes in, frames and messages out; nothing is awaited here."""

import json
from dataclasses import dataclass, field
from typing import Any

from kioskd.errors import CdpClosed

MAX_FRAME = 64 * 1024 * 1024  # a screenshot of a 4K wall is a tenth of this
_EVENT = b'{"method":"'


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one command. ``error`` is the browser's sentence, None where it was carried out."""

    id: int
    result: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something the browser says by itself; ``session`` None: about the browser as a whole."""

    method: str
    params: dict[str, Any] = field(default_factory=dict)
    session: str | None = None


class Decoder:
    """Cut a stream of bytes into frames, however the bytes arrive."""

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the frames that ``data`` completes. Raise ``CdpClosed`` when one grows past the limit."""
        *ends, rest = data.split(b"\0")
        if ends:
            ends[0] = b"".join((*self._parts, ends[0]))
            self._parts, self._size = [], 0
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
        if self._size > self._limit:
            raise CdpClosed(f"The browser sent more than {self._limit} bytes without an end")
        return [end for end in ends if end]


def encode(id: int, method: str, params: dict[str, Any] | None = None, session: str | None = None) -> bytes:
    """Return one command as it goes onto the pipe."""
    command: dict[str, Any] = {"id": id, "method": method}
    if params:
        command["params"] = params
    if session is not None:
        command["sessionId"] = session
    return json.dumps(command, separators=(",", ":")).encode() + b"\0"


def method_of(frame: bytes) -> str | None:
    """Return an event's method without reading the rest, None where that cannot be told.

    A page can make Chromium send thousands of events that nobody wants: those must not cost a JSON parser.
    """
    if not frame.startswith(_EVENT):
        return None
    end = frame.find(b'"', len(_EVENT), len(_EVENT) + 100)
    return frame[len(_EVENT) : end].decode("ascii", "replace") if end > 0 else None


def decode(frame: bytes) -> Answer | Event:
    """Return what a frame says. Raise ``CdpClosed`` for rubbish: after that nothing on the pipe can be trusted."""
    try:
        message = json.loads(frame)
    except (ValueError, RecursionError):
        message = None
    if isinstance(message, dict):
        match message:
            case {"id": int(id), "error": {"message": str(text)}}:
                return Answer(id, error=text)
            case {"id": int(id), "result": dict(result)}:
                return Answer(id, result)
            case {"method": str(method)}:
                params, session = message.get("params"), message.get("sessionId")
                return Event(method, params if isinstance(params, dict) else {}, session if isinstance(session, str) else None)
            case {"error": {"message": str(text)}}:
                raise CdpClosed(f"The browser did not understand a command: {text[:200]}")
    raise CdpClosed(f"The browser's pipe carries something else than DevTools: {frame[:60]!r}")

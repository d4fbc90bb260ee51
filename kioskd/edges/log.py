"""Where log lines go: the journal under systemd, stderr otherwise."""

import hashlib
import logging
import os
import re
import socket
import sys
from contextlib import suppress
from typing import TextIO

from kioskd.wire.urls import without_secrets

JOURNAL = "/run/systemd/journal/socket"
IDENTIFIER = "kioskd"
_COLOURS = {logging.DEBUG: "2", logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "31;1"}
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))  # syslog's
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def configure(level: int = logging.INFO, stream: TextIO | None = None, journal: str = JOURNAL) -> logging.Handler:
    """Send everything from ``level`` up to the journal, or to ``stream`` (stderr); return the handler."""
    stream = stream or sys.stderr
    handler = (_journal(journal) or _stream(stream, _Priority())) if _under_systemd(stream) else _stream(stream, _Plain(stream.isatty()))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    return handler


def message_id(verdict: str) -> str:
    """Return the number under which the journal's catalogue (kioskd.catalog) explains a verdict."""
    return hashlib.md5(f"kioskd {verdict}".encode(), usedforsecurity=False).hexdigest()


class _Safe(logging.Formatter):
    """Shows control characters instead of sending them: a page or a server can put words, but no escapes and no lines, into a log.

    And no secrets: URLs go without name and password, query and fragment.
    """

    def format(self, record: logging.LogRecord) -> str:
        text = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", without_secrets(super().format(record)))
        return text.replace("\n", "\n    ")


class _Plain(_Safe):
    """Time, level and message, for a person at a terminal or a file."""

    def __init__(self, colour: bool) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        code = _COLOURS.get(record.levelno) if self._colour else None
        return text.replace(record.levelname, f"\x1b[{code}m{record.levelname}\x1b[0m", 1) if code else text


class _Priority(_Safe):
    """Each line with syslog's priority in front, which systemd reads from a service's stderr."""

    def format(self, record: logging.LogRecord) -> str:
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).split("\n"))


class _Sender:
    """Sends an entry, and never waits, as systemd's own does: a journal that hangs, on a card that does, costs lines, not the loop."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def __call__(self, message: str, /, **fields: object) -> None:
        entry = {"MESSAGE": message, **{name: value for name, value in fields.items() if name.isupper()}}  # the rest is Python's own
        with suppress(OSError):
            self.socket.sendto(b"".join(_field(name, str(value)) for name, value in entry.items()), self._path)


def _field(name: str, value: str) -> bytes:
    """Return a field of the journal's native protocol."""
    content = value.encode(errors="replace")
    return name.encode() + b"\n" + len(content).to_bytes(8, "little") + content + b"\n"


def _under_systemd(stream: TextIO) -> bool:
    """Say whether this very stream leads to the journal; the variable alone may be inherited from far above."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _journal(path: str) -> logging.Handler | None:
    try:
        from systemd.journal import JournalHandler
    except ImportError:
        return None
    if not os.path.exists(path):
        return None  # the library would lose every line without a word
    handler: logging.Handler = JournalHandler(sender_function=_Sender(path), SYSLOG_IDENTIFIER=IDENTIFIER)
    handler.setFormatter(_Safe("%(message)s"))
    return handler


def _stream(stream: TextIO, formatter: logging.Formatter) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    return handler

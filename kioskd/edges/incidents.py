"""The incidents on the disk: a file of lines and a few pictures beside it, in the state folder.

Nothing is written while all is well. A line is on the disk before the next is begun, so a power cut costs the last at most. A disk
that is full or read-only costs the history, and is said; the lines wait, as many as there is room for.
"""

import asyncio
import contextlib
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kioskd.core.incidents import Entry, Kind
from kioskd.errors import EdgeUnavailable
from kioskd.wire.incidents import Evidence, Incidents, entry_line, evidence_line, interrupted_line, read
from kioskd.wire.status import Clocks

log = logging.getLogger(__name__)

FILE, PICTURES = "incidents.jsonl", "incidents"

#: Bytes: of the file before its older half is given up, of all pictures, and of one.
LIMIT = 512 << 10
PICTURES_LIMIT = 8 << 20
PICTURE_LIMIT = 2 << 20

WAITING, PICTURES_WAITING = 500, 2  # lines, and pictures, while the disk takes none
RETRY_S = 60.0
SHOWN = 100


@dataclass(slots=True, eq=False)
class _Line:
    """What waits to be written: a line, and the picture that it names. ``bare``: the line without it, should it find no room."""

    text: str
    name: str = ""
    picture: bytes = b""
    bare: str = ""


class Ledger:
    """Writes and reads them. ``problem`` says why it does not, for the status."""

    def __init__(self, state: str, clocks: Callable[[], Clocks]) -> None:
        """Keep them in the folder ``state``."""
        self.problem: str | None = None
        self.number = 0  # of the present incident, or of the last
        self._folder, self._clocks = Path(state), clocks
        self._waiting: deque[_Line] = deque(maxlen=WAITING)
        self._stirred = asyncio.Event()
        self._pictures = 0  # of this incident
        self._wanted = False  # whether evidence is: a start of kioskd is none, and its picture nobody's

    # --- writing ------------------------------------------------------------------------------------

    def open(self) -> None:
        """Take up what an earlier run has left. Blocks; once, at the start."""
        try:
            known = self._read().known
        except EdgeUnavailable as error:
            self._lacks(str(error))
            return
        self.number = max(known, default=0)
        if known and known[self.number]["ended"] is None:
            self._put(_Line(interrupted_line(self.number, self._now())))

    def add(self, entries: Iterable[Entry]) -> int:
        """Take what a turn has added; return the number of the incident."""
        clocks = self._clocks()
        for entry in entries:
            if entry.kind is Kind.BEGAN:
                self.number, self._pictures, self._wanted = self.number + 1, 0, True
            self._put(_Line(entry_line(self.number, entry, clocks)))
        return self.number

    def keep(self, evidence: Evidence, picture: bytes = b"", last: bool = False) -> None:
        """Take evidence of the present incident, with a picture where one could be had. ``last``: it is over. Nobody waits for the disk."""
        if not self._wanted:
            return
        self._wanted = not last
        line = _Line(evidence_line(self.number, evidence, self._now()))
        if 0 < len(picture) <= PICTURE_LIMIT and len([each for each in self._waiting if each.picture]) < PICTURES_WAITING:
            self._pictures += 1
            name = f"{self.number}-{self._pictures}.jpg"
            line = _Line(evidence_line(self.number, replace(evidence, picture=name), self._now()), name, picture, line.text)
        self._put(line)

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            while self._waiting:
                lines = list(self._waiting)
                try:
                    await asyncio.to_thread(self._write, lines)
                except OSError as error:
                    self._lacks(f"Cannot write {self._folder / FILE}: {error.strerror}")
                    await asyncio.sleep(RETRY_S)  # the pace of the next try
                    continue
                self.problem = None
                for line in lines:
                    if self._waiting and self._waiting[0] is line:  # a full queue has dropped some meanwhile
                        self._waiting.popleft()

    def _put(self, line: _Line) -> None:
        self._waiting.append(line)
        self._stirred.set()

    def _lacks(self, problem: str) -> None:
        if self.problem != problem:
            log.warning("%s", problem)
        self.problem = problem

    def _now(self) -> str:
        clocks = self._clocks()
        return clocks.exact(clocks.monotonic)

    def _write(self, lines: list[_Line]) -> None:
        path = self._folder / FILE
        self._folder.mkdir(parents=True, exist_ok=True)
        text = "".join([line.text if not line.picture or self._keep_picture(line) else line.bare for line in lines])
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(path, flags, 0o600), "r+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(-1, os.SEEK_END)
                text = text if file.read(1) == b"\n" else "\n" + text  # of a line that a power cut has torn
            file.write(text.encode())
            os.fsync(file.fileno())
        if size > LIMIT:
            self._forget(path)

    def _forget(self, path: Path) -> None:
        """Give up the older half: whole incidents."""
        lines = path.read_bytes().splitlines(keepends=True)
        kept, size = [], 0
        for line in reversed(lines):
            size += len(line)
            if size > LIMIT // 2:
                break
            kept.append(line)
        while kept and b'"what":"began"' not in kept[-1]:
            kept.pop()
        fresh = path.with_suffix(".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb") as file:
            file.writelines(reversed(kept))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def _keep_picture(self, line: _Line) -> bool:
        try:
            self._write_picture(line.name, line.picture)
        except OSError as error:
            log.warning("Cannot keep a picture in %s: %s", self._folder / PICTURES, error.strerror)
            return False
        return True

    def _write_picture(self, name: str, picture: bytes) -> None:
        folder = self._folder / PICTURES
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(picture)
            file.flush()
            os.fsync(file.fileno())  # the line that names it comes after it
        by_age = sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime_ns, reverse=True)
        size = 0
        for each in by_age:
            size += each.stat().st_size
            if size > PICTURES_LIMIT:
                each.unlink()

    # --- reading ------------------------------------------------------------------------------------

    async def shown(self, most: int = SHOWN) -> dict[str, Any]:
        """Return the newest incidents; raises ``EdgeUnavailable``."""
        return (await asyncio.to_thread(self._read)).shown(most)

    async def picture(self, name: str) -> bytes | None:
        """Return a picture, None where there is none (any more)."""
        if name in await asyncio.to_thread(self._names):
            with contextlib.suppress(FileNotFoundError):  # it was given up this moment
                return await asyncio.to_thread((self._folder / PICTURES / name).read_bytes)
        return None

    def _names(self) -> list[str]:
        with contextlib.suppress(OSError):
            return os.listdir(self._folder / PICTURES)
        return []

    def _read(self) -> Incidents:
        path = self._folder / FILE
        try:
            with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                return read(file.read(2 * LIMIT).splitlines())
        except FileNotFoundError:
            return Incidents()
        except OSError as error:
            raise EdgeUnavailable(f"Cannot read {path}: {error.strerror}") from error

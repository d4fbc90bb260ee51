"""Follows the journal of the units that ``health.journal`` names, from now on. What the lines mean for the page is not known here."""

import asyncio
import contextlib
import glob
import logging
import os
import re
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kioskd.core.facts import Fact, JournalHeard
from kioskd.core.policy import JournalRule
from kioskd.errors import EdgeUnavailable

log = logging.getLogger(__name__)

RETRY_S = 5.0
PACE_S = 0.25  # between two readings: a unit that talks without end costs no more than this
LINES = 500  # in one reading; of more the rest is passed over, a rule has heard enough
LINE = 4096  # bytes of one that are looked at
THOUGHT_S = 0.1  # of the processor, for one rule and one reading: some expressions would try more ways than there are atoms
DEAF_S = 60.0  # afterwards that rule hears nothing
LATE_LINES = 20
LOOK_S = 60.0  # between two looks whether the journal's folders are still the ones that are followed
FOLDERS = ("/var/log/journal", "/run/log/journal")
NO_ACCESS = "add the user kioskd runs as to the group systemd-journal"


class Journal:
    """Follows. ``problem`` says why it does not, or which unit has not been heard yet, for the status."""

    def __init__(self, emit: Callable[[Fact], None], rules: tuple[JournalRule, ...], folders: tuple[str, ...] = FOLDERS) -> None:
        self.problem: str | None = None
        self._emit, self._rules, self._folders = emit, rules, folders
        self._changed = asyncio.Event()
        self._quiet: set[str] = set()  # units that have said nothing yet

    def follow(self, rules: tuple[JournalRule, ...]) -> None:
        """Follow other rules from now on."""
        if rules != self._rules:
            self._rules = rules
            self._changed.set()

    async def run(self) -> None:
        """Follow until cancelled. What cannot be had is tried again every ``RETRY_S``, for ever; without rules nothing is opened."""
        while True:
            self._changed.clear()
            try:
                if self._rules:
                    await self._follow(self._rules)
                else:
                    self.problem = None
                    await self._changed.wait()
            except (EdgeUnavailable, OSError, ValueError) as error:
                problem = str(error) if isinstance(error, EdgeUnavailable) else f"Cannot read the journal: {error}"
                if problem != self.problem:
                    log.warning("%s", problem)
                self.problem = problem
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_S):
                        await self._changed.wait()

    async def _follow(self, rules: tuple[JournalRule, ...]) -> None:
        """Read until the rules or the journal's folders are others."""
        ears = [_Ear(rule) for rule in rules]
        folders = _identities(self._folders)
        reader = await asyncio.to_thread(self._open, {ear.unit for ear in ears})
        stirred, loop = asyncio.Event(), asyncio.get_running_loop()
        try:
            loop.add_reader(reader.fileno(), stirred.set)
            changed = asyncio.ensure_future(self._changed.wait())
            try:
                while folders == _identities(self._folders):
                    self.problem = self._trouble(ears)
                    heard = asyncio.ensure_future(stirred.wait())
                    patience = LOOK_S if reader.reliable_fd() else PACE_S
                    await asyncio.wait((heard, changed), timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                    heard.cancel()
                    if changed.done():
                        return
                    stirred.clear()
                    reader.process()
                    self._read(reader, ears)
                    await asyncio.sleep(PACE_S)
            finally:
                changed.cancel()
        finally:
            loop.remove_reader(reader.fileno())
            reader.close()

    def _open(self, units: Iterable[str]) -> Any:
        """Return a reader behind the last line of these units. Blocks."""
        try:
            from systemd import journal
        except (ImportError, OSError) as error:
            raise EdgeUnavailable(f"Cannot read the journal: {error}") from error
        self._quiet = set()
        files = [file for folder in self._folders for file in glob.glob(f"{folder}/*/*.journal")]
        if not files:
            raise EdgeUnavailable(f"Cannot read the journal: there is none in {' or '.join(self._folders)}")
        if not any(os.access(file, os.R_OK) for file in files if os.path.basename(file).startswith("system")):
            raise EdgeUnavailable(f"Cannot read the journal: {NO_ACCESS}")
        reader: Any = None
        for unit in sorted(units):
            reader = _reader(journal, [unit])
            if not reader.get_previous():
                self._quiet.add(unit)
        reader = _reader(journal, sorted(units))
        if not reader.get_previous():
            reader.seek_head()  # nothing has been said yet: all is new
        return reader

    def _read(self, reader: Any, ears: list["_Ear"]) -> None:
        """Read what has come, and tell of each rule once."""
        for _ in range(LINES):
            entry = reader.get_next()
            if not entry:
                break
            unit = (entry.get("_UID") == os.getuid() and entry.get("_SYSTEMD_USER_UNIT")) or entry.get("_SYSTEMD_UNIT")
            self._quiet.discard(unit)
            text = entry.get("MESSAGE", "")
            for ear in ears:
                if ear.unit == unit:
                    ear.hear(text if isinstance(text, str) else bytes(text).decode("utf-8", "replace"))
        else:
            reader.seek_tail()
            reader.get_previous()
        for ear in ears:
            if fact := ear.told(time.monotonic()):
                self._emit(fact)

    def _trouble(self, ears: list["_Ear"]) -> str | None:
        if lost := [ear for ear in ears if ear.deaf_until > time.monotonic()]:
            return f"health.journal: {lost[0].unit} says what would keep this rule's expression busy for ever: make it simpler"
        return f"Nothing was heard yet from {', '.join(sorted(self._quiet))}" if self._quiet else None


class _Ear:
    """One rule, and what it has heard since it was last told."""

    def __init__(self, rule: JournalRule) -> None:
        self.unit = rule.unit if re.search(r"\.(service|scope)$", rule.unit) else f"{rule.unit}.service"
        self.deaf_until = 0.0  # of the clock that ``told`` is given
        self._rule = rule
        self._match, self._clear = re.compile(rule.match), re.compile(rule.clear) if rule.clear is not None else None
        self._lines: list[str] = []
        self._matches, self._cleared = 0, False

    def hear(self, text: str) -> None:
        self._lines.append(text[:LINE])

    def told(self, now: float) -> JournalHeard | None:
        lines, self._lines = self._lines, []
        if lines and now >= self.deaf_until:
            try:
                with _thought(THOUGHT_S):
                    self._think(lines)
            except _Endless:
                log.warning("Cannot follow health.journal of %s: its expression does not come to an end with this log", self.unit)
                self.deaf_until = now + DEAF_S
        if not (self._matches or self._cleared):
            return None
        fact = JournalHeard(self._rule, self._matches, self._cleared)
        self._matches, self._cleared = 0, False
        return fact

    def _think(self, lines: Iterable[str]) -> None:
        for line in lines:
            if self._clear is not None and self._clear.search(line):
                self._matches, self._cleared = 0, True
            elif self._match.search(line):
                self._matches += 1


class _Endless(Exception):
    """It has been thought about for long enough."""


@contextlib.contextmanager
def _thought(seconds: float) -> Iterator[None]:
    """Raise ``_Endless`` in here after so much of the processor's time: while an expression is tried, the main thread looks for signals."""

    def stop(*_: object) -> None:
        raise _Endless

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def lines_of_late(seconds: float) -> tuple[str, ...]:
    """Return the last warnings, and worse, of the machine's journal, ``seconds`` old at most; none where it may not be read. Blocks."""
    try:
        from systemd import journal

        with journal.Reader() as reader:
            reader.data_threshold = LINE
            reader.log_level(journal.LOG_WARNING)
            reader.this_boot()
            reader.seek_tail()
            found: list[str] = []
            while len(found) < LATE_LINES and (entry := reader.get_previous()):
                if time.time() - entry["__REALTIME_TIMESTAMP"].timestamp() > seconds:
                    break
                text = entry.get("MESSAGE", "")
                text = text if isinstance(text, str) else bytes(text).decode("utf-8", "replace")
                found.append(f"{entry.get('SYSLOG_IDENTIFIER', '')}: {text}")
            return tuple(reversed(found))
    except (ImportError, OSError, ValueError):
        return ()


def _reader(journal: Any, units: list[str]) -> Any:
    """Return a reader of the system's units and of our own session's, behind the last line. In theirs others name units as they like."""
    reader = journal.Reader()
    reader.data_threshold = LINE
    for number, unit in enumerate(units):
        if number:
            reader.add_disjunction()
        reader.add_match(_SYSTEMD_UNIT=unit)
        reader.add_disjunction()
        reader.add_match(_SYSTEMD_USER_UNIT=unit, _UID=os.getuid())
    reader.seek_tail()
    return reader


def _identities(folders: Iterable[str]) -> list[tuple[int, int] | None]:
    """Return which folders these are at present: a journal that is removed and made again is another."""
    found: list[tuple[int, int] | None] = []
    for folder in folders:
        try:
            status = os.stat(folder)
            found.append((status.st_dev, status.st_ino))
        except OSError:
            found.append(None)
    return found

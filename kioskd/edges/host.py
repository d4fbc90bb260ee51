"""The machine: its memory, its boot id, what kioskd keeps on its disk, and rebooting it."""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import socket
import struct
import threading
from dataclasses import dataclass
from typing import Any

from kioskd.core.actions import RebootHost, RecordReboot, Remember
from kioskd.core.facts import Remembered
from kioskd.errors import EdgeUnavailable

log = logging.getLogger(__name__)

FILE = "remembered.json"
EXPECTED_LIMIT = 200  # connections; the oldest are forgotten first
SIOCGIFADDR = 0x8915  # netdevice(7)
BOOT_ID = "/proc/sys/kernel/random/boot_id"


def total_memory() -> int:
    """Return the machine's memory, bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def addresses() -> list[str]:
    """Return this machine's IPv4 addresses, loopback left out: for the small print of our pages."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):  # it has none
                answer = fcntl.ioctl(asked, SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                found.append(socket.inet_ntoa(answer[20:24]))
    return [address for address in found if not address.startswith("127.")]


def boot_id(path: str = BOOT_ID) -> str:
    """Return what names this boot, ``""`` where the kernel does not say."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def locked_in(path: str, mounts: str = "/proc/self/mountinfo") -> bool:
    """Tell whether ``path`` is on a disk that can be written again, but not by us.

    A unit has mounts of its own (``ProtectSystem=``): one that was read-only at its start stays so for all its life.
    """
    best, locked = -1, False
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:  # proc(5): id, parent, device, root, where, this mount's options, …, -, type, source, the disk's options
                here, _, disk = line.partition(" - ")
                where, options = here.split()[4:6]
                if len(where) >= best and f"{path}/".startswith(where.rstrip("/") + "/"):
                    best, locked = len(where), "ro" in options.split(",") and "ro" not in disk.split()[-1].split(",")
    except (OSError, ValueError, IndexError):
        return False
    return locked


@dataclass(frozen=True, slots=True)
class _Notes:
    """The file's content.

    ``boot`` is the one a reboot was ordered in, ``into`` the next one that kioskd saw: the budget spent is spent in both, or each
    reboot of ours would bring a fresh budget. Any later boot was somebody else's, and starts with a full one.
    """

    expected: tuple[tuple[str, str], ...] = ()
    spent: int = 0
    boot: str = ""
    into: str = ""

    def spent_in(self, boot: str) -> int:
        return self.spent if boot in (self.boot, self.into) or not self.into else 0


class Host:
    """The state folder and the way to reboot. The folder need not be there, or writable: that costs the memory, nothing else."""

    def __init__(self, state: str, reboot: tuple[str, ...] = ("systemctl", "reboot"), boot: str | None = None) -> None:
        """Keep things in the folder ``state``, reboot with this command; ``boot`` names the boot if not the kernel's."""
        self._path = os.path.join(state, FILE)
        self._reboot = reboot
        self._boot = boot_id() if boot is None else boot
        self._notes = _Notes()
        self._saved: _Notes | None = None  # what the disk has
        self._writing = threading.Lock()

    def remembered(self) -> Remembered:
        """Read what an earlier run wrote down. Blocks; once, at the start. A file that cannot be read counts as empty."""
        self._notes = self._saved = self._load()
        if self._notes.spent and not self._notes.into and self._boot != self._notes.boot:
            self._notes = _Notes(self._notes.expected, self._notes.spent, self._notes.boot, self._boot)
            try:
                self._save(self._notes)
            except EdgeUnavailable as error:
                log.warning("%s", error)
        return Remembered(self._notes.expected, self._notes.spent_in(self._boot))

    async def remember(self, action: Remember) -> None:
        """Add an expected connection to the file; raises ``EdgeUnavailable``."""
        pair = (action.home, action.connection)
        others = tuple(known for known in self._notes.expected if known != pair)
        expected = self._notes.expected if pair in self._notes.expected else (*others, pair)[-EXPECTED_LIMIT:]
        self._notes = _Notes(expected, self._notes.spent, self._notes.boot, self._notes.into)
        await self._keep()

    async def record_reboot(self, action: RecordReboot) -> None:
        """Write the reboots spent under this boot's id; when this returns they are on the disk. Raises ``EdgeUnavailable``."""
        if not self._boot:
            raise EdgeUnavailable(f"Cannot record the reboot: {BOOT_ID} does not name this boot")
        before = self._notes
        self._notes = _Notes(before.expected, action.spent, self._boot, "")
        try:
            await self._keep()
        except EdgeUnavailable:
            self._notes = before
            raise

    async def reboot(self, action: RebootHost) -> None:
        """Reboot the machine. Returns when the order was taken; raises ``EdgeUnavailable``."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._reboot, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
            )
        except OSError as error:
            raise EdgeUnavailable(f"Cannot reboot: {self._reboot[0]}: {error.strerror}") from error
        try:
            _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            reason = said.decode("utf-8", "replace").strip()[:500] or f"exit code {process.returncode}"
            raise EdgeUnavailable(f"Cannot reboot: {' '.join(self._reboot)}: {reason}")

    async def _keep(self) -> None:
        if self._notes != self._saved:
            await asyncio.to_thread(self._save, self._notes)

    def _load(self) -> _Notes:
        try:
            with open(self._path, encoding="utf-8") as file:
                return _notes(json.load(file))
        except FileNotFoundError:
            return _Notes()
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            log.warning("Cannot use %s, going on without it: %s", self._path, error)
            return _Notes()

    def _save(self, notes: _Notes) -> None:
        content = {
            "expected": notes.expected,
            "reboots": {"spent": notes.spent, "boot": notes.boot, "into": notes.into},
        }
        folder, new = os.path.dirname(self._path), self._path + ".new"
        with self._writing:  # a cancelled verb leaves its thread behind
            try:
                with open(new, "w", encoding="utf-8") as file:
                    json.dump(content, file, indent=1)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(new, self._path)
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    os.fsync(descriptor)  # the new name, too, must survive the reboot
                finally:
                    os.close(descriptor)
            except OSError as error:
                raise EdgeUnavailable(f"Cannot write {self._path}: {error.strerror}") from error
            self._saved = notes


def _notes(content: Any) -> _Notes:
    """Check what the file holds: every deviation raises ValueError, TypeError or KeyError."""
    expected = tuple((home, connection) for home, connection in content["expected"])
    reboots = content["reboots"]
    notes = _Notes(expected, reboots["spent"], reboots["boot"], reboots["into"])
    texts = [notes.boot, notes.into, *(text for pair in expected for text in pair)]
    if type(notes.spent) is not int or notes.spent < 0 or not all(isinstance(text, str) for text in texts):
        raise ValueError("a value of the wrong kind")
    return notes

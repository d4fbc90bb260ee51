"""The compositor: cage as a child of its own, so that Chromium comes and goes without tearing down the screen.

cage runs one program and ends with it. Ours prints the display's name, then reads its standard input until that ends, which it does
when kioskd closes its end or dies: no compositor is left behind, with systemd or without.
"""

import asyncio
import logging
import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kioskd.errors import EdgeUnavailable

log = logging.getLogger(__name__)

_CLIENT = ("sh", "-c", 'echo "$WAYLAND_DISPLAY"; exec cat >/dev/null')
UP_S = 8.0
REAP_S = 0.5  # a killed process needs a moment, and nobody waits for it
_POLITE_S = 1.0  # to give the console back in the state it had
_LAST_WORDS = 4096
# Every name that cage or Chromium may ask for: where one is missing, Chromium draws a picture of its own.
_THEMES = ("default", "Adwaita")  # cage's, and GTK's where nobody chose one, which Chromium asks
_POINTERS = """
alias all-scroll bd_double_arrow bottom_left_corner bottom_right_corner bottom_side cell closedhand col-resize context-menu copy cross
crossed_circle crosshair default dnd-copy dnd-link dnd-move dnd-none e-resize ew-resize fd_double_arrow fleur grab grabbing hand hand1 hand2
help left_ptr left_ptr_watch left_side move n-resize ne-resize nesw-resize no-drop not-allowed ns-resize nw-resize nwse-resize openhand plus
pointer progress right_side row-resize s-resize sb_h_double_arrow sb_v_double_arrow se-resize size_bdiag size_fdiag sw-resize text
top_left_corner top_right_corner top_side vertical-text w-resize wait watch xterm zoom-in zoom-out
""".split()


class Compositor:
    """At most one living cage. ``on_exit(reason)`` is called when one that had come up ends by itself."""

    def __init__(self, on_exit: Callable[[str], None]) -> None:
        self._on_exit = on_exit
        self._cage: _Cage | None = None
        self._pointer: dict[str, str] = {}

    @property
    def variables(self) -> Mapping[str, str]:
        """What leads a program to it; empty while there is none."""
        return {"WAYLAND_DISPLAY": self._cage.name, **self._pointer} if self._cage is not None and self._cage.name else {}

    async def start(self, environment: Mapping[str, str], software: bool) -> None:
        """End any predecessor and start; return when programs can draw. Raise ``EdgeUnavailable`` where it ends instead.

        Debian 12's and 13's cage can hang at a failed start for ever: it is ended after ``UP_S``. Cancelled, it leaves none behind.
        """
        await self.stop()
        command = shutil.which("cage")
        if command is None:
            raise EdgeUnavailable("Cannot start a compositor: cage is not installed (apt install cage)")
        self._pointer = _hide_pointer(Path(environment.get("XDG_RUNTIME_DIR") or "/tmp"))
        renderer = {"WLR_RENDERER": "pixman"} if software else {}
        cage = self._cage = _Cage(command, {**self._pointer, **renderer, **environment}, self._gone)
        try:
            async with asyncio.timeout(UP_S):
                await cage.settled.wait()
            if not cage.name:
                await cage.ended.wait()
                raise EdgeUnavailable(f"At its start {cage.epitaph()}")
        except TimeoutError as error:
            await self.stop()
            raise EdgeUnavailable(f"cage did not come up within {UP_S:g} s: {cage.last_words()}") from error
        except BaseException:
            await self.stop()
            raise

    def _gone(self, cage: "_Cage") -> None:
        if cage is self._cage and cage.name:
            self._cage = None
            self._on_exit(cage.epitaph())

    async def stop(self) -> None:
        """End it, with everything it started. Done when it is gone."""
        cage, self._cage = self._cage, None
        if cage is not None:
            await cage.end()


class _Cage:
    """One process, from its start to its end."""

    def __init__(self, command: str, environment: dict[str, str], on_end: Callable[["_Cage"], None]) -> None:
        try:
            self._process = subprocess.Popen(
                [command, "-d", "--", *_CLIENT], env=environment, start_new_session=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
        except OSError as error:
            raise EdgeUnavailable(f"Cannot start {command}: {error.strerror}") from error
        self.name = ""  # of its Wayland display, once it is up
        self.settled, self.ended = asyncio.Event(), asyncio.Event()  # it is up, or never will be; it is gone
        self._on_end, self._words, self._said = on_end, b"", b""
        self._pidfd = os.pidfd_open(self._process.pid)
        self._listen(self._process.stdout, self._hear_name)
        self._listen(self._process.stderr, self._hear_words)
        asyncio.get_running_loop().add_reader(self._pidfd, self._exited)

    def _listen(self, pipe: Any, hear: Callable[[bytes], None]) -> None:
        loop, fd = asyncio.get_running_loop(), pipe.fileno()
        os.set_blocking(fd, False)

        def readable() -> None:
            try:
                said = os.read(fd, 65536)
            except BlockingIOError:
                return
            if not said:
                loop.remove_reader(fd)
            hear(said)

        loop.add_reader(fd, readable)

    def _hear_name(self, said: bytes) -> None:
        self._said += said
        name, line, _ = self._said.partition(b"\n")
        if line or not said:
            self.name = self.name or name.decode(errors="replace").strip()
            self.settled.set()

    def _hear_words(self, said: bytes) -> None:
        self._words = (self._words + said)[-_LAST_WORDS:]

    def _exited(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._kill()  # the program it ran
        self._process.wait()
        loop.call_later(REAP_S, self._reap)
        with suppress(OSError):
            self._hear_words(os.read(self._process.stderr.fileno(), 65536))  # type: ignore[union-attr]
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None, "asked for above"
            loop.remove_reader(pipe.fileno())
            with suppress(OSError):
                pipe.close()
        self.settled.set()
        self.ended.set()
        self._on_end(self)

    def _reap(self) -> None:
        """Take the exit code of the program it ran, where that came to us: kioskd adopts orphans (``processes.adopt_orphans``)."""
        with suppress(ChildProcessError):
            os.waitpid(-self._process.pid, os.WNOHANG)

    async def end(self) -> None:
        """End it politely, and by SIGKILL in any case."""
        if self.ended.is_set():
            return
        self._process.terminate()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLITE_S):
                    await self.ended.wait()
        finally:
            if not self.ended.is_set():
                self._kill()  # a stopped one obeys this too
        await self.ended.wait()

    def _kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def epitaph(self) -> str:
        """Say how it ended."""
        code = self._process.returncode
        if code < 0:  # what it said before has nothing to do with it
            return f"cage was killed by {signal.Signals(-code).name}"
        return f"cage ended with exit code {code}: {self.last_words()}"

    def last_words(self) -> str:
        """Return the last line that tells of an error, or the last line."""
        lines = [line.strip() for line in self._words.decode(errors="replace").splitlines() if line.strip()]
        return next((line for line in reversed(lines) if "ERROR" in line), lines[-1] if lines else "it said nothing")[:300]


# --- the pointer ----------------------------------------------------------------------------------


def _hide_pointer(folder: Path) -> dict[str, str]:
    """Write cursor themes that show nothing, and return what makes cage and Chromium use them. Where they cannot be written, nothing."""
    themes = folder / "no-pointer"
    try:
        for theme in _THEMES:
            cursors = themes / theme / "cursors"
            cursors.mkdir(parents=True, exist_ok=True)
            for name in _POINTERS:
                (cursors / name).write_bytes(_nothing())
    except OSError as error:
        log.warning("Cannot hide the mouse pointer: %s", error)
        return {}
    # Of a cursor that the hardware draws nobody but the hardware knows where it is.
    return {"XCURSOR_PATH": str(themes), "XCURSOR_THEME": _THEMES[0], "XCURSOR_SIZE": "24", "WLR_NO_HARDWARE_CURSORS": "1"}


def _nothing() -> bytes:
    """Return an Xcursor file (libXcursor's format 1.0) of one transparent pixel."""
    header = b"Xcur" + struct.pack("<III", 16, 0x10000, 1)
    where = struct.pack("<III", 0xFFFD0002, 24, 28)
    image = struct.pack("<IIIIIIIII", 36, 0xFFFD0002, 24, 1, 1, 1, 0, 0, 0)
    return header + where + image + bytes(4)

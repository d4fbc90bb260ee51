"""The browser's process: started with DevTools on a pair of pipes, reaped at once, ended with everything that belongs to it."""

import asyncio
import fcntl
import logging
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from kioskd.core.policy import Word
from kioskd.edges import processes
from kioskd.edges.profile import Profile
from kioskd.errors import BrowserGone, EdgeUnavailable
from kioskd.wire.config import Browser as BrowserConfig
from kioskd.wire.flags import arguments, environment

log = logging.getLogger(__name__)

_NAMES = ("chromium", "chromium-browser")  # Debian's, older Raspberry Pi OS's
_LAST_WORDS = 4096
_POLITE_S = 4.0


@dataclass(frozen=True, slots=True)
class Spawned:
    """A browser that has just been started, with our ends of its DevTools pipes; whoever gets them closes them."""

    command: str
    pid: int
    answers_fd: int
    commands_fd: int


class Browser:
    """At most one living browser at a time. ``on_exit(pid, reason)`` is called once for each that was started."""

    def __init__(self, config: BrowserConfig, display: Callable[[], Mapping[str, str]], on_exit: Callable[[int, str], None]) -> None:
        self.config, self._display, self._on_exit = config, display, on_exit
        self.profile = Profile(config.profile)
        self._pid: int | None = None
        self._last_pid = -1
        self._killed: set[int] = set()
        self._pidfd = -1
        self._ended = asyncio.Event()
        self._stderr_fd = -1
        self._last_words = b""
        processes.adopt_orphans()

    async def start(self) -> Spawned:
        """End any predecessor, then start. Raise ``BrowserGone`` where that is impossible."""
        command = self._command()
        await self._end()
        try:
            self.profile.prepare()
        except EdgeUnavailable as error:
            raise BrowserGone(str(error)) from error
        display = self._display()
        argv = [command, *arguments(str(self.profile.path), display, self.config.flags)]
        return self._spawn(argv, environment(os.environ, display, self.profile.marker))

    async def stop(self, polite: Callable[[], None] | None = None) -> None:
        """End the whole tree and return when nothing of it lives. ``polite`` asks the browser to quit by itself, for some seconds."""
        if polite is not None and self._pid is not None:
            polite()
            await self.ended_within(_POLITE_S)
        await self._end()

    async def _end(self) -> None:
        # Until its end has been taken notice of, too: else the next one's exit code would be waited for in its place, and the loop with it.
        path, marker = str(self.profile.path), self.profile.marker
        await processes.end_tree(path, marker, lambda: self._pid, self._last_pid, self._killed)
        if self._pid is not None:
            await self._ended.wait()

    async def ended_within(self, seconds: float) -> bool:
        """Wait for the process' own end, which ``on_exit`` has then told; False when it lives on."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        return self._ended.is_set()

    def kill(self) -> None:
        """SIGKILL the whole tree without waiting for its end."""
        doomed = self.tree()
        self._killed.update(each.pid for each in doomed)
        processes.kill(doomed)

    def tree(self) -> list[processes.Process]:
        """Return the living processes of the browser."""
        return processes.tree(str(self.profile.path), self.profile.marker, self._pid)

    async def memory(self) -> int:
        """Return the bytes that the tree holds; where the kernel counts for the unit, all that the unit holds."""
        counted = processes.unit_memory()
        return counted if counted is not None else await asyncio.to_thread(lambda: processes.memory(self.tree()))

    def listen_no_more(self) -> None:
        """Close our end of the browser's standard error: once it runs, nobody reads it, and it must not wait for that."""
        self._close_stderr()
        self._last_words = b""

    def _close_stderr(self) -> None:
        if self._stderr_fd >= 0:
            asyncio.get_running_loop().remove_reader(self._stderr_fd)
            os.close(self._stderr_fd)
            self._stderr_fd = -1

    def _command(self) -> str:
        if self.config.command is not Word.AUTO:
            return str(self.config.command)
        for name in _NAMES:
            if path := shutil.which(name):
                return path
        missing = f"neither {' nor '.join(_NAMES)} is installed"
        raise BrowserGone(f"Cannot find a browser: {missing} (apt install chromium, or set browser.command)")

    def _spawn(self, argv: list[str], env: dict[str, str]) -> Spawned:
        with ExitStack() as ours:
            with ExitStack() as theirs:
                try:
                    null = _high(os.open(os.devnull, os.O_RDWR), theirs)
                    commands, our_commands = _pipe(theirs, ours)
                    our_answers, answers = _pipe(ours, theirs)
                    our_stderr, stderr = _pipe(ours, theirs)
                    # Python's dup2 in a preexec_fn could overwrite descriptors it still needs; these stand far above 4.
                    pid = os.posix_spawn(
                        argv[0],
                        argv,
                        env,
                        file_actions=[
                            (os.POSIX_SPAWN_DUP2, null, 0),
                            (os.POSIX_SPAWN_DUP2, null, 1),
                            (os.POSIX_SPAWN_DUP2, stderr, 2),
                            (os.POSIX_SPAWN_DUP2, commands, 3),
                            (os.POSIX_SPAWN_DUP2, answers, 4),
                            *((os.POSIX_SPAWN_CLOSE, fd) for fd in _inheritable()),
                        ],
                        setsid=True,
                        setsigmask=(),
                        setsigdef=(signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
                    )
                except OSError as error:
                    raise BrowserGone(f"Cannot start {argv[0]}: {error.strerror}") from error
            self._watch(pid, our_stderr)  # its descriptor has room: the browser's ends are closed by now
            ours.pop_all()
        return Spawned(argv[0], pid, our_answers, our_commands)

    def _watch(self, pid: int, stderr: int) -> None:
        loop = asyncio.get_running_loop()
        self._pid, self._last_pid, self._pidfd, self._ended = pid, pid, os.pidfd_open(pid), asyncio.Event()
        loop.add_reader(self._pidfd, self._exited)
        self.listen_no_more()
        self._stderr_fd, self._last_words = stderr, b""
        os.set_blocking(stderr, False)
        loop.add_reader(stderr, self._hear)

    def _hear(self) -> None:
        try:
            words = os.read(self._stderr_fd, 65536)
        except BlockingIOError:
            return
        self._last_words = (self._last_words + words)[-_LAST_WORDS:]
        if not words:
            self._close_stderr()

    def _exited(self) -> None:
        pid, self._pid = self._pid, None
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        if self._stderr_fd >= 0:
            self._hear()
        last_words = self._last_words
        self.listen_no_more()
        if pid is None:
            raise AssertionError("unreachable: a pidfd is watched only while its pid is known")
        try:
            code: int | None = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        except ChildProcessError:  # reaped with its tree
            code = None
        self._ended.set()
        self._on_exit(pid, _epitaph(code, last_words))


def _inheritable() -> list[int]:
    """Return what whoever started kioskd left open for all of its descendants."""
    return [fd for fd in map(int, os.listdir("/proc/self/fd")) if fd > 4 and _is_inheritable(fd)]


def _is_inheritable(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:  # the listing's own descriptor is closed by now
        return False


def _pipe(reads: ExitStack, writes: ExitStack) -> tuple[int, int]:
    read, write = os.pipe()
    try:
        read = _high(read, reads)
    except OSError:
        os.close(write)
        raise
    return read, _high(write, writes)


def _high(fd: int, whose: ExitStack) -> int:
    """Move a descriptor above those that the browser is given, close-on-exec; ``whose`` closes it."""
    try:
        high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    finally:
        os.close(fd)
    whose.callback(os.close, high)
    return high


def _epitaph(code: int | None, last_words: bytes) -> str:
    if code is None:
        how = "Chromium was ended"
    elif code < 0:
        how = f"Chromium was killed by {signal.Signals(-code).name}"
    else:
        how = f"Chromium ended with exit code {code}"
    lines = [line for line in last_words.decode(errors="replace").splitlines() if line.strip() and "/dbus/" not in line]
    return f"{how}: {lines[-1].strip()[:300]}" if lines else how

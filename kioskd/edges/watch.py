"""The deploy's files and the configuration file: sees that they change. Whether that matters is not known here.

inotify (the watchdog library) tells at once; a look at the few files every ``BACKSTOP_S`` finds what inotify cannot: network
file systems, exhausted watches, folders replaced further up. Both end in the same comparison of stamps, so neither can be wrong alone.
"""

import asyncio
import contextlib
import fnmatch
import glob
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from kioskd.core.actions import ReadDeploy
from kioskd.core.facts import DeployRead, DeployTouched, Fact
from kioskd.core.policy import Deploy
from kioskd.edges.deploy import State, read_deploy
from kioskd.edges.sight import Sight, age, look
from kioskd.errors import EdgeUnavailable

log = logging.getLogger(__name__)

BACKSTOP_S = 2.0  # a deploy is to be seen within its settle time plus 3 s, inotify or not
BURST_S = 0.1  # a build writes hundreds of files at once: one look for so long
STOP_S = 5.0  # for a reader to end in; after an unmount one may never
REARM_S = 600.0  # after inotify was refused; trying costs descriptors that others may need
CHANGES = frozenset({"created", "modified", "moved", "deleted", "closed"})  # opening and reading, our own too, are none
COMES_OR_GOES = frozenset({"created", "moved", "deleted"})  # a folder on the way is "modified" by each of its neighbours

class Watch:
    """Watches the deploy and the configuration. ``problem`` says why only the backstop works, for the status."""

    def __init__(
        self, emit: Callable[[Fact], None], deploy: Deploy, config: str | None, config_touched: Callable[[], None],
        ask: Callable[[str], Awaitable[DeployRead]] | None = None,
    ) -> None:  # fmt: skip
        """Watch for ``deploy`` and the ``config`` file; ``config_touched`` is called in the loop when the latter has changed.

        ``ask`` asks a version endpoint elsewhere.
        """
        self.problem: str | None = None
        self.deploy_problem: str | None = None  # why the deploy is not known, or what of it is waited for
        self._emit = emit
        self._deploy = deploy
        self._config = os.path.abspath(config) if config is not None else None
        self._config_touched = config_touched
        self._ask = ask
        self._missing: tuple[str, ...] = ()  # assets being waited for
        self._also: dict[str, State] = {}  # the further files as they last were
        self._stirred = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._seen: Sight | None = None
        self._burst: set[str] = set()  # paths in the dist that inotify named since the last look
        self._told = self._alarmed = False
        self._observer: Any = None
        self._handler: _Handler | None = None
        self._rearm_at = 0.0

    def follow(self, deploy: Deploy) -> None:
        """Follow another deploy from now on; it is reported as touched."""
        if deploy != self._deploy:
            self._deploy, self._missing, self._also, self._seen = deploy, (), {}, None
            self.deploy_problem = None
            self._stirred.set()

    async def run(self) -> None:
        """Watch until cancelled. The first look always reports the deploy as touched."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                self._stirred.clear()
                await self._look()
                await asyncio.sleep(BURST_S)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(BACKSTOP_S):
                        await self._stirred.wait()
        finally:
            self._loop = None
            _discard(self._observer)
            self._observer = self._handler = None

    async def read(self, action: ReadDeploy) -> None:
        """Read the deploy and emit ``DeployRead``; raises ``EdgeUnavailable`` where it cannot be asked."""
        deploy = self._deploy
        told = None
        try:
            if deploy.url is not None and self._ask is not None:
                told = await self._ask(deploy.url)
        except EdgeUnavailable as error:
            if self.deploy_problem != str(error):
                log.warning("%s", error)
            self.deploy_problem = str(error)
            raise
        reading = await asyncio.to_thread(read_deploy, deploy, self._also, told)
        if deploy is self._deploy:
            await self._compare(deploy)
            if 0 <= (since := time.time() - reading.newest) < deploy.settle:
                self._emit(DeployTouched(since))  # assets are not watched, but for those that are missed: the last may have come just now
            self._missing, self._also = reading.absent, reading.also
            self.deploy_problem = f"{', '.join(reading.awaited)}: not there yet" if reading.awaited else None
        self._emit(reading.fact)

    async def _compare(self, deploy: Deploy) -> None:
        """Tell of changes since the last look before what was read is told: inotify may be late, or absent, and what was read unsettled."""
        now = (await asyncio.to_thread(look, deploy, None, self._missing)).deploy
        if deploy is self._deploy and self._seen is not None and (changed := self._seen.deploy ^ now):
            self._seen.deploy = now  # told once; the next look compares with this
            self._emit(DeployTouched(age(changed & now, (), deploy.settle)))

    async def _look(self) -> None:
        self._told, self._alarmed, burst = False, False, self._burst
        self._burst = set()
        deploy, before = self._deploy, self._seen
        sight = await asyncio.to_thread(self._see, deploy)
        if deploy is not self._deploy:
            return
        self._seen = sight
        changed = sight.deploy ^ before.deploy if before else sight.deploy
        if (deploy.index or deploy.also) and (before is None or changed or burst):
            self._emit(DeployTouched(age(changed & sight.deploy, burst, deploy.settle)))
        if before is not None and before.config != sight.config:
            self._config_touched()

    def _see(self, deploy: Deploy) -> Sight:
        """Look, and watch what was found (in a thread: a disk may be slow, and arming blocks)."""
        sight = look(deploy, self._config, self._missing)
        if not (self._handler and self._handler.watches(sight.folders)) and time.monotonic() >= self._rearm_at:
            self._arm(sight)
            # What happened between the look and the arming is seen by this second look.
            sight = look(deploy, self._config, self._missing)
        return sight

    def _arm(self, sight: Sight) -> None:
        """Watch these folders instead of the ones before. A fresh observer each time: taking a watch off one can block for ever."""
        old, self._observer, self._handler = self._observer, None, None
        held: set[int] | None = None
        observer: Any = None
        spare = -1
        try:
            held = _inotify_descriptors()
            spare = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)  # with none left, what is to be closed could not be found
            from watchdog.observers import inotify

            if (buffer := getattr(inotify, "InotifyBuffer", None)) is not None:
                # What is moved out of sight holds all later news up for half a second, lest its other end turn up: we need no pairs.
                buffer.delay = 0.0
            observer = cast(Any, inotify).InotifyObserver()  # typed in some versions only
            observer.start()
            handler = _Handler(self, sight)
            for folder in sight.folders:
                observer.schedule(handler, folder)
            self._observer, self._handler, self.problem = observer, handler, None
            if self._loop is None:  # ``run`` was cancelled meanwhile
                _discard(observer)
        except (ImportError, OSError, RuntimeError) as error:
            watchdogs = {reader._inotify._inotify_fd for reader in _readers(observer)}
            _discard(observer, wait=True)
            with contextlib.suppress(OSError):
                os.close(spare)
                spare = -1
                for descriptor in _inotify_descriptors() - held - watchdogs if held is not None else ():
                    os.close(descriptor)  # watchdog forgets the one whose first watch was refused
            if isinstance(error, FileNotFoundError | NotADirectoryError):
                self.told(None)  # gone between the look and the watch: nobody has refused, and the next look may find what came instead
            else:
                self._rearm_at = time.monotonic() + REARM_S
                problem = f"Cannot watch folders with inotify: {error}; looking every {BACKSTOP_S:g} s instead"
                if self.problem is None:
                    log.warning("%s", problem)
                self.problem = problem
        finally:
            if spare >= 0:
                os.close(spare)
        _discard(old)

    def alarmed(self) -> None:
        """Tell at once that the build is being changed, once until the next look, for a reload may be about to be ordered."""
        loop = self._loop
        if loop is not None and not self._alarmed:
            self._alarmed = True
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._emit, DeployTouched())

    def told(self, path: str | None) -> None:
        """Take news from watchdog's thread; at most one call into the loop until the next look. ``path``: of something in the dist."""
        if path is not None and len(self._burst) < 8:  # their ctimes say how old the burst is: a few are enough
            self._burst.add(path)
        loop = self._loop
        if loop is not None and not self._told:
            self._told = True
            with contextlib.suppress(RuntimeError):  # the loop has just been closed
                loop.call_soon_threadsafe(self._stirred.set)


class _Handler:
    """What watchdog calls, in its own thread, for one armed set of folders."""

    def __init__(self, watch: Watch, sight: Sight) -> None:
        self._watch = watch
        self._sight = sight
        self._lost = False

    def watches(self, folders: dict[str, tuple[int, int]]) -> bool:
        """Say whether these are the folders, and still the same ones: a new folder often gets the inode of the one just removed."""
        return folders == self._sight.folders and not self._lost

    def dispatch(self, event: Any) -> None:
        """Take an event."""
        if event.event_type not in CHANGES:
            return
        if event.event_type in ("deleted", "moved") and event.src_path in self._sight.folders:
            self._lost = True
        for path in filter(None, (event.src_path, getattr(event, "dest_path", ""))):
            if event.event_type == "modified" and path in self._sight.folders:
                continue  # each file that came or went in it is told by itself, and is seldom one of this build
            if self._sight.dist and os.path.dirname(path) == self._sight.dist:
                self._watch.alarmed()
                self._watch.told(path)
            elif path in self._sight.way and event.event_type in COMES_OR_GOES:
                self._watch.alarmed()
                self._watch.told(None)
            elif path in self._sight.names or any(fnmatch.fnmatch(path, name) for name in self._sight.names if glob.has_magic(name)):
                self._watch.told(None)


def _discard(observer: Any, wait: bool = False) -> None:
    """Stop an observer. In a thread of its own: after an unmount watchdog 2.2 waits there for a reader that never wakes."""
    if observer is not None:
        stopper = threading.Thread(target=_stop, args=(observer,), name="watch-stop", daemon=True)
        stopper.start()
        if wait:
            stopper.join(1.0)


def _stop(observer: Any) -> None:
    """Stop an observer whose readers have ended.

    watchdog 2.2 (Debian 12) closes their descriptors under them, and a reader that is late then takes the bytes of whoever got the
    number next: an HTTP answer was lost so. Later versions see to it themselves and have no such insides: this goes with Debian 12.
    """
    for reader in _readers(observer):
        from watchdog.observers import inotify_c

        inotify, wake = reader._inotify, cast(Any, inotify_c).inotify_rm_watch
        reader._stopped_event.set()
        with inotify._lock:
            watch = inotify._wd_for_path.get(inotify._path)
        if watch is not None:
            wake(inotify._inotify_fd, watch)
        reader.join(STOP_S)
    observer.stop()


def _readers(observer: Any) -> list[Any]:
    """Return the threads in which watchdog 2.2 reads; of other versions none."""
    readers = [getattr(emitter, "_inotify", None) for emitter in getattr(observer, "emitters", ())]
    return [reader for reader in readers if hasattr(getattr(reader, "_inotify", None), "_wd_for_path")]


def _inotify_descriptors() -> set[int]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if "inotify" in os.readlink(f"/proc/self/fd/{name}"):
                found.add(int(name))
    return found

"""The two that a fault is injected into: a real kioskd with its Chromium, and, as the control, a Chromium alone.

For the tests, the tour and the benchmark. Both run the same Chromium with the same flags in front of the same dashboard; a
process fault is the same verb on either.
"""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp
import psutil
import yaml

import kioskd
from kioskd.edges import processes
from kioskd.errors import KioskdError
from kioskd.wire import flags

STOP_S = 20.0


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``over`` laid over it, section by section."""
    both = {**base, **over}
    for key in base.keys() & over.keys():
        if isinstance(base[key], dict) and isinstance(over[key], dict):
            both[key] = merged(base[key], over[key])
    return both


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Victim:
    """A Chromium on a profile, whoever started it: found by its profile, hurt by pid."""

    profile: Path

    def processes(self, kind: str | None = None) -> list[psutil.Process]:
        """The living processes of this browser: all, or of one kind ("" is the browser itself, a service has its own name)."""
        mine, found = f"--user-data-dir={self.profile}", []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError, psutil.Error):  # ended meanwhile
                command = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")  # a zombie has none
                if mine in command and (kind is None or _kind(command) == kind):
                    found.append(psutil.Process(int(pid)))
        return found

    @property
    def pid(self) -> int:
        """The browser's main process."""
        (main,) = self.processes("")
        return int(main.pid)

    def signal(self, number: int, kind: str | None = "") -> None:
        """Send a signal to the main process, to all of a kind, or (None) to the whole tree."""
        hit = self.processes(kind)
        if not hit:
            raise KioskdError(f"Cannot hurt the browser: it has no process of kind {kind!r}")
        for process in hit:
            _signal(process.pid, number)

    def kill(self) -> None:
        """SIGKILL the browser's main process."""
        self.signal(signal.SIGKILL)

    def freeze(self, kind: str | None = None) -> None:
        """SIGSTOP the whole tree, or one kind of process."""
        self.signal(signal.SIGSTOP, kind)

    def crash_renderers(self) -> None:
        """SIGKILL the renderers: "Aw, Snap"."""
        self.signal(signal.SIGKILL, "renderer")

    async def deployed(self) -> None:
        """Hear of a deploy, as a hook of the deploy's would: most have none."""

    def _end_tree(self) -> None:
        for process in self.processes():
            _signal(process.pid, signal.SIGKILL)


class Bare(Victim):
    """The control: Chromium alone, as a shell script would start it."""

    def __init__(self, url: str, folder: Path, **browser: Any) -> None:
        """``folder``: where its profile is made; ``browser``: its profile, command, flags (and those it goes ``without``) and display."""
        self.url, self.profile = url, Path(browser.get("profile", folder / "bare-profile"))
        self._flags, self._display, self._without = browser.get("flags", ()), browser.get("display", {}), browser.get("without", ())
        self._command = browser.get("command", "chromium")
        self._process: asyncio.subprocess.Process | None = None
        self._marker = secrets.token_hex(8)

    async def __aenter__(self) -> Self:
        """Start it."""
        options = flags.arguments(str(self.profile), self._display, self._flags)
        options = [option for option in options if option not in ("--remote-debugging-pipe", flags.START_PAGE, *self._without)]
        self._process = await asyncio.create_subprocess_exec(
            self._command, *options, self.url, env={**os.environ, **self._display, flags.MARKER: self._marker},
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        """End its whole tree, the crash handler too, which does not name the profile."""
        processes.kill(processes.tree(str(self.profile), self._marker))
        if self._process is not None:
            await self._process.wait()


class Kiosk(Victim):
    """A kioskd process as a user starts it, with its own configuration, state, profile and port."""

    def __init__(self, url: str | None, folder: Path, environment: Mapping[str, str] | None = None, **over: Any) -> None:
        """``over``: sections of the configuration, laid over what a test needs (own folders and port, no display)."""
        self._runtime = tempfile.mkdtemp(prefix="kioskd-run-")  # a short path: a unix socket takes no long one
        self._environment = {"XDG_RUNTIME_DIR": self._runtime, **(environment or {})}
        self.control = f"{self._environment['XDG_RUNTIME_DIR']}/kioskd/control.sock"
        self.folder, self.state = folder, folder / "state"
        self.config_file, self.log_file = folder / "kioskd.yaml", folder / "kioskd.log"
        self.config = merged(
            {
                **({"url": url} if url else {}),
                "browser": {"profile": str(folder / "profile")},
                "display": {"mode": "headless"},
                "api": {"listen": f"127.0.0.1:{free_port()}"},
                "state": str(self.state),
            },
            over,
        )
        self.port = int(self.config["api"]["listen"].rpartition(":")[2])
        self.profile = Path(self.config["browser"]["profile"])
        self.process: asyncio.subprocess.Process | None = None

    def configure(self, **over: Any) -> None:
        """Write the configuration, changed."""
        self.config = merged(self.config, over)
        self.write(yaml.safe_dump(self.config))

    def write(self, text: str) -> None:
        """Replace the configuration file, as an editor does."""
        fresh = self.config_file.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.config_file)

    async def __aenter__(self) -> Self:
        """Start kioskd."""
        if not self.config_file.exists():
            self.configure()
        await self.start()
        return self

    async def start(self, **environment: str) -> None:
        """Start kioskd."""
        with self.log_file.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "kioskd", "run", "--config", str(self.config_file),
                cwd=Path(kioskd.__file__).parents[1], stdout=log, stderr=log, env={**os.environ, **self._environment, **environment},
            )  # fmt: skip

    def strike(self, number: int) -> None:
        """Send a signal to kioskd itself."""
        assert self.process is not None, "it was started"
        self.process.send_signal(number)

    async def stop(self) -> None:
        """Stop kioskd as systemd does."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(self.process.wait(), STOP_S)

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Stop kioskd; raise KioskdError where it leaves a process behind."""
        try:
            await self.stop()
            left = self.processes()
        finally:
            self._end_tree()
            shutil.rmtree(self._runtime, ignore_errors=True)
        if kind is None and left:
            raise KioskdError(f"kioskd left processes behind: {left}")

    def log(self) -> str:
        """What kioskd has said so far."""
        return self.log_file.read_text(errors="replace")

    async def status(self) -> dict[str, Any]:
        """GET /api/status."""
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.port}/api/status") as response:
            known: dict[str, Any] = await response.json()
            return known

    async def reload(self, message: str = "") -> dict[str, Any]:
        """POST /api/reload on the unix socket, as ``kioskctl reload`` does."""
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(self.control)) as session:
            async with session.post("http://kioskd/api/reload", json={"message": message}) as response:
                answer: dict[str, Any] = await response.json()
                return answer

    async def story(self, file: Path | None = None) -> Path:
        """GET /api/story on the unix socket, into a file (``kioskd.story`` beside the log) for ``kioskd replay``."""
        file = file or self.folder / "kioskd.story"
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(self.control)) as session:
            async with session.get("http://kioskd/api/story") as response:
                response.raise_for_status()
                file.write_bytes(await response.read())
        return file

    async def shows(self, within: float, **wanted: Any) -> dict[str, Any]:
        """Wait until the status has these values (dots for sections: ``page.url``); return it."""
        deadline, known = time.monotonic() + within, None
        while time.monotonic() < deadline:
            try:
                known = await self.status()
            except aiohttp.ClientError:
                known = None
            if known is not None and all(_matches(_dig(known, key), value) for key, value in wanted.items()):
                return known
            await asyncio.sleep(0.2)  # the status has no events yet; the fact is what ends this, not the time
        raise TimeoutError(f"The status did not show {wanted} within {within:g} s: {json.dumps(known, indent=1)}\n{self.log()}")


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # a child goes with its parent
        os.kill(pid, number)


def _kind(command: str) -> str:
    """``renderer``, ``gpu-process`` …; of the many utilities the name of the service: ``network.mojom.NetworkService`` …"""
    for option in ("--utility-sub-type=", "--type="):
        if option in command:
            return command.partition(option)[2].split(" ", 1)[0]
    return ""


def _dig(known: Any, key: str) -> Any:
    for part in key.split("__"):
        known = known[part] if known is not None else None
    return known


def _matches(value: Any, wanted: Any) -> bool:
    return bool(wanted(value)) if callable(wanted) else bool(value == wanted)

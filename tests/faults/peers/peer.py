"""What every peer is: a Chromium as kioskd starts it, kept by somebody else, found by its profile and hurt by pid."""

import asyncio
import os
import secrets
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from kioskd.demo.kiosk import Victim
from kioskd.edges import processes
from kioskd.errors import EdgeUnavailable, KioskdError
from kioskd.wire import flags

STOP_S = 10.0  # until nothing of it lives any more: all of it is killed


@dataclass(frozen=True, slots=True)
class Launch:
    """What a peer is to start."""

    url: str
    folder: Path  # for what the peer itself writes: scripts, configuration, logs
    profile: Path
    command: str = "chromium"  # a name or a path
    flags: tuple[str, ...] = ()  # besides kioskd's own
    environment: Mapping[str, str] = field(default_factory=dict)  # additional variables; those of a display count as kioskd's ``display``
    phase: float = 1.0  # of who comes at regular times: the share of that time after which he comes first

    @property
    def command_line(self) -> tuple[str, ...]:
        """The command with kioskd's own flags, without the pipe that kioskd holds the other end of."""
        options = flags.arguments(str(self.profile), self.environment, self.flags)
        return (self.command, *(each for each in options if each not in ("--remote-debugging-pipe", flags.START_PAGE)), self.url)

    @property
    def shell_command(self) -> str:
        """The same for a shell."""
        return shlex.join(self.command_line)

    @property
    def preparation(self) -> str:
        """What nearly every guide puts before it: the last run is made to look as if it had ended well."""
        preferences = shlex.quote(str(self.profile / "Default" / "Preferences"))
        return (
            f'sed -i \'s/"exited_cleanly":false/"exited_cleanly":true/\' {preferences} 2>/dev/null\n'
            f'sed -i \'s/"exit_type":"Crashed"/"exit_type":"Normal"/\' {preferences} 2>/dev/null\n'
        )

    @property
    def script(self) -> str:
        """The guides' ``kiosk.sh``, for those who start a command and wait for its end."""
        return f"#!/bin/bash\n{self.preparation}exec {self.shell_command}\n"


class Peer(Victim):
    """One of them. What it starts, itself included, carries a marker in its environment: so that nothing is left behind."""

    name: ClassVar[str]  # without a blank: folders are called so, too
    says: ClassVar[str]  # how people describe it
    switches: ClassVar[Mapping[str, Any]] = {}  # what its page wants of the dashboard

    def __init__(self, launch: Launch) -> None:
        self.launch, self.profile = launch, launch.profile
        self._marker = secrets.token_hex(8)
        self._started: list[asyncio.subprocess.Process] = []

    @classmethod
    def missing(cls) -> str | None:
        """Why it cannot be had here; None where it can."""
        return None

    async def __aenter__(self) -> Self:
        """Start it. Raises EdgeUnavailable where it is missing."""
        if lacks := self.missing():
            raise EdgeUnavailable(f"Cannot start {self.name}: {lacks}")
        self.launch.folder.mkdir(parents=True, exist_ok=True)
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it: its supervisor, too, and all that either started."""
        await self._stop()

    async def _start(self) -> None:
        raise NotImplementedError

    async def _stop(self) -> None:
        """SIGKILL to everything marked until nothing is left: a supervisor may start another browser in the middle of this."""
        deadline = time.monotonic() + STOP_S
        while left := processes.tree(str(self.profile), self._marker):
            if time.monotonic() > deadline:
                raise KioskdError(f"{self.name} left processes behind: {left}")
            processes.kill(left)
            await asyncio.sleep(0.02)  # nothing tells of the end of a process that is not our child
        for process in self._started:
            await process.wait()

    def _write(self, name: str, text: str) -> Path:
        file = self.launch.folder / name
        file.write_text(text)
        file.chmod(0o755)
        return file

    async def _spawn(self, *command: str, **more: str) -> asyncio.subprocess.Process:
        """Start a process in the folder, in a session of its own; what it says is in ``log`` in the folder."""
        with (self.launch.folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=self.launch.folder, env={**os.environ, **self.launch.environment, **more, flags.MARKER: self._marker},
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._started.append(process)
        return process

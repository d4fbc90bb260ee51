"""Programs that keep another program running: supervisord, pm2, systemd."""

import asyncio
import os
import secrets
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from kioskd.errors import EdgeUnavailable
from kioskd.wire.flags import MARKER
from tests.faults.peers.peer import Launch, Peer

HERE = Path(__file__).parent
SUPERVISOR = HERE / "build" / "supervisor" / "usr" / "lib" / "python3" / "dist-packages"  # Debian's, unpacked
PM2 = HERE / "node_modules" / "pm2" / "bin" / "pm2"

CONFIG = """\
[supervisord]
nodaemon=true
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid

[program:kiosk]
command="{script}"
autostart=true
autorestart=true
stdout_logfile={folder}/chromium.log
redirect_stderr=true
"""


class Supervisord(Peer):
    """Debian's package."""

    name = "supervisord"
    says = "supervisord with autorestart=true"

    @classmethod
    def missing(cls) -> str | None:
        """Until ``scripts/setup faults`` has unpacked it."""
        return None if SUPERVISOR.exists() else "supervisor is not there: scripts/setup faults"

    async def _start(self) -> None:
        script = self._write("kiosk.sh", self.launch.script)
        escaped = {"folder": str(self.launch.folder).replace("%", "%%"), "script": str(script).replace("%", "%%")}
        config = self._write("supervisord.conf", CONFIG.format(**escaped))
        await self._spawn(sys.executable, "-m", "supervisor.supervisord", "-c", str(config), PYTHONPATH=str(SUPERVISOR))


class Pm2(Peer):
    """npm's package, with a daemon of its own."""

    name = "pm2"
    says = "pm2 start kiosk.sh"

    def __init__(self, launch: Launch) -> None:
        super().__init__(launch)
        self._home: str | None = None

    @classmethod
    def missing(cls) -> str | None:
        """Until ``scripts/setup faults`` has installed it."""
        return None if PM2.exists() else "pm2 is not there: scripts/setup faults"

    async def _start(self) -> None:
        script = self._write("kiosk.sh", self.launch.script)
        self._home = tempfile.mkdtemp(prefix="kioskd-pm2-")  # a short path: its sockets are in it
        more = {"PM2_HOME": self._home, "PM2_DISABLE_VERSION_CHECK": "true"}
        process = await self._spawn("node", str(PM2), "start", script.name, "--name", "kiosk", **more)
        if await process.wait() != 0:
            raise EdgeUnavailable(f"Cannot start pm2: {(self.launch.folder / 'log').read_text(errors='replace')}")

    async def _stop(self) -> None:
        try:
            await super()._stop()
        finally:
            if self._home is not None:
                shutil.rmtree(self._home, ignore_errors=True)


class Systemd(Peer):
    """A unit on a booted machine, which root has to bring: see ``machine.py``."""

    name = "systemd"
    says = "a systemd unit with Restart=always and RestartSec=5"

    def __init__(self, launch: Launch) -> None:
        super().__init__(launch)
        self._unit = secrets.token_hex(4)

    @classmethod
    def missing(cls) -> str | None:
        """Where there is no machine for it."""
        return no_machine()

    async def _start(self) -> None:
        share = machine_folder().parent.resolve()
        if not all(each.resolve().is_relative_to(share) for each in (self.launch.folder, self.profile)):
            raise EdgeUnavailable(f"Cannot start {self.name}: the machine sees nothing outside {share}")
        kept = {**self.launch.environment, "HOME": str(self.launch.folder), MARKER: self._marker}
        variables = "".join(f"export {shlex.join([f'{name}={value}'])}\n" for name, value in kept.items())
        script = self._write("kiosk.sh", self.launch.script.replace("\n", f"\n{variables}", 1))
        where = machine_folder() / self._unit
        where.mkdir()
        (where / "start").symlink_to(script)
        await order("start", f"kiosk@{self._unit}")

    async def _stop(self) -> None:
        where = machine_folder() / self._unit
        if where.exists():
            try:
                await order("stop", f"kiosk@{self._unit}")
            finally:
                shutil.rmtree(where)
        await super()._stop()


def no_machine() -> str | None:
    """Why there is none: root has booted none around this process, or this process has left its network."""
    if "KIOSKD_PEERS_MACHINE" not in os.environ:
        return os.environ.get("KIOSKD_PEERS_NO_MACHINE") or "no machine was booted for it: that needs root, and peers/machine.py"
    if (machine_folder() / "network").read_text() != os.readlink("/proc/self/ns/net"):
        return "the machine has not the network that this is played in"
    return None


async def order(verb: str, unit: str) -> None:
    """Let the machine ``start`` or ``stop`` a unit. Raises EdgeUnavailable with what it says."""
    reader, writer = await asyncio.open_unix_connection(str(machine_folder() / "orders"))
    try:
        writer.write(f"{verb} {unit}\n".encode())
        answer = (await reader.read()).decode(errors="replace").strip()
    finally:
        writer.close()
    if answer != "done":
        raise EdgeUnavailable(f"The machine does not {verb} {unit}: {answer}")


def machine_folder() -> Path:
    return Path(os.environ["KIOSKD_PEERS_MACHINE"])

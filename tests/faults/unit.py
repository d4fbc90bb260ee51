"""A kioskd whose systemd starts it again: of this tree, as a unit of the booted machine, with the shipped unit's times."""

import asyncio
import os
import secrets
import shutil
import sys
from pathlib import Path

import psutil

import kioskd
from kioskd.demo.kiosk import Kiosk
from kioskd.errors import EdgeUnavailable
from tests.faults.peers.machine import SHIPPED
from tests.faults.peers.supervisors import machine_folder, no_machine, order

START_S = 30.0


def seconds(key: str) -> float:
    """Return a time of the shipped unit."""
    (value,) = [line.partition("=")[2] for line in SHIPPED.read_text().splitlines() if line.startswith(f"{key}=")]
    return float(value)


class Unit(Kiosk):
    """One of them."""

    async def start(self, **environment: str) -> None:
        """Have the unit started."""
        if lacks := no_machine():
            raise EdgeUnavailable(f"Cannot start a unit: {lacks}")
        self._unit = secrets.token_hex(4)
        variables = {**self._environment, "HOME": str(self.folder), "PYTHONPATH": str(Path(kioskd.__file__).parents[1]), **environment}
        exports = "".join(f"export {name}='{value}'\n" for name, value in variables.items())
        where = machine_folder() / self._unit
        where.mkdir()
        (where / "start").write_text(
            f"{exports}exec >>'{self.log_file}' 2>&1\nexec {sys.executable} -m kioskd run --config '{self.config_file}'\n"
        )
        await order("start", f"kioskd@{self._unit}")

    @property
    def main_pid(self) -> int:
        """The daemon's own process."""
        (found,) = [each.pid for each in psutil.process_iter(["cmdline"]) if str(self.config_file) in (each.info["cmdline"] or ())]
        return found

    def strike(self, number: int) -> None:
        """Send a signal to kioskd itself."""
        os.kill(self.main_pid, number)

    async def stop(self) -> None:
        """Have the unit stopped."""
        where = machine_folder() / self._unit
        if await asyncio.to_thread(where.exists):
            await order("stop", f"kioskd@{self._unit}")
            shutil.rmtree(where)

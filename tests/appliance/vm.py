"""A virtual machine with a screen and a keyboard. Its processor is emulated: it runs anywhere, and slowly."""

import contextlib
import json
import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from tests.appliance.picture import Picture

ANSWER_S, COMMAND_S, SHELL_S = 30.0, 60.0, 300.0  # of QEMU, of a command inside, from power-on to the shell
WIDTH, HEIGHT = 1024, 600
ABSOLUTE = 0x7FFF  # of QEMU's pointing devices: the right and the bottom edge
CONNECTOR = "/sys/class/drm/card0-Virtual-1"
T = TypeVar("T")


class Vm:
    """One machine on a layer over ``disk``, which stays as it is. It has no network but its own loopback."""

    def __init__(self, disk: Path, scratch: Path) -> None:
        self._disk, self._scratch = disk, scratch
        self._qemu: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._shell: socket.socket | None = None
        self._commands = 0
        self.powered_on = 0.0  # monotonic
        layer = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", disk / "disk.ext4", scratch / "layer.qcow2"]
        subprocess.run(layer, check=True)

    def power_on(self) -> None:
        """Switch on; what was written to the disk before is there."""
        assert self._qemu is None, "it is on"
        for port in ("control", "shell"):
            (self._scratch / port).unlink(missing_ok=True)
        self.powered_on = time.monotonic()
        with (self._scratch / "qemu.log").open("ab") as log:
            self._qemu = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self._control, self._shell = self._connected("control"), self._connected("shell")
        self._answer()
        self.qmp("qmp_capabilities")

    def _command(self) -> list[str]:
        made = self._scratch
        return [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2048", "-nodefaults",
            "-kernel", str(self._disk / "vmlinuz"), "-initrd", str(self._disk / "initrd.img"),
            "-append", "root=LABEL=root rw console=ttyS0 quiet", "-serial", f"file:{made}/serial.log",
            "-drive", f"file={made}/layer.qcow2,if=virtio,format=qcow2,cache=unsafe", "-device", "virtio-rng-pci",
            "-display", "none", "-device", f"virtio-gpu-pci,xres={WIDTH},yres={HEIGHT}",
            "-device", "virtio-keyboard-pci", "-device", "virtio-tablet-pci",
            "-qmp", f"unix:{made}/control,server=on,wait=off", "-chardev", f"socket,id=shell,path={made}/shell,server=on,wait=off",
            "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=shell,name=shell",
        ]  # fmt: skip

    def _connected(self, port: str) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(ANSWER_S)

        def reached() -> bool:
            assert self._qemu is not None and self._qemu.poll() is None, (self._scratch / "qemu.log").read_text()
            with contextlib.suppress(OSError):
                connection.connect(str(self._scratch / port))
                return True
            return False

        until(reached, ANSWER_S, f"QEMU does not listen at {port}")
        return connection

    def cut(self) -> None:
        """Cut the power: nobody inside is told, and what was not yet written is lost."""
        for connection in (self._control, self._shell):
            if connection is not None:
                connection.close()
        if self._qemu is not None:
            self._qemu.kill()
            self._qemu.wait(ANSWER_S)
        self._qemu = self._control = self._shell = None

    def qmp(self, command: str, **arguments: object) -> Any:
        """Ask QEMU; return its answer. Raises AssertionError where it refuses."""
        assert self._control is not None, "it is off"
        self._control.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = self._answer()
            if "event" not in answer:
                assert "return" in answer, f"{command}: {answer}"
                return answer["return"]

    def _answer(self) -> dict[str, Any]:
        assert self._control is not None, "it is off"
        line = b""
        while not line.endswith(b"\n"):
            line += self._control.recv(1) or _hung_up()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def picture(self) -> Picture:
        """What is on the screen now."""
        file = self._scratch / "screen.ppm"
        self.qmp("screendump", filename=str(file))
        return Picture.of_ppm(file.read_bytes())

    def press(self, keys: str) -> None:
        """Press keys together, as ``ctrl-alt-f2``."""
        self.qmp("send-key", keys=[{"type": "qcode", "data": key} for key in keys.split("-")])

    def point(self, x: int, y: int) -> None:
        """Move the mouse to a place on the screen."""
        for axis, value in (("x", x * ABSOLUTE // WIDTH), ("y", y * ABSOLUTE // HEIGHT)):
            self.qmp("input-send-event", events=[{"type": "abs", "data": {"axis": axis, "value": value}}])

    def plug(self, display: bool) -> None:
        """Pull the display's cable, or put it back: QEMU has no command for it, so the kernel inside is told that it is so."""
        self.shell(f"echo {'detect' if display else 'off'} >{CONNECTOR}/status; udevadm trigger --action=change /sys/class/drm/card0")

    def shell(self, script: str, *, check: bool = True, within: float = COMMAND_S) -> str:
        """Run a script inside, as root; return what it printed. Raises AssertionError where it fails."""
        assert self._shell is not None, "it is off"
        self._commands += 1
        mark = f"end-of-{self._commands}"
        inside = f"timeout {within:g} sh -ec {shlex.quote(script)} </dev/null; code=$?; echo; echo {mark} $code\n"
        self._shell.settimeout(within + ANSWER_S)
        self._shell.sendall(inside.encode())
        said = b""
        while not (said.endswith(b"\n") and said.rsplit(b"\n", 2)[-2].startswith(mark.encode() + b" ")):
            said += self._shell.recv(65536) or _hung_up()
        printed, _, end = said.decode(errors="replace").rstrip("\n").rpartition("\n")
        assert not check or end == f"{mark} 0", f"{script}\nended with {end.split()[-1]}:\n{printed}"
        return printed.strip()

    def wait_for_shell(self) -> None:
        """Wait until somebody inside answers: nobody is there before the kernel has started the first services."""
        assert self._shell is not None, "it is off"

        def answers() -> bool:
            assert self._shell is not None
            self._shell.sendall(b"echo i-am-here\n")
            self._shell.settimeout(2)
            with contextlib.suppress(TimeoutError):
                return b"i-am-here" in (self._shell.recv(65536) or _hung_up())
            return False

        until(answers, SHELL_S, "nobody inside answers")
        while True:  # every question that waited in the port is answered by now
            try:
                self._shell.recv(65536)
            except TimeoutError:
                return

    def json(self, url: str) -> Any:
        """GET some JSON inside; None where nobody answers."""
        said = self.shell(f"curl --silent --fail --max-time 10 {url}", check=False)
        return json.loads(said) if said else None


def _hung_up() -> bytes:
    raise AssertionError("QEMU hung up")


@contextlib.contextmanager
def machine(disk: Path) -> Iterator[Vm]:
    """A machine that is on, thrown away at the end."""
    with tempfile.TemporaryDirectory(prefix="kioskd-vm-") as scratch:
        it = Vm(disk, Path(scratch))
        try:
            it.power_on()
            yield it
        finally:
            it.cut()


def until(holds: Callable[[], T], within: float, otherwise: str) -> T:
    """Wait for what nothing tells of; return it. Raises AssertionError."""
    deadline = time.monotonic() + within
    while not (result := holds()):
        assert time.monotonic() < deadline, f"{otherwise} after {within:g} s"
        time.sleep(0.1)
    return result

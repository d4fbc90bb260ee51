"""A Debian machine to install things on: a container whose PID 1 is a real systemd, on a layer that is thrown away."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

START_S, STOP_S, COMMAND_S = 30.0, 20.0, 120.0
PRIVATE = ("--private-network",)


class Machine:
    """One container over ``layers``, the uppermost first, which stay as they are.

    ``options``: of systemd-nspawn. Without others it has no network but its own loopback.
    """

    def __init__(self, layers: Sequence[Path], scratch: Path, name: str, options: Sequence[str] = PRIVATE) -> None:
        self._layers, self._scratch, self._name = layers, scratch, f"{name}-{os.getpid()}"  # two suites are tried side by side
        self._options = options
        self._container: subprocess.Popen[bytes] | None = None
        self.leader = 0
        self.seen_from_outside = scratch / "machine"

    def mount(self) -> None:
        """Put the disk together, without power."""
        for part in ("machine", "upper", "work"):
            (self._scratch / part).mkdir(exist_ok=True)
        if not os.path.ismount(self.seen_from_outside):
            layers = f"lowerdir={':'.join(map(str, self._layers))},upperdir={self._scratch}/upper,workdir={self._scratch}/work"
            subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, self.seen_from_outside], check=True)

    def start(self) -> None:
        """Power on, and wait until systemd says that it is running."""
        self.mount()
        # A control group of its own: else systemd-nspawn would make its two in the group that this test runs in.
        groups = " ".join(str(group) for group in self._groups())
        command = f"for group in {groups}; do mkdir -p $group && echo $$ >$group/cgroup.procs; done; exec systemd-nspawn \"$@\""
        with (self._scratch / "console.log").open("ab") as console:
            self._container = subprocess.Popen(
                ["sh", "-ec", command, "sh", "--quiet", f"--directory={self.seen_from_outside}", f"--machine={self._name}", "--boot",
                 "--register=no", "--keep-unit", "--console=read-only", *self._options],
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}, stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                start_new_session=True,
            )  # fmt: skip
        until(self._find_leader, START_S, "the container has no PID 1")
        until(lambda: self.state() in ("running", "degraded"), START_S, "systemd is not up")

    def _find_leader(self) -> bool:
        assert self._container is not None and self._container.poll() is None, (self._scratch / "console.log").read_text()
        # systemd-nspawn's first child only makes the second; the one sought is the first process of its namespace.
        children = Path(f"/proc/{self._container.pid}/task/{self._container.pid}/children").read_text().split()
        self.leader = next((int(each) for each in children if _is_first(each)), 0)
        return self.leader != 0

    def _groups(self) -> list[Path]:
        base = Path("/sys/fs/cgroup")
        hybrid = [base / each for each in ("unified", "systemd") if (base / each / "cgroup.procs").exists()]
        return [each / f"kioskd-{self._name}" for each in hybrid or [base]]

    def rebooted(self, within: float) -> None:
        """Wait until it has rebooted itself and is up again."""
        container, first = self._container, Path(f"/proc/{self.leader}")
        assert container is not None, "it is off"
        until(lambda: not first.exists(), within, "the machine does not reboot")
        with contextlib.suppress(subprocess.TimeoutExpired):
            container.wait(2.0)
        if container.returncode is None:  # systemd-nspawn starts it again; where its own /run is on a disk, it fails to
            until(self._find_leader, START_S, "the container has no PID 1")
            until(lambda: self.state() in ("running", "degraded"), START_S, "systemd is not up")
        else:
            assert "Rebooting." in (self._scratch / "console.log").read_text(), "it went off"
            self.start()

    def state(self) -> str:
        """What ``systemctl is-system-running`` says."""
        return self.run("systemctl", "is-system-running", check=False).strip()

    def run(self, *command: str, check: bool = True, within: float = COMMAND_S) -> str:
        """Run a command inside, as root; return what it printed. Raises AssertionError where it fails. Without power: in a chroot."""
        powered = ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-C", "--"]
        into = powered if self.leader else ["chroot", str(self.seen_from_outside)]
        done = subprocess.run([*into, *command], capture_output=True, text=True, timeout=within, stdin=subprocess.DEVNULL, env=INSIDE)
        assert not check or done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + ("" if check else done.stderr)

    def shell(self, script: str, **more: object) -> str:
        """Run a script inside."""
        return self.run("sh", "-ec", script, **more)  # type: ignore[arg-type]

    def push(self, file: Path, to: str) -> None:
        """Copy a file in."""
        (self.seen_from_outside / to.lstrip("/")).write_bytes(file.read_bytes())

    def write(self, to: str, text: str) -> None:
        """Write a file inside, as an editor does: beside it, then renamed."""
        target = self.seen_from_outside / to.lstrip("/")
        fresh = target.with_name(target.name + ".new")
        fresh.write_text(text)
        fresh.replace(target)

    def power_off(self) -> None:
        """Shut down as from the power button; what was written stays for the next ``start``."""
        if self._container is None:
            return
        if self._container.poll() is None and self.leader:
            os.kill(self.leader, signal.SIGRTMIN + 4)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._container.wait(STOP_S)
        if self._container.poll() is None:
            for pid in (self.leader, self._container.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._container.wait(STOP_S)
        self._container, self.leader = None, 0

    def cut_power(self) -> None:
        """Off from one moment to the next: nothing inside learns of it. What was written stays for the next ``start``."""
        assert self._container is not None, "it is off"
        os.kill(self.leader, signal.SIGKILL)
        self._container.wait(STOP_S)
        self._container, self.leader = None, 0

    def throw_away(self) -> None:
        """Power off and leave nothing behind."""
        self.power_off()
        if os.path.ismount(self.seen_from_outside):
            subprocess.run(["umount", self.seen_from_outside], check=True)
        for group in self._groups():
            for folder in sorted(group.rglob("*"), reverse=True) if group.exists() else []:
                if folder.is_dir():
                    with contextlib.suppress(OSError):
                        folder.rmdir()
            with contextlib.suppress(OSError):
                group.rmdir()


def _is_first(pid: str) -> bool:
    with contextlib.suppress(OSError):
        return "\t1\n" in Path(f"/proc/{pid}/status").read_text().partition("NSpid:")[2].partition("NSpgid:")[0]
    return False


#: What a login would have; nothing of this machine's own.
INSIDE = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "TERM": "dumb"}


@contextlib.contextmanager
def machine(name: str, layers: Sequence[Path], power: bool = True, options: Sequence[str] = PRIVATE) -> Iterator[Machine]:
    """A machine that runs, thrown away at the end."""
    with tempfile.TemporaryDirectory(prefix="kioskd-machine-") as scratch:
        it = Machine(layers, Path(scratch), name, options)
        try:
            it.start() if power else it.mount()
            yield it
        finally:
            it.throw_away()


@contextlib.contextmanager
def prepared(name: str, layers: Sequence[Path], prepare: Callable[[Machine], None]) -> Iterator[tuple[Path, ...]]:
    """The layers, and above them what ``prepare`` did to a machine: to start others from."""
    with tempfile.TemporaryDirectory(prefix="kioskd-layer-") as scratch:
        it = Machine(layers, Path(scratch), name)
        try:
            it.start()
            prepare(it)
        finally:
            it.throw_away()
        yield (Path(scratch) / "upper", *layers)


def until(holds: Callable[[], object], within: float, otherwise: str) -> None:
    """Wait for what nothing tells of. Raises AssertionError."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"{otherwise} after {within:g} s"
        time.sleep(0.1)

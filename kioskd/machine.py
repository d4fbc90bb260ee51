"""What ``kioskctl doctor`` sees of a machine, and says of it. Nothing is changed, and nothing waits for long."""

import contextlib
import glob
import platform
import pwd
import shutil
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

RUN_S, URL_S = 10.0, 5.0


class State(Enum):
    """How serious it is."""

    GOOD = "good"
    HINT = "hint"  # it works, and could be better
    BAD = "bad"  # this is why something does not work
    UNKNOWN = "unknown"  # it cannot be told here


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found. ``advice``: what to do, where there is something."""

    about: str
    state: State
    says: str
    advice: str = ""


class Machine:
    """What the checks see of a machine."""

    def __init__(
        self, root: str = "/", status: dict[str, Any] | None = None, configuration: dict[str, Any] | None = None, session: bool = False
    ) -> None:
        """``status``: what the running kioskd says, None where none answers; ``configuration``: what its file says, defaults included.

        ``session``: it runs in this desktop session.
        """
        self.root, self.status, self.configuration = Path(root), status, configuration or {}
        self.systemctl = ("systemctl", "--user") if session else ("systemctl",)

    def path(self, name: str) -> Path:
        """Return where a file of the machine is."""
        return self.root / name.lstrip("/")

    def text(self, name: str) -> str:
        """Return a small file's text, "" where it cannot be had."""
        with contextlib.suppress(OSError):
            return self.path(name).read_bytes()[:65536].decode("utf-8", "replace").strip("\0\n ")
        return ""

    def find(self, pattern: str) -> list[str]:
        """Return the files that fit."""
        return sorted(glob.glob(str(self.path(pattern))))

    def run(self, *command: str) -> str | None:
        """Return what a command prints, None where it is not there or fails."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, stdin=subprocess.DEVNULL, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def which(self, name: str) -> str | None:
        """Return where a command is."""
        return shutil.which(name)

    def open(self, url: str) -> int:
        """Return the status with which a URL answers; raises OSError or ValueError."""
        try:
            with urllib.request.urlopen(url, timeout=URL_S) as answer:  # noqa: S310 - the operator's own URL
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return int(error.code)

    def groups(self, user: str) -> set[str] | None:
        """Return the groups of a user, None where there is no such user."""
        try:
            pwd.getpwnam(user)
        except KeyError:
            return None
        said = self.run("id", "--name", "--groups", user)
        return set(said.split()) if said is not None else None

    def model(self) -> dict[str, str]:
        """Return what machine it is, and which versions."""
        release = dict(line.partition("=")[::2] for line in self.text("/etc/os-release").splitlines())
        memory = (line.split(":")[1].strip() for line in self.text("/proc/meminfo").splitlines() if line.startswith("MemTotal"))
        return {
            "model": self.text("/proc/device-tree/model") or self.text("/sys/class/dmi/id/product_name") or "unknown",
            "system": release.get("PRETTY_NAME", "unknown").strip('"'),
            "kernel": platform.release(),
            "architecture": platform.machine(),
            "memory": next(memory, ""),
            "firmware": (self.run("vcgencmd", "version") or "").replace("\n", " "),
        }

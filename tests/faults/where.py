"""Where, and with what, the cases are played: what the header of a run tells, besides its plan."""

import json
import os
import platform
import statistics
import subprocess
from pathlib import Path
from typing import Any

import psutil

from kioskd import __version__
from tests.faults.peers.supervisors import PM2, SUPERVISOR
from tests.faults.record import moment
from tests.faults.stage import cold_start

TREE = Path(__file__).parents[2]
COLD_STARTS = 5
UNKNOWN = "unknown"


def machine() -> dict[str, Any]:
    """This machine, and what there is on it."""
    return {
        "made": moment(),
        "kioskd": __version__,
        "commit": commit(),
        "tree": tree(),
        "chromium": chromium(),
        "system": str(platform.freedesktop_os_release().get("PRETTY_NAME", UNKNOWN)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "memory": psutil.virtual_memory().total,
        **peers(),
    }


def chromium() -> str:
    """The version of the browser."""
    return _first_line("chromium", "--version") or UNKNOWN


def commit() -> str:
    """The commit of this tree, with a + where what is played has been changed since. Of a copy of it only who has made that can tell."""
    return os.environ.get("KIOSKD_COMMIT") or _of_git("HEAD", "kioskd", "tests", "debian")


def tree() -> str:
    """The same of kioskd itself, in the name that git gives to what is in its folder: commits that leave that alone have the same one."""
    return os.environ.get("KIOSKD_TREE") or _of_git("HEAD:kioskd", "kioskd")


def _of_git(what: str, *folders: str) -> str:
    git = ("git", "-C", str(TREE))
    changed = _first_line(*git, "status", "--porcelain", "--untracked-files=no", "--", *folders)
    found = _first_line(*git, "rev-parse", "--short", what)
    return found + "+" * bool(changed) if found else UNKNOWN


def _first_line(*command: str) -> str:
    try:
        said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=30, check=False).stdout
    except OSError:  # it is not installed
        return ""
    return said.partition("\n")[0].strip()


def peers() -> dict[str, str]:
    """The versions of what people use today; systemd's is that of the machine that is booted for it."""
    found = dict.fromkeys(("supervisord", "pm2", "systemd"), UNKNOWN)
    if (version := SUPERVISOR / "supervisor" / "version.txt").exists():
        found["supervisord"] = version.read_text().strip()
    if (package := PM2.parents[1] / "package.json").exists():
        found["pm2"] = json.loads(package.read_text())["version"]
    status = Path(os.environ.get("KIOSKD_MACHINE", "/nowhere")) / "var/lib/dpkg/status"
    for paragraph in status.read_text().split("\n\n") if status.exists() else ():
        if paragraph.startswith("Package: systemd\n"):
            found["systemd"] = paragraph.partition("\nVersion: ")[2].partition("\n")[0]
    return found


async def cold(folder: Path) -> float:
    """C: the median of some cold starts, while nothing else runs."""
    return statistics.median([await cold_start(folder / f"cold-{number}") for number in range(COLD_STARTS)])

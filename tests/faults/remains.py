"""What is left of a run that was killed: a shell loop would start its browser for ever, beside whatever is played next.

A process of its own waits until who plays is gone, however that went, and ends all that carries the name of the run's folder.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NAME = "KIOSKD_FAULTS_RUN"  # in the environment of all that is started; Chromium's children show their command line alone
END_S = 10.0


@contextmanager
def ended(folder: Path) -> Iterator[None]:
    """Let nothing that is started from now on outlive this process, or the end of this."""
    command = (sys.executable, "-m", "tests.faults.remains", str(folder))
    waits = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # a Ctrl-C is not for it
    os.environ[NAME] = str(folder)
    try:
        with waits:  # closes what it reads from, and waits for it
            yield
    finally:
        del os.environ[NAME]


def left(folder: str) -> list[int]:
    """Return the processes that carry it in their command line or environment, but for this one."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        said = b""
        for part in ("cmdline", "environ"):
            with suppress(OSError):  # it has ended, or is somebody else's
                said += Path("/proc", name, part).read_bytes()
        if folder.encode() in said and int(name) != os.getpid():
            found.append(int(name))
    return found


def main() -> None:
    """Wait for the end of standard input, and see to what is left then."""
    folder = sys.argv[1]
    sys.stdin.read()
    deadline = time.monotonic() + END_S
    while (pids := left(folder)) and time.monotonic() < deadline:
        for pid in pids:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)  # a loop may have started another one meanwhile
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

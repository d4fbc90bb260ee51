"""How much memory the browser holds, by the kernel's word; and what is reaped. The rest is tried with a real browser."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kioskd.edges import processes
from kioskd.edges.processes import unit_memory

UNIT = "0::/system.slice/kioskd.service\n"
STAT = "anon 1000\nfile 50000\nkernel 7\nshmem 234\n"


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel's folders for a unit, and our place in them (``own``)."""
    monkeypatch.setenv("INVOCATION_ID", "1")
    folder = tmp_path / "system.slice" / "kioskd.service"
    folder.mkdir(parents=True)
    (folder / "memory.stat").write_text(STAT)
    (tmp_path / "own").write_text("1:name=systemd:/\n" + UNIT)
    return tmp_path


def counted(groups: Path) -> int | None:
    return unit_memory(str(groups), str(groups / "own"))


def test_a_units_memory_is_what_the_kernel_cannot_drop(groups: Path) -> None:
    assert counted(groups) == 1234


NO_UNIT = ("0::/user.slice/user-1000.slice/session-1.scope\n", "0::/system.slice/other.service/sub\n", "1:memory:/x.service\n", "")


@pytest.mark.parametrize("own", NO_UNIT)
def test_what_is_no_unit_of_ours_is_not_counted(groups: Path, own: str) -> None:
    (groups / "own").write_text(own)
    assert counted(groups) is None


def test_a_kernel_that_counts_no_memory_says_nothing(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = groups / "system.slice" / "kioskd.service" / "memory.stat"
    for content in ("", "file 1\n", "anon x\nshmem 1\n", "anon\n"):
        stat.write_text(content)
        assert counted(groups) is None, content
    stat.unlink()
    assert counted(groups) is None
    stat.write_text(STAT)
    monkeypatch.delenv("INVOCATION_ID")  # started by hand, in a terminal that a unit runs
    assert counted(groups) is None


#: Twice forked, with a session between whose leader has gone: so a crash handler starts.
HANDLER = """
import os, sys
if os.fork() == 0:
    os.setsid()
    if pid := os.fork():
        print(pid, flush=True)
    else:
        sys.stdin.read()
else:
    os.wait()
"""


def test_what_a_crash_handler_leaves_is_reaped_and_anothers_child_is_not(tmp_path: Path) -> None:
    processes.adopt_orphans()  # as kioskd does
    with subprocess.Popen([sys.executable, "-c", HANDLER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        assert starter.stdin is not None and starter.stdout is not None
        orphan = Path("/proc") / starter.stdout.readline().decode().strip()
    with subprocess.Popen(["true"]) as other:
        until(lambda: state(orphan) == state(Path(f"/proc/{other.pid}")) == "Z")
        asyncio.run(processes.end_tree(str(tmp_path), "no such marker", lambda: None, -1, set()))
        assert state(orphan) is None
        assert other.wait() == 0, "its exit code is its own"


def state(process: Path) -> str | None:
    """R, S, Z …; None where there is none."""
    with contextlib.suppress(OSError):
        return (process / "stat").read_text().rpartition(")")[2].split()[0]
    return None


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # the kernel tells of no zombie

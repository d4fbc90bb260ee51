"""How much memory the browser holds, by the kernel's word. Ending processes is tried with a real browser (``test_browser.py``)."""

from pathlib import Path

import pytest

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

"""The configuration file on a real disk: strange things at its path, and the copy of the last good one."""

import logging
import os
import re
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kioskd.edges.config_file import content, keep_good, last_good, read
from kioskd.errors import ConfigError, EdgeUnavailable
from kioskd.wire.config import Config
from kioskd.wire.document import LIMIT

GOOD = b"url: http://localhost:3001/\n"
COPY = "last-good.yaml"


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read(path)
    (mistake,) = caught.value.mistakes
    assert mistake.startswith(f"{path}:1: ")
    return mistake


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """A write beyond so many bytes fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "kioskd.yaml"
    path.write_bytes(GOOD)
    assert content(path) == GOOD
    assert read(path) == Config(url="http://localhost:3001/")


def test_a_link_to_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(GOOD)
    (tmp_path / "link").symlink_to("real")
    assert read(tmp_path / "link").url == "http://localhost:3001/"


def test_mistakes_carry_the_path(tmp_path: Path) -> None:
    path = tmp_path / "kioskd.yaml"
    path.write_text("state: /srv\nurll: x\n")
    with pytest.raises(ConfigError, match=f'^{path}:2: urll: unknown key; did you mean "url"'):
        read(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    assert "is a folder" in refused(tmp_path)
    assert "is not there" in refused(tmp_path / "nothing")
    assert "a device, a pipe or a socket" in refused(Path("/dev/zero"))
    assert "cannot be read: Not a directory" in refused(Path("/dev/null/kioskd.yaml"))
    (tmp_path / "loop").symlink_to("loop")
    assert "cannot be read: Too many levels of symbolic links" in refused(tmp_path / "loop")
    assert re.search("cannot be read: .*embedded null", refused(tmp_path / "a\0b")), "Pythons word it differently"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "a device, a pipe or a socket" in refused(tmp_path / "pipe")


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "socket"))
        assert "a device, a pipe or a socket" in refused(tmp_path / "socket")


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    path.touch()
    os.truncate(path, 2**40)
    assert len(content(path)) == LIMIT + 1
    assert "is larger than 64 KB" in refused(path)


def as_nobody(call: str, path: Path) -> str:
    """Return what an ordinary user gets to read: root may read and write everything."""
    code = f"""
import os, pwd
from pathlib import Path
from kioskd.edges.config_file import *
path, nobody = Path({str(path)!r}), pwd.getpwnam("nobody")
if os.geteuid() == 0:
    os.setgroups([]), os.setgid(nobody.pw_gid), os.setuid(nobody.pw_uid)
try:
    {call}
except Exception as error:
    print(type(error).__name__, error)
"""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30, env=env).stdout.strip()


@pytest.fixture
def open_path(tmp_path: Path) -> Path:
    """A folder that an ordinary user can reach."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return tmp_path


def test_a_file_that_may_not_be_read(open_path: Path) -> None:
    path = open_path / "kioskd.yaml"
    path.write_bytes(GOOD)
    path.chmod(0)
    assert as_nobody("read(path)", path) == f"ConfigError {path}:1: may not be read by this user: make it readable (chmod a+r {path})"


def test_a_folder_that_may_not_be_written(open_path: Path) -> None:
    open_path.chmod(0o555)
    told = as_nobody("keep_good(b'', path)", open_path / "state")
    assert told == f"EdgeUnavailable Cannot keep the last good configuration in {open_path / 'state'}: Permission denied"
    assert as_nobody("print(last_good(path))", open_path / "state") == "None"


def test_the_good_one_is_kept_and_found_again(tmp_path: Path) -> None:
    state = tmp_path / "var" / "kioskd"
    assert last_good(state) is None
    keep_good(GOOD, state)
    assert last_good(state) == Config(url="http://localhost:3001/")
    keep_good(b"url: http://other/\n", state)
    assert last_good(state) == Config(url="http://other/")
    assert [file.name for file in state.iterdir()] == [COPY]
    assert (state / COPY).stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_while_nothing_changes(tmp_path: Path) -> None:
    keep_good(GOOD, tmp_path)
    before = (tmp_path / COPY).stat()
    keep_good(GOOD, tmp_path)
    after = (tmp_path / COPY).stat()
    assert (before.st_ino, before.st_mtime_ns, before.st_ctime_ns) == (after.st_ino, after.st_mtime_ns, after.st_ctime_ns)


def test_a_full_disk_leaves_the_old_copy(tmp_path: Path) -> None:
    keep_good(GOOD, tmp_path)
    with disk_of(5), pytest.raises(EdgeUnavailable, match="^Cannot keep the last good configuration in .*: File too large$"):
        keep_good(b"url: http://other/\n", tmp_path)
    assert last_good(tmp_path) == Config(url="http://localhost:3001/")
    assert [file.name for file in tmp_path.iterdir()] == [COPY]


def test_a_state_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(EdgeUnavailable, match="Cannot keep"):
        keep_good(GOOD, tmp_path / "state")
    assert last_good(tmp_path / "state") is None
    assert (tmp_path / "state").read_text() == "a file"


def test_a_copy_left_half_written_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / f"{COPY}.new").write_bytes(b"url: htt")
    keep_good(GOOD, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [COPY]


def test_a_copy_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / f"{COPY}.new").symlink_to("victim")
    with pytest.raises(EdgeUnavailable, match="Cannot keep"):
        keep_good(GOOD, tmp_path)
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_damaged_copy_is_said_and_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / COPY).write_bytes(b"\0\0\0")
    with caplog.at_level(logging.WARNING):
        assert last_good(tmp_path) is None
    assert f"Cannot use the last good configuration: {tmp_path / COPY}:1: holds the character U+0000" in caplog.text

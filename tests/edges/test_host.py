import asyncio
import contextlib
import os
import sys
import tempfile
from pathlib import Path

import pytest

from kioskd.core.actions import RebootHost, RecordReboot, Remember
from kioskd.core.facts import Remembered
from kioskd.edges import host
from kioskd.edges.host import FILE, Host
from kioskd.errors import EdgeUnavailable
from tests.aio import asynctest

HOME, SOCKET = "http://localhost:3001/", "ws://localhost:3001/ws"
NOBODY = 65534


def host_of(folder, boot="boot-a", **more):
    return Host(str(folder), boot=boot, **more)


@contextlib.contextmanager
def unwritable(folder):
    """The folder can be read but not written, for root too."""
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if user == 0:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.fixture
def state():
    """A folder that another user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def test_the_machine_is_known():
    assert host.total_memory() > 1 << 27
    assert len(host.boot_id()) == 36
    assert host.boot_id("/nonexistent") == ""


@asynctest
async def test_what_is_remembered_is_there_after_a_restart(state):
    first = host_of(state)
    assert first.remembered() == Remembered((), 0)
    await first.remember(Remember(HOME, SOCKET))
    await first.remember(Remember(HOME, SOCKET + "2"))
    await first.remember(Remember(HOME, SOCKET))
    assert host_of(state).remembered() == Remembered(((HOME, SOCKET), (HOME, SOCKET + "2")), 0)
    assert os.listdir(state) == [FILE]


@asynctest
async def test_the_file_is_written_only_when_something_changed(state):
    edge = host_of(state)
    await edge.remember(Remember(HOME, SOCKET))
    written = (state / FILE).stat().st_ino
    await edge.remember(Remember(HOME, SOCKET))
    again = host_of(state)
    again.remembered()
    await again.remember(Remember(HOME, SOCKET))
    assert (state / FILE).stat().st_ino == written


@asynctest
async def test_memory_is_bounded(state):
    edge = host_of(state)
    edge._notes = host._Notes(tuple((HOME, f"{SOCKET}{number}") for number in range(host.EXPECTED_LIMIT)))
    await edge.remember(Remember(HOME, "ws://new/"))
    expected = host_of(state).remembered().expected
    assert len(expected) == host.EXPECTED_LIMIT and expected[-1] == (HOME, "ws://new/") and expected[0] == (HOME, f"{SOCKET}1")


@asynctest
async def test_a_reboot_of_ours_does_not_refill_the_budget_a_later_one_does(state):
    edge = host_of(state)
    await edge.remember(Remember(HOME, SOCKET))
    await edge.record_reboot(RecordReboot(1))
    assert host_of(state).remembered().reboots == 1  # the reboot did not happen
    assert host_of(state, "boot-b").remembered() == Remembered(((HOME, SOCKET),), 1)
    assert host_of(state, "boot-b").remembered().reboots == 1  # kioskd restarted
    assert host_of(state, "boot-c").remembered().reboots == 0  # somebody switched it off and on
    refilled = host_of(state, "boot-b")
    refilled.remembered()
    await refilled.record_reboot(RecordReboot(0))
    assert host_of(state, "boot-b").remembered().reboots == 0


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "null", "\0\0\0", '{"expected": 3}', "[" * 100_000),
        '{"expected": [], "reboots": {"spent": -1, "boot": "", "into": ""}}',
        '{"expected": [], "reboots": {"spent": true, "boot": "", "into": ""}}',
        '{"expected": [["a"]], "reboots": {"spent": 0, "boot": "", "into": ""}}',
        '{"expected": [[1, 2]], "reboots": {"spent": 0, "boot": "", "into": ""}}',
    ],
)
@asynctest
async def test_a_corrupt_file_counts_as_empty_and_is_mended(state, content):
    (state / FILE).write_text(content)
    edge = host_of(state)
    assert edge.remembered() == Remembered((), 0)
    await edge.remember(Remember(HOME, SOCKET))
    assert host_of(state).remembered() == Remembered(((HOME, SOCKET),), 0)


@asynctest
async def test_a_folder_that_cannot_be_written_is_said_and_nothing_is_lost(state):
    edge = host_of(state)
    with unwritable(state):
        with pytest.raises(EdgeUnavailable, match="Cannot write .*: Permission denied"):
            await edge.remember(Remember(HOME, SOCKET))
        with pytest.raises(EdgeUnavailable):
            await edge.record_reboot(RecordReboot(1))
    await edge.remember(Remember(HOME, "ws://second/"))
    assert host_of(state, "boot-b").remembered() == Remembered(((HOME, SOCKET), (HOME, "ws://second/")), 0)


@asynctest
async def test_a_full_disk_leaves_the_old_file(state):
    edge = host_of(state)
    await edge.remember(Remember(HOME, SOCKET))
    (state / (FILE + ".new")).symlink_to("/dev/full")
    with pytest.raises(EdgeUnavailable, match="No space left"):
        await edge.record_reboot(RecordReboot(1))
    assert host_of(state).remembered() == Remembered(((HOME, SOCKET),), 0)


@asynctest
async def test_a_budget_that_cannot_be_moved_to_the_new_boot_stays_spent(state):
    await host_of(state).record_reboot(RecordReboot(1))
    with unwritable(state):
        for boot in ("boot-b", "boot-c"):
            assert host_of(state, boot).remembered().reboots == 1


@asynctest
async def test_a_folder_that_is_not_there(tmp_path):
    edge = host_of(tmp_path / "none")
    assert edge.remembered() == Remembered((), 0)
    with pytest.raises(EdgeUnavailable, match="No such file"):
        await edge.remember(Remember(HOME, SOCKET))


@asynctest
async def test_without_a_boot_id_no_reboot_is_recorded(state):
    with pytest.raises(EdgeUnavailable):
        await host_of(state, boot="").record_reboot(RecordReboot(1))
    assert os.listdir(state) == []


@asynctest
async def test_rebooting_runs_the_command_and_tells_why_it_failed(state):
    await host_of(state, reboot=("touch", str(state / "rebooted"))).reboot(RebootHost())
    assert (state / "rebooted").exists()
    for command, reason in [
        ((sys.executable, "-c", "import sys; sys.exit('no permission')"), "no permission"),
        (("false",), "exit code 1"),
        (("/nonexistent/reboot",), "No such file"),
    ]:
        with pytest.raises(EdgeUnavailable, match=reason):
            await host_of(state, reboot=command).reboot(RebootHost())


@asynctest
async def test_a_reboot_command_that_hangs_is_ended_with_its_deadline(state):
    pid = state / "pid"
    os.mkfifo(pid)
    edge = host_of(state, reboot=("sh", "-c", f"echo $$ > {pid}; exec sleep 1000"))
    task = asyncio.create_task(edge.reboot(RebootHost()))
    number = int(await asyncio.to_thread(pid.read_text))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


@pytest.mark.parametrize(
    ("here", "disk", "locked"),
    [("ro,nosuid", "rw,lowerdir=/x", True), ("ro,nosuid", "ro", False), ("rw", "rw,errors=remount-ro", False), ("rw", "ro", False)],
)
def test_a_disk_that_only_others_can_write(tmp_path, here, disk, locked):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        f"40 22 8:1 /var/lib/kioskd /var/lib/kioskd {here} shared:134 master:1 - ext4 /dev/sda1 {disk}\n"
        "41 22 8:2 / /var/lib/kioskd-other ro - ext4 /dev/sda2 rw\n"
    )
    assert host.locked_in("/var/lib/kioskd", str(mounts)) is locked
    assert not host.locked_in("/var/lib", str(mounts))
    assert not host.locked_in("/var/lib/kioskd", str(tmp_path / "none"))

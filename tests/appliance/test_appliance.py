"""From power-on to the page, on a real screen. ``scripts/test-appliance`` prepares the disk."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.appliance.conftest import DOCS
from tests.appliance.picture import Kind, Picture
from tests.appliance.vm import CONNECTOR, HEIGHT, WIDTH, Vm, machine, until
from tests.appliance.watch import EMPTY, Watch, still, watch

pytestmark = pytest.mark.appliance

BOOT_S = 300.0  # an emulated processor, on a machine that does other things: 40 s were measured
PAGE_S = 120.0  # the same, for a browser's start
STEADY = 10  # different messages of the server, one a second: so long nothing else was on the screen
KEYS = ("ctrl-alt-f2", "f11", "f12", "alt-f4", "ctrl-w")
OTHER_KEYS = """
f1 ctrl-n ctrl-t ctrl-shift-n ctrl-shift-t ctrl-o ctrl-p ctrl-s ctrl-u ctrl-j ctrl-h ctrl-shift-i ctrl-shift-j ctrl-shift-delete
ctrl-shift-q alt-left alt-home alt-f alt-tab ctrl-minus ctrl-f4 shift-esc meta_l menu ctrl-alt-f3 ctrl-alt-delete
""".split()
WHITE_PAGE = "data:text/html,white"
STATUS = "systemctl status --lines=0 --no-pager --full kioskd | grep Status:; kioskctl status"
JOURNAL = "journalctl --no-pager --output=short-monotonic --unit=kioskd --lines=60; ps -eo etimes,args | grep -v '\\]$' | cut -c 1-160"
BARE = """\
mkdir -p /run/bare && chown kioskd /run/bare && chmod 700 /run/bare
systemd-run --quiet --collect --unit=bare --uid=kioskd --property=SupplementaryGroups='video render input' \\
    --setenv=XDG_RUNTIME_DIR=/run/bare --setenv=HOME=/run/bare --setenv=LIBSEAT_BACKEND=seatd --setenv=WLR_RENDERER=pixman \\
    --setenv=WLR_NO_HARDWARE_CURSORS=1 cage -- chromium --kiosk --no-first-run --ozone-platform=wayland '{url}'
"""


@pytest.fixture(scope="module")
def kept() -> Path:
    folder = Path(os.environ["KIOSKD_PICTURES"])
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def vm() -> Iterator[Vm]:
    with machine(Path(os.environ["KIOSKD_DISK"])) as it:
        yield it


@pytest.fixture(scope="module")
def boot(vm: Vm, kept: Path) -> Watch:
    seen = watch(vm, lambda seen: seen.pages() >= STEADY, BOOT_S, kept)
    vm.wait_for_shell()
    if os.environ.get("KIOSKD_WRITE_DOC") and seen.first_page:
        (DOCS / "appliance.png").write_bytes(vm.picture().png())
    return seen


@pytest.fixture
def standing(vm: Vm, boot: Watch) -> Picture:
    """The page is on the screen, and today's."""
    assert boot.first_page is not None
    try:
        return until(lambda: todays(vm), PAGE_S, "the page does not stand")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{vm.shell(JOURNAL, check=False)}") from error


def todays(vm: Vm) -> Picture | None:
    """The screen's picture where it is the page, with a message that the server sent in the last seconds."""
    picture = vm.picture()
    state = vm.json("http://127.0.0.1:3002/state")
    return picture if state and picture.kind() is Kind.PAGE and picture.nonce() in state["nonces"] else None


@pytest.fixture
def bare(vm: Vm, standing: Picture) -> Iterator[Callable[[str], None]]:
    """The same compositor and browser with nobody's care, in place of kioskd: what a check must be able to see."""

    def start(url: str) -> None:
        vm.shell("systemctl stop kioskd.service")
        vm.shell(BARE.format(url=url))

    yield start
    vm.shell("systemctl stop bare.service; systemctl start kioskd.service", check=False)


def test_power_on(boot: Watch, record_property: Callable[[str, object], None]) -> None:
    """From power-on the page comes by itself, and nothing else after it"""
    record_property("seen", f"{boot.stood():.0f} s after power-on; {boot.rate():.1f} pictures a second")
    assert boot.rate() >= 2
    from_page_on = [frame for frame in boot.frames if frame.at >= boot.stood()]
    assert {frame.kind for frame in from_page_on} == {Kind.PAGE}, from_page_on


def test_no_white_picture(boot: Watch, record_property: Callable[[str, object], None]) -> None:
    """No picture from power-on is white, not even in part"""
    record_property("seen", f"{len(boot.frames)} pictures, the whitest {max(frame.white for frame in boot.frames):.1%}")
    assert not boot.white()


def test_no_console(boot: Watch) -> None:
    """No console's text once the kernel has the screen"""
    assert not boot.console()


def test_todays_picture(vm: Vm, boot: Watch) -> None:
    """The picture shows a message that the server sent in the last seconds: whole, in its place, to the corners"""
    picture = until(lambda: todays(vm), 30, "the picture is not today's")
    assert (picture.width, picture.height) == (WIDTH, HEIGHT)
    assert boot.first_page is not None


def test_memory_is_counted(vm: Vm, standing: Picture, record_property: Callable[[str, object], None]) -> None:
    """The unit's memory is counted by the kernel, the browser's with it"""
    assert "memory" in vm.shell("cat /sys/fs/cgroup/cgroup.controllers").split()
    current = vm.shell("systemctl show kioskd.service --property=MemoryCurrent --value")
    record_property("seen", f"{int(current) >> 20} MiB")
    assert int(current) > 100 << 20


def stroke(vm: Vm, keep: Path) -> bool:
    """Move the mouse about an empty part of the page; tell whether that left something there. The picture is kept."""
    left, top, width, height = EMPTY
    vm.point(10, HEIGHT - 10)
    time.sleep(1)  # until what was there is gone: nothing tells of it
    before = vm.picture().part(*EMPTY)
    for step in range(1, 11):  # a browser takes its first for somebody's coming
        vm.point(left + width * step // 11, top + height // 3)
        time.sleep(0.1)
    time.sleep(1)
    after = vm.picture()
    keep.write_bytes(after.png())
    return after.part(*EMPTY) != before


def test_no_pointer(vm: Vm, standing: Picture, kept: Path) -> None:
    """No pointer, even when a mouse is moved"""
    assert not stroke(vm, kept / "mouse.png"), "something is where the mouse went"


def test_a_pointer_would_be_seen(vm: Vm, bare: Callable[[str], None], kept: Path) -> None:
    """Control: a bare browser's pointer is seen"""
    bare("http://localhost:3001/")
    until(lambda: todays(vm), PAGE_S, "the bare browser does not show the page")
    assert stroke(vm, kept / "mouse-of-the-bare.png")


def test_a_white_picture_would_be_seen(vm: Vm, bare: Callable[[str], None], kept: Path) -> None:
    """Control: a white page is seen"""
    bare(WHITE_PAGE)
    seen = watch(vm, lambda seen: seen.frames[-1].white > 0.9, PAGE_S, kept)
    assert seen.white()


def test_display_unplugged(vm: Vm, standing: Picture, kept: Path, record_property: Callable[[str, object], None]) -> None:
    """A display that is unplugged is waited for, the status says so, and plugged in again it shows the page"""
    vm.plug(False)
    until(lambda: f"No screen is plugged in: {Path(CONNECTOR).name}" in vm.shell(STATUS), 30, "the status does not say so")
    assert vm.picture().kind() is not Kind.PAGE
    vm.plug(True)
    plugged = time.monotonic()
    seen = watch(vm, lambda seen: seen.pages() >= 3, PAGE_S, kept)
    record_property("seen", f"the page {time.monotonic() - plugged:.0f} s later")
    assert not seen.white()


def test_display_unplugged_for_a_moment(vm: Vm, standing: Picture, kept: Path, record_property: Callable[[str, object], None]) -> None:
    """Also when it was away for a moment only"""
    vm.plug(False)
    until(lambda: vm.shell(f"cat {CONNECTOR}/enabled") == "disabled", 30, "the compositor did not notice")
    vm.plug(True)
    plugged = time.monotonic()
    seen = watch(vm, lambda seen: seen.pages() >= 3, PAGE_S, kept)
    record_property("seen", f"the page {time.monotonic() - plugged:.0f} s later")
    assert not seen.white()


def test_power_cut(vm: Vm, standing: Picture, kept: Path, record_property: Callable[[str, object], None]) -> None:
    """After a power cut the page comes by itself again, with no white picture and no question"""
    vm.cut()
    vm.power_on()
    seen = watch(vm, lambda seen: seen.pages() >= STEADY, BOOT_S, kept)
    vm.wait_for_shell()
    record_property("seen", f"{seen.stood():.0f} s after power-on")
    assert not seen.white() and not seen.console()
    assert still(vm.picture()) == still(standing)
    until(lambda: todays(vm), 30, "the picture is not today's")


@pytest.fixture
def healed(vm: Vm) -> Iterator[None]:
    """What a key has done is undone for the next."""
    yield
    if todays(vm) is None:
        vm.shell("systemctl restart kioskd.service")


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.usefixtures("healed")
def test_keys(vm: Vm, standing: Picture, kept: Path, keys: str) -> None:
    """A key that leads out of a browser leaves the page where it is"""
    vm.press(keys)
    seen = watch(vm, lambda seen: seen.pages() >= 4 or any(frame.kind is not Kind.PAGE for frame in seen.frames), 30, kept)
    assert {frame.kind for frame in seen.frames} == {Kind.PAGE}, seen.frames[-1]
    assert still(vm.picture()) == still(standing)


@pytest.mark.usefixtures("healed")
def test_other_keys(vm: Vm, standing: Picture, kept: Path) -> None:
    """Nor does any other key that opens, closes, saves, prints, shrinks or goes back"""
    for keys in OTHER_KEYS:
        vm.press(keys)
        seen = watch(vm, lambda seen: len(seen.frames) >= 3, 30, kept)
        assert {frame.kind for frame in seen.frames} == {Kind.PAGE}, keys
    seen = watch(vm, lambda seen: seen.pages() >= 3, 30, kept)
    assert still(vm.picture()) == still(standing)

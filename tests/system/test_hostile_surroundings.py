"""The machine around kioskd is wrong: no server, no network, a full disk, one that cannot be written, a home that lets nobody in."""

from collections.abc import Iterator

import pytest

from tests.system.conftest import Layers
from tests.system.machine import Machine, machine, until
from tests.system.screen import CONFIG, STATE, back, document, lacks, says, shows, status

pytestmark = pytest.mark.system

REMOUNT = "LIBMOUNT_FORCE_MOUNT2=always mount -o remount"  # the kernel's newer call refuses it to layers


@pytest.fixture
def fresh(installed: Layers) -> Iterator[Machine]:
    with machine("kioskd-fresh", installed) as it:
        yield it


def test_booted_without_its_server_it_waits_and_shows_the_page_once_the_server_is_there(fresh: Machine) -> None:
    fresh.run("systemctl", "disable", "dashboard")
    fresh.power_off()
    fresh.start()
    shows(fresh, "holding")
    says(fresh, "server")
    fresh.run("systemctl", "start", "dashboard")
    back(fresh)


def loopback(it: Machine, state: str) -> None:
    """Turn it down or up; the machine has no command for that."""
    flags = 0x1 if state == "up" else 0x0  # IFF_UP; SIOCSIFFLAGS
    script = f"import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', {flags}))"
    it.run("/usr/bin/python3", "-c", script)


def test_without_any_network_not_even_the_loopback_it_runs_says_so_and_heals(fresh: Machine) -> None:
    fresh.run("systemctl", "stop", "kioskd")
    loopback(fresh, "down")
    fresh.run("systemctl", "start", "kioskd")
    says(fresh, "waiting for the server")
    assert status(fresh) is None, "nobody gets through"
    loopback(fresh, "up")
    back(fresh)


def test_with_its_disk_full_it_shows_the_page_and_says_what_it_cannot_keep(fresh: Machine) -> None:
    fresh.shell(f"systemctl stop kioskd; rm -r {STATE}; mkdir {STATE}; mount -t tmpfs -o size=1m,mode=0755 tmpfs {STATE}")
    fresh.shell(f"! cat /dev/zero >{STATE}/filler 2>/dev/null; systemctl start kioskd")
    back(fresh)
    lacks(fresh, "state", "No space left on device")
    fresh.shell(f"rm {STATE}/filler; systemctl reload kioskd")
    lacks(fresh, "state", "")
    assert document(fresh)


def test_with_a_disk_that_cannot_be_written_it_shows_the_page_says_so_and_takes_the_disk_once_it_can(fresh: Machine) -> None:
    fresh.shell(f"systemctl stop kioskd; journalctl --relinquish-var; {REMOUNT},ro /; systemctl start kioskd")
    back(fresh)
    lacks(fresh, "profile", "Read-only file system")
    fresh.shell(f"{REMOUNT},rw /; pkill -KILL --oldest --exact chromium")
    back(fresh, other_than=document(fresh))
    lacks(fresh, "profile", "")


DEPLOY = "/home/someone/dashboard/dist/index.html"


def test_a_front_end_in_a_home_is_seen_with_the_documented_acl_and_missed_by_name_without(fresh: Machine) -> None:
    fresh.shell(
        "useradd --create-home someone; chmod 0750 /home/someone; umask 022\n"
        f"mkdir -p $(dirname {DEPLOY}); echo '<!doctype html><p>1' >{DEPLOY}; chown -R someone: /home/someone\n"
        f"sed -i 's|^  # index: .*|  index: {DEPLOY}|' {CONFIG}"
    )
    back(fresh)
    until(lambda: (status(fresh) or {})["versions"]["missing"], 15, "the status does not say that the deploy is not readable")
    assert status(fresh)["versions"]["missing"] == [f"Cannot read {DEPLOY}: Permission denied"]
    fresh.run("setfacl", "-m", "u:kioskd:x", "/home/someone")
    until(lambda: (status(fresh) or {})["versions"]["complete"], 15, "the deploy is not seen")
    seen = status(fresh)["versions"]["disk"]["digest"]
    fresh.shell(f"echo '<!doctype html><p>2' >{DEPLOY}")
    until(lambda: status(fresh)["versions"]["disk"]["digest"] != seen, 15, "the next build is not seen")
    assert document(fresh)

"""Stopped, turned off, removed, purged: nothing of it stays that was not there before, but its user."""

from collections.abc import Iterator

import pytest

from tests.system.conftest import Layers
from tests.system.machine import Machine, machine, until
from tests.system.screen import CONFIG, PAGE, STATE, install, main_pid, processes, shows, status

pytestmark = pytest.mark.system

#: What apt, dpkg, man-db and systemd write for themselves whatever is installed: logs, lists, databases and their backups, random seeds.
THEIR_OWN = ("/var/log", "/var/cache/apt", "/var/cache/man", "/var/lib/apt", "/var/lib/dpkg", "/var/lib/systemd", "/var/backups",
             "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-")  # fmt: skip
#: The same in memory, where agetty adds the sign by which it is told of a reload.
THEIR_OWN_IN_MEMORY = ("/run/systemd", "/run/udev", "/run/log", "/run/agetty.reload")
PRIVATE = "*/systemd-private-*"  # the temporary folders of services; those of kioskd would be there while it runs


@pytest.fixture
def alone(equipped: Layers) -> Iterator[Machine]:
    with machine("kioskd-alone", equipped) as it:
        yield it


def inventory(it: Machine) -> dict[str, set[str]]:
    """Every file, package, process, user, group, unit and mount."""

    def find(where: str, without: tuple[str, ...]) -> str:
        pruned = " -o ".join(f"-path '{each}'" for each in (*without, PRIVATE))
        return f"find {where} -xdev \\( {pruned} \\) -prune -o -printf '%p %y %u:%g %m\\n'"

    lines = {
        "files": find("/", THEIR_OWN),
        "files in memory": find("/run /tmp /dev/shm", THEIR_OWN_IN_MEMORY),
        "its private folders": "find /tmp /var/tmp -path '*kioskd*'",
        "packages": "dpkg-query --show --showformat '${Package} ${db:Status-Abbrev}\\n'",
        "processes": "ps -e -o user=,comm= --ppid 2 -N | grep -vE ' (ps|sh|grep|sort)$'",
        "users": "getent passwd",
        "groups": "getent group",
        "unit files": "systemctl list-unit-files --no-legend",
        "units": "systemctl list-units --all --no-legend --plain | awk '{ print $1, $2, $3 }'",
        "links": "find /etc/systemd /run/systemd/system /run/systemd/generator -type l -printf '%p %l\\n'",
    }
    return {kind: set(it.shell(f"{script} | sort -u").splitlines()) for kind, script in lines.items()}


def difference(before: dict[str, set[str]], after: dict[str, set[str]]) -> dict[str, set[str]]:
    return {kind: before[kind] ^ after[kind] for kind in before if before[kind] ^ after[kind]}


def test_purged_it_leaves_its_user_and_nothing_else(alone: Machine) -> None:
    before = inventory(alone)
    install(alone)
    shows(alone, "welcome")
    alone.run("apt-get", "purge", "-qq", "kioskd")
    changed = difference(before, inventory(alone))
    assert changed.keys() == {"users", "groups"}, changed
    assert [user.split(":")[0] for user in changed["users"] | changed["groups"]] == ["kioskd"] * 2


def test_installed_again_after_a_purge_it_works(alone: Machine) -> None:
    for _ in range(2):
        install(alone)
        shows(alone, "welcome")
        alone.run("apt-get", "purge", "-qq", "kioskd")


def test_removed_it_keeps_its_configuration_and_what_it_remembers(alone: Machine) -> None:
    install(alone)
    alone.shell(f"sed -i 's|^# url: .*|url: {PAGE}|' {CONFIG}; systemctl stop kioskd")
    config, state = alone.run("cat", CONFIG), alone.shell(f"ls -A {STATE}")
    alone.run("apt-get", "remove", "-qq", "kioskd")
    assert processes(alone) == []
    assert alone.run("cat", CONFIG) == config
    assert alone.shell(f"ls -A {STATE}") == state


def test_stopped_or_turned_off_no_process_of_its_user_lives(alone: Machine) -> None:
    install(alone)
    for how in (["stop"], ["disable", "--now"]):
        alone.run("systemctl", "start", "kioskd")
        shows(alone, "welcome")
        assert processes(alone)
        alone.run("systemctl", *how, "kioskd")
        assert processes(alone) == []
        assert alone.run("systemctl", "show", "--property=Result", "--value", "kioskd").strip() == "success"
    alone.power_off()
    alone.start()
    assert main_pid(alone) == "0" and processes(alone) == [], "turned off it stays off"


def test_a_frozen_browser_does_not_outlive_it(alone: Machine) -> None:
    install(alone)
    shows(alone, "welcome")
    alone.run("pkill", "-STOP", "--uid", "kioskd", "chromium")
    alone.run("systemctl", "stop", "kioskd")
    assert processes(alone) == []
    until(lambda: status(alone) is None, 5, "something still answers")

"""The package on a machine of its own: installed, started, hurt, rebooted, removed. ``scripts/test-system`` prepares the root."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.machine import Machine, machine, until

pytestmark = pytest.mark.system

DASHBOARD = """\
[Service]
ExecStart=/usr/bin/kioskd demo --port 3001 --control 3002
DynamicUser=yes
[Install]
WantedBy=multi-user.target
"""
BACK_S = 30.0  # C + 5 s and more: a container starts on a machine that does other things
WATCHDOG_S, RESTART_S = 30.0, 2.0  # of the unit


@pytest.fixture(scope="module")
def pristine() -> Iterator[Machine]:
    with machine(Path(os.environ["KIOSKD_ROOT"]), "kioskd-pristine") as it:
        yield it


@pytest.fixture(scope="module")
def installed(pristine: Machine) -> Machine:
    pristine.run("apt-get", "install", "-qq", "--no-install-recommends", "/var/cache/kioskd.deb", within=300)
    pristine.write("/etc/systemd/system/dashboard.service", DASHBOARD)
    pristine.shell("systemctl daemon-reload; systemctl enable --now dashboard.service")
    pristine.shell("sed -i 's|^# url: .*|url: http://localhost:3001/|' /etc/kioskd.yaml")
    return pristine


def asked(it: Machine, url: str) -> Any:
    """GET some JSON inside; None where nobody answers."""
    script = f"import json, urllib.request; print(json.dumps(json.load(urllib.request.urlopen({url!r}, timeout=5))))"
    said = it.run("/usr/bin/python3", "-c", script, check=False)
    try:
        return json.loads(said)
    except ValueError:
        return None


def document(it: Machine) -> str | None:
    """The document on the screen by the dashboard's word: it rendered a nonce of the last seconds."""
    seen = asked(it, "http://127.0.0.1:3002/state")
    echo = seen and seen["last_echo"]
    return str(echo["document"]) if echo and seen["now"] - echo["at"] < 3 else None


def back(it: Machine, within: float, other_than: str | None = None) -> None:
    until(lambda: document(it) not in (None, other_than), within, "the page is not back")


def main_pid(it: Machine) -> str:
    return it.run("systemctl", "show", "--property=MainPID", "--value", "kioskd").strip()


def test_installed_it_shows_the_page_and_nothing_failed(installed: Machine) -> None:
    back(installed, BACK_S)
    assert installed.run("systemctl", "--failed", "--no-legend").strip() == ""
    assert installed.run("dpkg", "--verify", "kioskd", check=False).replace("??5?????? c /etc/kioskd.yaml", "").strip() == ""
    assert installed.run("systemd-analyze", "verify", "--man=no", "kioskd.service", check=False).strip() == ""
    assert "HEALTHY" in installed.run("systemctl", "status", "kioskd")
    assert installed.shell("ps -C chromium -o user= | sort -u").split() == ["kioskd"]


def test_its_browser_keeps_its_sandbox_and_the_unit_its_hardening(installed: Machine) -> None:
    back(installed, BACK_S)
    exposure = installed.run("systemd-analyze", "security", "--no-pager", "kioskd.service").splitlines()[-1]
    print(exposure)
    assert float(exposure.split("kioskd.service:")[1].split()[0]) <= 4.0
    renderers = installed.shell("pgrep -f -- --type=renderer").split()
    assert renderers, "a unit can be active without one"
    status = installed.shell(f"cat /proc/{renderers[0]}/status")
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
    assert "--no-sandbox" not in installed.shell("tr '\\0' ' ' </proc/$(pgrep -o -x chromium)/cmdline")


def test_killed_it_is_back(installed: Machine) -> None:
    back(installed, BACK_S)
    before = document(installed)
    installed.run("kill", "-KILL", main_pid(installed))
    back(installed, RESTART_S + BACK_S, other_than=before)
    assert len(installed.shell("pgrep -x chromium -P " + main_pid(installed)).split()) == 1


def test_hung_the_watchdog_ends_it_and_it_is_back(installed: Machine) -> None:
    back(installed, BACK_S)
    before, pid = document(installed), main_pid(installed)
    installed.run("kill", "-STOP", pid)
    until(lambda: main_pid(installed) not in (pid, "0"), WATCHDOG_S + RESTART_S + 10, "systemd did not restart it")
    back(installed, BACK_S, other_than=before)


def test_a_broken_configuration_takes_nothing_away_and_is_named_in_the_status(installed: Machine) -> None:
    back(installed, BACK_S)
    good, before = installed.run("cat", "/etc/kioskd.yaml"), document(installed)
    installed.write("/etc/kioskd.yaml", "url: localhost\n")
    until(lambda: "/etc/kioskd.yaml:1: url:" in installed.run("systemctl", "status", "kioskd"), 10, "the status does not name it")
    assert document(installed) == before
    installed.write("/etc/kioskd.yaml", good)
    until(lambda: "/etc/kioskd.yaml:1:" not in installed.run("systemctl", "status", "--lines=0", "kioskd"), 10, "the status still names it")


def test_after_a_reboot_the_page_comes_by_itself(installed: Machine) -> None:
    installed.power_off()
    installed.start()
    back(installed, BACK_S + 15)


def test_purged_it_leaves_its_user_and_nothing_else(installed: Machine) -> None:
    installed.run("apt-get", "purge", "-qq", "kioskd")
    left = "find / -xdev -name '*kioskd*' -not -path '/var/cache/*' -not -path '/var/log/*'"
    assert installed.shell(f"{left} | sort").split() == []
    assert installed.shell("getent passwd kioskd").startswith("kioskd:")
    assert installed.run("pgrep", "-u", "kioskd", check=False).strip() == ""

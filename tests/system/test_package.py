"""The package on a machine of its own: installed, started, hurt, rebooted, removed. ``scripts/test-system`` prepares the root."""

import pytest

from tests.system.machine import Machine, until
from tests.system.screen import BACK_S, CONFIG, RESTART_S, WATCHDOG_S, back, document, journal, main_pid, says, told

pytestmark = pytest.mark.system


def test_installed_it_shows_the_page_and_nothing_failed(kiosk: Machine) -> None:
    back(kiosk)
    assert kiosk.run("systemctl", "--failed", "--no-legend").strip() == ""
    assert kiosk.run("dpkg", "--verify", "kioskd", check=False).replace("??5?????? c /etc/kioskd.yaml", "").strip() == ""
    assert kiosk.run("systemd-analyze", "verify", "--man=no", "kioskd.service", check=False).strip() == ""
    assert "HEALTHY" in kiosk.run("systemctl", "status", "kioskd")
    assert kiosk.shell("ps -C chromium -o user= | sort -u").split() == ["kioskd"]


def test_its_browser_keeps_its_sandbox_and_the_unit_its_hardening(kiosk: Machine) -> None:
    back(kiosk)
    exposure = kiosk.run("systemd-analyze", "security", "--no-pager", "kioskd.service").splitlines()[-1]
    print(exposure)
    assert float(exposure.split("kioskd.service:")[1].split()[0]) <= 4.0
    renderers = kiosk.shell("pgrep -f -- --type=renderer").split()
    assert renderers, "a unit can be active without one"
    status = kiosk.shell(f"cat /proc/{renderers[0]}/status")
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
    assert "--no-sandbox" not in kiosk.shell("tr '\\0' ' ' </proc/$(pgrep -o -x chromium)/cmdline")


def test_killed_it_is_back(kiosk: Machine) -> None:
    back(kiosk)
    before = document(kiosk)
    kiosk.run("kill", "-KILL", main_pid(kiosk))
    back(kiosk, RESTART_S + BACK_S, other_than=before)
    assert len(kiosk.shell("pgrep -x chromium -P " + main_pid(kiosk)).split()) == 1


def test_hung_the_watchdog_ends_it_and_it_is_back(kiosk: Machine) -> None:
    back(kiosk)
    before, pid = document(kiosk), main_pid(kiosk)
    kiosk.run("kill", "-STOP", pid)
    until(lambda: main_pid(kiosk) not in (pid, "0"), WATCHDOG_S + RESTART_S + 10, "systemd did not restart it")
    back(kiosk, BACK_S, other_than=before)


def test_a_broken_configuration_takes_nothing_away_and_is_named_in_the_status(kiosk: Machine) -> None:
    back(kiosk)
    good, before = kiosk.run("cat", CONFIG), document(kiosk)
    kiosk.write(CONFIG, "url: localhost\n")
    says(kiosk, f"{CONFIG}:1: url:")
    assert document(kiosk) == before
    kiosk.write(CONFIG, good)
    until(lambda: f"{CONFIG}:1:" not in told(kiosk), 10, "the status still names it")


def test_after_a_reboot_the_page_comes_by_itself(kiosk: Machine) -> None:
    kiosk.power_off()
    kiosk.start()
    back(kiosk, BACK_S + 15)


LOOP = """\
import signal

def for_ever(*_):
    while True:
        pass

signal.signal(signal.SIGUSR1, for_ever)
"""


def test_hung_in_a_loop_of_its_own_the_watchdog_ends_it_and_it_is_back(kiosk: Machine) -> None:
    kiosk.shell("mkdir -p /opt/hang /run/systemd/system/kioskd.service.d")
    kiosk.write("/opt/hang/sitecustomize.py", LOOP)
    kiosk.shell("printf '[Service]\\nEnvironment=PYTHONPATH=/opt/hang\\n' >/run/systemd/system/kioskd.service.d/hang.conf")
    kiosk.shell("systemctl daemon-reload; systemctl restart kioskd")
    back(kiosk)
    before, pid = document(kiosk), main_pid(kiosk)
    kiosk.run("kill", "-USR1", pid)
    until(lambda: main_pid(kiosk) not in (pid, "0"), WATCHDOG_S + RESTART_S + 10, "systemd did not restart it")
    assert "Watchdog timeout" in journal(kiosk)
    back(kiosk, BACK_S, other_than=before)

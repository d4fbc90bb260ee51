"""The package on a machine of its own: installed, started, hurt, rebooted, removed. ``scripts/test-system`` prepares the root."""

import time
from pathlib import Path

import pytest

from tests.system.machine import Machine, until
from tests.system.screen import BACK_S, CONFIG, RESTART_S, WATCHDOG_S, back, document, install, journal, main_pid, says, told

pytestmark = pytest.mark.system

EXPOSURE = 3.0  # as ``systemd-analyze security`` counts it: at most
SECURITY = Path(__file__).parents[2] / "docs" / "security.md"
AUTOPKGTEST = Path(__file__).parents[2] / "debian" / "tests" / "page"


def test_installed_it_shows_the_page_and_nothing_failed(kiosk: Machine) -> None:
    back(kiosk)
    assert kiosk.run("systemctl", "--failed", "--no-legend").strip() == ""
    assert kiosk.run("dpkg", "--verify", "kioskd", check=False).replace("??5?????? c /etc/kioskd.yaml", "").strip() == ""
    assert kiosk.run("systemd-analyze", "verify", "--man=no", "kioskd.service", check=False).strip() == ""
    assert "HEALTHY" in kiosk.run("systemctl", "status", "kioskd")
    assert kiosk.shell("ps -C chromium -o user= | sort -u").split() == ["kioskd"]
    assert "HEALTHY: The page is as it should be" in kiosk.run("journalctl", "--catalog", "--unit=kioskd", "--no-pager")


def test_started_the_page_is_there_five_seconds_after_a_bare_browsers_would_be(kiosk: Machine, cold: float) -> None:
    kiosk.run("systemctl", "stop", "kioskd")
    before = document(kiosk)
    kiosk.run("systemctl", "start", "kioskd")
    back(kiosk, cold + 5.0, other_than=before)


def test_it_may_read_what_another_unit_logs(kiosk: Machine) -> None:
    """What a journal rule needs, as the unit's own user with its groups, behind the unit's hardening."""
    pid = main_pid(kiosk)
    groups = kiosk.shell(f"sed -n 's/^Groups:\\s*//p' /proc/{pid}/status").split()
    kiosk.shell("systemd-run --quiet --wait --unit=talker echo sent to 0 clients; journalctl --sync")
    inside = ["nsenter", "-t", pid, "-m", "setpriv", "--reuid=kioskd", "--regid=kioskd", f"--groups={','.join(groups)}", "--no-new-privs"]
    assert "sent to 0 clients" in kiosk.run(*inside, "journalctl", "--unit=talker", "--output=cat", "--no-pager")


def test_the_autopkgtest_passes(bare: Machine) -> None:
    install(bare)
    bare.push(AUTOPKGTEST, "/root/page")
    print(bare.run("sh", "/root/page"))


def test_its_browser_keeps_its_sandbox_and_the_unit_its_hardening(kiosk: Machine) -> None:
    back(kiosk)
    exposure = kiosk.run("systemd-analyze", "security", "--no-pager", "kioskd.service").splitlines()[-1]
    number = exposure.split("kioskd.service:")[1].split()[0]
    assert float(number) <= EXPOSURE
    systemd = kiosk.run("systemctl", "--version").split()[1]
    assert f"**{number}** with systemd {systemd}" in SECURITY.read_text(), "the page says another"
    renderers = kiosk.shell("pgrep -f -- --type=renderer").split()
    assert renderers, "a unit can be active without one"
    status = kiosk.shell(f"cat /proc/{renderers[0]}/status")
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
    assert "--no-sandbox" not in kiosk.shell("tr '\\0' ' ' </proc/$(pgrep -o -x chromium)/cmdline")


def test_killed_it_is_back(kiosk: Machine, cold: float) -> None:
    back(kiosk)
    before = document(kiosk)
    kiosk.run("kill", "-KILL", main_pid(kiosk))
    back(kiosk, RESTART_S + cold + 5.0, other_than=before)
    assert len(kiosk.shell("pgrep -x chromium -P " + main_pid(kiosk)).split()) == 1


def test_hung_the_watchdog_ends_it_and_it_is_back(kiosk: Machine, cold: float) -> None:
    back(kiosk)
    before, pid, hurt = document(kiosk), main_pid(kiosk), time.monotonic()
    kiosk.run("kill", "-STOP", pid)
    until(lambda: main_pid(kiosk) not in (pid, "0"), WATCHDOG_S + RESTART_S + 10, "systemd did not restart it")
    back(kiosk, hurt + WATCHDOG_S + RESTART_S + cold + 5.0 - time.monotonic(), other_than=before)


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

signal.signal(signal.SIGUSR2, for_ever)
"""


def test_hung_in_a_loop_of_its_own_the_watchdog_ends_it_and_it_is_back(kiosk: Machine, cold: float) -> None:
    kiosk.shell("mkdir -p /opt/hang /run/systemd/system/kioskd.service.d")
    kiosk.write("/opt/hang/sitecustomize.py", LOOP)
    kiosk.shell("printf '[Service]\\nEnvironment=PYTHONPATH=/opt/hang\\n' >/run/systemd/system/kioskd.service.d/hang.conf")
    kiosk.shell("systemctl daemon-reload; systemctl restart kioskd")
    back(kiosk)
    before, pid, hurt = document(kiosk), main_pid(kiosk), time.monotonic()
    kiosk.run("kill", "-USR2", pid)
    until(lambda: main_pid(kiosk) not in (pid, "0"), WATCHDOG_S + RESTART_S + 10, "systemd did not restart it")
    assert "Watchdog timeout" in journal(kiosk)
    back(kiosk, hurt + WATCHDOG_S + RESTART_S + cold + 5.0 - time.monotonic(), other_than=before)

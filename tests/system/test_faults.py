"""Faults under the shipped unit: it can do what recovery needs, to the last rung, and a compositor of its own comes back."""

from collections.abc import Iterator

import pytest

from tests.system.conftest import Layers
from tests.system.machine import Machine, machine, until
from tests.system.screen import BACK_S, CONFIG, PAGE, back, do, document, install, journal, main_pid, status, switch

pytestmark = pytest.mark.system

START_S = 15.0  # until a compositor that hangs at its start is given up, and the next one is tried
MEASURED_S = 60.0  # how often the browser's memory is looked at
NO_SCREEN_NEEDED = "Environment=WLR_BACKENDS=headless WLR_LIBINPUT_NO_DEVICES=1 WLR_RENDERER=pixman"
HANGS_ONCE = """\
#!/bin/sh
[ -e /run/kioskd/hung ] && exec /usr/bin/cage "$@"
touch /run/kioskd/hung
exec sleep 600
"""
LADDER = """\
health: {{interval: 1, timeout: 1, websocket: {{reload_after: 2, restart_after: 4}}}}
reboot: {{enabled: true}}
url: {url}
"""


@pytest.fixture
def fresh(installed: Layers) -> Iterator[Machine]:
    with machine("kioskd-hurt", installed) as it:
        yield it


@pytest.fixture(scope="module", autouse=True)
def aged(installed: Layers) -> Iterator[Machine]:
    """A machine that is up from the first of these tests on: when the last one asks, its browser's memory has been looked at."""
    with machine("kioskd-aged", installed) as it:
        yield it


def drop_in(it: Machine, *lines: str) -> None:
    """Lay lines over the unit, and start it anew."""
    it.run("mkdir", "-p", "/etc/systemd/system/kioskd.service.d")
    it.write("/etc/systemd/system/kioskd.service.d/test.conf", "\n".join(("[Service]", *lines, "")))
    it.shell("systemctl daemon-reload; systemctl restart kioskd")


def test_its_compositor_killed_it_and_the_page_are_back(fresh: Machine, cold: float) -> None:
    fresh.shell(f"sed -i 's/^  mode: auto /  mode: cage /' {CONFIG}")
    drop_in(fresh, NO_SCREEN_NEEDED)
    back(fresh)
    assert status(fresh)["display"]["lacks"] == ""
    for _ in range(2):
        before, cage = document(fresh), fresh.run("pgrep", "-x", "cage").strip()
        fresh.run("kill", "-KILL", cage)
        back(fresh, cold + 5.0, other_than=before)
        assert fresh.run("pgrep", "-x", "cage").split() != [cage]
    fresh.run("systemctl", "stop", "kioskd")
    assert fresh.run("pgrep", "--uid", "kioskd", check=False) == ""


def test_its_compositor_hanging_at_the_start_is_started_again(fresh: Machine, cold: float) -> None:
    fresh.shell(f"sed -i 's/^  mode: auto /  mode: cage /' {CONFIG}; mkdir -p /opt/hang")
    fresh.write("/opt/hang/cage", HANGS_ONCE)
    fresh.run("chmod", "755", "/opt/hang/cage")
    drop_in(fresh, NO_SCREEN_NEEDED, "Environment=PATH=/opt/hang:/usr/bin:/bin")
    back(fresh, START_S + cold)
    assert "cage did not come up" in journal(fresh)
    assert fresh.run("pgrep", "-x", "cage").strip()


def test_every_rung_is_reached_and_after_the_reboot_the_page_is_back(fresh: Machine) -> None:
    fresh.write(CONFIG, LADDER.format(url=PAGE))
    fresh.run("systemctl", "reload", "kioskd")
    back(fresh)
    until(lambda: status(fresh)["page"]["connection"]["expected"], 30, "the connection is not known")
    switch(fresh, transport="none")
    do(fresh, "give_up")
    fresh.rebooted(within=120)
    said = fresh.run("journalctl", "--boot=-1", "--unit=kioskd", "--no-pager", "--output=cat")
    assert "> reload the page" in said and "> restart the browser" in said and "> reboot the machine" in said
    back(fresh, BACK_S + 15)


def test_a_replaced_chromium_restarts_the_browser_as_planned(fresh: Machine) -> None:
    back(fresh)
    before, pid = document(fresh), main_pid(fresh)
    install(fresh, "chromium", "--reinstall", "--no-download")
    back(fresh, other_than=before)
    assert "restarting as planned: Chromium was replaced" in journal(fresh)
    assert main_pid(fresh) == pid, "the agent stays"


def test_a_browser_over_its_memory_is_restarted_as_planned(aged: Machine) -> None:
    back(aged)
    until(lambda: (status(aged) or {})["browser"]["memory"], MEASURED_S + 15, "the memory is not known")
    limit = (status(aged)["browser"]["memory"] >> 20) + 200
    aged.shell(f"sed -i 's/^  memory: 80% /  memory: {limit}M /' {CONFIG}; systemctl reload kioskd")
    before, pid = document(aged), main_pid(aged)
    do(aged, "memory_hog")
    until(lambda: "restarting as planned: the browser's memory" in journal(aged), MEASURED_S + 15, "nobody minds the memory")
    back(aged, other_than=before)
    assert main_pid(aged) == pid
    assert "SIGKILL" not in journal(aged), "gracefully"

"""What tells kioskd that there is something new, or something wrong, on a machine of its own: the deploy hook, another unit's journal."""

import json
from pathlib import Path

import pytest

from tests.system.machine import Machine, until
from tests.system.screen import CONFIG, back, document, journal, status

pytestmark = pytest.mark.system

RULE = 'journal: [{unit: talker, match: "to 0 clients", count: 5, within: 60s, clear: "to [1-9]"}]'
LOADED_S = 20.0  # of a load nothing is heard for so long
RELOAD_AFTER_S = 20.0


def log(it: Machine, line: str, times: int = 1) -> None:
    """Have another unit say something."""
    it.shell(f"systemd-run --quiet --wait --unit=talker sh -c 'for n in $(seq {times}); do echo {line}; done'")


def test_a_deploy_hook_may_be_root_or_in_the_group_and_nobody_else(kiosk: Machine) -> None:
    before = document(kiosk)
    assert kiosk.run("kioskctl", "reload", "the menu").strip() == "this screen: reloaded; other screens told: 0"
    back(kiosk, other_than=before)
    kiosk.shell("useradd --no-create-home --groups kioskd deployer; useradd --no-create-home stranger")
    assert "reloaded" in kiosk.run("setpriv", "--reuid=deployer", "--regid=deployer", "--init-groups", "kioskctl", "reload")
    refused = kiosk.run("setpriv", "--reuid=stranger", "--regid=stranger", "--init-groups", "kioskctl", "reload", check=False)
    assert "this screen" not in refused
    modes = kiosk.shell("stat --format=%a:%U:%G /run/kioskd/control.sock /var/lib/kioskd/token").split()
    assert modes == ["660:kioskd:kioskd", "600:kioskd:kioskd"]


def test_the_lines_of_the_documentation(kiosk: Machine) -> None:
    """Those that need no other machine; ``screen:`` and ``ssh screen`` are this one."""
    lines = (Path(__file__).parents[2] / "docs" / "integrate.md").read_text().splitlines()
    (rsync,) = (line.strip().replace("screen:", "").replace("ssh screen ", "") for line in lines if line.startswith("    rsync "))
    curls = [line.strip().replace("sudo ", "") for line in lines if line.startswith("    curl ")]
    kiosk.shell("mkdir -p /tmp/dist /srv/dashboard/dist; echo new >/tmp/dist/index.html; echo old >/srv/dashboard/dist/gone.js")
    before = document(kiosk)
    assert "this screen: reloaded" in kiosk.shell(f"cd /tmp && {rsync}")
    assert kiosk.shell("cd /srv/dashboard/dist; ls; cat index.html").split() == ["index.html", "new"]
    back(kiosk, other_than=before)
    assert len(curls) == 2
    for curl in curls:
        before = document(kiosk)
        assert json.loads(kiosk.shell(curl)) == {"clients": 0, "screen": "reloaded"}
        back(kiosk, other_than=before)


def test_a_journal_rule_reloads_the_page_and_four_lines_do_not(kiosk: Machine) -> None:
    kiosk.shell(f"sed -i '/^  journal:/d; /^health:/a \\  {RULE}' {CONFIG}; kioskd check-config; systemctl reload kioskd")
    until(lambda: "talker.service" in str((status(kiosk) or {}).get("problems")), 15, "a unit that has said nothing is not named")
    kiosk.shell(f"sleep {LOADED_S:g}")  # the rule's own deafness after the last load
    before = document(kiosk)
    log(kiosk, "published to 0 clients", 4)
    until(lambda: "journal" not in status(kiosk)["problems"], 15, "it is not heard")
    kiosk.shell(f"sleep {RELOAD_AFTER_S + 5:g}")  # so long a fifth line would have taken
    assert document(kiosk) == before
    log(kiosk, "published to 3 clients")
    log(kiosk, "published to 0 clients", 5)
    back(kiosk, RELOAD_AFTER_S + 7, other_than=before)
    assert "talker says" in journal(kiosk)

"""From one version to the next and back: the page is back each time, and what the operator wrote stays."""

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.system.machine import Machine
from tests.system.screen import CONFIG, back, document, install, main_pid

pytestmark = pytest.mark.system

HERE, THERE = "0.1.0", "99.0.0"
CODE = "usr/lib/python3/dist-packages/kioskd/__init__.py"


def put_version(it: Machine, version: str) -> str:
    """The same package under another version, which its code tells."""
    with tempfile.TemporaryDirectory() as folder:
        tree, package = Path(folder, "tree"), Path(folder, "package.deb")
        subprocess.run(["dpkg-deb", "--raw-extract", os.environ["KIOSKD_DEB"], tree], check=True)
        control, sums = tree / "DEBIAN/control", tree / "DEBIAN/md5sums"
        control.write_text(control.read_text().replace(f"Version: {HERE}", f"Version: {version}"))
        before = hashlib.md5((tree / CODE).read_bytes()).hexdigest()
        (tree / CODE).write_text((tree / CODE).read_text().replace(HERE, version))
        sums.write_text(sums.read_text().replace(before, hashlib.md5((tree / CODE).read_bytes()).hexdigest()))
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, package], check=True, stdout=subprocess.DEVNULL)
        it.push(package, f"/var/cache/kioskd-{version}.deb")
    return f"/var/cache/kioskd-{version}.deb"


def test_an_upgrade_and_the_way_back_bring_the_page_back_and_keep_the_configuration(kiosk: Machine) -> None:
    config = kiosk.run("cat", CONFIG)
    for version in (THERE, HERE):
        before, pid = document(kiosk), main_pid(kiosk)
        install(kiosk, put_version(kiosk, version), "--allow-downgrades")
        back(kiosk, other_than=before)
        assert kiosk.run("kioskctl", "version") == f"kioskctl {version}\n"
        assert main_pid(kiosk) != pid, "the new version runs"
        assert kiosk.run("cat", CONFIG) == config
        assert kiosk.run("dpkg", "--audit").strip() == ""
        assert kiosk.run("systemctl", "--failed", "--no-legend").strip() == ""


def test_the_same_version_again_brings_the_page_back(kiosk: Machine) -> None:
    before = document(kiosk)
    install(kiosk, put_version(kiosk, HERE), "--reinstall")
    back(kiosk, other_than=before)


def test_what_the_operator_turned_off_stays_off_in_an_upgrade(kiosk: Machine) -> None:
    kiosk.run("systemctl", "disable", "--now", "kioskd")
    install(kiosk, put_version(kiosk, THERE))
    assert kiosk.run("systemctl", "is-enabled", "kioskd", check=False).strip() == "disabled"
    assert main_pid(kiosk) == "0"
    kiosk.run("systemctl", "enable", "--now", "kioskd")
    back(kiosk)

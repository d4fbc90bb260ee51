"""The machines: what they are made of is prepared once, and each test file starts its own from there in a second."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.machine import Machine, machine, prepared
from tests.system.screen import CONFIG, DASHBOARD, PACKAGE, PAGE, back, cold_start, install

Layers = tuple[Path, ...]


@pytest.fixture(scope="session")
def equipped() -> Iterator[Layers]:
    """A Debian with everything that the package depends on (``scripts/test-system`` saw to that), and beside it the package."""

    def equip(it: Machine) -> None:
        it.push(Path(os.environ["KIOSKD_DEB"]), PACKAGE)

    with prepared("kioskd-equipped", (Path(os.environ["KIOSKD_ROOT"]),), equip) as layers:
        yield layers


@pytest.fixture(scope="session")
def installed(equipped: Layers) -> Iterator[Layers]:
    """The package on it, and a dashboard to show. Once installed, the page is there."""

    def furnish(it: Machine) -> None:
        install(it)
        it.write("/etc/systemd/system/dashboard.service", DASHBOARD)
        it.shell("systemctl daemon-reload; systemctl enable --now dashboard.service")
        it.shell(f"sed -i 's|^# url: .*|url: {PAGE}|' {CONFIG}")
        back(it)

    with prepared("kioskd-installed", equipped, furnish) as layers:
        yield layers


@pytest.fixture(scope="module")
def bare(equipped: Layers) -> Iterator[Machine]:
    """A machine without the package."""
    with machine("kioskd-bare", equipped) as it:
        yield it


@pytest.fixture(scope="module")
def kiosk(installed: Layers) -> Iterator[Machine]:
    """A machine with the package, that shows the page."""
    with machine("kioskd-kiosk", installed) as it:
        back(it)
        yield it


@pytest.fixture(scope="session")
def cold(installed: Layers) -> float:
    """C, which the bounds of the faults are made of."""
    with machine("kioskd-cold", installed) as it:
        it.run("systemctl", "stop", "kioskd")
        return cold_start(it)

"""What a machine may do to a package: every way to call its scripts, files of the wrong kind, owner or age. The screen still comes."""

from collections.abc import Iterator

import pytest

from tests.system.conftest import Layers
from tests.system.machine import Machine, machine, until
from tests.system.screen import BACK_S, CONFIG, PACKAGE, PAGE, STATE, back, document, install, journal, main_pid, processes, shows, told

pytestmark = pytest.mark.system

SCRIPT = "/var/lib/dpkg/info/kioskd"


@pytest.fixture
def fresh(installed: Layers) -> Iterator[Machine]:
    with machine("kioskd-bad", installed) as it:
        back(it)
        yield it


@pytest.fixture
def without(equipped: Layers) -> Iterator[Machine]:
    """A machine without the package."""
    with machine("kioskd-without", equipped) as it:
        yield it


@pytest.fixture
def unpowered(equipped: Layers) -> Iterator[Machine]:
    """The same as a folder: an image that is being made."""
    with machine("kioskd-image", equipped, power=False) as it:
        yield it


# --- the package's scripts ------------------------------------------------------------------------

CALLS = """
postinst configure 0.1.0
postinst configure 0.1.0
postinst configure ''
postinst configure
postinst abort-upgrade 99.0.0
postinst abort-remove in-favour other 1
postinst abort-deconfigure in-favour other 1 removing broken 2
postinst triggered /usr/lib/chromium
prerm failed-upgrade 99.0.0
prerm upgrade 99.0.0
prerm upgrade 99.0.0
postrm upgrade 99.0.0
postrm failed-upgrade 99.0.0
postrm abort-install
postrm abort-install 0.1.0
postrm abort-upgrade 99.0.0
postrm disappear other 1
postinst configure 0.1.0
""".strip().splitlines()


def test_every_call_of_a_maintainer_script_ends_well_and_the_page_stands(fresh: Machine) -> None:
    for call in CALLS:
        fresh.shell(f"export DPKG_MAINTSCRIPT_PACKAGE=kioskd; {SCRIPT}.{call}")
    assert fresh.run("dpkg", "--audit").strip() == ""
    back(fresh)
    fresh.shell(f"export DPKG_MAINTSCRIPT_PACKAGE=kioskd; for _ in 1 2; do {SCRIPT}.prerm remove; {SCRIPT}.postrm remove; done")
    assert processes(fresh) == []
    fresh.shell(f"export DPKG_MAINTSCRIPT_PACKAGE=kioskd; {SCRIPT}.postinst configure 0.1.0")
    back(fresh)
    fresh.shell(f"export DPKG_MAINTSCRIPT_PACKAGE=kioskd; {SCRIPT}.prerm remove; for _ in 1 2; do {SCRIPT}.postrm purge; done")
    assert fresh.shell(f"ls -d {STATE} /run/kioskd 2>&1 || true").count("No such file") == 2


def test_an_installation_that_was_interrupted_is_finished(without: Machine) -> None:
    without.shell(f"dpkg --unpack {PACKAGE}")
    assert "kioskd" in without.run("dpkg", "--audit")
    without.power_off()
    without.start()
    without.run("dpkg", "--configure", "-a", within=300)
    assert without.run("dpkg", "--audit").strip() == ""
    shows(without, "welcome")


def test_a_script_that_was_killed_half_way_is_run_again(without: Machine) -> None:
    without.shell("printf '#!/bin/sh\\nkill -9 $PPID\\n' >/usr/sbin/systemd-sysusers; chmod 755 /usr/sbin/systemd-sysusers")
    without.run("dpkg", "--install", PACKAGE, check=False, within=300)
    assert "kioskd" in without.run("dpkg", "--audit")
    without.shell("rm /usr/sbin/systemd-sysusers; dpkg --configure -a")
    assert without.run("dpkg", "--audit").strip() == ""
    shows(without, "welcome")


def test_installed_into_an_image_it_comes_up_with_the_first_boot(unpowered: Machine) -> None:
    install(unpowered)
    assert unpowered.run("dpkg", "--audit").strip() == ""
    assert unpowered.shell("getent passwd kioskd").startswith("kioskd:")
    unpowered.start()
    shows(unpowered, "welcome", BACK_S + 15)


def test_removed_from_an_image_nothing_is_asked_of_a_systemd_that_is_not_there(unpowered: Machine) -> None:
    install(unpowered)
    unpowered.run("apt-get", "purge", "-qq", "kioskd")
    assert unpowered.run("dpkg", "--audit").strip() == ""
    assert unpowered.shell("find / -xdev -name '*kioskd*' -not -path '/var/cache/*' -not -path '/var/log/*'").strip() == ""


@pytest.mark.parametrize("made", ["useradd --create-home kioskd", "useradd --system --shell /bin/false kioskd", "groupadd kioskd"])
def test_a_user_or_group_of_that_name_that_is_there_already_is_used(without: Machine, made: str) -> None:
    without.shell(f"{made}; mkdir -p {STATE}; touch {STATE}/of-somebody-else; chown -R 4711:4711 {STATE}")
    install(without)
    assert without.run("dpkg", "--audit").strip() == ""
    shows(without, "welcome")


# --- the configuration ------------------------------------------------------------------------------

CONFIGS = {
    "nobody may read it": f"chmod 000 {CONFIG}; chown root: {CONFIG}",
    "everybody may write it": f"chmod 666 {CONFIG}; chown 4711:4711 {CONFIG}",
    "a folder": f"rm {CONFIG}; mkdir {CONFIG}",
    "a link to nowhere": f"rm {CONFIG}; ln -s /nowhere {CONFIG}",
    "a pipe": f"rm {CONFIG}; mkfifo {CONFIG}",
    "empty": f": >{CONFIG}",
    "gone": f"rm {CONFIG}",
    "not text": f"head -c 100000 /dev/urandom >{CONFIG}",
}


@pytest.mark.parametrize("how", CONFIGS.values(), ids=CONFIGS)
def test_whatever_became_of_its_configuration_there_is_a_screen_and_a_word_about_it(fresh: Machine, how: str) -> None:
    before = document(fresh)
    fresh.shell(f"systemctl stop kioskd; {how}; systemctl start kioskd")
    if how.startswith(": "):  # an empty one is right: every key has a default
        shows(fresh, "welcome")
        return
    back(fresh, other_than=before)  # by the last good one
    if "666" in how:  # whose file it is, is the operator's business
        return
    until(lambda: CONFIG in told(fresh), 15, "the status does not say so")
    assert CONFIG in journal(fresh)


def test_without_a_last_good_one_a_page_says_what_is_wrong(fresh: Machine) -> None:
    fresh.shell(f"systemctl stop kioskd; rm -r {STATE}; echo 'url: [' >{CONFIG}; systemctl start kioskd")
    shows(fresh, "mistake")
    fresh.write(CONFIG, f"url: {PAGE}\n")
    back(fresh)


# --- the state folder -------------------------------------------------------------------------------

STATES = {
    "torn": f"for f in $(find {STATE} -maxdepth 1 -type f); do truncate -s 10 $f; done",
    "a torn profile": f"rm -rf {STATE}/profile/Default/Preferences; echo '{{' >{STATE}/profile/'Local State'",
    "garbage": f"for f in $(find {STATE} -maxdepth 1 -type f); do head -c 4096 /dev/urandom >$f; done",
    "folders for files": f"for f in $(find {STATE} -maxdepth 1 -type f); do rm $f; mkdir $f; done",
    "of an older version": f"rm -r {STATE}; mkdir {STATE}; echo '{{\"version\": 0, \"learnt\": []}}' >{STATE}/remembered.json",
    "somebody else's": f"chown -R 4711:4711 {STATE}; chmod 700 {STATE}",
    "a file": f"rm -r {STATE}; echo hello >{STATE}",
    "a link": f"mv {STATE} /srv/state; ln -s /srv/state {STATE}",
    "a link to nowhere": f"rm -r {STATE}; ln -s /nowhere/at/all {STATE}",
    "immutable inside": f"chmod -R a-w {STATE}; chown -R root: {STATE}/*",
}


@pytest.mark.parametrize("how", STATES.values(), ids=STATES)
def test_whatever_became_of_its_state_folder_the_page_comes(fresh: Machine, how: str) -> None:
    before = document(fresh)
    fresh.shell(f"systemctl stop kioskd; {how}; systemctl start kioskd", check=False)
    back(fresh, other_than=before)
    assert fresh.run("systemctl", "is-active", "kioskd").strip() == "active"
    assert main_pid(fresh) != "0" and document(fresh)

"""In a desktop session the user unit waits for it, draws there, and keeps to the user's folder. The desktop: a cage without a screen."""

from collections.abc import Iterator

import pytest

from tests.system.machine import Machine, machine, until
from tests.system.screen import back, document, processes

pytestmark = pytest.mark.system

USER, HOME, RUN = "pi", "/home/pi", "/run/user/1000"
DESKTOP = """\
[Service]
Environment=WLR_BACKENDS=headless WLR_LIBINPUT_NO_DEVICES=1 WLR_RENDERER=pixman
ExecStart=/usr/bin/cage -- sleep infinity
"""
TOLD = "systemctl --user status --lines=0 --no-pager --full kioskd"
STATE = f"{HOME}/.local/state/kioskd"


def as_user(it: Machine, script: str, check: bool = True) -> str:
    """Run a script as somebody who has logged in."""
    login = ["setpriv", "--reuid=1000", "--regid=1000", "--init-groups", "env", f"HOME={HOME}", f"XDG_RUNTIME_DIR={RUN}"]
    return it.run(*login, "sh", "-ec", script, check=check)


@pytest.fixture(scope="module")
def session(installed: tuple[object, ...]) -> Iterator[Machine]:
    """A machine whose user has a service manager, as after a login. The system's own kioskd is switched off, as README.Debian says."""
    with machine("kioskd-session", installed) as it:  # type: ignore[arg-type]
        it.shell(f"useradd --uid 1000 --create-home {USER}; systemctl disable --quiet --now kioskd; systemctl start user@1000.service")
        it.write("/etc/systemd/user/desktop.service", DESKTOP)
        as_user(it, "systemctl --user daemon-reload")
        yield it


def test_enabled_it_waits_for_the_session_and_then_draws_there(session: Machine) -> None:
    as_user(session, "systemctl --user enable --quiet --now kioskd")
    until(lambda: "No session to draw in" in as_user(session, TOLD), 15, "the status does not say what is waited for")
    as_user(session, "systemctl --user start desktop")
    back(session)
    assert processes(session) == [], "the system's own runs too"
    assert session.shell(f"stat --format=%U {STATE} {STATE}/profile").split() == [USER, USER]
    assert "HEALTHY" in as_user(session, TOLD)
    said = as_user(session, "kioskctl logs --lines=200")
    assert "Starting kioskd.service" in said and "= HEALTHY" in said, "systemd's own lines, and ours"
    assert "kioskd.service" in session.shell("cat /proc/$(pgrep -o -x chromium)/cgroup"), "it would outlive the unit"
    assert session.run("pgrep", "--count", "-x", "cage").strip() == "1", "never two compositors"


def test_the_session_comes_and_goes(session: Machine) -> None:
    back(session)
    before = document(session)
    as_user(session, "systemctl --user restart desktop")
    back(session, other_than=before)


def test_killed_it_is_back_and_disabled_it_leaves_nothing(session: Machine) -> None:
    back(session)
    before = document(session)
    as_user(session, "systemctl --user kill --signal=KILL kioskd")
    back(session, other_than=before)
    as_user(session, "systemctl --user disable --quiet --now kioskd")
    assert session.run("pgrep", "--list-full", "chromium", check=False) == ""
    assert as_user(session, "systemctl --user is-enabled kioskd", check=False).strip() == "disabled"

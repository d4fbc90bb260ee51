"""What is asked of a machine with kioskd on it: the page by the dashboard's word, kioskd's own word, the unit by systemd's."""

import json
import time
from collections.abc import Callable
from typing import Any

from tests.system.machine import Machine, until

BACK_S = 30.0  # C + 5 s and more: a container starts on a machine that does other things
WATCHDOG_S, RESTART_S = 30.0, 2.0  # of the unit
PACKAGE = "/var/cache/kioskd.deb"
PAGE = "http://localhost:3001/"
STATE = "/var/lib/kioskd"
CONFIG = "/etc/kioskd.yaml"

COLD = f"""\
systemd-run --quiet --unit=cold --uid=kioskd --property=PrivateTmp=yes --setenv=HOME=/tmp chromium --headless --no-first-run \\
    --disable-background-networking --disable-component-update --disable-sync --user-data-dir=/tmp/profile {PAGE}
"""
DASHBOARD = """\
[Service]
ExecStart=/usr/bin/kioskd demo --port 3001 --control 3002
DynamicUser=yes
[Install]
WantedBy=multi-user.target
"""


def install(it: Machine, package: str = PACKAGE, *options: str) -> None:
    """Install as a person does. No disk outlives these machines: nothing is to be synced."""
    it.run("apt-get", "install", "-qq", "--no-install-recommends", "-o", "DPkg::Options::=--force-unsafe-io", *options, package, within=300)


def asked(it: Machine, url: str, body: Any = None) -> Any:
    """GET some JSON inside, or POST ``body``; None where nobody answers."""
    content = () if body is None else ("--json", json.dumps(body))
    said = it.run("curl", "--silent", "--fail", "--max-time", "5", *content, url, check=False)
    try:
        return json.loads(said)
    except ValueError:
        return None


def status(it: Machine) -> Any:
    """What kioskd says of itself; None where it does not answer."""
    return asked(it, "http://127.0.0.1:8137/api/status")


def told(it: Machine) -> str:
    """What ``systemctl status`` shows, without the journal's lines."""
    return it.run("systemctl", "status", "--lines=0", "--no-pager", "--full", "kioskd", check=False)


def journal(it: Machine) -> str:
    """What this boot's kioskd has logged."""
    return it.run("journalctl", "--boot", "--unit=kioskd", "--no-pager", "--output=cat")


def do(it: Machine, verb: str) -> None:
    """Have the dashboard, or the page in it, misbehave."""
    assert asked(it, "http://127.0.0.1:3002/do", {"verb": verb}) is not None, verb


def switch(it: Machine, **how: Any) -> None:
    """Turn the dashboard's switches."""
    assert asked(it, "http://127.0.0.1:3002/switch", how) is not None, how


def document(it: Machine) -> str | None:
    """The document on the screen by the dashboard's word: it rendered a nonce of the last seconds."""
    seen = asked(it, "http://127.0.0.1:3002/state")
    echo = seen and seen["last_echo"]
    return str(echo["document"]) if echo and seen["now"] - echo["at"] < 3 else None


def _eventually(it: Machine, holds: Callable[[], object], within: float, otherwise: str) -> None:
    try:
        until(holds, within, otherwise)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{status(it)}\n{told(it).partition('CGroup:')[0]}\n{journal(it)[-3000:]}") from None


def back(it: Machine, within: float = BACK_S, other_than: str | None = None) -> None:
    """Wait for the page."""
    _eventually(it, lambda: document(it) not in (None, other_than), within, "the page is not back")


def cold_start(it: Machine) -> float:
    """C: seconds from a bare browser's start to the page, where kioskd does not run."""
    before, began = document(it), time.monotonic()
    it.shell(COLD)
    until(lambda: document(it) not in (None, before), BACK_S, "a bare browser does not show the page")
    seconds = time.monotonic() - began
    it.run("systemctl", "stop", "cold")
    return seconds


def shows(it: Machine, page: str, within: float = BACK_S) -> None:
    """Wait for a page of kioskd's own to stand there by the browser's word: welcome, mistake or holding."""

    def seen() -> bool:
        known = status(it)
        return known is not None and known["page"]["asked"] is not None and known["page"]["url"].endswith(f";kioskd={page}")

    _eventually(it, seen, within, f"the page {page!r} is not there")


def says(it: Machine, text: str, within: float = 15.0) -> None:
    """Wait until ``systemctl status`` says so."""
    _eventually(it, lambda: text in told(it), within, f"the status does not say {text!r}")


def lacks(it: Machine, name: str, text: str, within: float = 15.0) -> None:
    """Wait until kioskd's status names this problem; with an empty ``text``: until it does not."""

    def holds() -> bool:
        known = status(it)
        problem = known and known["problems"].get(name, "")
        return problem is not None and (text in problem if text else problem == "")

    _eventually(it, holds, within, f"the status does not say of {name}: {text!r}")


def main_pid(it: Machine) -> str:
    """The agent's process."""
    return it.run("systemctl", "show", "--property=MainPID", "--value", "kioskd").strip()


def processes(it: Machine) -> list[str]:
    """What the service's user runs."""
    return it.run("pgrep", "--list-full", "--uid", "kioskd", check=False).splitlines()

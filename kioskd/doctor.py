"""``kioskctl doctor``: what goes wrong in the field, looked for on this machine, each with the way out.

Each check looks at one thing of a ``Machine`` and says one sentence. A test gives it another machine.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kioskd.hardware import clock, disk, display, inotify, memory, power
from kioskd.machine import Finding, Machine, State
from kioskd.wire.flags import POLICY

USER = "kioskd"
GROUPS = ("video", "render", "input", "systemd-journal")

#: Each takes Chromium's own sandbox away.
UNSAFE = frozenset(
    {"--no-sandbox", "--disable-setuid-sandbox", "--disable-namespace-sandbox", "--disable-seccomp-filter-sandbox", "--single-process"}
)

Check = Callable[[Machine], Iterator[Finding]]


def running(machine: Machine) -> Iterator[Finding]:
    """kioskd answers, and misses nothing."""
    if machine.status is None:
        yield Finding("kioskd", State.BAD, "it does not answer here", f"{' '.join(machine.systemctl)} status kioskd says why")
        return
    verdict, why = machine.status["verdict"], machine.status["why"]
    yield Finding("kioskd", State.GOOD if verdict == "HEALTHY" else State.HINT, f"{verdict}: {why}")
    for name, text in machine.status["problems"].items():
        yield Finding(f"kioskd: {name}", State.BAD, text)
    for text in machine.status["configuration"]["mistakes"]:
        yield Finding("configuration", State.BAD, text, "mend it: it takes effect without a restart")


def browser(machine: Machine) -> Iterator[Finding]:
    """There is a Chromium."""
    command = machine.configuration.get("command", "auto")
    names = ("chromium", "chromium-browser") if command == "auto" else (command,)
    found = next((path for name in names if (path := machine.which(name))), None)
    if found is None:
        yield Finding("browser", State.BAD, f"{' or '.join(names)}: not there", "sudo apt install chromium, or set browser.command")
        return
    yield Finding("browser", State.GOOD, machine.run(found, "--version") or found)


def policy(machine: Machine) -> Iterator[Finding]:
    """The browser is held to its page, and to its sandbox; whether it follows the policy, kioskd itself says."""
    for flag in (each for each in machine.configuration.get("flags", ()) if each.partition("=")[0] in UNSAFE):
        advice = "take it out of browser.flags; Chromium's sandbox needs an ordinary user, and user namespaces"
        yield Finding("sandbox", State.BAD, f"{flag}: what breaks into the browser is in this machine", advice)
    if machine.path(POLICY).exists():
        yield Finding("policy", State.GOOD, f"{POLICY} is there")
    else:
        advice = "sudo apt install --reinstall -o DPkg::Options::=--force-confmiss kioskd"
        yield Finding("policy", State.HINT, f"{POLICY} is not there: who has a keyboard gets further than the page", advice)


def seat(machine: Machine) -> Iterator[Finding]:
    """The service may use screen and keyboard."""
    groups = machine.groups(USER)
    if groups is None:
        yield Finding("user", State.HINT, f"there is no user {USER}: kioskd was not installed from its package, or runs in a session")
        return
    lent = machine.run("systemctl", "show", "kioskd", "--property=SupplementaryGroups", "--value") or ""
    missing = [group for group in GROUPS if group not in groups | set(lent.split())]
    if missing:
        yield Finding(
            "user", State.BAD, f"{USER} is not in {', '.join(missing)}", f"sudo usermod -aG {','.join(missing)} {USER}, then restart kioskd"
        )
    else:
        yield Finding("user", State.GOOD, f"{USER} is in {', '.join(GROUPS)} while it runs")
    if machine.path("/run/seatd.sock").exists() or machine.run("systemctl", "is-active", "seatd") == "active":
        yield Finding("seat", State.GOOD, "seatd answers")
    elif machine.status is not None and machine.status["display"]["state"] == "up":
        yield Finding("seat", State.GOOD, "the display is there")
    else:
        yield Finding("seat", State.BAD, "seatd does not run: nobody may use the screen", "sudo systemctl enable --now seatd")


def page(machine: Machine) -> Iterator[Finding]:
    """The page's server answers from here."""
    if not machine.configuration:
        return  # it cannot be read: that was said
    url = machine.configuration["url"]
    if not url:
        yield Finding("page", State.HINT, "no url is configured: the screen shows how to set one", "url: … in /etc/kioskd.yaml")
        return
    try:
        status = machine.open(url)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        yield Finding("page", State.BAD, f"its server does not answer from here: {reason}", "check the address, the network and the server")
        return
    if status in (401, 403):
        yield Finding("page", State.HINT, f"its server answers {status}: it wants a sign-in, which the browser may have")
        return
    yield Finding("page", State.GOOD if status < 400 else State.BAD, f"its server answers {status}")


def build(machine: Machine) -> Iterator[Finding]:
    """The front end's build can be read by the service, by its own word: who asks may read more, or less."""
    index = machine.configuration.get("index")
    if not index:
        return
    if machine.status is None:
        yield Finding("deploy", State.UNKNOWN, f"{index}: only the running kioskd can tell whether it may read that")
    elif missing := machine.status["versions"]["missing"]:
        refused = missing[0].startswith("Cannot read")
        let_in = f"sudo apt install acl; sudo setfacl -R -m u:{USER}:rX {Path(index).parent}, and x for each folder above it"
        advice = let_in if refused else ""
        yield Finding("deploy", State.BAD, f"the build is not complete: {missing[0]}", advice)
    else:
        yield Finding("deploy", State.GOOD, f"{index} can be read, and the build is complete")


def unit(machine: Machine) -> Iterator[Finding]:
    """The service is on, and as it was shipped."""
    said = machine.run(*machine.systemctl, "show", "kioskd", "--property=LoadState,UnitFileState,DropInPaths")
    if not said:
        yield Finding("service", State.UNKNOWN, "systemd does not say")
        return
    known = dict(line.partition("=")[::2] for line in said.splitlines())
    if known.get("LoadState") != "loaded":
        yield Finding("service", State.HINT, "kioskd.service is not installed here")
        return
    if known.get("UnitFileState") != "enabled":
        system = "sudo systemctl enable kioskd; with a desktop: README.Debian"
        advice = "systemctl --user enable kioskd" if "--user" in machine.systemctl else system
        yield Finding("service", State.HINT, "it does not start by itself", advice)
    if known.get("DropInPaths"):
        yield Finding("service", State.HINT, f"the unit was changed by {known['DropInPaths']}", "take that away if something is refused")
    else:
        yield Finding("service", State.GOOD, "the unit is as it was shipped")


CHECKS: tuple[Check, ...] = (running, unit, page, browser, policy, display, seat, build, disk, memory, inotify, power, clock)


def findings(machine: Machine) -> Iterator[Finding]:
    """Look at everything. A check that breaks says so, and takes no other along."""
    for check in CHECKS:
        try:
            yield from check(machine)
        except Exception as error:  # a machine unlike any we know
            yield Finding(check.__name__, State.UNKNOWN, f"could not be looked at: {error!r}")


def report(machine: Machine, version: str, incidents: list[dict[str, Any]] | None) -> str:
    """Return everything in one text that a user can attach: nothing in it is secret, for the status has no queries and no passwords.

    ``incidents``: None where they could not be had.
    """
    units = ("--unit", "kioskd", "--user-unit", "kioskd")  # of the system's, and of the one in this desktop session
    journal = machine.run("journalctl", *units, "--boot", "--lines", "200", "--no-pager", "--output", "short-iso-precise")
    missing = "could not be read: if kioskd runs, do this once more with sudo"
    return "\n".join(
        [
            f"kioskd {version}", *(f"{name}: {text}" for name, text in machine.model().items() if text), "",
            *(f"{each.state.value:8} {each.about}: {each.says}" for each in findings(machine)), "",
            "== status", json.dumps(machine.status, indent=1), "",
            "== incidents", missing if incidents is None else json.dumps(incidents[:20], indent=1), "",
            "== journal", missing if journal in (None, "", "-- No entries --") else str(journal), "",
        ]
    )  # fmt: skip

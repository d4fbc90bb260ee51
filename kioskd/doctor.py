"""``kioskctl doctor``: what goes wrong in the field, looked for on this machine, each with the way out.

Each check looks at one thing of a ``Machine`` and says one sentence. A test gives it another machine.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from kioskd.machine import Machine
from kioskd.wire.flags import POLICY

USER = "kioskd"
GROUPS = ("video", "render", "input", "systemd-journal")

#: What a profile and a week of incidents may want, and what is too little for a browser to start well.
DISK, DISK_LEAST = 500 << 20, 50 << 20
INODES = 1000
WATCHES, INSTANCES = 1024, 16
HOT_C = 80.0  # a Raspberry Pi slows down from here on

#: vcgencmd get_throttled: what holds now, and what has been since the boot.
UNDER_VOLTAGE, THROTTLED, EVER = 1 << 0, 1 << 2, 16


class State(Enum):
    """How serious it is."""

    GOOD = "good"
    HINT = "hint"  # it works, and could be better
    BAD = "bad"  # this is why something does not work
    UNKNOWN = "unknown"  # it cannot be told here


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found. ``advice``: what to do, where there is something."""

    about: str
    state: State
    says: str
    advice: str = ""


Check = Callable[[Machine], Iterator[Finding]]


def running(machine: Machine) -> Iterator[Finding]:
    """kioskd answers, and misses nothing."""
    if machine.status is None:
        yield Finding("kioskd", State.BAD, "it does not answer here", "systemctl status kioskd says why")
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
    """The browser is held to its page; whether it follows the policy, kioskd itself says."""
    if machine.path(POLICY).exists():
        yield Finding("policy", State.GOOD, f"{POLICY} is there")
    else:
        advice = "sudo apt install --reinstall -o DPkg::Options::=--force-confmiss kioskd"
        yield Finding("policy", State.HINT, f"{POLICY} is not there: who has a keyboard gets further than the page", advice)


def display(machine: Machine) -> Iterator[Finding]:
    """There is something to draw on, and with."""
    cards, nodes = machine.find("/dev/dri/card*"), machine.find("/dev/dri/renderD*")
    mode = machine.configuration.get("display", "auto")
    if mode == "headless":
        yield Finding("screen", State.GOOD, "none is wanted: display.mode is headless")
        return
    if mode in ("auto", "cage"):
        if machine.which("cage") is None:
            yield Finding("compositor", State.BAD, "cage is not there", "sudo apt install cage xwayland")
        elif machine.which("Xwayland") is None:
            yield Finding("compositor", State.BAD, "cage is there and refuses to start without Xwayland", "sudo apt install xwayland")
        else:
            yield Finding("compositor", State.GOOD, "cage and Xwayland are there")
    if not cards:
        advice = "on a Raspberry Pi: dtoverlay=vc4-kms-v3d in /boot/firmware/config.txt; else check the cable and the driver"
        yield Finding("screen", State.BAD, "no graphics card is seen (/dev/dri)", advice)
        return
    plugged = [name for name in machine.find("/sys/class/drm/card*-*/status") if machine_text(name) == "connected"]
    if plugged:
        yield Finding("screen", State.GOOD, f"connected: {', '.join(Path(name).parent.name.split('-', 1)[1] for name in plugged)}")
    else:
        yield Finding("screen", State.BAD, "no screen is plugged in, or none is switched on", "check cable and power; kioskd waits for one")
    if nodes:
        yield Finding("GPU", State.GOOD, f"{len(nodes)} render node{'s' if len(nodes) > 1 else ''}")
    else:
        yield Finding(
            "GPU", State.HINT, "there is no render node: the page is painted by the processor", "the driver is missing, or this is a VM"
        )


def machine_text(name: str) -> str:
    """Return the text of a file that was found."""
    try:
        return Path(name).read_text().strip()
    except OSError:
        return ""


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


def memory(machine: Machine) -> Iterator[Finding]:
    """The kernel counts and bounds memory for the unit."""
    controllers = machine.text("/sys/fs/cgroup/cgroup.controllers").split()
    if "memory" in controllers:
        yield Finding("memory", State.GOOD, "the kernel bounds it for each service")
    else:
        advice = "on a Raspberry Pi: add cgroup_enable=memory to the line in /boot/firmware/cmdline.txt and reboot"
        yield Finding("memory", State.HINT, "the kernel does not count it for services: only kioskd's own limit holds", advice)


def disk(machine: Machine) -> Iterator[Finding]:
    """There is room for profile and state."""
    state = machine.configuration.get("state", "/var/lib/kioskd")
    seen = set()
    for name in (state, machine.configuration.get("profile", state)):
        path = machine.path(name)
        while not os.path.exists(path):  # or may not be looked at: what it is in, then
            path = path.parent
        if name == "volatile" or (device := os.stat(path).st_dev) in seen:
            continue
        seen.add(device)
        found = os.statvfs(path)
        free, inodes = found.f_bavail * found.f_frsize, found.f_favail
        says = f"{free >> 20} MB and {inodes} inodes free at {name}"
        advice = "sudo apt clean, sudo journalctl --vacuum-size=50M"
        if free < DISK_LEAST or (found.f_files and inodes < INODES):
            yield Finding("disk", State.BAD, says, advice)
        else:
            yield Finding("disk", State.HINT if free < DISK else State.GOOD, says, advice if free < DISK else "")


def inotify(machine: Machine) -> Iterator[Finding]:
    """Deploys are seen at once."""
    limits = {"max_user_watches": WATCHES, "max_user_instances": INSTANCES}
    small = []
    for name, least in limits.items():
        text = machine.text(f"/proc/sys/fs/inotify/{name}")
        if text.isdigit() and int(text) < least:
            small.append(f"{name} = {text}")
    if small:
        advice = "echo fs.inotify.max_user_watches=8192 | sudo tee /etc/sysctl.d/50-inotify.conf; sudo sysctl --system"
        yield Finding("inotify", State.HINT, f"{', '.join(small)}: deploys may be seen seconds later", advice)
    else:
        yield Finding("inotify", State.GOOD, "its limits are high enough")


def power(machine: Machine) -> Iterator[Finding]:
    """The supply and the cooling are enough (Raspberry Pi)."""
    said = machine.run("vcgencmd", "get_throttled")
    if said and said.startswith("throttled=0x"):
        bits = int(said.partition("=")[2], 16)
        advice = "use the official power supply, and a short cable"
        if bits & UNDER_VOLTAGE:
            yield Finding("power", State.BAD, "under-voltage now", advice)
        elif bits & (UNDER_VOLTAGE << EVER):
            yield Finding("power", State.HINT, "there was under-voltage since the boot", advice)
        else:
            yield Finding("power", State.GOOD, "no under-voltage since the boot")
        if bits & THROTTLED:
            yield Finding("power", State.HINT, "the processor is slowed down", "a heat sink, or a place with air")
    degrees = [
        int(text) / 1000
        for name in machine.find("/sys/class/thermal/thermal_zone*/temp")
        if (text := machine_text(name)).lstrip("-").isdigit()
    ]
    if degrees:
        hot = max(degrees)
        advice = "a heat sink, or a place with air" if hot >= HOT_C else ""
        yield Finding("temperature", State.HINT if hot >= HOT_C else State.GOOD, f"{hot:.0f} °C", advice)


def clock(machine: Machine) -> Iterator[Finding]:
    """The clock is right: certificates and logs need that."""
    said = machine.run("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if said == "yes":
        yield Finding("clock", State.GOOD, "in sync")
    elif said == "no":
        advice = "sudo apt install systemd-timesyncd; sudo timedatectl set-ntp true"
        yield Finding("clock", State.HINT, "not in sync: certificates may be refused, and times in the log be wrong", advice)
    else:
        yield Finding("clock", State.UNKNOWN, "timedatectl does not say")


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
        advice = f"sudo setfacl -R -m u:{USER}:rX {Path(index).parent}, and x for each folder above it" if refused else ""
        yield Finding("deploy", State.BAD, f"the build is not complete: {missing[0]}", advice)
    else:
        yield Finding("deploy", State.GOOD, f"{index} can be read, and the build is complete")


def unit(machine: Machine) -> Iterator[Finding]:
    """The service is on, and as it was shipped."""
    said = machine.run("systemctl", "show", "kioskd", "--property=LoadState,UnitFileState,DropInPaths")
    if not said:
        yield Finding("service", State.UNKNOWN, "systemd does not say")
        return
    known = dict(line.partition("=")[::2] for line in said.splitlines())
    if known.get("LoadState") != "loaded":
        yield Finding("service", State.HINT, "kioskd.service is not installed here")
        return
    if known.get("UnitFileState") != "enabled":
        yield Finding("service", State.HINT, "it does not start by itself", "sudo systemctl enable kioskd; with a desktop: README.Debian")
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
    journal = machine.run("journalctl", "--unit", "kioskd", "--boot", "--lines", "200", "--no-pager", "--output", "short-iso-precise")
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

"""Checks of the machine itself, for ``kioskctl doctor``: what it draws on, room, limits, power, time."""

import os
from collections.abc import Iterator
from pathlib import Path

from kioskd.machine import Finding, Machine, State

#: What a profile and a week of incidents may want, and what is too little for a browser to start well.
DISK, DISK_LEAST = 500 << 20, 50 << 20
INODES = 1000
WATCHES, INSTANCES = 1024, 16
HOT_C = 80.0  # a Raspberry Pi slows down from here on

#: vcgencmd get_throttled: what holds now, and what has been since the boot.
UNDER_VOLTAGE, THROTTLED, EVER = 1 << 0, 1 << 2, 16


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

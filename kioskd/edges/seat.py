"""What there is to draw on: the session's display, the graphics card's outputs, whoever has the screen already. Reads, changes nothing."""

import ctypes
import os
import pwd
import stat
from collections.abc import Mapping

from kioskd.wire.display import VARIABLES, Found

DRM = "/sys/class/drm"


def find(environment: Mapping[str, str], drm: str = DRM) -> Found:
    """Look. Takes a millisecond; what cannot be read is not there."""
    return Found(
        variables={name: environment[name] for name in VARIABLES if environment.get(name)},
        sockets=sockets(environment.get("XDG_RUNTIME_DIR", "")),
        outputs=outputs(drm),
        lit=lit(drm),
        session=graphical_session(),
        nested=bool(environment.get("WLR_BACKENDS")),
    )


def outputs(drm: str = DRM) -> dict[str, bool]:
    """Return the graphics outputs, ``card0-HDMI-A-1``, and whether a screen is plugged in. One that does not tell counts as plugged."""
    told = {name: _says(f"{drm}/{name}/status") for name in _connectors(drm)}
    return {name: status != "disconnected" for name, status in told.items() if status}


def lit(drm: str = DRM) -> bool:
    """Return whether the card sends a picture to any output."""
    return any(_says(f"{drm}/{name}/enabled") == "enabled" for name in _connectors(drm))


def sockets(folder: str) -> tuple[str, ...]:
    """Return the names of the Wayland displays in a runtime folder."""
    return tuple(name for name in sorted(_names(folder)) if name.startswith("wayland-") and _is_socket(f"{folder}/{name}"))


def graphical_session() -> str:
    """Return whose graphical session is in front on this machine's first seat, for people; ``""`` where none is, or nobody knows.

    A compositor of our own is none: it has no session with systemd-logind.
    """
    try:
        login = ctypes.CDLL("libsystemd.so.0")
    except OSError:
        return ""
    session, kind, uid = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_uint()
    if login.sd_seat_get_active(b"seat0", ctypes.byref(session), ctypes.byref(uid)) < 0:
        return ""
    if login.sd_session_get_type(session, ctypes.byref(kind)) < 0:
        return ""
    name = ctypes.string_at(kind.value).decode() if kind.value else ""  # some bytes are never freed: once a start, that is all
    return f"{name} of {_user(uid.value)}" if name in ("x11", "wayland", "mir") else ""


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _connectors(drm: str) -> list[str]:
    return [name for name in _names(drm) if name.startswith("card") and "-" in name and "-Writeback-" not in name]


def _says(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder) if folder else []
    except OSError:
        return []


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False

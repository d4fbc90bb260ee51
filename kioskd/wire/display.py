"""Where the picture goes: ``display.mode`` and what was found on the machine, as something to draw on. Pure: nothing is opened here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kioskd.errors import EdgeUnavailable
from kioskd.wire.config import Display

#: What leads a program to a session's display.
VARIABLES = ("WAYLAND_DISPLAY", "DISPLAY", "XAUTHORITY")


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to draw on, as the machine shows it.

    ``variables``: those of ``VARIABLES`` that are set. ``sockets``: names of Wayland displays in the runtime folder.
    ``outputs``: the graphics card's, and whether a screen is plugged into each. ``lit``: the card sends a picture to any of them.
    ``session``: whose graphical session has the screen.
    ``nested``: the environment names wlroots' backend itself (WLR_BACKENDS), so no card is needed.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    sockets: Sequence[str] = ()
    outputs: Mapping[str, bool] = field(default_factory=dict)
    lit: bool = False
    session: str = ""
    nested: bool = False


@dataclass(frozen=True, slots=True)
class Canvas:
    """What to draw on.

    ``variables`` lead the browser there; none of them: headless. ``compositor``: one of our own is to be started for it.
    ``lacks``: what is missing where it is less than was wanted.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    compositor: bool = False
    lacks: str = ""


def choose(mode: Display, found: Found) -> Canvas:
    """Return what to draw on. Raise ``EdgeUnavailable`` with what has to be waited for where nothing can be drawn on now."""
    inherited = bool({"WAYLAND_DISPLAY", "DISPLAY"} & found.variables.keys())
    match mode:
        case Display.HEADLESS:
            return Canvas()
        case Display.INHERIT | Display.AUTO if inherited:
            return Canvas(found.variables)
        case Display.INHERIT if found.sockets:
            return Canvas({"WAYLAND_DISPLAY": found.sockets[0]})
        case Display.INHERIT:
            raise EdgeUnavailable("No session to draw in: no WAYLAND_DISPLAY, no DISPLAY, and no Wayland display in XDG_RUNTIME_DIR")
        case Display.AUTO if not found.outputs and not found.nested:
            return Canvas(lacks="no screen: this machine has no graphics output (/sys/class/drm); running headless")
    if found.nested:
        return Canvas(compositor=True)
    if not found.outputs:
        raise EdgeUnavailable("No screen: this machine has no graphics output (/sys/class/drm)")
    if trouble := unplugged(found.outputs):
        raise EdgeUnavailable(trouble)
    if found.session:
        raise EdgeUnavailable(f"The screen is in use: {found.session}; kioskd can run in there: systemctl --user enable --now kioskd")
    return Canvas(compositor=True)


def darkened(before: Found, now: Found) -> str:
    """Return why a compositor of ours no longer shows anything, or ``""``. ``before``: what was found when it had come up.

    It is told that a screen was pulled, and cage 0.1 never lights one that is plugged in again, for however short a time it was gone.
    """
    if not before.lit or now.lit:  # a card that never tells is believed
        return ""
    return unplugged(now.outputs) or "The screen was unplugged, and is back"


def unplugged(outputs: Mapping[str, bool]) -> str:
    """Return the sentence that no screen is plugged in, or ``""`` where one is."""
    return "" if any(outputs.values()) else f"No screen is plugged in: {', '.join(sorted(outputs))}"

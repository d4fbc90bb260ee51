"""Where the picture goes, for each mode and each machine."""

import pytest

from kioskd.errors import EdgeUnavailable
from kioskd.wire.config import Display
from kioskd.wire.display import Canvas, Found, choose, darkened

WAYLAND, X11 = {"WAYLAND_DISPLAY": "wayland-1"}, {"DISPLAY": ":0", "XAUTHORITY": "/home/pi/.Xauthority"}
PLUGGED, UNPLUGGED = {"card1-HDMI-A-1": True, "card1-HDMI-A-2": False}, {"card1-HDMI-A-1": False, "card1-HDMI-A-2": False}
OWN = Canvas(compositor=True)

CASES = {
    "headless is headless, whatever there is": (Display.HEADLESS, Found(WAYLAND, outputs=PLUGGED), Canvas()),
    "a session's Wayland display is inherited": (Display.AUTO, Found(WAYLAND), Canvas(WAYLAND)),
    "a session's X11 display is inherited, with its key": (Display.INHERIT, Found(X11), Canvas(X11)),
    "a session that has not said its name is found": (Display.INHERIT, Found(sockets=("wayland-1",)), Canvas(WAYLAND)),
    "a bare console with a screen gets a compositor": (Display.AUTO, Found(outputs=PLUGGED), OWN),
    "a key without a display is none": (Display.AUTO, Found({"XAUTHORITY": "/x"}, outputs=PLUGGED), OWN),
    "a socket that lies about is no session": (Display.AUTO, Found(sockets=("wayland-0",), outputs=PLUGGED), OWN),
    "cage draws on its own screen also in a session": (Display.CAGE, Found(WAYLAND, outputs=PLUGGED), OWN),
    "a backend of wlroots' own needs no card": (Display.CAGE, Found(nested=True), OWN),
    "nor does it by itself": (Display.AUTO, Found(nested=True), OWN),
}

WAITS = {
    "a session that is not there yet": (Display.INHERIT, Found(outputs=PLUGGED), "No session to draw in"),
    "a machine without graphics": (Display.CAGE, Found(), "no graphics output"),
    "an unplugged screen": (Display.AUTO, Found(outputs=UNPLUGGED), "No screen is plugged in: card1-HDMI-A-1, card1-HDMI-A-2"),
    "an unplugged screen for cage": (Display.CAGE, Found(outputs=UNPLUGGED), "No screen is plugged in"),
    "another session has the screen": (Display.AUTO, Found(outputs=PLUGGED, session="wayland of pi"), "in use: wayland of pi"),
}


@pytest.mark.parametrize("case", CASES)
def test_choice(case: str) -> None:
    mode, found, wanted = CASES[case]
    assert choose(mode, found) == wanted


@pytest.mark.parametrize("case", WAITS)
def test_what_is_waited_for(case: str) -> None:
    mode, found, sentence = WAITS[case]
    with pytest.raises(EdgeUnavailable, match=sentence):
        choose(mode, found)


def test_a_machine_without_graphics_shows_its_page_to_nobody_and_says_so() -> None:
    canvas = choose(Display.AUTO, Found())
    assert (canvas.variables, canvas.compositor) == ({}, False)
    assert canvas.lacks.startswith("no screen")


def test_a_compositor_whose_screen_was_pulled_is_told_from_one_whose_card_never_tells() -> None:
    lit, silent = Found(outputs=PLUGGED, lit=True), Found(outputs=PLUGGED)
    assert darkened(lit, lit) == darkened(silent, silent) == darkened(silent, lit) == darkened(Found(nested=True), Found(nested=True)) == ""
    assert darkened(lit, Found(outputs=UNPLUGGED)) == "No screen is plugged in: card1-HDMI-A-1, card1-HDMI-A-2"
    assert darkened(lit, silent) == "The screen was unplugged, and is back"

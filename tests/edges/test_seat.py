"""What is found to draw on, from folders like the kernel's."""

import socket
from pathlib import Path

from kioskd.edges.seat import find, lit, outputs, sockets


def connector(drm: Path, name: str, status: str | None) -> None:
    (drm / name).mkdir(parents=True)
    if status is not None:
        (drm / name / "status").write_text(status + "\n")


def test_outputs_are_the_cards_connectors(tmp_path: Path) -> None:
    for name, status in {
        "card0": None, "card1": None, "renderD128": None, "version": None,
        "card1-HDMI-A-1": "connected", "card1-HDMI-A-2": "disconnected", "card1-DSI-1": "unknown",
        "card1-Writeback-1": "unknown", "card1-DP-1": None,
    }.items():  # fmt: skip
        connector(tmp_path, name, status)
    assert outputs(str(tmp_path)) == {"card1-HDMI-A-1": True, "card1-HDMI-A-2": False, "card1-DSI-1": True}
    assert outputs(str(tmp_path / "none")) == {}


def test_lit_is_a_card_that_sends_a_picture(tmp_path: Path) -> None:
    for name, enabled in {"card0-HDMI-A-1": "disabled", "card0-HDMI-A-2": "enabled", "card0-DP-1": None}.items():
        connector(tmp_path, name, "connected")
        if enabled:
            (tmp_path / name / "enabled").write_text(enabled + "\n")
    assert lit(str(tmp_path))
    (tmp_path / "card0-HDMI-A-2" / "enabled").write_text("disabled\n")
    assert not lit(str(tmp_path)) and not lit(str(tmp_path / "none"))


def test_only_sockets_are_displays(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as wayland, socket.socket(socket.AF_UNIX) as other:
        wayland.bind(str(tmp_path / "wayland-1"))
        other.bind(str(tmp_path / "bus"))
        (tmp_path / "wayland-1.lock").write_text("")
        (tmp_path / "wayland-0").write_text("left by nobody")
        assert sockets(str(tmp_path)) == ("wayland-1",)
    assert sockets("") == ()


def test_what_the_environment_says(tmp_path: Path) -> None:
    found = find({"DISPLAY": ":0", "WAYLAND_DISPLAY": "", "HOME": "/root", "WLR_BACKENDS": "headless"}, str(tmp_path))
    assert (found.variables, found.nested, found.outputs) == ({"DISPLAY": ":0"}, True, {})

"""A real cage, on wlroots' headless backend: up, ended, killed, hanging."""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kioskd.edges import compositor, processes
from kioskd.edges.compositor import Compositor
from kioskd.errors import EdgeUnavailable
from tests.aio import asynctest

HEADLESS = {"WLR_BACKENDS": "headless", "WLR_LIBINPUT_NO_DEVICES": "1", "WLR_RENDERER": "pixman"}


@contextlib.contextmanager
def surroundings(**more: str) -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="kioskd-run-") as run:  # the path of a socket has to be short
        yield {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": run, **HEADLESS, **more}


def is_there(session: int) -> bool:
    """Tell whether anything of a process group is left, be it a zombie."""
    try:
        os.killpg(session, 0)
    except ProcessLookupError:
        return False
    return True


def script(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Put a program named cage before the real one."""
    (folder / "cage").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "cage").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@asynctest
async def test_it_comes_up_and_goes_with_everything_it_started() -> None:
    gone: list[str] = []
    with surroundings() as environment:
        it = Compositor(gone.append)
        processes.adopt_orphans()  # as kioskd does
        assert it.variables == {}
        await it.start(environment, software=False)
        assert (Path(environment["XDG_RUNTIME_DIR"]) / it.variables["WAYLAND_DISPLAY"]).is_socket()
        cursor = Path(it.variables["XCURSOR_PATH"]) / it.variables["XCURSOR_THEME"] / "cursors" / "left_ptr"
        assert cursor.read_bytes()[:4] == b"Xcur" and len(cursor.read_bytes()) == 28 + 36 + 4
        assert it._cage is not None
        session = it._cage._process.pid
        await it.stop()
        async with asyncio.timeout(5):
            while is_there(session):
                await asyncio.sleep(0.05)
        assert it.variables == {} and gone == [], "an end that was asked for is no news"


@asynctest
async def test_killed_it_is_told_once_and_another_can_be_started() -> None:
    gone: asyncio.Queue[str] = asyncio.Queue()
    with surroundings() as environment:
        it = Compositor(gone.put_nowait)
        for _ in range(2):
            await it.start(environment, software=True)
            assert it._cage is not None
            it._cage._process.send_signal(signal.SIGKILL)
            async with asyncio.timeout(5):
                assert await gone.get() == "cage was killed by SIGKILL"
            assert it.variables == {}
        assert gone.empty()


@asynctest
async def test_stopped_in_its_tracks_it_is_ended_all_the_same() -> None:
    with surroundings() as environment:
        it = Compositor(print)
        await it.start(environment, software=False)
        assert it._cage is not None
        it._cage._process.send_signal(signal.SIGSTOP)
        async with asyncio.timeout(5):
            await it.stop()


@asynctest
async def test_one_that_ends_at_its_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, monkeypatch, 'echo "[INFO] hello" >&2; echo "[ERROR] no seat for you" >&2; echo "bye" >&2; exit 1')
    told = pytest.raises(EdgeUnavailable, match=r"At its start cage ended with exit code 1: \[ERROR\] no seat")
    with surroundings() as environment, told:
        await Compositor(print).start(environment, software=False)


@asynctest
async def test_one_that_hangs_at_its_start_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, monkeypatch, f"echo $$ >{tmp_path}/pid; echo waiting >&2; exec sleep 600")
    monkeypatch.setattr(compositor, "UP_S", 0.5)
    with surroundings() as environment, pytest.raises(EdgeUnavailable, match="did not come up within 0.5 s: waiting"):
        await Compositor(print).start(environment, software=False)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@asynctest
async def test_software_painting_is_asked_for_where_the_owner_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, monkeypatch, 'echo "renderer=$WLR_RENDERER"; exec cat')
    with surroundings() as environment:
        it = Compositor(print)
        for chosen, software, wanted in (({}, True, "pixman"), ({}, False, ""), ({"WLR_RENDERER": "gles2"}, True, "gles2")):
            own = {name: value for name, value in environment.items() if name != "WLR_RENDERER"}
            await it.start({**own, **chosen}, software)
            assert it.variables["WAYLAND_DISPLAY"] == f"renderer={wanted}"
        await it.stop()


@asynctest
async def test_without_cage_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(EdgeUnavailable, match="apt install cage"):
        await Compositor(print).start({}, software=False)

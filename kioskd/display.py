"""The display: what was found to draw on and the compositor, joined into one thing whose verbs are the actions."""

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from kioskd.core.actions import LookForScreen, StartDisplay
from kioskd.core.facts import DisplayGone, DisplayStarted, Fact
from kioskd.edges import seat
from kioskd.edges.compositor import Compositor
from kioskd.errors import EdgeUnavailable
from kioskd.wire.config import Display as Mode
from kioskd.wire.display import Canvas, Found, choose, darkened, unplugged


class Display:
    """All verbs raise a ``KioskdError`` when they fail. ``find`` looks at the machine."""

    def __init__(self, emit: Callable[[Fact], None], mode: Mode, find: Callable[[], Found] = lambda: seat.find(os.environ)) -> None:
        self._emit, self._mode, self._find = emit, mode, find
        self._run = 0
        self._canvas = Canvas()
        self._found = Found()  # when the compositor had come up
        self._compositor = Compositor(lambda reason: self._emit(DisplayGone(self._run, reason)))

    @property
    def variables(self) -> Mapping[str, str]:
        """What leads a browser to it; empty: headless."""
        return self._compositor.variables if self._canvas.compositor else self._canvas.variables

    @property
    def problem(self) -> str | None:
        """What is wrong with it now, for the status."""
        if self._canvas.compositor and not self._find().nested:
            return unplugged(seat.outputs()) or None
        return self._canvas.lacks or None

    def follow(self, mode: Mode) -> None:
        """Use another mode from now on."""
        if mode is not self._mode:
            self._mode = mode
            self._emit(DisplayGone(self._run, f"display.mode is {mode.value} now"))

    def verbs(self) -> dict[type, Callable[[Any], Awaitable[None]]]:
        """Return what carries out each kind of action."""
        return {StartDisplay: self.start, LookForScreen: self.look}

    async def start(self, act: StartDisplay) -> None:
        """See to something to draw on; ``DisplayStarted`` follows where there is."""
        self._run = act.run
        await self._compositor.stop()
        self._canvas = Canvas()
        canvas = choose(self._mode, self._find())
        if canvas.compositor:
            await self._compositor.start(os.environ, act.software)
            self._found = self._find()
        self._canvas = canvas
        self._emit(DisplayStarted(act.run, canvas.lacks))

    def check(self) -> None:
        """Before a browser's start. Raise ``EdgeUnavailable`` where the compositor has lost its screen; ``DisplayGone`` goes before."""
        if self._canvas.compositor and (reason := darkened(self._found, self._find())):
            self._emit(DisplayGone(self._run, reason))
            raise EdgeUnavailable(reason)

    async def look(self, act: LookForScreen) -> None:
        """Say so where the machine has something better by now."""
        try:
            better = choose(self._mode, self._find())
        except EdgeUnavailable:
            return
        if act.run == self._run and better != self._canvas:
            self._emit(DisplayGone(self._run, "There is a screen now"))

    async def close(self) -> None:
        """End the compositor."""
        await self._compositor.stop()

"""Looking at the screen for a while, as somebody who passes would, but twice a second."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.appliance.picture import Kind, Picture
from tests.appliance.vm import HEIGHT, WIDTH, Vm

PACE_S = 0.4  # "at least twice a second"
#: What of the page never moves: its name, and the titles of its tiles. Left, top, width, height.
STILL = ((0, 0, 800, 70), (30, 92, 300, 20), (602, 92, 300, 20), (30, 425, 150, 16), (740, 425, 200, 16))
#: Nothing at all is there but the page's ground.
EMPTY = (400, 10, 300, 55)


@dataclass(frozen=True, slots=True)
class Frame:
    """One look."""

    at: float  # seconds from power-on
    kind: Kind
    white: float
    own: bool  # of the machine's own resolution, not the firmware's
    nonce: int | None


@dataclass(slots=True)
class Watch:
    """What was seen."""

    frames: list[Frame] = field(default_factory=list)
    first_page: Picture | None = None

    def stood(self) -> float:
        """When the page was first there, in seconds from power-on."""
        return next(frame.at for frame in self.frames if frame.kind is Kind.PAGE)

    def white(self) -> list[Frame]:
        """The white ones."""
        return [frame for frame in self.frames if frame.kind is Kind.WHITE]

    def console(self) -> list[Frame]:
        """Those with a console's text, after the first that had something else on the machine's own screen."""
        after = next((number for number, frame in enumerate(self.frames) if frame.own and frame.kind is not Kind.CONSOLE), len(self.frames))
        return [frame for frame in self.frames[after:] if frame.kind is Kind.CONSOLE]

    def pages(self) -> int:
        """How many different messages of the server were seen."""
        return len({frame.nonce for frame in self.frames if frame.kind is Kind.PAGE})

    def rate(self) -> float:
        """Looks a second."""
        return (len(self.frames) - 1) / (self.frames[-1].at - self.frames[0].at)


def watch(vm: Vm, enough: Callable[[Watch], bool], within: float, keep: Path) -> Watch:
    """Look until it is enough. Of every change of kind a picture is kept. Raises AssertionError."""
    seen, deadline = Watch(), time.monotonic() + within
    while not seen.frames or not enough(seen):
        began = time.monotonic()
        assert began < deadline, f"not seen within {within:g} s; the last was {seen.frames[-1]}"
        picture = vm.picture()
        own = (picture.width, picture.height) == (WIDTH, HEIGHT)
        frame = Frame(began - vm.powered_on, picture.kind(), picture.white(), own, picture.nonce())
        if not seen.frames or frame.kind is not seen.frames[-1].kind:
            (keep / f"{frame.at:06.1f}-{frame.kind.name}.png").write_bytes(picture.png())
        if frame.kind is Kind.PAGE and seen.first_page is None:
            seen.first_page = picture
        seen.frames.append(frame)
        time.sleep(max(0.0, PACE_S - (time.monotonic() - began)))
    return seen


def still(picture: Picture) -> bytes:
    """The parts that do not move."""
    return b"".join(picture.part(*part) for part in STILL)

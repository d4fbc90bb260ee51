"""A picture of the screen: what kind it is, and which of the server's messages it shows."""

import struct
import zlib
from dataclasses import dataclass
from enum import Enum

from kioskd.demo.oracle import CELLS, painted

BRIGHT, DULL, TOLERANCE = 200, 40, 25  # of the strip's colours, as the page paints them; black is no strip
NEARLY_WHITE = 240
WHITE = 0.02  # part of the screen. The page has none: its brightest text is darker. A flash of a ninth of the screen was seen
FOOT = 2.25  # of the page, in rem: from the bottom to the middle of the strip
SIDE = 2.2  # from the right to the strip's end
CELL = 8  # pixels, each way
GROUND = ((16, 25, 36), (11, 15, 20))  # the page's: in the corner where its light is, and in the other three
EXACT = 3  # how far from its colour a corner may be
CURSOR = 3 * 8 * 16  # bytes: a console without a word on it is black but for that
_LIGHT = bytes(255 if value >= NEARLY_WHITE else 0 for value in range(256))
_OF_A_CONSOLE = bytes((0x00, 0x55, 0xAA, 0xFF))  # of which its sixteen colours are mixed


class Kind(Enum):
    """What somebody in front of the screen would call it."""

    BLACK = "black"
    CONSOLE = "a console's text"
    WHITE = "white"
    PAGE = "the page"
    OTHER = "something else"


@dataclass(frozen=True, slots=True)
class Picture:
    """The screen's pixels: three bytes each, row by row."""

    width: int
    height: int
    pixels: bytes

    @classmethod
    def of_ppm(cls, data: bytes) -> "Picture":
        """Read a binary PPM as QEMU writes it: no comments, eight bits. Raises ValueError where it is not whole."""
        magic, size, depth, pixels = data.split(b"\n", 3)
        width, height = (int(number) for number in size.split())
        if (magic, depth, len(pixels)) != (b"P6", b"255", width * height * 3):
            raise ValueError(f"No whole PPM: {magic!r} {size!r} {depth!r}, {len(pixels)} bytes")
        return cls(width, height, pixels)

    def at(self, x: float, y: float) -> tuple[int, int, int]:
        """The colour there."""
        first = (int(y) * self.width + int(x)) * 3
        red, green, blue = self.pixels[first : first + 3]
        return red, green, blue

    def part(self, left: int, top: int, width: int, height: int) -> bytes:
        """The pixels of a rectangle."""
        rows = ((y * self.width + left) * 3 for y in range(top, top + height))
        return b"".join(self.pixels[first : first + width * 3] for first in rows)

    def white(self) -> float:
        """Which part of it is nearly white."""
        light = [int.from_bytes(self.pixels[colour::3].translate(_LIGHT), "big") for colour in range(3)]
        return (light[0] & light[1] & light[2]).bit_count() / 8 / (self.width * self.height)

    def nonce(self) -> int | None:
        """Which nonce the strip shows; None where there is no strip, or not in its place."""
        rem = min(self.width / 100, self.height * 1.7778 / 100)
        left, middle = self.width - SIDE * rem - CELLS * CELL, self.height - FOOT * rem
        strip = []
        for cell in range(CELLS):
            colour = self.at(left + (cell + 0.5) * CELL, middle)
            if any(min(abs(level - BRIGHT), abs(level - DULL)) > TOLERANCE for level in colour):
                return None
            strip.append((colour[0] > 120, colour[1] > 120, colour[2] > 120))
        return painted(tuple(strip))

    def kind(self) -> Kind:
        """What it is a picture of."""
        if len(self.pixels.translate(None, b"\0")) <= CURSOR:
            return Kind.BLACK
        if self.white() > WHITE:
            return Kind.WHITE
        if not self.pixels.translate(None, _OF_A_CONSOLE):
            return Kind.CONSOLE
        return Kind.PAGE if self.nonce() is not None and self._reaches_the_corners() else Kind.OTHER

    def _reaches_the_corners(self) -> bool:
        right, bottom = self.width - 1, self.height - 1
        corners = [(self.at(0, 0), GROUND[0])] + [(self.at(*corner), GROUND[1]) for corner in ((right, 0), (0, bottom), (right, bottom))]
        return all(abs(is_ - should_be) <= EXACT for colours in corners for is_, should_be in zip(*colours, strict=True))

    def png(self) -> bytes:
        """As a file for people."""

        def chunk(name: bytes, data: bytes) -> bytes:
            return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

        stride = self.width * 3
        rows = b"".join(b"\0" + self.pixels[first : first + stride] for first in range(0, len(self.pixels), stride))
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")

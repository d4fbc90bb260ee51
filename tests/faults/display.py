"""A display without a screen: what headless Chromium has none of, print dialogs and bubbles, shows here."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

SOME = 101  # one pixel in so many; no divisor of a width, or it would be one column


@dataclass(frozen=True, slots=True)
class Display:
    """An X server, and what it shows."""

    variables: dict[str, str]
    folder: Path

    def pixels(self, colour: tuple[int, int, int]) -> int:
        """How many pixels are of exactly this colour now."""
        red, green, blue = colour
        body = self._picture()
        return sum(pixel & 0xFFFFFF == red << 16 | green << 8 | blue for pixel in body[: len(body) // 4 * 4].cast("I"))

    def brightness(self) -> float:
        """The mean of the green of some thousand pixels, of 255: quick enough for each picture that is shown."""
        sample = self._picture()[1 :: 4 * SOME]
        return sum(sample) / len(sample)

    def _picture(self) -> memoryview:
        picture = (self.folder / "Xvfb_screen0").read_bytes()
        header = struct.unpack(">25I", picture[:100])  # an XWD file: its own size, …, the number of colours before the pixels
        return memoryview(picture)[header[0] + header[19] * 12 :]


@contextlib.asynccontextmanager
async def display(folder: Path) -> AsyncIterator[Display]:
    """An Xvfb of the size of a small wall."""
    folder = folder / "display"
    folder.mkdir()
    options = ("-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-fbdir", str(folder))
    server = await asyncio.create_subprocess_exec("Xvfb", *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
    try:
        assert server.stdout is not None, "asked for above"
        async with asyncio.timeout(20):
            number = (await server.stdout.readline()).decode().strip()
        yield Display({"DISPLAY": f":{number}"}, folder)
    finally:
        server.kill()
        await server.wait()

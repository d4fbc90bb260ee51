"""A Chromium that looks at one of kioskd's own pages, and says what it finds wrong with it.

It is driven over DevTools as kioskd drives its own: no further browser driver is needed, and none could reach the pipe of kioskd's.
"""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.edges.stage import Stage

HERE = Path(__file__).parent
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"  # scripts/setup test
WRONG = HERE / "wrong.js"

#: A usual wall, the Raspberry Pi's touch display, a phone.
SIZES = ((1920, 1080), (800, 480), (390, 844))

LONGEST = 2000  # pixels, of a picture

#: axe says nothing of a text on a gradient: it is judged on the brightest colour of ours.
FLAT = "if (getComputedStyle(document.body).backgroundImage !== 'none') document.body.style.background = '#14202e'"

WITHIN_S = 15.0


class Eye(Stage):
    """One window. ``shots``: the folder for its pictures."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "eye-profile")
        self.shots = Path(os.environ.get("KIOSKD_SHOTS") or folder / "shots")

    async def devtools(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command to the page."""
        assert self.screen._now is not None and self.screen._now.page is not None
        page = self.screen._now.page
        return await page._pipe.command(method, params, page._living())

    async def evaluate(self, expression: str) -> Any:
        """What the page answers, a promise too."""
        answer = await self.devtools("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def sees(self, expression: str, within: float = WITHIN_S) -> None:
        """Wait until this is true in the page."""
        try:
            async with asyncio.timeout(within):
                while not await self.evaluate(expression):
                    await asyncio.sleep(0.05)  # the page tells nobody
        except TimeoutError:
            raise AssertionError(f"not within {within:g} s: {expression}\n{await self.evaluate('document.body.innerText')}") from None

    async def turn(self, size: tuple[int, int], scheme: str = "dark", language: str = "en") -> None:
        """Be a device of this size (CSS pixels), colour scheme and language; what is shown is to be loaded again for the language."""
        width, height = size
        await self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        await self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        agent = await self.evaluate("navigator.userAgent")
        await self.devtools("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage=language)

    async def key(self, name: str, text: str = "") -> None:
        """Press a key and let it go."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27}
        how = {"key": name, "code": name, "windowsVirtualKeyCode": codes[name]}
        await self.devtools("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **how)
        await self.devtools("Input.dispatchKeyEvent", type="keyUp", **how)

    async def shoot(self, name: str) -> None:
        """Keep a picture of the page, of an endless one the beginning."""
        self.shots.mkdir(parents=True, exist_ok=True)
        content = (await self.devtools("Page.getLayoutMetrics"))["cssContentSize"]
        clip = {**content, "height": min(content["height"], LONGEST), "scale": 1}
        shot = await self.devtools("Page.captureScreenshot", captureBeyondViewport=True, optimizeForSpeed=True, clip=clip)
        (self.shots / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))

    async def wrong(self, *, scrolls: bool) -> list[str]:
        """What is cut off, overlaps or cannot be read, and what axe calls serious or critical. ``scrolls``: there may be more below."""
        found = await self.evaluate(f"({WRONG.read_text()})({'true' if scrolls else 'false'})")
        await self.evaluate(FLAT)
        if not await self.evaluate("'axe' in window"):
            await self.evaluate(f"{AXE.read_text()};0")
        report = await self.evaluate("axe.run(document, {resultTypes: ['violations']}).then(it => it.violations)")
        await self.evaluate("document.body.style.background = ''")
        for each in report:
            if each["impact"] in ("serious", "critical"):
                found += [f"{each['id']}: {node['failureSummary']} {node['html']}" for node in each["nodes"]]
        return list(found)

    async def looked(self, name: str, *, scrolls: bool) -> list[str]:
        """Keep a picture and return what is wrong, by the picture's name."""
        await self.shoot(name)
        return [f"{name}: {each}" for each in await self.wrong(scrolls=scrolls)]


@asynccontextmanager
async def eye(folder: Path) -> AsyncIterator[Eye]:
    """An eye that is open."""
    it = Eye(folder)
    try:
        await it.start()
        yield it
    finally:
        await it.screen.close()

"""A person at the browser: clicks, and counts the pages. By a second DevTools connection of the test's own, to any victim."""

import asyncio
import itertools
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

FLAGS = ("--remote-debugging-port=0",)  # Chromium writes the port that it got into its profile


def admitting(folder: Path) -> str:
    """Return a browser command that lets visitors in: kioskd refuses such a flag in its configuration."""
    command = folder / "chromium-for-visitors"
    command.write_text(f'#!/bin/sh\nexec chromium {" ".join(FLAGS)} "$@"\n')
    command.chmod(0o755)
    return str(command)


class Visitor:
    """Attached to the browser on ``profile``; hears of every page that comes and goes."""

    def __init__(self, profile: Path) -> None:
        self._profile, self._numbers = profile, itertools.count(1)
        self._http = aiohttp.ClientSession()
        self._news: list[dict[str, Any]] = []

    async def __aenter__(self) -> Self:
        port, path = (self._profile / "DevToolsActivePort").read_text().split()
        self._socket = await self._http.ws_connect(f"ws://127.0.0.1:{port}{path}")
        await self._call("Target.setDiscoverTargets", {"discover": True, "filter": [{"type": "page"}]})
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._http.close()

    async def pages(self) -> list[str]:
        """The addresses of the pages that there are."""
        return [target["url"] for target in await self._pages()]

    async def came(self) -> list[str]:
        """The addresses of the pages that there were at its coming, or have come since, as they came: also of those that have gone."""
        await self._call("Target.getTargets", {})  # what was told before the answer is in by then
        created = [said["params"]["targetInfo"] for said in self._news if said.get("method") == "Target.targetCreated"]
        return [str(target["url"]) for target in created]

    async def click(self) -> None:
        """Touch the page: from then on it may open windows and ask before it is left."""
        session = await self._attach()
        for event in ("mousePressed", "mouseReleased"):
            where = {"type": event, "x": 5, "y": 5, "button": "left", "clickCount": 1}
            await self._call("Input.dispatchMouseEvent", where, session)
        await self._call("Target.detachFromTarget", {"sessionId": session})

    async def has_cookie(self, cookie: dict[str, Any]) -> None:
        """Have been where this cookie was set (DevTools' Network.CookieParam)."""
        await self._call("Storage.setCookies", {"cookies": [cookie]})

    async def reloads(self) -> None:
        """Load the page once more."""
        session = await self._attach()
        await self._call("Page.reload", {}, session)

    async def sees_a_page_come_and_go(self, within: float) -> None:
        """Wait until a further page was opened and has been closed."""
        async with asyncio.timeout(within):
            await self._hear("Target.targetCreated")
            await self._hear("Target.targetDestroyed")

    async def _attach(self) -> str:
        (page,) = await self._pages()
        return str((await self._call("Target.attachToTarget", {"targetId": page["targetId"], "flatten": True}))["sessionId"])

    async def _pages(self) -> list[dict[str, Any]]:
        return [target for target in (await self._call("Target.getTargets", {}))["targetInfos"] if target["type"] == "page"]

    async def _call(self, method: str, params: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params, **({"sessionId": session} if session else {})})
        while True:
            said = await self._socket.receive_json()
            if said.get("id") == number:
                result: dict[str, Any] = said["result"]
                return result
            self._news.append(said)

    async def _hear(self, method: str) -> None:
        while True:
            for index, said in enumerate(self._news):
                if said.get("method") == method:
                    del self._news[: index + 1]
                    return
            self._news.append(await self._socket.receive_json())

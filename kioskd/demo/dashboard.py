"""A client of the demo dashboard with verbs: for tests, ``scripts/demo --break`` and the benchmark.

::

    async with Dashboard(dist) as dashboard:
        start_browser(dashboard.url)
        await dashboard.back(within=5)
        moment = time.monotonic()
        await dashboard.do("give_up")
        seconds = await dashboard.back(within=30, after=moment)
"""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

import kioskd
from kioskd.demo.dist import How, build
from kioskd.errors import EdgeUnavailable, KioskdError

START_S = 15.0  # until a new server has said its addresses; seconds even on a starved machine


class Dashboard:
    """The server process and its control port. It keeps its ports when it is killed and started again."""

    def __init__(self, dist: Path, *, port: int = 0, control: int = 0) -> None:
        self.dist = dist
        self._ports = {"port": port, "other": 0, "control": control}
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None
        self._up = asyncio.Event()
        self._loads_before: list[float] = []  # of servers killed since
        self._kept: list[socket.socket] = []
        self.insists: dict[str, Any] = {}  # switches that stay so, whatever else is turned, and whichever server process serves the page
        self.told_at: float | None = None  # when the server was last told to misbehave, or to stop that: the moment before

    @property
    def port(self) -> int:
        """The page's port."""
        return self._ports["port"]

    @property
    def url(self) -> str:
        """The page."""
        return f"http://127.0.0.1:{self._ports['port']}/"

    @property
    def other_url(self) -> str:
        """The other origin (another site, too)."""
        return f"http://localhost:{self._ports['other']}/"

    @property
    def control_url(self) -> str:
        """The control port."""
        return f"http://127.0.0.1:{self._ports['control']}/"

    @property
    def socket_url(self) -> str:
        """The page's live connection, where it is a WebSocket."""
        return f"ws://127.0.0.1:{self._ports['port']}/ws"

    @property
    def index(self) -> Path:
        """The built index.html."""
        return self.dist / "index.html"

    @property
    def pid(self) -> int:
        """The server's process; raises EdgeUnavailable while there is none."""
        if self._process is None:
            raise EdgeUnavailable("Cannot name the dashboard's process: it does not run")
        return self._process.pid

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        self._keep_ports()
        try:
            await self.start()
        except BaseException:
            await self._session.close()
            self._release_ports()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._end()
        self._release_ports()
        if self._session is not None:
            await self._session.close()

    def _keep_ports(self) -> None:
        """Have the ports for ourselves, also while the server is dead: another's page that looks for its server would find ours there."""
        for name, port in self._ports.items():
            kept = socket.socket()
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # who binds with it, too, may listen there
            kept.bind(("127.0.0.1", port))
            self._kept.append(kept)
            self._ports[name] = kept.getsockname()[1]

    def _release_ports(self) -> None:
        for kept in self._kept:
            kept.close()
        self._kept.clear()

    # --- the process --------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the server on the ports it had; done when it listens. Makes build "1" where there is none."""
        if not self.dist.exists():
            build(self.dist, "1")
        source = str(Path(kioskd.__file__).parent.parent)
        options = [*(f"--{name}={number}" for name, number in self._ports.items()), f"--switches={json.dumps(self.insists)}"]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "kioskd.demo.server", "--until-eof", f"--dist={self.dist}", *options),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": source},
            start_new_session=True,
        )
        assert self._process.stdout is not None, "asked for above"
        try:
            async with asyncio.timeout(START_S):
                line = await self._process.stdout.readline()
            json.loads(line)
        except (TimeoutError, ValueError) as error:
            await self._end()
            raise EdgeUnavailable("Cannot start the dashboard: it did not say its addresses") from error
        self._up.set()

    async def kill(self) -> None:
        """SIGKILL the server: its connections are reset and its ports closed. Counted loads are kept, unless it is frozen."""
        seen = await self._last_seen()
        if seen is not None:
            self._loads_before += seen["loads"]
        await self._end()

    def freeze(self) -> None:
        """SIGSTOP: its ports accept, and nothing answers."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.killpg(self.pid, signal.SIGCONT)

    async def _end(self) -> None:
        self._up.clear()
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    # --- misbehaviour -------------------------------------------------------------------------

    async def switch(self, **changes: Any) -> dict[str, Any]:
        """Turn switches (see ``switches.Switches``), but for those that are insisted on; returns all of them."""
        self.told_at = time.monotonic()
        return await self._post("switch", {**changes, **self.insists})

    async def do(self, verb: str, **arguments: Any) -> int:
        """Do something once (see ``control``); returns how many pages were told."""
        self.told_at = time.monotonic()
        return int((await self._post("do", {"verb": verb, **arguments}))["told"])

    def deploy(self, version: str, how: How = How.RENAME) -> None:
        """Make a build where the server serves it from."""
        build(self.dist, version, how)

    # --- the oracle ---------------------------------------------------------------------------

    async def back(
        self, within: float, after: float | None = None, other_than: str | None = None, opened_after: float | None = None
    ) -> float:
        """Wait for the newest build to be on the screen, rendering and connected; return the seconds since ``after``.

        ``after``: a moment of ``time.monotonic()`` (default: now); only nonces sent later count.
        ``other_than``: a document that does not count. ``opened_after``: a moment; a connection that was open by then does not, either.
        The server may be killed and started meanwhile. Raises TimeoutError, with what was seen last, ``within`` seconds after ``after``.
        """
        after = time.monotonic() if after is None else after
        seen: dict[str, Any] | None = None
        try:
            async with asyncio.timeout(max(0.0, after + within - time.monotonic())):
                while True:
                    await self._up.wait()
                    asked = self._process
                    words = {"after": after, "within": 3600, "other_than": other_than, "opened_after": opened_after}
                    query = {name: str(word) for name, word in words.items() if word is not None}
                    try:
                        return float((await self._get("back", query))["at"]) - after
                    except EdgeUnavailable:
                        # Only a dead server hangs up on this question; start() tells of its successor, which may be there already.
                        if self._process is asked:
                            self._up.clear()
        except TimeoutError:
            seen = await self._last_seen()
        raise TimeoutError(f"The page was not back within {within:g} s: {_in_words(seen)}")

    async def state(self) -> dict[str, Any]:
        """Everything the server knows (see ``control``)."""
        return await self._get("state", {})

    async def document(self) -> str | None:
        """The document that echoed last: proof that it is still the same one, or another."""
        echo = (await self.state())["last_echo"]
        return None if echo is None else str(echo["document"])

    async def version(self) -> str | None:
        """The version that echoed last."""
        echo = (await self.state())["last_echo"]
        return None if echo is None else str(echo["version"])

    async def loads(self) -> tuple[float, ...]:
        """When a browser asked for the document (monotonic), servers killed by ``kill`` included."""
        return (*self._loads_before, *map(float, (await self.state())["loads"]))

    async def unconnected(self, within: float) -> None:
        """Wait until no page holds a live connection. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while (await self.state())["links"]:
                await asyncio.sleep(0.02)  # the server has no event for this; the fact is what ends it

    async def connected(self, pages: int, within: float, version: str | None = None) -> None:
        """Wait until so many pages hold a live connection, all of one version where it is given. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while True:
                links = (await self.state())["links"] if self._up.is_set() else []
                if len([link for link in links if link["document"] and version in (None, link["version"])]) == pages:
                    return
                await asyncio.sleep(0.02)  # as above

    async def loaded(self, times: int, within: float) -> float:
        """Wait until a browser has asked for the document so many times; return the moment of that. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while len(loads := await self.loads()) < times:
                await asyncio.sleep(0.02)
        return loads[times - 1]

    async def probes(self) -> tuple[dict[str, Any], ...]:
        """Requests of the present server's that no browser made."""
        return tuple(request for request in (await self.state())["requests"] if not request["browser"])

    async def asked_for(self, path: str, within: float, after: float = 0.0) -> float:
        """Wait until a browser has asked the present server for a path; return the seconds since ``after``, a monotonic moment."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            for request in (await self.state())["requests"]:
                if request["browser"] and request["path"] == path and request["at"] >= after:
                    return float(request["at"]) - after
            await asyncio.sleep(0.05)  # the server keeps records, it tells no news: the record is what ends this, not the time
        raise TimeoutError(f"Nobody asked for {path} within {within:g} s")

    async def _last_seen(self) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout(1):
                return await self.state()
        except (EdgeUnavailable, TimeoutError):
            return None

    async def _get(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        return await self._ask("GET", path, params=query)

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._ask("POST", path, json=body)

    async def _ask(self, method: str, path: str, **rest: Any) -> dict[str, Any]:
        if self._session is None:
            raise EdgeUnavailable("Cannot ask the dashboard: it was not entered")
        try:
            unlimited = aiohttp.ClientTimeout(total=None)  # the callers' deadlines hold
            async with self._session.request(method, self.control_url + path, timeout=unlimited, **rest) as response:
                answer: dict[str, Any] = await response.json()
        except (aiohttp.ClientError, ValueError) as error:
            raise EdgeUnavailable(f"Cannot ask the dashboard: {error}") from error
        if response.status != 200:
            raise KioskdError(answer.get("error", f"The dashboard answered {response.status}"))
        return answer


def _in_words(state: dict[str, Any] | None) -> str:
    if state is None:
        return "the server does not answer"
    echo, now = state["last_echo"], state["now"]
    parts = [f"the newest version is {state['newest']!r}", f"{len(state['loads'])} loads", f"{len(state['links'])} live connections"]
    if echo is None:
        parts.append("nothing was ever echoed")
    else:
        parts.append(f"last echoed {now - echo['at']:.1f} s ago by version {echo['version']!r}, document {echo['document']}")
    if state["requests"]:
        last = state["requests"][-1]
        parts.append(f"last request {last['method']} {last['path']} {now - last['at']:.1f} s ago")
    return ", ".join(parts)

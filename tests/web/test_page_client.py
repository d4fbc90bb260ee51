"""kioskd.js: what it decides (node's test runner), and what a real Chromium makes of it. In front of a real dashboard: ``tests/faults``."""

import asyncio
import json
import re
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kioskd.core.facts import DocumentCommitted
from kioskd.edges.page import Terms
from kioskd.web import script
from tests.aio import asynctest
from tests.edges.stage import Stage, stage
from tests.edges.test_http_api import Door

HERE = Path(__file__).parent


def test_what_it_decides() -> None:
    command = ["node", "--test", "--test-reporter=tap", str(HERE / "decide.test.mjs")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0 and "# pass 21" in ran.stdout, ran.stdout + ran.stderr


def test_the_documentation_shows_what_is_tried() -> None:
    shown = (HERE.parents[1] / "docs" / "page-client.md").read_text()
    assert (HERE / "dashboard" / "src" / "Live.tsx").read_text() in shown


USES_IT = """<script src="http://127.0.0.1:KIOSKD/kioskd.js"></script><script type="module">
import {connect} from "http://127.0.0.1:KIOSKD/kioskd.mjs"
const answer = await fetch("http://127.0.0.1:KIOSKD/api/deployment_version").then(answer => answer.json())
location.hash = encodeURIComponent(JSON.stringify([connect === kioskd.connect, answer.version]))
</script>"""


@pytest.mark.chromium
@pytest.mark.parametrize("space", ["loopback", "local", "public"])
@asynctest
async def test_a_page_from_anywhere_has_it_from_kioskd_and_is_told_the_version(tmp_path: Path, space: str) -> None:
    """Chromium asks its user before a page from a public address may ask this machine; kioskd has answered for its own screen."""
    door = Door()
    async with door.open(), stage(tmp_path, {"p": USES_IT.replace("KIOSKD", str(door.api.port))}) as it:
        door.origins = {f"http://127.0.0.1:{it.port}"}
        it.terms = Terms(origins=frozenset(door.origins))
        await it.start(f"--ip-address-space-overrides=127.0.0.1:{it.port}={space}")
        await it.go("p")
        async with asyncio.timeout(10):
            while "#" not in (url := (await it.ask()).url):
                await asyncio.sleep(0.05)  # the page tells nobody; its word is what ends this
        assert url.partition("#")[2] == "%5Btrue%2C1763000000%5D", json.dumps(url)
        assert len(it.all(DocumentCommitted)) == 1


PROBES = """<script type="module">
const states = []
for (const name of ["loopback-network", "local-network-access"])
  states.push((await navigator.permissions.query({name}).catch(() => ({state: "unknown"}))).state)
const got = await fetch("http://127.0.0.1:KIOSKD/kioskd.js", {mode: "no-cors"}).then(answer => answer.type, () => "no")
location.hash = [...states, got].join()
</script>"""


@pytest.mark.chromium
@asynctest
async def test_pages_of_other_origins_cannot_look_around_on_this_machine(tmp_path: Path) -> None:
    door = Door()
    async with door.open(), stage(tmp_path, {"p": PROBES.replace("KIOSKD", str(door.api.port))}) as it:
        await it.start(f"--ip-address-space-overrides=127.0.0.1:{it.port}=public,[::1]:{it.port}=public")
        yes, no = ("granted", "opaque"), ("denied", "no")
        for admitted, host, wanted in (("127.0.0.1", "127.0.0.1", yes), ("127.0.0.1", "localhost", no), ("localhost", "127.0.0.1", no)):
            it.terms = Terms(origins=frozenset({f"http://{admitted}:{it.port}"}))
            await it.go("p", it.url("p", host))
            async with asyncio.timeout(10):
                while "#" not in (url := (await it.ask()).url):
                    await asyncio.sleep(0.05)  # the page tells nobody; its word is what ends this
            *states, got = url.partition("#")[2].split(",")
            assert (states[0], got) == wanted, url


CONNECTS = "<p>first</p><script src='/kioskd.js'></script><script>connection = kioskd.connect('/ws')</script>"


@asynccontextmanager
async def connected(tmp_path: Path) -> AsyncIterator[Stage]:
    """A page with an open connection; a second page to go to."""
    pages: dict[str, Any] = {"p": CONNECTS, "q": "<p>second</p>", "kioskd.js": script("kioskd.js")}
    async with stage(tmp_path, pages) as it:
        await it.start()
        await it.go("p")
        await it.until(lambda: it.sockets)
        yield it


async def devtools(it: Stage, method: str, **params: Any) -> Any:
    assert it.screen._now is not None and it.screen._now.page is not None
    page = it.screen._now.page
    return await page._pipe.command(method, params, page._living())


async def reconnects(it: Stage, sockets: int, moment: float) -> float:
    async with asyncio.timeout(20):
        await it.until(lambda: len(it.sockets) > sockets)
    return time.monotonic() - moment


@pytest.mark.chromium
@asynctest
async def test_it_is_back_from_the_back_forward_cache_with_a_connection(tmp_path: Path) -> None:
    async with connected(tmp_path) as it:
        await devtools(it, "Runtime.evaluate", expression="marked = true")
        await it.go("q")
        assert it.sockets[0].closed, "a page with an open socket is not kept"
        seen = it.all(DocumentCommitted)
        moment = time.monotonic()
        await devtools(it, "Runtime.evaluate", expression="setTimeout(() => history.back(), 1)")
        await it.until(lambda: len(it.all(DocumentCommitted)) > len(seen))
        assert await reconnects(it, 1, moment) < 3
        kept = await devtools(it, "Runtime.evaluate", expression="[marked, connection.status]", returnByValue=True)
        assert kept["result"]["value"][0] is True, "it was loaded anew, not kept"


@pytest.mark.chromium
@asynctest
async def test_a_frozen_tab_reconnects_when_it_is_thawed(tmp_path: Path) -> None:
    async with connected(tmp_path) as it:
        await devtools(it, "Page.setWebLifecycleState", state="frozen")
        await it.sockets[0].close()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(7):  # longer than an attempt takes to come
                await it.until(lambda: len(it.sockets) > 1)
        moment = time.monotonic()
        await devtools(it, "Page.setWebLifecycleState", state="active")
        assert await reconnects(it, 1, moment) < 5.5


@pytest.mark.chromium
@asynctest
async def test_a_log_that_throws_ends_nothing(tmp_path: Path) -> None:
    page = "<p>first</p><script src='/kioskd.js'></script><script>kioskd.connect('/ws', {log() { throw 0 }})</script>"
    async with stage(tmp_path, {"p": page, "kioskd.js": script("kioskd.js")}) as it:
        await it.start()
        await it.go("p")
        await it.until(lambda: it.sockets)
        await it.sockets[0].close()
        await reconnects(it, 1, 0)


# --- where no kioskd sees to the page


def alone(**hasty: int) -> str:
    """The script as it is without the observer; ``hasty``: other times, in milliseconds."""
    text = script("kioskd.js").replace('Symbol.for("kioskd")', '"nobody"')
    for name, ms in hasty.items():
        text, found = re.subn(rf"(const {name} =) \d+", rf"\1 {ms}", text)
        assert found
    return text


def page(url: str, options: str = "{kioskd: location.origin}", before: str = "") -> str:
    return f"{before}<p>first</p><script src='/kioskd.js'></script><script>connection = kioskd.connect('{url}', {options})</script>"


async def asked_for(it: Stage, name: str, answer: Callable[[], Any], times: int = 3) -> None:
    """Answer so, until it has been asked for some times; assert that no document came of it."""
    asked, seen = 0, len(it.all(DocumentCommitted))

    def counted() -> Any:
        nonlocal asked
        asked += 1
        return answer()

    it.pages[name] = counted
    async with asyncio.timeout(20):
        while asked < times:
            await asyncio.sleep(0.05)
    assert len(it.all(DocumentCommitted)) == seen


async def loaded(it: Stage) -> None:
    seen = len(it.all(DocumentCommitted))
    async with asyncio.timeout(20):
        await it.until(lambda: len(it.all(DocumentCommitted)) > seen)


@pytest.mark.chromium
@asynctest
async def test_a_server_that_tells_each_connection_to_reload_makes_no_storm(tmp_path: Path) -> None:
    told = page("/ws", """{kioskd: null, onStatus: () => connection.send('{"type": "reload"}')}""")  # the server says it back
    async with stage(tmp_path, {"p": told, "kioskd.js": alone()}) as it:
        await it.start()
        await it.go("p")
        await loaded(it)
        moment = time.monotonic()
        await loaded(it)
        assert time.monotonic() - moment > 4


@pytest.mark.chromium
@pytest.mark.parametrize("instead", [lambda: "", lambda: web.Response(status=302, headers={"Location": "/login"})], ids=["empty", "login"])
@asynctest
async def test_what_is_not_the_document_does_not_replace_it(tmp_path: Path, instead: Callable[[], Any]) -> None:
    pages = {"p": page("/nowhere"), "login": "<p>who are you?</p>", "kioskd.js": alone(RETRY_MS=300, RELOAD_MS=1500)}
    async with stage(tmp_path, pages) as it:
        await it.start()
        await it.go("p")
        await asked_for(it, "p", instead)
        it.pages["p"] = page("/nowhere")
        await loaded(it)


@pytest.mark.chromium
@asynctest
async def test_an_error_tells_no_version(tmp_path: Path) -> None:
    version = "api/deployment_version"
    pages = {"p": page("/nowhere"), version: '{"version": 1}', "kioskd.js": alone(POLL_MS=300)}
    async with stage(tmp_path, pages) as it:
        await it.start()
        await it.go("p")
        await asyncio.sleep(1)  # it has been told the first
        await asked_for(it, version, lambda: web.Response(status=503, text='{"version": 2}'))
        it.pages[version] = '{"version": 2}'
        await loaded(it)


@pytest.mark.chromium
@asynctest
async def test_a_browser_of_before_2022_reloads_too(tmp_path: Path) -> None:
    old = page("/nowhere", before="<script>delete AbortSignal.timeout</script>")
    async with stage(tmp_path, {"p": old, "kioskd.js": alone(RETRY_MS=300, RELOAD_MS=1500)}) as it:
        await it.start()
        await it.go("p")
        await loaded(it)


def test_no_wall_clock_is_asked() -> None:
    assert "Date" not in script("kioskd.js") and "performance.now" in script("kioskd.js")

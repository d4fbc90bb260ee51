"""kioskd.js: what it decides (node's test runner), and what a real Chromium makes of it. In front of a real dashboard: ``tests/faults``."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from kioskd.core.facts import DocumentCommitted
from tests.aio import asynctest
from tests.edges.stage import stage
from tests.edges.test_http_api import Door

HERE = Path(__file__).parent


def test_what_it_decides() -> None:
    ran = subprocess.run(["node", "--test", HERE / "decide.test.mjs"], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0 and "# pass 19" in ran.stdout, ran.stdout + ran.stderr


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
        await it.start(f"--ip-address-space-overrides=127.0.0.1:{it.port}={space}")
        await it.go("p")
        async with asyncio.timeout(10):
            while "#" not in (url := (await it.ask()).url):
                await asyncio.sleep(0.05)  # the page tells nobody; its word is what ends this
        assert url.partition("#")[2] == "%5Btrue%2C1763000000%5D", json.dumps(url)
        assert len(it.all(DocumentCommitted)) == 1

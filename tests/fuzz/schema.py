"""The interface by its own description: schemathesis asks for all that ``/api/openapi.json`` tells of, in right ways and wrong ones."""

import re
import subprocess
import tempfile
from pathlib import Path

from tests.fuzz.door import Door

COMMAND = Path(__file__).parent / "build/bin/schemathesis"
NAME, SAYS = "schema", "the interface, as it describes itself"
SLOWEST_S = 1.0
#: What OpenAPI has no words for: a WebSocket wants its handshake, and aiohttp answers methods that it has never heard of with 400.
LEFT_OUT = ("--exclude-path", "/ws", "--exclude-path", "/api/events", "--exclude-checks", "unsupported_method")


def run(door: Door, seconds: float, seed: int) -> tuple[bool, int, str]:
    """Ask for so long, as nobody and then with the token; return whether all is well, how often it was asked, and what was said."""
    bearer = f"Authorization: Bearer {door.open()}"
    well, asked, said = True, 0, ""
    for who in ((), ("--header", bearer)):
        with tempfile.TemporaryDirectory(prefix="kioskd-fuzz-") as folder:
            done = subprocess.run(
                [
                    COMMAND, "run", f"http://{door.host.decode()}/api/openapi.json", "--no-color", "--continue-on-failure", *LEFT_OUT, *who,
                    f"--max-time={max(1, round(seconds / 2))}", f"--max-response-time={SLOWEST_S}", f"--seed={seed}",
                ],
                cwd=folder, capture_output=True, text=True, timeout=seconds + 120, check=False,
            )  # fmt: skip
        said += done.stdout + done.stderr
        asked += int((re.search(r"([\d,]+) generated", done.stdout) or ["", "0"])[1].replace(",", ""))
        well = well and done.returncode == 0
    return well and asked > 0, asked, said

"""The demo dashboard's server as a process of its own: the page's port, another origin's, and the control port.

It prints its addresses as one line of JSON, then serves until SIGTERM or SIGINT, or, with ``--until-eof``, until its standard input ends:
so it never outlives a test that was killed.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from kioskd.demo.control import PAGE_VERBS, Control
from kioskd.demo.dist import build, version_in
from kioskd.demo.site import Site
from kioskd.demo.switches import Switches
from kioskd.errors import KioskdError

LOOPBACK = "127.0.0.1"

EPILOG = f"""\
The control port is where it is told to misbehave, from this machine only:
  curl http://127.0.0.1:PORT/state                                   what the server knows, its switches too
  curl --json '{{"socket": "refuse"}}' http://127.0.0.1:PORT/switch    turn switches, until they are turned back
  curl --json '{{"verb": "give_up"}}' http://127.0.0.1:PORT/do         do something once

Verbs of the server: drop, half_open, down, up, restart_in, give_up_and_new_documents_open_none, self_reload_loop.
Verbs of the page:
{textwrap.fill(", ".join(sorted(PAGE_VERBS)) + ".", 100, initial_indent="  ", subsequent_indent="  ")}
"""


class Door:
    """A listening port that can be shut, with every connection through it cut, and opened again under the same number."""

    def __init__(self, app: web.Application, port: int) -> None:
        self._runner = web.AppRunner(app, access_log=None)
        self._listening: asyncio.Server | None = None
        self.port = port

    async def open(self) -> None:
        """Listen."""
        if self._runner.server is None:
            await self._runner.setup()
        if self._listening is None:
            assert self._runner.server is not None, "setup() makes it"
            loop = asyncio.get_running_loop()
            self._listening = await loop.create_server(self._runner.server, LOOPBACK, self.port, reuse_address=True)
            self.port = self._listening.sockets[0].getsockname()[1]

    def shut(self) -> None:
        """Stop listening and cut everything."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        for connection in self._runner.server.connections if self._runner.server else ():
            if connection.transport is not None:
                connection.transport.abort()

    async def close(self) -> None:
        """Shut it for good."""
        self.shut()
        if self._runner.server is not None:
            await self._runner.server.shutdown(0.1)
        await self._runner.cleanup()


async def serve(options: argparse.Namespace, dist: Path) -> None:
    """Serve until told to end."""
    site = Site(dist, options.switches)
    page, other = Door(site.app, options.port), Door(site.other, options.other)

    def down() -> None:
        page.shut()

    control = Door(Control(site, down, page.open).app, options.control)
    doors = [page, other, control]
    try:
        for door in doors:
            await door.open()
        # Another name of the same machine is another site to Chromium, not only another origin.
        site.other_url = f"http://localhost:{other.port}/"
        addresses = {"page": page.port, "other": other.port, "control": control.port}
        print(json.dumps({**{name: f"http://{LOOPBACK}:{port}/" for name, port in addresses.items()}, "other": site.other_url}), flush=True)
        await _told_to_end(options.until_eof)
    finally:
        for door in reversed(doors):
            await door.close()


async def _told_to_end(until_eof: bool) -> None:
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    if until_eof:
        stdin = sys.stdin.fileno()
        loop.add_reader(stdin, lambda: None if os.read(stdin, 4096) else end.set())
    await end.wait()


def _turned(text: str) -> Switches:
    try:
        return Switches().turned(json.loads(text))
    except (ValueError, AttributeError, KioskdError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server."""
    parser = argparse.ArgumentParser(
        prog="kioskd demo",
        description="A small dashboard with live figures, and switches to misbehave.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="of the page (default: any)")
    parser.add_argument("--other", type=int, default=0, help="of the other origin, with the login page (default: any)")
    parser.add_argument("--control", type=int, default=0, help="of the control port (default: any)")
    parser.add_argument("--dist", type=Path, help="the built front end (default: one is made for the time being)")
    parser.add_argument("--switches", type=_turned, metavar="JSON", help='how it misbehaves from the start: \'{"retry": "weak"}\'')
    parser.add_argument("--until-eof", action="store_true", help="end when standard input does")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="kioskd-demo-") as folder:
        dist = options.dist or Path(folder) / "dist"
        if options.dist is None and version_in(dist) is None:
            build(dist, "1")
        asyncio.run(serve(options, dist))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The command ``kioskd``: run the agent, look at a configuration, try it with a dashboard of its own."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kioskd import __version__
from kioskd.errors import ConfigError

CONFIG = Path("/etc/kioskd.yaml")

OK, FAILED, BAD_CONFIG = 0, 1, 78  # 78: EX_CONFIG of sysexits(3), which systemd knows

EXAMPLES = """\
examples:
  kioskd check-config               is /etc/kioskd.yaml right? every mistake at once, with line and key
  kioskd show-config                what is in force, defaults included
  kioskd run --config ./mine.yaml   run in this terminal; Ctrl+C ends it and the browser
  kioskd demo                       a dashboard to try it with, and switches to break it
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; return its exit code."""
    options, rest = _parser().parse_known_args(arguments)
    if rest and options.command != "demo":
        _parser().error(f"unrecognized arguments: {' '.join(rest)}")
    match options.command:
        case "check-config":
            return _check(options.file)
        case "show-config":
            return _show(options.file)
        case "demo":
            from kioskd.demo.server import main as demo

            return demo(rest)
        case _:
            return _run(options.config, options.strict, options.session)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kioskd",
        description="Keeps one wall screen right, with nobody near it: supervises Chromium, watches the page from inside, and heals it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"kioskd {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the agent until SIGTERM; SIGHUP reads the configuration again")
    run.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help="the configuration (default: %(default)s)")
    run.add_argument("--strict", action="store_true", help="end with 78 if the configuration is bad: no last good one is used")
    run.add_argument("--session", action="store_true", help="run in a desktop session: drawn there, kept in the user's own folder")
    check = commands.add_parser("check-config", help="check a configuration; 78 and every mistake if it is bad")
    check.add_argument("file", type=Path, nargs="?", default=CONFIG, metavar="FILE")
    show = commands.add_parser("show-config", help="print the configuration in force, every key with its value")
    show.add_argument("file", type=Path, nargs="?", default=CONFIG, metavar="FILE")
    commands.add_parser("demo", help="serve a dashboard that can be told to misbehave (kioskd demo --help)", add_help=False)
    return parser


def _check(path: Path) -> int:
    from kioskd.edges import config_file

    try:
        config = config_file.read(path)
    except ConfigError as error:
        print("\n".join(error.mistakes), file=sys.stderr)
        return BAD_CONFIG
    print(f"{path}: good; the page is {config.url or 'the built-in welcome page (no url is given)'}")
    return OK


def _show(path: Path) -> int:
    from kioskd.edges import config_file
    from kioskd.wire.config import show

    try:
        print(show(config_file.read(path)), end="")
    except ConfigError as error:
        print("\n".join(error.mistakes), file=sys.stderr)
        return BAD_CONFIG
    return OK


def _run(path: Path, strict: bool, session: bool) -> int:
    import asyncio

    from kioskd.daemon import Daemon
    from kioskd.edges import log, notify

    listener = notify.take()  # first of all: no child may inherit systemd's variables
    log.configure()
    try:
        daemon = Daemon(path, listener, strict, session)
    except ConfigError as error:
        print("\n".join(error.mistakes), file=sys.stderr)
        return BAD_CONFIG
    asyncio.run(daemon.run())
    return OK

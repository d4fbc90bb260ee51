"""The command ``kioskd``: run the agent, look at a configuration, go through its decisions again, try it with a dashboard of its own."""

import argparse
import os
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
  kioskd show-config                the configuration in /etc/kioskd.yaml, defaults included
  kioskd run --config ./mine.yaml   run in this terminal; Ctrl+C ends it and the browser
  kioskd replay kioskd.story        what it decided, and why, once more (kioskd replay --help: where to get a story)
  kioskd demo                       a dashboard to try it with, and switches to break it
"""


REPLAY = """\
A running kioskd keeps the story of late: the last hour, and of the days before what was not all well. In memory; fetch it before a restart.
What may be secret in a URL is left out of it.

examples:
  sudo curl --unix-socket /run/kioskd/control.sock http://kioskd/api/story >kioskd.story
  kioskd replay kioskd.story        ends with 1 where this version decides otherwise, and says where
  kioskd replay --all - <kioskd.story

lines:
  < a fact      = a verdict (and how far the ladder went)      > an action
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
        case "replay":
            return _replay(options.file, options.all)
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
    show = commands.add_parser("show-config", help="print the configuration in FILE, defaults included")
    show.add_argument("file", type=Path, nargs="?", default=CONFIG, metavar="FILE")
    replay = commands.add_parser(
        "replay",
        help="go through a story again: what was decided, and whether this version decides the same",
        description="Goes through a story again: facts, verdicts, actions; and checks that the decisions are those of then.",
        epilog=REPLAY,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    replay.add_argument("file", metavar="FILE", help="what GET /api/story gave; - is standard input")
    replay.add_argument("--all", action="store_true", help="the quiet rounds, too")
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


def _replay(file: str, everything: bool) -> int:
    from kioskd.errors import KioskdError
    from kioskd.replay import Replay
    from kioskd.wire import story

    name = "standard input" if file == "-" else file
    try:
        with open(0 if file == "-" else file, "rb", closefd=file != "-") as source:
            told = story.read(source.read(story.LARGEST + 1), name, __version__)
    except OSError as error:
        print(f"{name}: cannot be read: {error.strerror}", file=sys.stderr)
        return FAILED
    except KioskdError as error:
        print(error, file=sys.stderr)
        return FAILED
    replay = Replay(told, everything, colours=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    try:
        for line in replay.lines():
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough; Python would complain once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return OK if replay.same else FAILED


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

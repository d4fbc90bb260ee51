"""The command ``kioskctl``: ask a running kioskd, or tell it something. Talks HTTP over kioskd's unix socket."""

import argparse
import http.client
import json
import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from kioskd import __version__

ASK_S = 5.0
RELOAD_S = 30.0  # it may have to restart the browser
API = "http://127.0.0.1:8137"
CONTROL = "/run/kioskd/control.sock"

EXAMPLES = """\
examples:
  kioskctl status                   what the screen is, and what comes next
  kioskctl reload                   the last line of a deploy hook: every screen shows the new build
  kioskctl reload "menu changed"    the same, with a word for the other screens' pages
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; return its exit code."""
    options = _parser().parse_args(arguments)
    match options.command:
        case "version":
            print(f"kioskctl {__version__}")
            return 0
        case "reload":
            return _reload(options)
        case _:
            return _status(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kioskctl",
        description="Asks the kioskd of this machine, or tells it something.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    status = commands.add_parser("status", help="what the screen is, and what comes next")
    status.add_argument("--json", action="store_true", help="everything, for programs")
    status.add_argument("--api", default=API, metavar="URL", help="where kioskd listens (default: %(default)s)")
    reload = commands.add_parser("reload", help="load the page anew, past its caches, here and on the other screens that listen")
    reload.add_argument("message", nargs="?", default="", metavar="MESSAGE", help="for the pages on the other screens")
    reload.add_argument("--json", action="store_true", help="kioskd's answer, for programs")
    reload.add_argument("--socket", default=_control(), metavar="PATH", help="kioskd's unix socket (default: %(default)s)")
    commands.add_parser("version", help="print the version")
    return parser


def _control() -> str:
    """Return the socket of the system's kioskd, or of the one in this desktop session where there is no other."""
    session = f"{os.environ.get('XDG_RUNTIME_DIR')}/kioskd/control.sock"
    return session if not os.path.exists(os.path.dirname(CONTROL)) and os.path.exists(session) else CONTROL


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("kioskd", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _reload(options: argparse.Namespace) -> int:
    connection = _Connection(options.socket, RELOAD_S)
    try:
        connection.request("POST", "/api/reload", json.dumps({"message": options.message}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        known = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        print(f"Cannot ask kioskd at {options.socket}: {_said(error)}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    if answer.status != 200:
        print(f"kioskd refused: {known.get('error')}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(known))
    else:
        print(f"this screen: {known['screen']}; other screens told: {known['clients']}")
    return 0


def _said(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return f"only root and the group kioskd may (sudo adduser {os.environ.get('USER', 'USER')} kioskd, then log in again)"
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return "it is not running here (systemctl status kioskd)"
    return str(error)


def _status(options: argparse.Namespace) -> int:
    try:
        with urllib.request.urlopen(f"{options.api}/api/status", timeout=ASK_S) as answer:  # noqa: S310 - the operator's own URL
            known = json.load(answer)
    except (OSError, ValueError) as error:
        print(f"Cannot ask kioskd at {options.api}: {error}. Is it running? (systemctl status kioskd)", file=sys.stderr)
        return 1
    print(json.dumps(known, indent=2) if options.json else _text(known))
    return 0


def _text(known: dict[str, Any]) -> str:
    """Return the status as a person reads it."""
    coming = known["next"]
    rows = [
        ("verdict", f"{known['verdict']} ({known['rung']} since {known['since']}): {known['why']}"),
        ("next", f"{coming['action']} at {coming['at']}" if coming else "nothing to do"),
        ("page", f"{known['page']['url']}, last asked {known['page']['asked']}"),
        ("browser", f"{known['browser']['state']} {known['browser']['product']}"),
        *(("lacks", f"{name}: {text}") for name, text in known["problems"].items()),
        *(("config", text) for text in known["configuration"]["mistakes"]),
    ]
    return "\n".join(f"{name:8} {text}" for name, text in rows)

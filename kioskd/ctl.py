"""The command ``kioskctl``: ask a running kioskd."""

import argparse
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from kioskd import __version__

ASK_S = 5.0
API = "http://127.0.0.1:8137"


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; return its exit code."""
    options = _parser().parse_args(arguments)
    if options.command == "version":
        print(f"kioskctl {__version__}")
        return 0
    try:
        with urllib.request.urlopen(f"{options.api}/api/status", timeout=ASK_S) as answer:  # noqa: S310 - the operator's own URL
            known = json.load(answer)
    except (OSError, ValueError) as error:
        print(f"Cannot ask kioskd at {options.api}: {error}. Is it running? (systemctl status kioskd)", file=sys.stderr)
        return 1
    print(json.dumps(known, indent=2) if options.json else _text(known))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kioskctl", description="Asks the kioskd of this machine.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    status = commands.add_parser("status", help="what the screen is, and what comes next")
    status.add_argument("--json", action="store_true", help="everything, for programs")
    status.add_argument("--api", default=API, metavar="URL", help="where kioskd listens (default: %(default)s)")
    commands.add_parser("version", help="print the version")
    return parser


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

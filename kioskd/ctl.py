"""The command ``kioskctl``: ask the running kioskd, or tell it something."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from kioskd import __version__, asking
from kioskd.asking import Refused
from kioskd.wire.values import PICTURE
from kioskd.wire.words import Paint, doctor_lines, incident_lines, incident_text, status_lines

RELOAD_S = 30.0  # it may have to restart the browser
WATCH_S = 1.0
CONFIG = "/etc/kioskd.yaml"
UNIT = "kioskd.service"

EXAMPLES = """\
examples:
  kioskctl status                   is it all right, and what comes next (--watch: all the time)
  kioskctl incidents                what happened, newest first; kioskctl show 12 tells one whole
  kioskctl pause 10m                leave the screen alone while you work on it; kioskctl resume ends that
  kioskctl screenshot -o now.png    what is on the screen
  kioskctl reload                   the last line of a deploy hook: every screen shows the new build
  kioskctl reload "menu changed"    the same, with a word for the other screens' pages

Exit codes: 0 done, 1 not done (the reason is on standard error), 2 the command line is not understood.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; return its exit code."""
    parser = _parser()
    options, more = parser.parse_known_args(arguments)
    if more and options.does is not _logs:
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    options.more = more
    try:
        options.does(options)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    except BrokenPipeError:  # who reads only the first lines has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kioskctl",
        description="Asks the kioskd of this machine, or tells it something.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"kioskctl {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, does: Callable[[argparse.Namespace], None], text: str, asks: bool = True) -> argparse.ArgumentParser:
        it = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        it.set_defaults(does=does)
        if asks:
            it.add_argument("--socket", default=asking.control(), metavar="PATH", help="kioskd's unix socket (default: %(default)s)")
        return it

    status = command("status", _status, "is it all right, what is on the screen, and what comes next")
    status.add_argument("--json", action="store_true", help="everything, for programs; with --watch a line whenever it has changed")
    status.add_argument("--watch", action="store_true", help="again and again, until Ctrl+C")
    status.add_argument("--api", metavar="URL", help=f"ask here instead of the unix socket, such as {asking.API}")
    incidents = command("incidents", _incidents, "what happened, newest first")
    incidents.add_argument("-f", "--follow", action="store_true", help="and what happens from now on, until Ctrl+C")
    incidents.add_argument("--json", action="store_true", help="everything, for programs; with --follow a line for each")
    show = command("show", _show, "one incident whole: what was seen, what was done, what helped")
    show.add_argument("id", type=int, metavar="ID", help="its number, as kioskctl incidents says it")
    show.add_argument("--json", action="store_true", help="for programs")
    show.add_argument("--picture", metavar="NAME", help="write this picture of it to the file named by -o")
    show.add_argument("-o", "--output", metavar="FILE", help="default: the picture's own name")
    shot = command("screenshot", _screenshot, "what is on the screen now, as PNG")
    shot.add_argument("-o", "--output", metavar="FILE", default="screenshot.png", help="default: %(default)s; - for standard output")
    reload = command("reload", _reload, "load the page anew, past its caches, here and on the other screens that listen")
    reload.add_argument("message", nargs="?", default="", metavar="MESSAGE", help="for the pages on the other screens")
    reload.add_argument("--json", action="store_true", help="kioskd's answer, for programs")
    restart = command("restart", _restart, "end the browser politely and start it again")
    restart.add_argument("why", nargs="?", default="", metavar="WHY", help="for the log")
    pause = command("pause", _pause, "leave the screen alone, whatever happens to it, for a while")
    pause.add_argument("time", nargs="?", default="10m", metavar="TIME", help="30s, 10m, 2h; 24h at most (default: %(default)s)")
    command("resume", _resume, "look after the screen again")
    command("pair", _pair, "print a link that opens the console in a browser, once, and as a QR code for a phone")
    doctor = command("doctor", _doctor, "look for what goes wrong in the field, and say how to mend it")
    doctor.add_argument("--json", action="store_true", help="for programs")
    doctor.add_argument("--report", metavar="FILE", help="write all of it, with versions, status and journal, to one file to attach")
    doctor.add_argument("--config", metavar="FILE", default=CONFIG, help="default: %(default)s")
    logs = command("logs", _logs, "kioskd's journal, explained; further arguments are journalctl's, such as --since=today", asks=False)
    logs.usage = "kioskctl logs [-h] [JOURNALCTL'S …]"
    command("version", _version, "print the version", asks=False)
    return parser


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _paint() -> Paint:
    return Paint(sys.stdout.isatty() and "NO_COLOR" not in os.environ)


def _now() -> datetime:
    return datetime.now().astimezone()


# --- commands ----------------------------------------------------------------------------------------


def _status(options: argparse.Namespace) -> None:
    if options.watch:
        _watch(options)
    known = asking.current(options.socket, options.api)
    _print([json.dumps(known, indent=2)] if options.json else status_lines(known, _now(), _paint()))


def _watch(options: argparse.Namespace) -> None:
    told = None
    while True:
        known = asking.current(options.socket, options.api)
        if not options.json:
            home = "\x1b[H\x1b[J" if sys.stdout.isatty() else ""
            print(home + "\n".join(status_lines(known, _now(), _paint())), flush=True)
        elif known != told:
            print(json.dumps(known), flush=True)
            told = known
        time.sleep(WATCH_S)  # the pace of the looking


def _incidents(options: argparse.Namespace) -> None:
    known = asking.known(options.socket, "/api/incidents")
    if options.json and not options.follow:
        print(json.dumps(known, indent=2))
        return
    incidents = known["incidents"]
    if not incidents and not options.follow:
        print("No incident yet: nothing has ever been wrong.")
    _list(reversed(incidents) if options.follow else incidents, options.json)
    if known["torn_lines"]:
        print(f"{known['torn_lines']} lines could not be read and were left out, as after a power cut.", file=sys.stderr)
    told = {each["id"]: each["ended"] for each in incidents}
    while options.follow:
        sys.stdout.flush()
        time.sleep(WATCH_S)  # the pace of the looking
        for each in reversed(asking.known(options.socket, "/api/incidents")["incidents"]):
            if told.get(each["id"], "") != each["ended"]:
                told[each["id"]] = each["ended"]
                _list([each], options.json)


def _list(incidents: Iterable[dict[str, Any]], for_programs: bool) -> None:
    _print(map(json.dumps, incidents) if for_programs else incident_lines(incidents, _now(), _paint()))


def _show(options: argparse.Namespace) -> None:
    found = [each for each in asking.known(options.socket, "/api/incidents")["incidents"] if each["id"] == options.id]
    if not found:
        raise Refused(f"There is no incident {options.id}, or not any more: kioskctl incidents lists those that are kept")
    if options.picture:
        if not PICTURE.fullmatch(options.picture):
            raise Refused(f"{options.picture} is no picture's name: kioskctl show {options.id} says which there are")
        _write(options.output or options.picture, asking.ask(options.socket, f"/api/incidents/{options.picture}"))
    elif options.json:
        print(json.dumps(found[0], indent=2))
    else:
        _print(incident_text(found[0], _now(), _paint()))


def _screenshot(options: argparse.Namespace) -> None:
    _write(options.output, asking.ask(options.socket, "/api/screenshot"))


def _write(name: str, content: bytes) -> None:
    if name == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        with open(name, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:  # what is in it not everybody may ask for
            file.write(content)
    except OSError as error:
        raise Refused(f"Cannot write {name}: {error.strerror}") from error
    print(f"{name}: {len(content) / 1000:.0f} KB")


def _reload(options: argparse.Namespace) -> None:
    known = asking.known(options.socket, "/api/reload", {"message": options.message}, RELOAD_S)
    print(json.dumps(known) if options.json else f"this screen: {known['screen']}; other screens told: {known['clients']}")


def _restart(options: argparse.Namespace) -> None:
    print(f"this screen: {asking.known(options.socket, '/api/restart', {'why': options.why})['screen']}")


def _pause(options: argparse.Namespace) -> None:
    print(f"this screen: {asking.known(options.socket, '/api/pause', {'for': options.time})['screen']}; kioskctl resume ends that")


def _resume(options: argparse.Namespace) -> None:
    print(f"this screen: {asking.known(options.socket, '/api/resume', {})['screen']}")


def _pair(options: argparse.Namespace) -> None:
    from kioskd.wire import qr

    known = asking.known(options.socket, "/api/pair", {})
    first = known["urls"][0]
    if sys.stdout.isatty():
        print(qr.terminal(first))
    _print(known["urls"])
    print(f"Each opens the console, one of them once, within {known['seconds'] / 60:.0f} minutes.", file=sys.stderr)
    if first.startswith(("http://127.", "http://localhost:", "http://[::1]:")):
        print(f"Only this machine is answered: for a phone set api.listen and api.token_file in {CONFIG}", file=sys.stderr)


def _doctor(options: argparse.Namespace) -> None:
    from kioskd import doctor
    from kioskd.edges.config_file import read
    from kioskd.errors import ConfigError
    from kioskd.machine import Machine, State

    status, incidents = None, None
    try:
        status = asking.current(options.socket)
        incidents = asking.known(options.socket, "/api/incidents")["incidents"]
    except Refused:
        pass  # that is one of the findings
    configuration: dict[str, Any] = {}
    try:
        config = read(Path(options.config))
        words = {
            "url": config.url, "index": config.deploy.index, "state": config.state, "profile": config.browser.profile,
            "command": config.browser.command, "flags": config.browser.flags, "display": config.display.mode,
        }  # fmt: skip
        configuration = {name: getattr(value, "value", value) for name, value in words.items()}  # "auto" is a word, not a path
    except ConfigError as error:
        if not status or status["configuration"]["mistakes"] != list(error.mistakes):  # else it is one of the findings
            print(error, file=sys.stderr)
    machine = Machine(status=status, configuration=configuration, session=asking.in_session(options.socket))
    if options.report:
        _write(options.report, doctor.report(machine, __version__, incidents).encode())
        return
    found = list(doctor.findings(machine))
    if options.json:
        told = [{"about": each.about, "state": each.state.value, "says": each.says, "advice": each.advice} for each in found]
        print(json.dumps(told, indent=2))
    else:
        _print(doctor_lines(found, _paint()))
    if any(each.state is State.BAD for each in found):
        raise Refused("Something is wrong: see above")


def _logs(options: argparse.Namespace) -> None:
    command = ["journalctl", "--catalog", "--unit", UNIT, "--user-unit", UNIT, *(options.more or ["--lines", "50"])]
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise Refused(f"Cannot run journalctl: {error.strerror}") from error


def _version(options: argparse.Namespace) -> None:
    print(f"kioskctl {__version__}")


if __name__ == "__main__":
    sys.exit(main())

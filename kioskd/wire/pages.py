"""kioskd's own pages as ``data:`` URLs: template text in, URL out, and back from a URL to the place it is.

A ``data:`` page needs no server, not even kioskd's, and is on the screen in one step. Everything put into a template is escaped.
"""

import base64
import hashlib
import html
from dataclasses import dataclass

from kioskd.core.actions import Place
from kioskd.wire import qr

MISTAKES_SHOWN = 6  # more do not fit on a wall at a size one can read from the floor
SENTENCE_SHOWN = 600  # characters: a YAML error can quote a whole file
_KIND = "data:text/html;charset=utf-8;kioskd="


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the holding page says. ``since``: ISO 8601, or empty; ``machine``: host name, addresses, version, for the small print."""

    home: str
    reason: str
    since: str = ""
    machine: str = ""


def holding(template: str, script: str, waiting: Waiting) -> str:
    """Return the page for the time the server is away."""
    values = {"home": waiting.home, "reason": waiting.reason, "since": waiting.since, "machine": waiting.machine}
    return _filled(template, script=script, source=script_source(script), **{name: _escaped(value) for name, value in values.items()})


def script_source(script: str) -> str:
    """Return how a Content-Security-Policy allows this inline script and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')}'"


def welcome(template: str, config: str, console: str, machine: str) -> str:
    """Return the page for a screen without a url.

    ``config``: the file where one belongs; ``console``: where a phone gets to the console, or ""; ``machine``: the small print.
    """
    way = f"<aside>{qr.svg(console)}<p>This screen, on a phone:<br><b>{_escaped(console)}</b></p></aside>" if console else ""
    return _filled(template, config=_escaped(config), console=way, machine=_escaped(machine))


def mistake(template: str, mistakes: tuple[str, ...]) -> str:
    """Return the page that says what is wrong with the configuration."""
    lines = [f"<li>{_escaped(sentence[:SENTENCE_SHOWN])}</li>" for sentence in mistakes[:MISTAKES_SHOWN]]
    if len(mistakes) > MISTAKES_SHOWN:
        lines.append(f'<li class="more">and {len(mistakes) - MISTAKES_SHOWN} more</li>')
    count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    return _filled(template, count=count, mistakes="\n".join(lines))


def data_url(place: Place, page: str) -> str:
    """Return the URL of one of these pages."""
    return f"{_KIND}{place.value};base64,{base64.b64encode(page.encode()).decode('ascii')}"


def place(url: str) -> Place | None:
    """Return which of these pages a URL is of; None for any other URL, and for the start page."""
    if not url.startswith(_KIND):
        return None
    name = url[len(_KIND) :].split(";", 1)[0].split(",", 1)[0]
    own = {each.value: each for each in Place if each is not Place.HOME}
    return own.get(name)


def _filled(template: str, **values: str) -> str:
    # In one pass over the template: what is filled in is never itself a template.
    pieces = template.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        name, rest = piece.split("}}", 1)
        filled += [values[name], rest]
    return "".join(filled)


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)

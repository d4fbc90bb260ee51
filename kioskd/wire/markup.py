"""The tags of an HTML text that a browser acts on, scripts being on. Pure, and in time that grows with the text's length and no faster.

The standard library's parser reads the rest of the text again for each tag that never ends: ``"<a " * 25_000`` takes it minutes
(Python 3.11), in a daemon that must not stall. Here nothing is read twice. Told apart is what decides whether something is a tag at
all: comments, elements in whose text there are none, and templates, of which nothing is shown.
"""

import re
from collections.abc import Container, Iterator
from html import unescape
from typing import NamedTuple

#: Of an attribute: what is longer is neither the name of a file nor a list of some, but may well be an image in base64.
LONGEST = 1 << 14

_COMMENT = re.compile(r"<!--(?:-?>|.*?--!?>)", re.DOTALL)
_NAME = re.compile(r"</?([a-zA-Z][^\t\n\f\r />]*+)")
_BETWEEN = re.compile(r"[\t\n\f\r /]*+")
_ATTRIBUTE = re.compile(r".[^\t\n\f\r />=]*+", re.DOTALL)
_EQUALS = re.compile(r"[\t\n\f\r ]*+=[\t\n\f\r ]*+")
_BARE = re.compile(r"[^\t\n\f\r >]*+")
_TEXT = ("iframe", "noembed", "noframes", "noscript", "script", "style", "textarea", "title", "xmp")
_TEXT_END = {name: re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE) for name in _TEXT}


class Tag(NamedTuple):
    """A start tag, and the text up to its end tag where that holds no tags."""

    name: str
    given: dict[str, str]
    text: str


def tags(html: str, wanted: Container[str]) -> Iterator[Tag]:
    """Return the start tags outside of templates, in order, with the ``wanted`` ones of their attributes."""
    at = inert = foreign = 0
    while (at := html.find("<", at)) >= 0:
        found = _NAME.match(html, at)
        if found is None:
            at = _past(html, at)
            continue
        name, ends, text = found[1].lower(), html[at + 1] == "/", ""
        given, closed, at = _attributes(html, found.end(), wanted)
        if at < 0:  # the text ended within the tag: it is none
            return
        if name in ("svg", "math"):
            foreign = max(foreign - 1, 0) if ends else foreign + (not closed)
        elif name == "template":
            inert = max(inert - 1, 0) if ends else inert + 1
        elif name in _TEXT_END and not ends and not (foreign and closed):  # only a drawing's is ended by "/>"
            end = _TEXT_END[name].search(html, at)
            start, at = at, end.start() if end else len(html)
            text = html[start:at]
        if not ends and not inert:
            yield Tag(name, given, text)


def _past(html: str, at: int) -> int:
    """Return where the text goes on after a ``<`` that begins no tag. ``<![CDATA[``, ``<?`` and ``</1`` are comments up to ``>``."""
    if html.startswith("<!--", at):
        found = _COMMENT.match(html, at)
        return found.end() if found else len(html)
    if html.startswith(("<!", "<?", "</"), at):
        return html.find(">", at) + 1 or len(html)
    return at + 1


def _attributes(html: str, at: int, wanted: Container[str]) -> tuple[dict[str, str], bool, int]:
    """Return the attributes, whether ``/`` stands before the ``>``, and where that has ended; -1: nowhere."""
    given: dict[str, str] = {}
    while True:
        between = _BETWEEN.match(html, at)
        assert between is not None, "it matches nothing, too"
        at = between.end()
        if html.startswith(">", at):
            return given, between[0].endswith("/"), at + 1
        attribute = _ATTRIBUTE.match(html, at)
        if attribute is None:
            return given, False, -1
        value, at = "", attribute.end()
        equals = _EQUALS.match(html, at)
        if equals is not None:
            value, at = _value(html, equals.end())
            if at < 0:
                return given, False, -1
        name = attribute[0].lower()
        if name in wanted:
            given.setdefault(name, value)  # of a doubled attribute the first counts


def _value(html: str, at: int) -> tuple[str, int]:
    quote = html[at : at + 1]
    if quote in ('"', "'"):
        end = html.find(quote, at + 1)
        return _plain(html, at + 1, end), end + 1 or -1
    bare = _BARE.match(html, at)
    assert bare is not None, "it matches nothing, too"
    return _plain(html, at, bare.end()), bare.end()


def _plain(html: str, start: int, end: int) -> str:
    try:
        return unescape(html[start:end]) if end - start <= LONGEST else ""
    except ValueError:  # "&#" and thousands of digits: no character
        return ""

"""A configuration file as a tree whose every item knows its key and its line; nothing in it has a type yet.

Which type a plain word has is a matter of its key, not of its spelling: so YAML's own guesses (``off`` as false, ``1:30`` as ninety,
``017`` as fifteen) are not asked for, and every scalar stays the text that was written. Mappings, lists and scalars are all that is
read of YAML: anchors can grow without bound, tags can name Python objects, and a kiosk's configuration needs neither.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from kioskd.wire.values import shown

LIMIT = 64 * 1024  # bytes; parsing the worst file of this size takes seconds on a Pi, a larger one would starve the watchdog
DEPTH = 16  # levels; the deepest key of ours is on the fourth

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_HINTS = {
    r"character '\t'": "indent with spaces, not with tabs",
    "that cannot start any token": "put the value into quotes",
    "mapping values are not allowed": "check the indentation here and above and the blank after each colon, or put the value into quotes",
    "could not find expected ':'": "write `key: value`, with a blank after the colon",
    "another document": "remove the line `---`",
    "expected <block end>": "indent the keys of one section alike",
    "end of stream": "close the quote that is open here",
    "<stream end>": "close the bracket that is open here",
}


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing that is wrong: where, and what to write instead."""

    line: int
    key: str
    text: str

    def sentence(self, file: str) -> str:
        """Return ``file:line: key: what is wrong``."""
        return f"{file}:{self.line}: {self.key}{': ' if self.key else ''}{self.text}"


class Mistakes(Exception):
    """Everything that is wrong in one part of the file."""

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """The mistakes it was raised with."""
        return self.args


Value: TypeAlias = "None | str | list[Item] | dict[str, Item]"


@dataclass(frozen=True, slots=True)
class Item:
    """A value with its dotted key (``health.journal[0].match``) and the line it is on."""

    key: str
    line: int
    value: Value

    def mistake(self, text: str) -> Mistake:
        """Return a mistake at this place."""
        return Mistake(self.line, self.key, text)


def load(text: str | bytes) -> tuple[Item, list[Mistake]]:
    """Return the file's tree and the keys that occur twice. Raise ``Mistakes`` where it cannot be read at all."""
    loader = None
    try:
        decoded = _decoded(text)
        loader = _Loader(decoded)
        root = loader.get_single_node()
    except yaml.reader.ReaderError as error:
        line = decoded.count("\n", 0, error.position) + 1
        raise Mistakes(Mistake(line, "", f"holds the character U+{error.character:04X}: is this a text file?")) from None
    except yaml.MarkedYAMLError as error:
        raise Mistakes(_broken(error)) from None
    except (ValueError, OverflowError):  # an escape beyond Unicode, a version number of a mile's length
        raise Mistakes(Mistake(loader.line + 1 if loader else 1, "", "broken YAML: a number or an escape is out of range")) from None
    twice: list[Mistake] = []
    return _item(root, "", 1, twice), twice


class _Loader(yaml.BaseLoader):
    """Composes nodes and refuses what a configuration does not need, before it can do harm."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        refused = None
        if event.anchor is not None:
            refused = "anchors (&) and aliases (*) are not read: write the value out"
        elif event.tag is not None:
            refused = "tags (!) are not read: write the plain value"
        elif self.depth == DEPTH:
            refused = f"nested deeper than {DEPTH} levels"
        if refused:
            raise Mistakes(Mistake(event.start_mark.line + 1, "", f"column {event.start_mark.column + 1}: {refused}"))
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _decoded(text: str | bytes) -> str:
    if len(text) > LIMIT:
        raise Mistakes(Mistake(1, "", f"is larger than {LIMIT // 1024} KB: this cannot be a configuration of kioskd"))
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Mistakes(Mistake(1, "", "is UTF-16: save it as UTF-8"))
    try:
        return text.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise Mistakes(Mistake(line, "", f"holds the byte 0x{text[error.start]:02x}, which is not UTF-8: save it as UTF-8 text")) from None


def _broken(error: yaml.MarkedYAMLError) -> Mistake:
    problem = (error.problem or "").removeprefix("but ")
    hint = next((f"; {hint}" for sign, hint in _HINTS.items() if sign in problem), "")
    # What was never closed is mended where it was opened.
    mark = (error.context_mark if "stream" in problem else None) or error.problem_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    return Mistake(line + 1, "", f"broken YAML at column {column + 1}: {problem}{hint}")


def _item(node: yaml.Node | None, key: str, line: int, twice: list[Mistake]) -> Item:
    if isinstance(node, yaml.MappingNode):
        return Item(key, line, dict(_pairs(node, key, twice)))
    if isinstance(node, yaml.SequenceNode):
        items = enumerate(node.value)
        return Item(key, line, [_item(child, f"{key}[{n}]", child.start_mark.line + 1, twice) for n, child in items])
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.style and node.value in _NULL):
        return Item(key, line, None)
    return Item(key, line, node.value)


def _pairs(node: yaml.MappingNode, section: str, twice: list[Mistake]) -> Iterator[tuple[str, Item]]:
    lines: dict[str, int] = {}
    for name_node, child in node.value:
        line = name_node.start_mark.line + 1
        name = name_node.value if isinstance(name_node, yaml.ScalarNode) else "?"
        word = shown(name) if re.fullmatch(r"\S+", name) else f'"{shown(name)}"'
        key = f"{section}.{word}" if section else word
        if name in lines:
            twice.append(Mistake(line, key, f"occurs twice, first on line {lines[name]}: keep one"))
        else:
            lines[name] = line
            yield name, _item(child, key, line, twice)

"""A story as lines of JSON, and back: ``GET /api/story`` gives them, ``kioskd replay`` reads them. Pure.

One line says whose story it is, one begins a chapter with the kernel's state, one is a turn (``[moment, fact, actions]``), and
the last one counts the turns. What is no number, text or list names its class: ``{"BrowserGone": {"generation": 1, …}}``,
``{"Place": "HOME"}``. Classes are those of the core, and their fields' types say what may stand where; cattrs would turn "1" into
1, and knows no unions by name in Debian 12.

What may be secret in a URL (user and password, query, fragment, the content of a ``data:`` URL) is replaced by a number, the same for
the same: so nothing that is decided changes. Nothing that is read is believed, but its form.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from math import inf, isfinite
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

from kioskd.core.actions import Action
from kioskd.core.facts import Fact
from kioskd.core.kernel import State
from kioskd.core.story import Chapter, Turn
from kioskd.errors import KioskdError
from kioskd.wire.status import Clocks
from kioskd.wire.urls import URL
from kioskd.wire.values import shown

FORMAT = 1

#: Bytes. What kioskd keeps is a sixth of the first at most; JSON writes some characters in twelve.
LARGEST = 64 << 20
LONGEST_LINE = 16 << 20

FETCH = "curl --unix-socket /run/kioskd/control.sock http://kioskd/api/story"

_MOST = 10**15  # a number beyond it is nothing that kioskd ever wrote
_WHOLE = re.compile(r"(?:[a-z][a-z0-9+.-]*://|data:[^\s\"'<>,]*,)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Told:
    """A story that was read. ``version``: of the kioskd that told it; ``clocks``: when it did."""

    version: str
    clocks: Clocks
    chapters: tuple[Chapter, ...]


# --- to JSON --------------------------------------------------------------------------------------


def lines(chapters: Iterable[Chapter], version: str, clocks: Clocks) -> Iterator[str]:
    """Give the story line by line, each as it is asked for."""
    hidden: dict[str, int] = {}
    turns = 0
    yield _line({"story": FORMAT, "kioskd": version, "monotonic": clocks.monotonic, "wall": clocks.wall})
    for chapter in chapters:
        yield _line({"chapter": chapter.number, "state": _plain(chapter.state, hidden)})
        for now, fact, actions in chapter.turns:
            yield _line([now, _plain(fact, hidden), _plain(actions, hidden)])
        turns += len(chapter.turns)
    yield _line({"end": turns})


def _line(content: object) -> str:
    return json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"


def _plain(value: Any, hidden: dict[str, int]) -> object:
    if value is None or type(value) in (bool, int):
        return value
    if type(value) is str:
        return _public(value, hidden)
    if type(value) is float:
        return value if isfinite(value) else str(value)
    if isinstance(value, tuple | frozenset):
        return [_plain(part, hidden) for part in value]
    name = type(value).__name__
    if isinstance(value, Enum):
        return {name: value.name}
    return {name: {field: _plain(getattr(value, field), hidden) for field in value.__slots__}}


def _public(text: str, hidden: dict[str, int]) -> str:
    if ":" not in text:
        return text
    if _WHOLE.match(text):
        return _without(text, hidden)
    return URL.sub(lambda found: _without(found[0], hidden), text)


def _without(url: str, hidden: dict[str, int]) -> str:
    """Return a URL of which numbers stand for what may be secret: again they stand for themselves."""

    def number(secret: str) -> str:
        return secret if secret.startswith("hidden-") else f"hidden-{hidden.setdefault(secret, len(hidden) + 1)}"

    if url[:5].lower() == "data:":
        kind, comma, content = url.partition(",")
        return kind + comma + (number(content) if content else "")
    scheme, mark, rest = url.partition("://")
    rest, sharp, fragment = rest.partition("#")
    rest, question, query = rest.partition("?")
    place, slash, path = rest.partition("/")
    user, at, host = place.rpartition("@")
    return "".join((
        scheme, mark, number(user) if user else "", at, host, slash, path,
        question, number(query) if query else "", sharp, number(fragment) if fragment else "",
    ))  # fmt: skip


# --- from JSON ------------------------------------------------------------------------------------


def read(content: bytes, name: str, ours: str) -> Told:
    """Return the story in the file ``name``, for a kioskd of the version ``ours``.

    Raises ``KioskdError`` with file, line, what is wrong and what to do.
    """
    if len(content) > LARGEST:
        raise KioskdError(f"{name}: is larger than {LARGEST >> 20} MB: no story of kioskd is; get one with {FETCH}")
    rows = content.split(b"\n")
    version, clocks = _head(rows[0], name)
    chapters: list[Chapter] = []
    turns = 0
    for number, row in enumerate(rows[1:], 2):
        try:
            item = _json(row)
            match item:
                case {"end": int(count)} if not any(rows[number:]):
                    if count != turns:
                        raise ValueError(f"the story had {count} turns, here are {turns}: fetch it again")
                    return Told(version, clocks, tuple(chapters))
                case {"chapter": int(nth), "state": state}:
                    chapters.append(Chapter(nth, read_value(State, state), [], 0))
                case [now, fact, actions] if chapters:
                    chapters[-1].turns.append(_turn(now, fact, actions, chapters[-1].turns))
                    turns += 1
                case _:
                    raise ValueError("is neither a chapter, nor a turn in one, nor the end")
        except ValueError as error:
            raise KioskdError(f"{name}:{number}: {_short(error)}{_origin(version, ours)}") from None
        except RecursionError:
            raise KioskdError(f"{name}:{number}: has too many things inside one another: kioskd did not write it") from None
    raise KioskdError(f"{name}:{len(rows)}: the end is missing: the file was cut off; fetch it again")


def _head(row: bytes, name: str) -> tuple[str, Clocks]:
    try:
        head = _json(row)
    except ValueError:
        head = None
    match head:
        case {"story": int(form), "kioskd": str(version)} if form != FORMAT:
            theirs = shown(version)
            raise KioskdError(f"{name}:1: this is form {form} of a story, by kioskd {theirs}: replay it there; form {FORMAT} is read here")
        case {"story": int(), "kioskd": str(version), "monotonic": int() | float() as monotonic, "wall": int() | float() as wall} if (
            abs(monotonic) <= _MOST and 0 <= wall < 2**37  # years with four digits
        ):
            return shown(version), Clocks(monotonic, wall)
    raise KioskdError(f"{name}:1: this is no story of kioskd: get one with {FETCH}")


def _json(row: bytes) -> Any:
    if len(row) > LONGEST_LINE:
        raise ValueError(f"is longer than {LONGEST_LINE >> 20} MB")
    try:
        return json.loads(row, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ValueError("is no whole line of JSON: the file is damaged, or was cut off; fetch it again") from None


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _turn(now: object, fact: object, actions: object, before: list[Turn]) -> Turn:
    moment = _in("the moment", float, now)
    if before and moment < before[-1][0]:
        raise ValueError(f"the moment {moment} is before that of the line above, {before[-1][0]}")
    return moment, _in("the fact", Fact, fact), _in("the actions", tuple[Action, ...], actions)


def _short(error: ValueError) -> str:
    said = str(error)
    return said if len(said) < 250 else "…" + said[-250:]


def _origin(version: str, ours: str) -> str:
    return "" if version == ours else f" (the story is of kioskd {version}, this is {ours}: replay it there)"


def _in(where: str, hint: Any, value: object) -> Any:
    try:
        return read_value(hint, value)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def read_value(hint: Any, value: object) -> Any:
    """Return what JSON says for a type of the core's; raises ``ValueError`` with the place and what belongs there."""
    named, plain = _forms(hint)
    kind = type(value)
    if isinstance(value, dict) and len(value) == 1:
        ((name, content),) = value.items()
        if name in named:
            return _named(named[name], content)
        raise ValueError(f'"{shown(name)}" is not known here; {_wanted(hint)} belongs here')
    if kind is list and list in plain:
        return _listed(plain[list], value)
    if kind is str and str in plain:
        return value
    if kind is str and float in plain and value == "inf":
        return inf
    if kind in (int, float) and float in plain or kind is int and int in plain:
        if abs(value) <= _MOST:  # type: ignore[arg-type] # it is a number
            return value
        raise ValueError(f"{value!r:.40} is out of all bounds")
    if kind in plain and value is None or kind is bool and bool in plain:
        return value
    raise ValueError(f"{shown(json.dumps(value))} stands where {_wanted(hint)} belongs")


def _named(cls: Any, content: Any) -> Any:
    name = cls.__name__
    if issubclass(cls, Enum):
        if isinstance(content, str) and content in cls.__members__:
            return cls[content]
        raise ValueError(f"{name}: {shown(json.dumps(content))} is none of {', '.join(cls.__members__)}")
    if not isinstance(content, dict):
        raise ValueError(f"{name}: {shown(json.dumps(content))} stands where its fields belong")
    known = _fields(cls)
    given = {}
    for field, value in content.items():
        if field not in known:
            raise ValueError(f'{name}: has no field "{shown(field)}"')
        given[field] = _in(f"{name}.{field}", known[field][0], value)
    for field, (_, needed) in known.items():
        if needed and field not in given:
            raise ValueError(f"{name}.{field}: is missing")
    return cls(**given)


def _listed(hint: Any, value: Any) -> Any:
    args = get_args(hint)
    if get_origin(hint) is frozenset:
        try:
            return frozenset([read_value(args[0], part) for part in value])
        except ValueError as error:
            raise ValueError(f"of the set: {error}") from None
    if args[1:] == (...,):
        return tuple([_in(f"number {nth}", args[0], part) for nth, part in enumerate(value, 1)])
    if len(value) != len(args):
        raise ValueError(f"{len(value)} things stand where {len(args)} belong")
    return tuple([_in(f"number {nth}", each, part) for nth, (each, part) in enumerate(zip(args, value, strict=True), 1)])


@cache
def _fields(cls: Any) -> dict[str, tuple[Any, bool]]:
    """Return each field's type, and whether it has no default (what was added since the story was told has one)."""
    hints = get_type_hints(cls)
    return {each.name: (hints[each.name], each.default is MISSING and each.default_factory is MISSING) for each in fields(cls)}


@cache
def _forms(hint: Any) -> tuple[dict[str, type], dict[type, Any]]:
    """Return the classes that may stand there by name, and the kinds of JSON that may."""
    named: dict[str, type] = {}
    plain: dict[type, Any] = {}
    if hasattr(hint, "__supertype__"):
        hint = hint.__supertype__
    origin = get_origin(hint)
    if origin in (tuple, frozenset):
        plain[list] = hint
    elif origin is not None:  # a union
        for part in get_args(hint):
            more = _forms(part)
            named |= more[0]
            plain |= more[1]
    elif is_dataclass(hint) or issubclass(hint, Enum):
        named[hint.__name__] = hint
    else:
        plain[hint] = hint
    return named, plain


def _wanted(hint: Any) -> str:
    named, plain = _forms(hint)
    words = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", list: "a list", type(None): "null"}
    names = list(named) if len(named) < 4 else [f"one of {len(named)} known names"]
    return " or ".join([*names, *(words[kind] for kind in plain)])

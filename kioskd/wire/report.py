"""What the observer in the page answers, as a fact.

The page could forge any of it, so nothing is believed but its shape, and nothing is kept that has no bound.
"""

from collections.abc import Iterable
from math import isfinite
from typing import Any

from kioskd.core.facts import Connection, PageAnswered
from kioskd.errors import KioskdError

MAX_URL = 2048
MAX_CONNECTIONS = 64
_MAX_SECONDS = 1e9
_MAX_COUNT = 2**53


def read_report(generation: int, question: int, main: object, workers: Iterable[object] = ()) -> PageAnswered:
    """Return the main document's report, the connections of its frames and workers merged in. Raise ``KioskdError`` for rubbish."""
    report = _mapping(main)
    frames = [told for frame in _list(report.get("frames")) if (told := _frame(frame)) is not None]
    connections = [each for part in (report, *map(_mapping, workers)) for each in _connections(part)]
    connections += [each for _, held in frames for each in held]
    status, alive = report.get("status"), report.get("alive")
    return PageAnswered(
        generation=generation,
        question=question,
        url=_text(report, "url"),
        ready=_flag(report, "ready"),
        status=status if type(status) is int and 0 <= status < 1000 else None,
        visible=_flag(report, "visible"),
        stuck_text=_flag(report, "stuck") or any(stuck for stuck, _ in frames),
        alive=alive if isinstance(alive, bool) else None,
        connections=_merged(connections)[:MAX_CONNECTIONS],
    )


def _frame(value: object) -> tuple[bool, list[Connection]] | None:
    """Return whether a frame is stuck, and its connections; None where it talks rubbish, which is no fault of the document around it."""
    try:
        frame = _mapping(value)
        return _flag(frame, "stuck"), _connections(frame)
    except KioskdError:
        return None


def _connections(part: dict[str, Any]) -> list[Connection]:
    return [_connection(each) for each in _list(part.get("connections"))]


def _connection(value: object) -> Connection:
    group = _mapping(value)
    opened, dead = _seconds(group, "open_for"), _seconds(group, "dead_for")
    if (opened is None) == (dead is None):
        raise _rubbish("a connection that is both open and dead, or neither")
    messages = group.get("messages")
    if type(messages) is not int or not 0 <= messages <= _MAX_COUNT:
        raise _rubbish("messages")
    return Connection(
        url=_text(group, "url"),
        open_for=opened,
        dead_for=dead,
        closed_by_page=_flag(group, "closed_by_page"),
        messages=messages,
        silent_for=_seconds(group, "silent_for") or 0.0,
        longest_gap=_seconds(group, "longest_gap") or 0.0,
    )


def _merged(connections: list[Connection]) -> tuple[Connection, ...]:
    """Return one connection for each URL: a page may hold the same one from several frames."""
    by_url: dict[str, list[Connection]] = {}
    for each in connections:
        by_url.setdefault(each.url, []).append(each)
    return tuple(_as_one(group) for group in by_url.values())


def _as_one(group: list[Connection]) -> Connection:
    live = [each for each in group if each.open_for is not None]
    return Connection(
        url=group[0].url,
        open_for=max((each.open_for for each in live if each.open_for is not None), default=None),
        dead_for=None if live else min(each.dead_for for each in group if each.dead_for is not None),
        closed_by_page=not live and all(each.closed_by_page for each in group),
        messages=sum(each.messages for each in group),
        silent_for=min((each.silent_for for each in live), default=0.0),
        longest_gap=max(each.longest_gap for each in group),
    )


def _mapping(value: object) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise _rubbish(type(value).__name__)


def _list(value: object) -> list[object]:
    if value is None:
        return []
    if isinstance(value, list):
        return value[:MAX_CONNECTIONS]
    raise _rubbish(type(value).__name__)


def _text(part: dict[str, Any], key: str) -> str:
    value = part.get(key)
    if isinstance(value, str):
        return value[:MAX_URL]
    raise _rubbish(key)


def _flag(part: dict[str, Any], key: str) -> bool:
    value = part.get(key)
    if isinstance(value, bool):
        return value
    raise _rubbish(key)


def _seconds(part: dict[str, Any], key: str) -> float | None:
    value = part.get(key)
    if value is None:
        return None
    if type(value) is int or (type(value) is float and isfinite(value)):
        return float(min(max(value, 0), _MAX_SECONDS))
    raise _rubbish(key)


def _rubbish(what: str) -> KioskdError:
    return KioskdError(f"The page's answer makes no sense: {what}")

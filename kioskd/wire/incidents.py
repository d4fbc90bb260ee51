"""Incidents as lines of a file, and as what ``GET /api/incidents`` shows.

A line is one JSON object, whole by itself, and adds to the incident that it names. A power cut tears the last line; a card that is dying
tears any. So each line is read for itself, and what is no line of ours is counted and left out.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any

from kioskd.core.incidents import Entry, Kind
from kioskd.core.steps import Remedy, Rung
from kioskd.core.verdict import Verdict
from kioskd.wire.status import Clocks
from kioskd.wire.urls import without_secrets
from kioskd.wire.values import PICTURE, UNPRINTABLE

#: Of texts that a page or a server may have had a hand in.
LONGEST = 500
TROUBLES = 20

INTERRUPTED = "interrupted"  # kioskd ended in the middle
EVIDENCE = "evidence"
OPEN, HELPED, IN_VAIN = "", "helped", "did not help"

_VERDICTS = frozenset(each.value for each in Verdict)
_REMEDIES = frozenset(each.value for each in Remedy)
_RUNGS = frozenset(each.name for each in Rung)
_TIME = "0000-00-00T00:00:00.000Z"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What could be had before something was done, or after it had helped."""

    picture: str = ""  # the name of a file beside the incidents; "": none could be had
    errors: tuple[str, ...] = ()  # of scripts, newest last
    requests: tuple[str, ...] = ()  # that failed, newest last
    journal: tuple[str, ...] = ()
    memory: int | None = None  # bytes of the browser's tree


def read_troubles(said: Iterable[object]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the errors of a page's scripts and the requests that failed, as its observer tells of them. The page could forge any."""
    told = [each for each in said if isinstance(each, dict) and isinstance(each.get("number"), int) and isinstance(each.get("text"), str)]
    told = sorted(told, key=lambda each: int(each["number"]))[-TROUBLES:]
    texts = [(each.get("kind"), without_secrets(each["text"])[:LONGEST]) for each in told]
    errors, requests = (tuple(text for of, text in texts if of == kind) for kind in ("error", "request"))
    return errors, requests


def entry_line(number: int, entry: Entry, clocks: Clocks) -> str:
    """Return an entry of the incident ``number``."""
    more = {
        "why": entry.text[:LONGEST],
        "remedy": entry.remedy.value if entry.remedy else "",
        "seconds": None if entry.seconds is None else round(entry.seconds, 1),
        "left_out": entry.left_out,
    }
    told = {"id": number, "what": entry.kind.value, "at": clocks.exact(entry.at), "verdict": entry.verdict.value, "rung": entry.rung.name}
    return _line({**told, **{key: value for key, value in more.items() if value not in ("", None, 0)}})


def evidence_line(number: int, evidence: Evidence, at: str) -> str:
    """Return the evidence of the incident ``number``."""
    lists = {"errors": evidence.errors, "requests": evidence.requests, "journal": evidence.journal}
    texts = {key: [text[:LONGEST] for text in each] for key, each in lists.items()}
    more = {"picture": evidence.picture, "memory": evidence.memory, **texts}
    return _line({"id": number, "what": EVIDENCE, "at": at, **{key: value for key, value in more.items() if value}})


def interrupted_line(number: int, at: str) -> str:
    """Return that the incident ``number`` has no end of its own: kioskd, or the machine, ended before."""
    return _line({"id": number, "what": INTERRUPTED, "at": at})


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"


@dataclass(slots=True)
class Incidents:
    """What was read, oldest first, each as ``GET /api/incidents`` shows it."""

    known: dict[int, dict[str, Any]] = field(default_factory=dict)
    torn: int = 0  # lines that are none of ours

    def shown(self, most: int) -> dict[str, Any]:
        """Return the newest ``most``, the newest first."""
        return {"incidents": list(self.known.values())[: -most - 1 : -1], "torn_lines": self.torn}


def read(lines: Iterable[bytes]) -> Incidents:
    """Read a file of such lines. Never raises for what is in them."""
    incidents = Incidents()
    for line in lines:
        if not line.strip():
            continue
        try:
            content = json.loads(line)
            _add(incidents.known, content)
        except (ValueError, KeyError, TypeError, RecursionError):  # a UnicodeDecodeError is a ValueError
            incidents.torn += 1
    return incidents


def _add(known: dict[int, dict[str, Any]], told: dict[str, Any]) -> None:
    number, what, at = told["id"], told["what"], told["at"]
    if type(number) is not int or number < 1 or not isinstance(at, str) or len(at) != len(_TIME):
        raise ValueError("not a line of ours")
    datetime.fromisoformat(at)
    if what == Kind.BEGAN.value and number not in known:
        known[number] = {
            "id": number, "began": at, "ended": None, "seconds": None, "cure": None, "interrupted": False, "left_out": 0,
            "verdict": _one_of(told["verdict"], _VERDICTS), "why": _text(told.get("why", "")), "rung": _one_of(told["rung"], _RUNGS),
            "seen": [], "actions": [], "evidence": [],
        }  # fmt: skip
        return
    incident = known[number]
    if what == EVIDENCE:
        evidence = {key: [_text(text) for text in told.get(key, [])] for key in ("errors", "requests", "journal")}
        picture, memory = _text(told.get("picture", "")), told.get("memory")
        if (picture and not PICTURE.fullmatch(picture)) or not isinstance(memory, int | None):
            raise ValueError("no evidence of ours")
        incident["evidence"].append({"at": at, "picture": picture or None, "memory": memory, **evidence})
    elif what == INTERRUPTED:
        incident.update(interrupted=True, ended=at)
    else:
        _go_on(incident, what, at, told)


def _go_on(incident: dict[str, Any], what: object, at: str, told: dict[str, Any]) -> None:
    verdict, rung, why = _one_of(told["verdict"], _VERDICTS), _one_of(told["rung"], _RUNGS), _text(told.get("why", ""))
    remedy = _one_of(told["remedy"], _REMEDIES) if "remedy" in told else None
    left_out = _whole(told.get("left_out", 0))
    match what:
        case Kind.SEEN.value:
            incident["seen"].append({"at": at, "verdict": verdict, "why": why})
        case Kind.DONE.value:
            _settle(incident, IN_VAIN if incident["actions"] and incident["actions"][-1]["for"] == verdict else HELPED)
            incident["actions"].append({"at": at, "what": remedy, "for": verdict, "outcome": OPEN})
        case Kind.FAILED.value:
            _settle(incident, f"failed: {why}")
        case Kind.CURED.value:
            incident.update(seconds=_number(told["seconds"]), ended=at, cure=remedy or "by itself")
            _settle(incident, HELPED)
        case _:
            raise ValueError("not a line of ours")
    incident["rung"], incident["left_out"] = rung, incident["left_out"] + left_out


def _settle(incident: dict[str, Any], outcome: str) -> None:
    if incident["actions"] and incident["actions"][-1]["outcome"] == OPEN:
        incident["actions"][-1]["outcome"] = outcome


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise TypeError("not a count")
    return value


def _number(value: object) -> float:
    if type(value) not in (int, float) or not isfinite(value):  # type: ignore[arg-type]
        raise TypeError("not a number")
    return float(value)  # type: ignore[arg-type]


def _one_of(value: object, known: frozenset[str]) -> str:
    if not isinstance(value, str) or value not in known:
        raise ValueError("not one of ours")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return UNPRINTABLE.sub("\ufffd", value[:LONGEST])  # a page had a hand in it, and a terminal may show it

"""What kioskctl prints, line by line."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest

from kioskd.wire.words import Paint, ago, doctor_lines, incident_lines, incident_text, seconds, status_lines

NOW = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)
PLAIN = Paint(colours=False)


def at(clock: str, day: int = 26) -> str:
    return f"2026-11-{day:02}T{clock}Z"


def status(**over: Any) -> dict[str, Any]:
    connection = {"expected": "ws://wall/ws", "open_since": at("10:00:00"), "dead_since": None, "closed_by_page": False, "silent": False}
    known: dict[str, Any] = {
        "verdict": "HEALTHY", "why": "the page is as it should be", "rung": "CALM", "since": at("10:00:00"), "needs_person": False,
        "next": None, "page": {"url": "http://wall/", "connection": connection}, "server": {"up": None, "home": None, "socket": None},
        "versions": {"screen": None, "disk": None, "missing": []}, "paused_until": None, "configuration": {"mistakes": []}, "problems": {},
        "browser": {"state": "up", "product": "Chrome/156", "since": at("10:00:00", 23), "memory": 412_000_000, "reason": ""},
    }  # fmt: skip
    return {**known, **over}


def said(**over: Any) -> str:
    return "\n".join(status_lines(status(**over), NOW, PLAIN))


def connected(**over: Any) -> dict[str, Any]:
    return {"url": "http://wall/", "connection": {**status()["page"]["connection"], **over}}


def test_all_is_well_in_a_few_lines() -> None:
    assert said().splitlines() == [
        "● HEALTHY  the page is as it should be for 2 h",
        "  page     http://wall/, its connection has been open for 2 h",
        "  server   not asked: all is well",
        "  browser  Chrome/156, up for 3 d 2 h, 412 MB",
        "  next     nothing to do",
    ]


VERSION = {"version": 1795686000, "digest": "sha256:ab"}  # 2026-11-26 11:00


@pytest.mark.parametrize(
    ("over", "line"),
    [
        ({"rung": "RELOADED"}, "● HEALTHY  the page is as it should be; reloaded, the first sign was 2 h ago"),
        ({"rung": "RELOADED", "verdict": "STUCK", "why": "cut off"}, "● STUCK  cut off for 2 h, reloaded"),
        ({"verdict": "PAUSED", "why": "paused for 600 s"}, "● PAUSED  paused for 600 s"),
        ({"since": None}, "● HEALTHY  the page is as it should be"),
        ({"needs_person": True}, "  A person is needed: all that kioskd has was done three times. kioskctl incidents says what."),
        ({"page": connected(open_since=None, dead_since=at("11:59:30"))}, "  page     http://wall/, its connection has been dead for 30 s"),
        ({"page": connected(open_since=None, closed_by_page=True)}, "  page     http://wall/, it has closed its connection itself"),
        ({"page": connected(open_since=None)}, "  page     http://wall/"),
        ({"page": {**connected(), "url": ""}}, "  page     none"),
        ({"page": {**connected(open_since=None), "url": "data:text/html;charset=utf-8;kioskd=holding"}},
         "  page     kioskd's own: holding"),
        ({"server": {"up": True, "home": {"status": 200, "error": "", "at": at("11:59:57")}, "socket": None}},
         "  server   up: answered 200, 3.0 s ago"),
        ({"server": {"up": False, "home": {"status": None, "error": "refused", "at": at("11:58:00")}, "socket": None}},
         "  server   down: refused, 2 min ago"),
        ({"server": {"up": None, "home": None, "socket": {"status": None, "error": "", "at": at("11:58:15")}}},
         "  server   no answer, 1 min 45 s ago"),
        ({"versions": {"screen": VERSION, "disk": VERSION, "missing": []}}, "  version  1795686000 (09:40:00), on the screen"),
        ({"versions": {"screen": None, "disk": VERSION, "missing": []}},
         "  version  1795686000 (09:40:00) on disk; on the screen one that is not known"),
        ({"versions": {"screen": {**VERSION, "version": 7}, "disk": VERSION, "missing": []}},
         "  version  1795686000 (09:40:00) on disk; on the screen 7"),
        ({"versions": {"screen": None, "disk": VERSION, "missing": ["/a.js"]}}, "  version  1795686000 on disk is not complete: /a.js"),
        ({"browser": {"state": "none", "reason": "Cannot find a browser"}}, "  browser  none: Cannot find a browser"),
        ({"browser": {"state": "starting", "reason": ""}}, "  browser  starting"),
        ({"browser": {**status()["browser"], "memory": None}}, "  browser  Chrome/156, up for 3 d 2 h"),
        ({"next": {"action": "reload the page", "at": at("12:00:12")}}, "  next     reload the page in 12 s"),
        ({"next": {"action": "reload the page", "at": at("11:59:59")}}, "  next     reload the page now"),
        ({"paused_until": at("12:10:00")}, "  paused   until 12:10:00; kioskctl resume ends it"),
        ({"paused_until": at("12:10:00", 27)}, "  paused   until 2026-11-27 12:10:00; kioskctl resume ends it"),
        ({"problems": {"state": "read-only"}}, "  state    read-only"),
        ({"configuration": {"mistakes": ["k.yaml:1: no"]}}, "  config   k.yaml:1: no"),
    ],
)  # fmt: skip
def test_each_thing_that_may_be_otherwise_has_its_line(over: dict[str, Any], line: str) -> None:
    assert line not in said().splitlines()
    assert line in said(**over).splitlines()


STUCK: dict[str, Any] = {
    "id": 12, "began": "2026-11-26T03:12:00.250Z", "ended": "2026-11-26T03:12:31.000Z", "seconds": 20.4, "cure": "reload the page",
    "interrupted": False, "left_out": 3, "verdict": "STUCK", "why": "the connection is dead", "rung": "RELOADED",
    "seen": [{"at": "2026-11-26T03:12:20.700Z", "verdict": "HEALTHY", "why": "as it should be"}],
    "actions": [
        {"at": "2026-11-26T03:12:20.300Z", "what": "reload the page", "for": "STUCK", "outcome": "helped"},
        {"at": "2026-11-26T03:12:20.900Z", "what": "restart the browser", "for": "STUCK", "outcome": ""},
    ],
    "evidence": [
        {"at": "2026-11-26T03:12:20.290Z", "picture": "12-1.jpg", "memory": 400_000_000, "errors": ["it broke"], "requests": ["/a.js"],
         "journal": ["kernel: hot"]},
        {"at": "2026-11-26T03:12:30.000Z", "picture": None, "memory": None, "errors": [], "requests": [], "journal": []},
    ],
}  # fmt: skip


def test_one_incident_whole_in_the_order_of_time() -> None:
    assert list(incident_text(STUCK, NOW, PLAIN)) == [
        "● Incident 12  STUCK: the connection is dead",
        "  03:12:00, over after 20 s by: reload the page",
        "",
        "  03:12:00.250  STUCK        the connection is dead",
        "  03:12:20.300    →          reload the page  (helped)",
        "  03:12:20.700  HEALTHY      as it should be",
        "  03:12:20.900    →          restart the browser  (…)",
        "  3 more of the same were not kept",
        "",
        "  03:12:20.290  evidence, the browser had 400 MB",
        "    picture: kioskctl show 12 --picture 12-1.jpg",
        "    script: it broke",
        "    not loaded: /a.js",
        "    journal: kernel: hot",
        "",
        "  03:12:30.000  evidence",
    ]


def test_incidents_are_a_line_each_and_say_how_they_ended() -> None:
    itself = {**STUCK, "cure": "by itself", "left_out": 0}
    others = [itself, {**STUCK, "seconds": None, "cure": None}, {**STUCK, "interrupted": True, "began": "2026-11-25T23:00:00.000Z"}]
    lines = list(incident_lines(others, NOW, PLAIN))
    assert lines[0] == "   12             03:12:00  STUCK        over after 20 s         the connection is dead"
    assert "not over" in lines[1] and "2026-11-25 23:00:00" in lines[2] and "interrupted" in lines[2]
    text = list(incident_text(itself, NOW, PLAIN))
    assert text[1] == "  03:12:00, over after 20 s" and not any("were not kept" in line for line in text)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (60, "1 min"), (61, "1 min 1 s"), (660, "11 min"), (3660, "1 h 1 min"),
     (86400 * 3, "3 d"), (86400 * 30 + 3600, "30 d")],
)  # fmt: skip
def test_durations_have_two_units_at_most(number: float, text: str) -> None:
    assert seconds(number) == text


def test_what_never_was_is_never_and_what_is_to_come_is_no_past() -> None:
    assert ago(None, NOW) == "never" and ago(at("12:00:05"), NOW) == "0.0 s"


def test_colours_are_for_terminals() -> None:
    assert "\x1b[32m● HEALTHY\x1b[0m" in next(status_lines(status(), NOW, Paint(colours=True)))
    assert "\x1b[31m● FROZEN\x1b[0m" in next(status_lines(status(verdict="FROZEN"), NOW, Paint(colours=True)))
    assert "\x1b" not in said() and Paint(colours=True)("", "plain") == "plain"


class State(Enum):
    BAD = "bad"
    GOOD = "good"


@dataclass
class Finding:
    about: str
    state: State
    says: str
    advice: str = ""


def test_the_doctors_findings_with_advice_below() -> None:
    found = [Finding("clock", State.GOOD, "in sync"), Finding("seat", State.BAD, "seatd does not run", "enable it")]
    assert list(doctor_lines(found, PLAIN)) == ["ok    clock: in sync", "BAD   seat: seatd does not run", "      → enable it"]

"""Incidents as lines: what was written is read again, and what is torn, forged or half costs itself only."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kioskd.core.incidents import Entry, Kind
from kioskd.core.steps import Remedy, Rung
from kioskd.core.verdict import Verdict
from kioskd.wire.incidents import Evidence, entry_line, evidence_line, interrupted_line, read, read_troubles
from kioskd.wire.status import Clocks

CLOCKS = Clocks(1000.0, 1_800_000_000.0)
AT = CLOCKS.exact(1000.0)

STUCK = [
    Entry(Kind.BEGAN, 979.5, Verdict.STUCK, Rung.SUSPECT, "the server is up and the page's connection is dead"),
    Entry(Kind.DONE, 1000.0, Verdict.STUCK, Rung.RELOADED, "", Remedy.RELOAD),
    Entry(Kind.SEEN, 1000.25, Verdict.HEALTHY, Rung.RELOADED, "the page is as it should be"),
    Entry(Kind.CURED, 1020.0, Verdict.HEALTHY, Rung.RELOADED, "", Remedy.RELOAD, 20.75),
]


def lines(number: int = 7) -> list[bytes]:
    told = [entry_line(number, entry, CLOCKS) for entry in STUCK]
    told.insert(
        1,
        evidence_line(
            number, Evidence("7-1.jpg", ("it broke (app.js:3)",), ("/assets/a.js",), ("dashboard: oh", "kernel: no"), 400 << 20), AT
        ),
    )
    return [line.encode() for line in told]


def test_an_incident_is_told_as_it_was() -> None:
    incidents = read(lines())
    assert incidents.torn == 0
    (told,) = incidents.shown(10)["incidents"]
    assert told == {
        "id": 7, "began": "2027-01-15T07:59:39.500Z", "ended": "2027-01-15T08:00:20.000Z", "seconds": 20.8, "cure": "reload the page",
        "interrupted": False, "left_out": 0, "verdict": "STUCK", "why": "the server is up and the page's connection is dead",
        "rung": "RELOADED", "seen": [{"at": "2027-01-15T08:00:00.250Z", "verdict": "HEALTHY", "why": "the page is as it should be"}],
        "actions": [{"at": "2027-01-15T08:00:00.000Z", "what": "reload the page", "for": "STUCK", "outcome": "helped"}],
        "evidence": [
            {"at": AT, "picture": "7-1.jpg", "memory": 400 << 20, "errors": ["it broke (app.js:3)"], "requests": ["/assets/a.js"],
             "journal": ["dashboard: oh", "kernel: no"]},
        ],
    }  # fmt: skip


def test_what_was_done_before_the_cure_did_not_help_and_what_could_not_be_done_failed() -> None:
    entries = [
        STUCK[0], STUCK[1], Entry(Kind.DONE, 1040.0, Verdict.STUCK, Rung.RESTARTED, "", Remedy.RESTART),
        Entry(Kind.FAILED, 1041.0, Verdict.STUCK, Rung.RESTARTED, "not done within 15 s", Remedy.RESTART),
        Entry(Kind.DONE, 1100.0, Verdict.STUCK, Rung.RESTARTED, "", Remedy.RESTART),
    ]  # fmt: skip
    (told,) = read(entry_line(1, entry, CLOCKS).encode() for entry in entries).shown(1)["incidents"]
    assert [each["outcome"] for each in told["actions"]] == ["did not help", "failed: not done within 15 s", ""]
    assert told["ended"] is None and told["cure"] is None and told["rung"] == "RESTARTED"


def test_one_that_nothing_was_done_about_went_by_itself() -> None:
    entries = [STUCK[0], Entry(Kind.CURED, 1020.0, Verdict.HEALTHY, Rung.SUSPECT, "", None, 3.0, left_out=4)]
    (told,) = read(entry_line(1, entry, CLOCKS).encode() for entry in entries).shown(1)["incidents"]
    assert told["cure"] == "by itself" and told["left_out"] == 4


def test_one_that_kioskd_did_not_live_to_see_the_end_of_says_so() -> None:
    told = read([*lines()[:2], interrupted_line(7, AT).encode()]).known[7]
    assert told["interrupted"] and told["ended"] == AT and told["cure"] is None


def test_the_newest_come_first_and_not_too_many() -> None:
    incidents = read(line for number in range(1, 6) for line in lines(number))
    assert [each["id"] for each in incidents.shown(3)["incidents"]] == [5, 4, 3]
    assert len(incidents.shown(100)["incidents"]) == 5
    assert incidents.shown(0)["incidents"] == []


@given(st.data())
def test_a_torn_line_costs_itself_only(data: st.DataObject) -> None:
    whole = lines(1) + lines(2)
    which = data.draw(st.integers(0, len(whole) - 1))
    cut = data.draw(st.integers(0, len(whole[which]) - 2))
    torn = [*whole[:which], whole[which][:cut], *whole[which + 1 :]]
    incidents = read(torn)
    assert set(incidents.known) == ({1, 2} - ({1} if which == 0 else {2} if which == len(lines()) else set()))
    assert read(whole).known[2 if which < len(lines()) else 1] == incidents.known[2 if which < len(lines()) else 1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda part: st.lists(part) | st.dictionaries(st.text(), part)
)


@given(st.lists(st.binary() | JSON.map(lambda value: json.dumps(value).encode()), max_size=20))
def test_rubbish_is_counted(rubbish: list[bytes]) -> None:
    incidents = read([*lines(1), *rubbish, *lines(2)])
    assert incidents.torn == len([each for each in rubbish if each.strip()])
    assert incidents.known[2] == {**read(lines(1)).known[1], "id": 2}


@given(
    st.integers(0, 4),
    st.sampled_from(("id", "what", "at", "verdict", "rung", "remedy", "seconds", "left_out", "why", "picture", "memory", "errors")),
    JSON,
)
def test_a_field_of_another_kind_is_never_fatal(which: int, key: str, value: Any) -> None:
    told = lines(1)
    told[which] = json.dumps({**json.loads(told[which]), key: value}).encode()
    read(told).shown(5)


def test_what_a_page_says_of_its_troubles_is_bounded_and_sorted() -> None:
    said = [
        {"kind": "error", "number": 2, "text": "x" * 9999}, {"kind": "request", "number": 1, "text": "/a"}, "rubbish", None,
        {"kind": "error", "number": 0, "text": "first"}, {"kind": "error", "number": "1", "text": "no"},
        {"kind": "else", "number": 3, "text": "?"},
    ]  # fmt: skip
    errors, requests = read_troubles(said)
    assert [len(each) for each in errors] == [5, 500] and requests == ("/a",)
    told = "Failed to load http://me:secret@h/a?secret (https://h/app.js?secret#secret:7), twice"
    assert read_troubles([{"kind": "error", "number": 0, "text": told}])[0] == ("Failed to load http://h/a (https://h/app.js), twice",)
    many, _ = read_troubles({"kind": "error", "number": number, "text": str(number)} for number in range(1000))
    assert many[0] == "980" and len(many) == 20


@pytest.mark.parametrize(
    "over",
    [
        {"left_out": -1}, {"left_out": True}, {"seconds": "20"}, {"seconds": True}, {"what": "began"}, {"what": "flew"}, {"id": True},
        {"id": 0}, {"at": "yesterday"}, {"verdict": "FINE"}, {"rung": 3}, {"remedy": "prayer"}, {"why": 7},
    ],
)  # fmt: skip
def test_a_line_with_a_field_that_is_none_of_ours_is_left_out(over: dict[str, Any]) -> None:
    *before, last = lines()
    changed = json.dumps({**json.loads(last), **over}).encode()
    incidents = read([*before, changed])
    assert incidents.torn == 1 and incidents.known[7]["ended"] is None, "nothing of it was taken"


@pytest.mark.parametrize(
    "over",
    [
        {"picture": "../token"},
        {"picture": ".bashrc"},
        {"picture": "1-1.jpg;x"},
        {"picture": 1},
        {"memory": "much"},
        {"errors": "x"},
        {"journal": [1]},
    ],
)
def test_evidence_that_is_none_of_ours_is_left_out(over: dict[str, Any]) -> None:
    told = lines()
    told[1] = json.dumps({**json.loads(told[1]), **over}).encode()
    incidents = read(told)
    if over == {"errors": "x"}:
        assert incidents.known[7]["evidence"][0]["errors"] == ["x"]
    else:
        assert incidents.torn == 1 and incidents.known[7]["evidence"] == []


def test_a_page_steers_no_terminal_by_what_it_complains_of() -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202eit broke\x9b31m"
    told = [lines()[0].decode(), evidence_line(7, Evidence(errors=(evil,)), AT)]
    (incident,) = read(line.encode() for line in told).shown(1)["incidents"]
    (said,) = incident["evidence"][0]["errors"]
    assert "it broke" in said and not any(sign in said for sign in "\x1b\x07\x9b")


@pytest.mark.parametrize("at", ["{026-11-26T03:12:00.000Z", "2026-13-26T03:12:00.000Z", "x" * 24])
def test_a_moment_that_is_none_is_no_line_of_ours(at: str) -> None:
    assert read([lines()[0].replace(b"2027-01-15T07:59:39.500Z", at.encode())]).torn == 1

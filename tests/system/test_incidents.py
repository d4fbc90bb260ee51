"""What is told of an incident: the same by every way, and after a power cut; and while all is well nothing is written at all."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from kioskd.wire import incidents as kept
from tests.system.conftest import Layers
from tests.system.machine import Machine, machine, until
from tests.system.screen import CONFIG, PAGE, STATE, back, do, document, journal, main_pid, processes, status, switch

pytestmark = pytest.mark.system

OVER_S = 30.0  # 10 s of health, and a picture
ROUNDS = 4  # of health, one in 3 s
LOOKING = f"""\
url: {PAGE}
deploy: {{also: [/srv/menu.json]}}
health: {{journal: [{{unit: dashboard, match: to 0 clients}}]}}
"""
QUICK = f"""\
url: {PAGE}
health: {{interval: 1, websocket: {{reload_after: 3}}}}
"""


@pytest.fixture(scope="module")
def kiosk(installed: Layers) -> Iterator[Machine]:
    """Calm: its start is over."""
    with machine("kioskd-told", installed) as it:
        back(it)
        until(lambda: status(it)["rung"] == "CALM", OVER_S, "its start is not over")
        yield it


def told(it: Machine) -> dict[str, Any]:
    """What ``kioskctl incidents`` has for programs."""
    known = json.loads(it.run("kioskctl", "incidents", "--json"))
    assert isinstance(known, dict)
    return known


def over(it: Machine) -> dict[str, Any]:
    """Wait for the newest incident to be over and told to its last line, the picture after it; return it."""

    def whole() -> bool:
        newest = told(it)["incidents"][0]
        return newest["ended"] is not None and any(each["at"] >= newest["ended"] for each in newest["evidence"])

    until(whole, OVER_S, "the incident is not over")
    newest = told(it)["incidents"][0]
    assert isinstance(newest, dict)
    return newest


def configure(it: Machine, text: str) -> None:
    """Have this configuration taken up, if it is another one."""
    if it.shell(f"cat {CONFIG}") == text:
        return
    before = journal(it).count("Configuration read")
    it.write(CONFIG, text)
    until(lambda: journal(it).count("Configuration read") > before, 10, "the configuration is not taken up")


def written(it: Machine) -> list[str]:
    """Everything that kioskd can have written: bytes to disks by the kernel's count, its files but not the browser's, lines of the log."""
    own = f"find {STATE} /run/kioskd -path {STATE}/profile -prune -o -path '{STATE}/.*' -prune -o -printf '%p %i %T@ %C@ %s\\n' | sort"
    return [it.shell(f"grep ^write_bytes /proc/{main_pid(it)}/io"), it.shell(own), journal(it)]


def test_while_all_is_well_not_a_byte_is_written(kiosk: Machine) -> None:
    """Health, deploy and journal are looked at several times; the longest clock there is (memory, once a minute) is not waited for, because
    none of the writes in the code hangs on one: they follow an incident, a lesson, a configuration, or a start."""
    kiosk.write("/srv/menu.json", "{}")
    configure(kiosk, LOOKING)
    until(lambda: status(kiosk)["page"]["connection"]["expected"] and status(kiosk)["versions"]["disk"], 15, "it has not looked at all yet")
    before = written(kiosk)
    assert STATE in before[1] and "HEALTHY" in before[2]
    for _ in range(ROUNDS):
        last = status(kiosk)["page"]["asked"]
        until(lambda last=last: status(kiosk)["page"]["asked"] != last, 15, "the page is not asked")  # type: ignore[misc]
    assert written(kiosk) == before
    assert status(kiosk)["verdict"] == "HEALTHY"
    configure(kiosk, QUICK)
    now = written(kiosk)
    assert [one == other for one, other in zip(now, before, strict=True)] == [False] * 3, "what is written is not seen"


def test_every_way_tells_the_same_story_of_the_page_that_gave_up(kiosk: Machine) -> None:
    configure(kiosk, QUICK)
    before = document(kiosk)
    do(kiosk, "give_up")
    back(kiosk, other_than=before)
    incident = over(kiosk)
    number, why = incident["id"], "the server is up and the page's connection is dead"
    assert (incident["verdict"], incident["why"], incident["cure"]) == ("STUCK", why, "reload the page")
    assert [(each["what"], each["for"], each["outcome"]) for each in incident["actions"]] == [("reload the page", "STUCK", "helped")]

    over_http = ["curl", "--silent", "--fail", "--unix-socket", "/run/kioskd/control.sock", "http://kioskd/api/incidents"]
    assert json.loads(kiosk.run(*over_http))["incidents"][0] == incident
    listed = kiosk.run("kioskctl", "incidents").splitlines()[0].split(maxsplit=6)
    assert listed[0] == str(number) and listed[2:6] == ["STUCK", "over", "after", f"{incident['seconds']:.1f}"] and why in listed[6]
    shown = kiosk.run("kioskctl", "show", str(number))
    assert shown.startswith(f"● Incident {number}  STUCK: {why}\n")
    assert f"over after {incident['seconds']:.1f} s by: reload the page\n" in shown and "reload the page  (helped)\n" in shown

    logged = [json.loads(line) for line in kiosk.run("journalctl", "--output=json", f"INCIDENT={number}").splitlines()]
    assert {(line["_SYSTEMD_UNIT"], line["_PID"]) for line in logged} == {("kioskd.service", main_pid(kiosk))}
    assert [line["MESSAGE"] for line in logged] == [
        f"= STUCK (SUSPECT): {why}",
        "> reload the page (STUCK)",
        f"= STUCK (RELOADED): {why}",
        "= HEALTHY (RELOADED): the page is as it should be",
        f"+ CURED after {incident['seconds']:.1f} s: reload the page",
    ]
    explained = kiosk.run("journalctl", "--catalog", f"INCIDENT={number}")
    for name in ("STUCK: The page is cut off from its server", "STEP: kioskd has done something about it", "CURED: The incident is over"):
        assert f"Subject: {name}" in explained
    assert "`kioskctl show NUMBER`" in explained


def test_a_power_cut_in_the_middle_of_an_incident_costs_its_last_line_at_most(kiosk: Machine) -> None:
    configure(kiosk, QUICK)
    back(kiosk)
    number = told(kiosk)["incidents"][0]["id"] + 1
    switch(kiosk, transport="none")
    do(kiosk, "give_up")
    until(lambda: (newest := told(kiosk)["incidents"][0])["id"] == number and newest["actions"], 30, "nothing is done about it")
    kiosk.cut_power()
    file = kiosk.seen_from_outside / STATE.lstrip("/") / "incidents.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines)[: -len(lines[-1]) // 2])
    left = kept.read(lines[:-1]).known
    assert left[number]["ended"] is None and number > 1, "there is something to lose"

    kiosk.start()
    back(kiosk)
    known = told(kiosk)
    by_number = {each["id"]: each for each in known["incidents"]}
    assert known["torn_lines"] == 1
    assert by_number[number] == {**left[number], "interrupted": True, "ended": by_number[number]["ended"]}
    assert by_number[number]["ended"] is not None
    assert {each: told for each, told in by_number.items() if each < number} == {each: left[each] for each in left if each < number}
    assert max(by_number) == number, "a start is no incident"
    assert "interrupted: kioskd ended in the middle" in kiosk.run("kioskctl", "show", str(number))
    assert processes(kiosk) and status(kiosk)["problems"].get("incidents") is None

"""Scenarios: YAML files that an operator can read and write, played in the world.

``at`` is seconds after the start. In a step, what is expected by then comes first, then what happens. Expected may be:
``verdict``, ``rung``, ``why`` (a part of it), ``shows`` (home, holding, mistake, welcome, error, elsewhere, start), ``back`` (the oracle),
``person`` (needs one), ``asks`` (probes of the server since the last step),
``starts`` (how often the browser was started, all in all), ``whatever`` (what was done since the last ``did`` is of no interest),
``told`` (broadcasts to the other screens and replies to who asked, since the last step, in order), ``nothing`` (no action since the
last ``did`` or ``nothing``) and ``did``: the actions since then, in order. Each of these with its window of time, if wanted:
``Reload 20..22``.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from kioskd.core import actions as a
from kioskd.core.policy import Deploy, Health, JournalRule, Outage, Page, Policy, Reboot, WebSocket, Word
from tests.core.fake_page import HOME
from tests.core.invariants import STEP_NAMES
from tests.core.world import World, describe, settled

FOLDER = Path(__file__).parent.parent / "scenarios"
FILES = sorted(FOLDER.glob("*.yaml"))
STEP_KEYS = {"at", "happens", "verdict", "rung", "why", "shows", "back", "person", "asks", "told", "nothing", "did", "whatever", "starts"}


def load(file: Path) -> dict[str, Any]:
    scenario: dict[str, Any] = yaml.safe_load(file.read_text())
    assert set(scenario) <= {"why", "rows", "policy", "start", "steps"}, file
    for step in scenario["steps"]:
        assert set(step) <= STEP_KEYS, (file, step)
    return scenario


def policy(overrides: dict[str, Any]) -> Policy:
    """The shipped defaults with a URL and a deploy, and what the scenario says otherwise."""
    health = dict(overrides.get("health", {}))
    websocket, page = dict(health.pop("websocket", {})), dict(health.pop("page", {}))
    for key in ("url", "silence"):
        if websocket.get(key) in ("auto", "off"):
            websocket[key] = Word(websocket[key])
    if page.get("blank_after") == "off":
        page["blank_after"] = Word.OFF
    if "during_outage" in websocket:
        websocket["during_outage"] = Outage(websocket["during_outage"])
    health["journal"] = tuple(JournalRule(**rule) for rule in health.get("journal", ()))
    base = Policy(
        url=overrides.get("url", HOME),
        allow=tuple(overrides.get("allow", ())),
        deploy=Deploy(**overrides.get("deploy", {"index": "/srv/dashboard/dist/index.html"})),
        health=replace(Health(**health), websocket=WebSocket(**websocket), page=Page(**page)),
        reboot=Reboot(**overrides.get("reboot", {})),
    )
    megabytes = overrides.get("memory")
    return replace(base, memory_limit=None if megabytes is None else megabytes << 20)


def start(scenario: dict[str, Any]) -> World:
    wanted = policy(scenario.get("policy", {}))
    how = scenario.get("start", "settled")
    if how in ("settled", "unlearnt"):
        return settled(wanted, expected=how == "settled")
    world = World(wanted)
    for verb in [] if how in ("cold", "mistaken") else how:
        world.do(verb)
    world.boot(None if how == "mistaken" else wanted)
    return world


def play(scenario: dict[str, Any]) -> World:
    """Play it; raise ``AssertionError`` where something is otherwise."""
    world = start(scenario)
    began, claimed, asked = world.now, len(world.did), len(world.asked)
    if scenario.get("start", "settled") not in ("settled", "unlearnt"):
        claimed = 0
    for step in scenario["steps"]:
        world.run(began + step["at"])
        if "did" in step or "nothing" in step:
            _compare(step.get("did", []), [(at - began, describe(action)) for at, action in world.did[claimed:]], step)
            claimed = len(world.did)
        if "whatever" in step:
            claimed = len(world.did)
        if "asks" in step:
            _count(sum(isinstance(action, a.ProbeServer) for _, action in world.asked[asked:]), step, "asks")
        if "starts" in step:
            _count(sum(at >= began and "StartBrowser" in describe(action) for at, action in world.did), step, "starts")
        if "told" in step:
            told = [(at - began, describe(action)) for at, action in world.asked[asked:] if isinstance(action, a.Broadcast | a.Reply)]
            _compare(step["told"], told, step)
        asked = len(world.asked)
        _expect(step, world)
        for verb in [step["happens"]] if isinstance(step.get("happens"), str) else step.get("happens", ()):
            world.do(verb)
    rest = [(round(at - began, 2), describe(action)) for at, action in world.did[claimed:]]
    assert not rest, f"not expected at all: {rest}"
    return world


def _count(number: int, step: dict[str, Any], key: str) -> None:
    low, _, high = str(step[key]).partition("..")
    assert int(low) <= number <= int(high or low), f"at {step['at']}: {number} {key}, not {step[key]}"


def _expect(step: dict[str, Any], world: World) -> None:
    kernel, incident = world.kernel, world.kernel.ladder.incident
    have = {
        "verdict": kernel.judgement.verdict.value,
        "rung": kernel.ladder.rung.name,
        "shows": world.showing(),
        "back": world.is_back(),
        "person": incident is not None and incident.needs_person,
    }
    for key, value in have.items():
        if key in step:
            assert step[key] == value, f"at {step['at']}: {key} is {value}, not {step[key]} ({kernel.judgement.why}) {have}"
    if "why" in step:
        assert step["why"] in kernel.judgement.why, (step, kernel.judgement.why)


def _compare(wanted: list[str], did: list[tuple[float, str]], step: dict[str, Any]) -> None:
    shown = [f"{what} {at:.2f}" for at, what in did]
    assert len(wanted) == len(did), f"at {step['at']}: did {shown}, not {wanted}"
    for line, (at, what) in zip(wanted, did, strict=True):
        found = re.fullmatch(r"(.+?)(?: (\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?))?", line)
        assert found is not None
        assert what == found.group(1), f"at {step['at']}: did {shown}, not {wanted}"
        if found.group(2):
            assert float(found.group(2)) - 0.01 <= at <= float(found.group(3)) + 0.01, f"at {step['at']}: did {shown}, not {wanted}"


def reached() -> dict[str, list[str]]:
    """Return every step of the ladder by its name, with the scenarios in which it is taken."""
    steps: dict[str, list[str]] = {name: [] for name in STEP_NAMES.values()}
    for file in FILES:
        for name in play(load(file)).watch.taken:
            steps[name].append(file.stem)
    return steps

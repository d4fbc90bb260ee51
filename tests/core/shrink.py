"""From a life's complaint to the shortest scenario that fails alike: what is not needed is left out, pauses are shortened, times rounded.

What is tried is always a whole scenario, played as every other is. So what comes out fails when it is played, and the file that it is
written to holds once the kernel has been mended.
"""

from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from tests.core.faults import FAULTS
from tests.core.scenario import play
from tests.core.years import ALL_WELL, QUIET_S, Complaint, Failed, Story, settled_world, tell, where

#: So many stories before the last are tried with it, where it does not fail by itself.
BEFORE = (0, 1, 3, 7)

#: The quiet before what comes alone.
CALM_S = 60.0


@dataclass(frozen=True)
class Event:
    """``verb``, so many seconds after the one before. ``fixed``: without it, or ``least``, the scenario would be another one."""

    pause: float
    verb: str
    fixed: bool = False
    least: float = 0.0


@dataclass(frozen=True)
class Candidate:
    """Events, and what is expected so many seconds after the last of them."""

    policy: dict[str, Any]
    events: tuple[Event, ...]
    expect: tuple[tuple[float, dict[str, Any]], ...]

    def scenario(self, why: str = "shrunk") -> dict[str, Any]:
        steps: list[dict[str, Any]] = []
        at = 0.0
        for event in self.events:
            at = round(at + event.pause, 2)
            if not steps or steps[-1]["at"] != at:
                steps.append({"at": at, "happens": []})
            steps[-1]["happens"].append(event.verb)
        steps += [{"at": round(at + after, 2), **keys} for after, keys in self.expect]
        for step in steps:
            step["at"] = int(step["at"]) if step["at"] % 1.0 == 0.0 else step["at"]
        return {"why": why, "policy": self.policy, "steps": steps}

    def fails(self) -> str | None:
        """Return where it fails, if it does."""
        try:
            play(self.scenario())
        except Exception as error:  # whatever the core has raised
            return where(error)
        return None


def shrink(failed: Failed) -> dict[str, Any] | None:
    """Return the shortest scenario found for it, or None where its last stories do not fail again."""
    for before, quiet in product(BEFORE, (2 * CALM_S, QUIET_S)):
        candidate = _candidate(failed, failed.stories[-before - 1 :], quiet)
        if candidate is not None and (place := candidate.fails()) is not None:
            complaint = failed.complaint.removeprefix("Complaint: ").removeprefix("AssertionError: ").partition("\n")[0]
            return _shortest(candidate, place).scenario(f"found in life {failed.life}: {complaint}")
    return None


def _candidate(failed: Failed, stories: tuple[Story, ...], quiet: float) -> Candidate | None:
    """The stories, with so much quiet between them, and what was expected of the last: found by living it once more."""
    if not stories:  # it fails before anything happens
        return Candidate(failed.kiosk, (), ((1.0, {"whatever": True}),))
    world = settled_world(failed.kiosk)
    events: list[Event] = []
    before = world.now
    for story in stories:
        began, is_last = world.now, story is stories[-1]
        at = before
        for seconds, verb in story.events:
            pause = round(began + seconds - at, 2)
            if is_last and story.alone:  # its bound holds in a calm world, and for what happens as it did
                events.append(Event(pause, verb, fixed=True, least=pause if seconds else min(pause, CALM_S)))
            else:
                events.append(Event(pause, verb, fixed=is_last and verb == ALL_WELL))
            at = began + seconds
        before = at
        try:
            tell(world, story if is_last else replace(story, quiet=quiet))
        except Exception as error:
            if not is_last or where(error) != failed.where:
                return None
            return Candidate(failed.kiosk, tuple(events), _expected(error, began - at, world.now - at))
    return None


def _expected(error: Exception, began: float, now: float) -> tuple[tuple[float, dict[str, Any]], ...]:
    """What failed, in the words of a scenario; an invariant that was broken needs no words: it fails while it is played."""
    if not isinstance(error, Complaint):
        return ((max(0.0, now) + 1.0, {"whatever": True}),)
    at = max(0.0, began + error.at)
    if (needless := error.expect.get("nothing_after")) is not None:
        return (at, {"whatever": True}), (began + needless + 1.0, {"nothing": True})
    return ((at, {"whatever": True, **error.expect}),)


def _shortest(candidate: Candidate, place: str) -> Candidate:
    while True:
        before = candidate
        candidate = _fewer(_sooner(candidate, place), place)
        if candidate == before:
            return candidate


def _fewer(candidate: Candidate, place: str) -> Candidate:
    """Without what is not needed: half of the events at first, single ones last."""
    size = len(candidate.events)
    while size:
        start = 0
        while start < len(candidate.events):
            other = _without(candidate, start, size)
            if len(other.events) < len(candidate.events) and _ended(other.events) and other.fails() == place:
                candidate = other
            else:
                start += size
        size //= 2
    return candidate


def _without(candidate: Candidate, start: int, size: int) -> Candidate:
    """Without this stretch; the others happen when they did."""
    kept: list[Event] = []
    owed = 0.0
    for number, event in enumerate(candidate.events):
        if start <= number < start + size and not event.fixed:
            owed += event.pause
        else:
            kept.append(replace(event, pause=event.pause + owed))
            owed = 0.0
    return replace(candidate, events=tuple(kept))


def _sooner(candidate: Candidate, place: str) -> Candidate:
    """With each pause left out, shorter, or round."""
    for number, event in enumerate(candidate.events):
        for pause in (0.0, 1.0, 5.0, 30.0, float(round(event.pause / 2)), float(round(event.pause))):
            rounded = event.pause % 1.0 and pause == round(event.pause)
            if pause < event.least or (pause >= event.pause and not rounded):
                continue
            other = replace(candidate, events=(*candidate.events[:number], replace(event, pause=pause), *candidate.events[number + 1 :]))
            if other.fails() == place:
                candidate = other
                break
    return candidate


def _ended(events: tuple[Event, ...]) -> bool:
    """Tell whether whatever is not kioskd's to mend has its end: without it nothing could be expected of anybody."""
    for number, event in enumerate(events):
        later = {other.verb for other in events[number:]}
        ends = [set(fault.ends) for fault in FAULTS if fault.happens[0] == event.verb]
        if ALL_WELL not in later and ends and not any(end <= later for end in ends):
            return False
    return True


def write(scenario: dict[str, Any], file: Path) -> None:
    """Write it as the others are written: a step a line."""

    def flow(value: Any) -> str:
        return str(yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6)).strip().removesuffix("...").strip()

    lines = [f"why: {flow(scenario['why'])}", f"policy: {flow(scenario['policy'])}", "steps:"]
    file.write_text("\n".join([*lines, *(f"  - {flow(step)}" for step in scenario["steps"])]) + "\n")

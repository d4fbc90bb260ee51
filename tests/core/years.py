"""Years of kiosks' lives: stories of faults, alone and in company, and quiet between them. All from a seed; the clock is a number.

A *life* is a tenth of a year of one kiosk. Each fault of ``faults.py`` befalls it ten times or more: once alone, in a calm world, where
the bound of the design's table holds, and else in company, where the page is back at the slowest pace at the latest. After each story there
is quiet: half an hour to days, most of it skipped (``quiet.py``). The faults are dealt, not drawn: ten years are a thousand of each, a
hundred of them alone; and a hundred of each that outlasts the ladder (``STUBBORN``).

What holds is what holds in every world (``invariants.py``: at every turn), and of a story:

- the page is back within its bound, the verdict HEALTHY and the rung CALM, and stays so: in quiet nothing is done at all;
- a server alone never costs the browser.

A life with a complaint ends there, whatever the core has raised. ``shrink.py`` makes a scenario of it.
"""

import random
import traceback
from collections import Counter
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from kioskd.core import actions as a
from kioskd.core.policy import Outage
from kioskd.core.steps import Rung
from kioskd.core.verdict import Verdict
from tests.core.faults import FAULTS, SLOWEST_S, STUBBORN, Fault
from tests.core.invariants import STEP_NAMES
from tests.core.quiet import pass_quietly, still
from tests.core.scenario import policy
from tests.core.world import World, describe, settled

YEAR_S = 365.25 * 86400.0
LIVES_A_YEAR = 10
LIFE_S = YEAR_S / LIVES_A_YEAR

#: Of each fault in a life: one alone, so many in company; more of those that do not befall each kiosk.
IN_COMPANY = {None: 9, False: 14, True: 30}

#: What a life may cost, in turns of the core (20,000 are usual): how long ten years take is the machine's matter, how many turns is not.
TURNS = 30_000

#: A story in company has at most so many faults, and so long a pause between two of them on average.
COMPANY, PAUSE_S = 30, 4.0

#: The shortest quiet: no fault remembers the one before (``MEMORY_S``), but what is done once an hour may just have been done.
QUIET_S = 1800.0

#: How a story in company ends, outside.
ALL_WELL = "host.make_all_well"

_COMPLAINTS = {"unit": "dashboard", "match": "to 0 clients", "count": 5, "within": 60}
_USUAL: dict[str, Any] = {"memory": 800, "health": {"page": {"stuck_text": "gone"}, "journal": [_COMPLAINTS]}}
_RESTART = {**_USUAL["health"], "websocket": {"during_outage": "restart"}}

#: The kiosks: what is shipped, what dares more, and one whose front end is built elsewhere. As scenarios say it.
KIOSKS: tuple[dict[str, Any], ...] = (
    _USUAL,
    {**_USUAL, "reboot": {"enabled": True}, "health": _RESTART},
    {**_USUAL, "deploy": {"url": "http://localhost:3001/version"}},
)


@dataclass(frozen=True)
class Story:
    """What happens outside, in seconds after the last calm moment, and what must follow."""

    events: tuple[tuple[float, str], ...]
    within: float  # so long after the last event the page is back
    quiet: float = QUIET_S
    spares: bool = False  # the browser is not touched
    faults: tuple[str, ...] = ()  # by name

    @property
    def alone(self) -> str | None:
        """The one fault, if there is but one."""
        return self.faults[0] if len(self.faults) == 1 else None


@dataclass
class Told:
    """What a life came to, or several."""

    seconds: float = 0.0
    turns: int = 0
    happened: Counter[str] = field(default_factory=Counter)
    back: dict[str, list[float]] = field(default_factory=dict)  # of faults that came alone: seconds until the page was back
    cured: dict[str, Counter[Rung]] = field(default_factory=dict)  # and the rung that it took
    taken: set[str] = field(default_factory=set)  # steps of the ladder
    failed: list["Failed"] = field(default_factory=list)

    def add(self, other: "Told") -> None:
        self.seconds += other.seconds
        self.turns += other.turns
        self.happened += other.happened
        self.taken |= other.taken
        self.failed += other.failed
        for name, times in other.back.items():
            self.back.setdefault(name, []).extend(times)
        for name, rungs in other.cured.items():
            self.cured.setdefault(name, Counter()).update(rungs)


@dataclass(frozen=True)
class Failed:
    """A life that ended in a complaint: the stories up to it, the last of which it is about."""

    life: str
    kiosk: dict[str, Any]
    stories: tuple[Story, ...]
    complaint: str
    where: str  # tells one complaint from another


class Complaint(AssertionError):
    """What a story was to come to, and did not. ``expect`` says it as a step of a scenario would, at so many seconds."""

    def __init__(self, what: str, at: float, **expect: Any) -> None:
        super().__init__(what)
        self.at, self.expect = at, expect


def where(error: Exception) -> str:
    """Return what tells one complaint from another: the place in the code that raised it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"


# --- what happens -------------------------------------------------------------------------------


def stories(rng: random.Random, kiosk: dict[str, Any]) -> list[Story]:
    """Deal out a life."""
    elsewhere = "url" in kiosk.get("deploy", {})
    faults = [fault for fault in FAULTS if fault.elsewhere in (None, elsewhere)]
    told = [_alone(rng, fault, kiosk) for fault in (*faults, *STUBBORN)]
    deck = [fault for fault in faults for _ in range(IN_COMPANY[fault.elsewhere])]
    rng.shuffle(deck)
    while deck:
        size = min(rng.randint(2, COMPANY), len(deck))
        size += len(deck) - size == 1  # or the last one would be alone
        told.append(_in_company(rng, deck[:size], kiosk))
        del deck[:size]
    rng.shuffle(told)
    quiets = [rng.lognormvariate(0.0, 1.5) for _ in told]
    scale = (LIFE_S - len(told) * (QUIET_S + 60.0)) / sum(quiets)
    return [replace(story, quiet=QUIET_S + scale * quiet) for story, quiet in zip(told, quiets, strict=True)]


def _alone(rng: random.Random, fault: Fault, kiosk: dict[str, Any]) -> Story:
    ends = rng.uniform(*fault.lasts) if fault.ends else 0.0
    events = [(0.0, verb) for verb in fault.happens] + [(round(ends, 2), verb) for verb in fault.ends]
    return Story(tuple(events), fault.within(policy(kiosk)), spares=fault.of_server and _gated(kiosk), faults=(fault.name,))


def _in_company(rng: random.Random, faults: list[Fault], kiosk: dict[str, Any]) -> Story:
    events: list[tuple[float, str]] = []
    now = 0.0
    for fault in faults:
        events += [(now, verb) for verb in fault.happens]
        ends = now + rng.uniform(*fault.lasts) / 2
        events += [(ends, verb) for verb in fault.ends if rng.random() < 0.7]  # the rest ends with the story
        now += rng.choice((0.0, rng.expovariate(1 / PAUSE_S), rng.expovariate(1 / PAUSE_S)))
    events.sort(key=lambda event: event[0])
    last = max(now, events[-1][0]) + rng.uniform(0.0, 2 * PAUSE_S)
    events.append((last, ALL_WELL))
    rounded = tuple((round(at, 2), verb) for at, verb in events)
    names = tuple(fault.name for fault in faults)
    return Story(rounded, SLOWEST_S, spares=all(fault.of_server for fault in faults) and _gated(kiosk), faults=names)


def _gated(kiosk: dict[str, Any]) -> bool:
    return policy(kiosk).health.websocket.during_outage is Outage.HOLD


# --- living it ----------------------------------------------------------------------------------


def settled_world(kiosk: dict[str, Any]) -> World:
    """Return a world in which all is well, as a scenario begins."""
    return settled(policy(kiosk))


def live(life: str, kiosk: dict[str, Any], told: list[Story]) -> Told:
    """Live a life, up to its end or its first complaint: one that does not even begin has no stories."""
    result, begun, world = Told(), 0, None
    try:
        world = settled_world(kiosk)
        began = world.now
        for story in told:
            begun += 1
            back, rung = tell(world, story)
            result.happened.update(story.faults)
            if story.alone is not None:
                result.back.setdefault(story.alone, []).append(back)
                result.cured.setdefault(story.alone, Counter())[rung] += 1
    except Exception as error:  # a mistake of the core's may be of any kind
        result.failed.append(Failed(life, kiosk, tuple(told[:begun]), f"{type(error).__name__}: {error}", where(error)))
    if world is not None:
        result.seconds, result.turns, result.taken = world.now - began, world.turns, world.watch.taken
    return result


def tell(world: World, story: Story) -> tuple[float, Rung]:
    """Let a story happen in a calm world. Return how long after its last event the page was back, and the highest rung."""
    del world.did[:], world.asked[:], world.facts[:]
    began, generation, away = world.now, world.browser.generation, 0.0
    world.watch.highest = Rung.CALM
    for at, verb in story.events:
        world.run(began + at)
        world.do(verb)
    last = world.now
    bound = last + story.within
    while not (calm(world) and sound(world) and still(world)) and world.now < max(bound, last + SLOWEST_S):
        world.run(world.now + 0.5)
        if not sound(world):
            away = world.now - last
            if world.now >= bound:
                raise Complaint(f"not back after {story.within:g} s: {world.kernel.judgement.why}", bound - began, back=True)
    if not calm(world):
        raise Complaint(f"not calm: {world.kernel.judgement.why}", world.now - began, verdict="HEALTHY", rung="CALM", back=True)
    if story.spares and (world.browser.generation != generation or any(touches(action) for _, action in world.did)):
        raise Complaint("a server that was away cost the browser", world.now - began, starts=0)
    done, now = len(world.did), world.now
    pass_quietly(world, now + story.quiet)
    needless = [(round(at - began, 2), describe(action)) for at, action in world.did[done:] if action != a.RecordReboot(0)]
    if needless:
        raise Complaint(f"done in quiet: {needless}", now - began, nothing_after=needless[0][0])
    if not (calm(world) and sound(world)):
        raise Complaint(f"no longer well: {world.kernel.judgement.why}", world.now - began, back=True, rung="CALM")
    return away, world.watch.highest


def touches(action: a.Action) -> bool:
    """Tell whether an action is one on the browser's process."""
    parts = action.actions if isinstance(action, a.Steps) else (action,)
    return any(isinstance(part, a.StopBrowser | a.StartBrowser | a.KillRenderer | a.RebootHost) for part in parts)


def calm(world: World) -> bool:
    """Tell whether kioskd is content."""
    return world.kernel.judgement.verdict is Verdict.HEALTHY and world.kernel.ladder.rung is Rung.CALM


def sound(world: World) -> bool:
    """Tell whether whoever looks at the screen is: the oracle, and what it cannot see."""
    page, seen = world.page, world.kernel.view.display.lacks == world.display.lacks
    return world.is_back() and seen and page.quiet_at is None and not page.text and page.lively is not False


Life = tuple[str, dict[str, Any], list[Story]]


def lives(seed: str, years: float) -> list[Life]:
    """Return the lives of so many years, each with its name."""
    return [one_life(f"{seed}/{number}") for number in range(max(1, round(years * LIVES_A_YEAR)))]


def one_life(name: str) -> Life:
    """Return a life by its name, which is all that it takes to have it again."""
    number = int(name.rpartition("/")[2])
    kiosk = KIOSKS[number % len(KIOSKS)]
    return name, kiosk, stories(random.Random(name), kiosk)


def lived(life: Life) -> Told:
    """Live it: for a pool of processes."""
    return live(*life)


def table(told: Told) -> str:
    """Say of each fault how often it came, and, where it came alone, how soon the page was back and which rung that took."""
    lines = [f"{'fault':38} {'times':>6} {'alone':>6} {'median':>7} {'worst':>7}  rung"]
    for fault in (*FAULTS, *STUBBORN):
        back, rungs = told.back.get(fault.name, []), told.cured.get(fault.name, Counter())
        middle, worst = (f"{median(back):.1f} s", f"{max(back):.1f} s") if back else ("", "")
        took = ", ".join(f"{rung.name} {rungs[rung]}" for rung in sorted(rungs))
        lines.append(f"{fault.name:38} {told.happened[fault.name]:6} {len(back):6} {middle:>7} {worst:>7}  {took}")
    missed = sorted(set(STEP_NAMES.values()) - told.taken)
    lines.append(f"steps of the ladder taken: {len(told.taken)} of {len(STEP_NAMES)}" + (f"; not {', '.join(missed)}" if missed else ""))
    return "\n".join(lines)

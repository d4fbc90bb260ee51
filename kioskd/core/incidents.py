"""What is kept of each incident: what was seen, what was done about it, what cured it, and how long it took.

The kernel decides; this only looks on, turn by turn, and says what is worth writing down. So a quiet day writes nothing. An incident
that lasts for weeks is bounded: after ``FULL`` entries there is one an hour, with how many were left out.
"""

from dataclasses import dataclass, replace
from enum import Enum

from kioskd.core.actions import Action
from kioskd.core.facts import Fact, Failed
from kioskd.core.kernel import Kernel
from kioskd.core.ladder import Incident
from kioskd.core.steps import Remedy, Rung
from kioskd.core.verdict import Verdict

#: Entries of one incident before only some are kept, and the pace of those.
FULL = 60
PACE_S = 3600.0

#: What a start is made of: of kioskd itself, or of another page that is wanted. And how long it may take before it is told.
START = {Remedy.START, Remedy.GO_HOME}
CALM = {Verdict.NO_BROWSER, Verdict.UNREADABLE, Verdict.HEALTHY}
START_S = 30.0

#: States on the way: what they lead to is said.
PASSING = (Verdict.LOADING, Verdict.PAUSED)


class Kind(Enum):
    """What an entry is about."""

    BEGAN = "began"
    SEEN = "seen"  # another verdict, or another reason for it
    DONE = "done"  # a step of the ladder was taken
    FAILED = "failed"  # it could not be carried out
    CURED = "cured"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an incident. ``at``: monotonic seconds."""

    kind: Kind
    at: float
    verdict: Verdict
    rung: Rung
    text: str = ""  # why it is so; of FAILED: the reason
    remedy: Remedy | None = None  # DONE, FAILED: what was done; CURED: what helped, None where it went by itself
    seconds: float | None = None  # CURED: from the first sign to the first of health
    left_out: int = 0  # entries since the one before


class Chronicle:
    """Looks at a kernel after each turn."""

    def __init__(self, kernel: Kernel, start_s: float = START_S) -> None:
        self._kernel, self._start_s = kernel, start_s
        self._first: float | None = None  # what is older than kioskd itself began with it
        self._incident: Incident | None = None
        self._said: tuple[Verdict, str] | None = None
        self._healthy_at: float | None = None  # since when the verdict has been so
        self._busy: Action | None = None  # the step that is being carried out
        self._entries = self._left_out = 0
        self._kept_at = 0.0
        self._held: list[Entry] | None = []  # of a start, as long as it is nothing else
        self._held_at: float | None = None
        self._goals = 1  # pages that were wanted meanwhile, at most

    @property
    def telling(self) -> bool:
        """Whether there is an incident, and it is more than a start."""
        return self._incident is not None and self._held is None

    def turn(self, now: float, fact: Fact) -> list[Entry]:
        """Return what the turn that the kernel has just taken adds, in order."""
        self._first = now if self._first is None else self._first
        entries = self._entries_of(now, fact)
        if self._kernel.view.goal_since == now:
            self._goals += 1
            if entries and entries[0].kind is Kind.BEGAN:
                self._held, self._held_at, self._goals = [], None, 1
        if self._held is None:
            return entries
        held = [*self._held, *entries]
        self._held_at = now if self._held_at is None else self._held_at
        if now - self._held_at <= self._start_s and _only_a_start(held, self._goals):
            self._held = None if self._incident is None and self._healthy_at is not None else held
            return []
        self._held = None
        return held

    def _entries_of(self, now: float, fact: Fact) -> list[Entry]:
        before, incident = self._incident, self._kernel.ladder.incident
        if self._kernel.judgement.verdict is not Verdict.HEALTHY:
            self._healthy_at = None
        elif self._healthy_at is None:
            self._healthy_at = now
        entries: list[Entry] = []
        if before is not None and (incident is None or incident.since != before.since):
            entries.append(self._cured(before, now))
        if incident is not None:
            if before is None or incident.since != before.since:
                self._said, self._busy, self._entries, self._left_out = (incident.verdict, incident.why), None, 0, 0
                began = Entry(Kind.BEGAN, self._since(incident), incident.verdict, incident.rung, incident.why)
                entries += self._bounded(began, now)  # what a first step has made of it in the same turn comes after it
            entries += self._seen(incident, now)
            taken = before.taken if before is not None and incident.since == before.since else ()
            entries += self._done(incident, fact, now, incident.taken != taken)
        self._incident = incident
        return entries

    def _cured(self, incident: Incident, now: float) -> Entry:
        well = now if self._healthy_at is None else self._healthy_at
        remedy = incident.last[1] if incident.last else None
        left_out, self._left_out = self._left_out, 0
        return Entry(Kind.CURED, now, Verdict.HEALTHY, incident.rung, "", remedy, max(0.0, well - self._since(incident)), left_out)

    def _since(self, incident: Incident) -> float:
        return max(incident.since, self._first or 0.0)

    def _seen(self, incident: Incident, now: float) -> list[Entry]:
        judgement = self._kernel.judgement
        now_said = judgement.verdict, judgement.why
        if now_said == self._said or judgement.verdict in PASSING:
            return []
        self._said = now_said
        return self._bounded(Entry(Kind.SEEN, now, judgement.verdict, incident.rung, judgement.why), now)

    def _done(self, incident: Incident, fact: Fact, now: float, stepped: bool) -> list[Entry]:
        if stepped and incident.last is not None:
            self._busy = self._kernel.view.busy
            verdict, remedy = incident.last
            return self._bounded(Entry(Kind.DONE, now, verdict, incident.rung, "", remedy), now)
        if isinstance(fact, Failed) and self._busy is not None and fact.action == self._busy:
            self._busy = None
            failed = Entry(Kind.FAILED, now, incident.verdict, incident.rung, fact.reason)
            return self._bounded(replace(failed, verdict=incident.last[0], remedy=incident.last[1]) if incident.last else failed, now)
        return []

    def _bounded(self, entry: Entry, now: float) -> list[Entry]:
        self._entries += 1
        if self._entries > FULL and now - self._kept_at < PACE_S:
            self._left_out += 1
            return []
        self._kept_at = now
        entry, self._left_out = replace(entry, left_out=self._left_out), 0
        return [entry]


def _only_a_start(entries: list[Entry], goals: int) -> bool:
    done = [entry.remedy for entry in entries if entry.kind is Kind.DONE]
    unlike = [entry for entry in entries if entry.kind is Kind.FAILED or entry.verdict not in CALM]
    return not unlike and START.issuperset(done) and done.count(Remedy.START) <= 1 and done.count(Remedy.GO_HOME) <= goals

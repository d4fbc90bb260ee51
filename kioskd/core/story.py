"""What happened of late, kept so that it can be gone through again to the letter: facts, their moments, and what followed.

Theory of operation
===================

The kernel gives the same actions only where it starts from the same state. So the story is in *chapters*: each begins with the
kernel's state, which is frozen and costs a reference, and holds every fact from there on, the dullest too. A chapter is whole,
and needs no other: so what is given up, when there is too much, is a whole chapter.

A quiet day fills chapters at the pace of its rounds, in which nothing was decided: these go first, the oldest first. So what
happened at night is still there in the morning. Of those with news the ones in which the ladder did something stay longer, and
the one in which the present trouble began stays while it lasts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, IntEnum

from kioskd.core.actions import Action, AskBrowser, AskPage, LookForScreen, ProbeServer, ReadMemory
from kioskd.core.facts import Fact
from kioskd.core.kernel import Kernel, State

#: Bytes of all chapters together, and of one, as ``weight`` counts them; one fact more may be held.
LIMIT = 2 << 20
CHAPTER = 64 << 10

#: Asked again and again while all is well.
ROUNDS = (AskPage, AskBrowser, LookForScreen, ProbeServer, ReadMemory)

#: A moment (monotonic), what was told then, and what the kernel ordered.
Turn = tuple[float, Fact, tuple[Action, ...]]

_TURN = 112  # bytes: the tuple, its place in the list, the moment
_HEAD = 16  # bytes that the collector keeps before each object


class Worth(IntEnum):
    """What a chapter is worth keeping for."""

    ROUNDS = 0
    VERDICTS = 1  # the verdict changed
    STEPS = 2  # the ladder did something, or came to rest


@dataclass(slots=True)
class Chapter:
    """A stretch of the story, without a gap."""

    number: int  # from 1; where one is left out, it was given up
    state: State  # before the first turn
    turns: list[Turn]
    size: int
    full: int = CHAPTER  # the size at which it ends
    worth: Worth = Worth.ROUNDS


class Story:
    """The chapters, oldest first. The last one is being written."""

    def __init__(self, kernel: Kernel) -> None:
        """Begin with the state that the kernel is in."""
        self._kernel = kernel
        self._chapters: list[Chapter] = []
        self._size = 0
        self._shown = kernel.ladder.rung, kernel.judgement.verdict
        self._begin(1)

    @property
    def size(self) -> int:
        """Bytes that are held."""
        return self._size

    def chapters(self) -> list[Chapter]:
        """Return what is kept, as it is now: what is written from here on is not in it."""
        *whole, last = self._chapters
        return [*whole, replace(last, turns=list(last.turns))]

    def add(self, now: float, fact: Fact, actions: list[Action]) -> None:
        """Write down a turn that the kernel has just taken."""
        chapter, kernel = self._chapters[-1], self._kernel
        chapter.turns.append((now, fact, tuple(actions)))
        size = _TURN + weight(fact) + (weight(tuple(actions)) if actions else 0)
        chapter.size += size
        self._size += size
        incident, before, self._shown = kernel.ladder.incident, self._shown, (kernel.ladder.rung, kernel.judgement.verdict)
        if before[0] is not self._shown[0] or (incident is not None and incident.acted_at == now):
            chapter.worth = Worth.STEPS
        elif before != self._shown:
            chapter.worth = max(chapter.worth, Worth.VERDICTS)
        if chapter.size >= chapter.full:
            self._begin(chapter.number + 1)
        if self._size > LIMIT:
            self._forget()

    def _begin(self, number: int) -> None:
        state = self._kernel.state
        size = weight(state)
        self._chapters.append(Chapter(number, state, [], size, max(CHAPTER, 2 * size)))
        self._size += size

    def _forget(self) -> None:
        while self._size > LIMIT and len(self._chapters) > 1:
            whole, incident = self._chapters[:-1], self._kernel.ladder.incident
            before = [chapter.number for chapter in whole if incident is not None and chapter.turns[0][0] <= incident.since]
            least = min(whole, key=lambda chapter: (chapter.number == max(before, default=0), chapter.worth, chapter.number))
            self._chapters.remove(least)
            self._size -= least.size


def weight(value: object) -> int:
    """Return how many bytes a value of facts holds, rather too many: what is shared is counted each time."""
    if value is None or isinstance(value, bool | Enum):
        return 0
    if isinstance(value, str | int | float):
        return value.__sizeof__()
    return _HEAD + value.__sizeof__() + sum(map(weight, parts(value)))


def parts(value: object) -> Iterator[object]:
    """Give what a tuple, a frozen set, or a dataclass with slots is made of."""
    if isinstance(value, tuple | frozenset):
        yield from value
    else:
        for name in type(value).__slots__:  # type: ignore[attr-defined]
            yield getattr(value, name)

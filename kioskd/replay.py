"""``kioskd replay``: a story through a kernel of this version, told to a person, and compared with what was decided then."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum

from kioskd.core.actions import Action, ReadDeploy
from kioskd.core.facts import BrowserAnswered, DeployRead, Done, Fact, Failed, MemoryRead, PageAnswered, ServerAnswered, Woke
from kioskd.core.kernel import Kernel
from kioskd.core.story import ROUNDS, Chapter
from kioskd.wire.story import Told

BOLD, DIM, RED, YELLOW, GREEN, PLAIN = (f"\033[{code}m" for code in (1, 2, 31, 33, 32, 0))

#: Of a text that a line shows.
LONGEST = 120

#: What comes again and again while all is well, and where nothing follows from it is no line.
_ROUTINE = (Woke, BrowserAnswered, PageAnswered, MemoryRead, ServerAnswered, DeployRead)
_ASKED = (*ROUNDS, ReadDeploy)


@dataclass(slots=True)
class Replay:
    """One story. Once ``lines`` have been gone through, ``same`` tells whether all was decided as it was then."""

    told: Told
    everything: bool = False  # the rounds, too
    colours: bool = False
    same: bool = True

    def lines(self) -> Iterator[str]:
        """Go through it, and give what a person wants to read."""
        told, turns = self.told, [turn for chapter in self.told.chapters for turn in chapter.turns]
        if not turns:
            yield "An empty story: kioskd had only just been started."
            return
        began, before = turns[0][0], 0
        at = _wall(told, told.clocks.monotonic)
        yield self._in(DIM, f"# told by kioskd {told.version} at {at}; {len(turns)} facts; UTC, and seconds since the first")
        for chapter in told.chapters:
            if before and chapter.number != before + 1:
                yield self._in(DIM, f"# {chapter.number - before - 1} chapters in between were not kept")
            yield from self._chapter(chapter, began, follows=chapter.number == before + 1 and before > 0)
            before = chapter.number
        actions = sum(len(ordered) for _, _, ordered in turns)
        if self.same:
            yield self._in(GREEN, f"The same {actions} decisions again.")
        else:
            yield self._in(RED, 'Not the same decisions: see where it says "then" and "now".')

    def _chapter(self, chapter: Chapter, began: float, follows: bool) -> Iterator[str]:
        kernel = Kernel(chapter.state)
        shown = _shown(kernel)
        for nth, (now, fact, ordered) in enumerate(chapter.turns):
            at = self._in(DIM, f"{_wall(self.told, now)} {now - began:+11.3f}")
            if nth == 0 and not follows:
                yield f"{at} {self._verdict(kernel)}"
            seen = _seen(kernel)
            try:
                actions = tuple(kernel.handle(fact, now)[0])
            except Exception as error:  # what was read has the form of a story; whether it makes sense nobody knows
                self.same = False
                yield f"{at} < {text(fact)}"
                yield self._in(RED, f"{at} ! kioskd's core cannot take this in: {error!r}")
                return
            told = self.everything or not _dull(fact) or shown != _shown(kernel) or seen != _seen(kernel)
            if told or actions != ordered or not all(isinstance(action, _ASKED) for action in actions):
                yield f"{at} < {text(fact)}"
            if shown != _shown(kernel):
                shown = _shown(kernel)
                yield f"{at} {self._verdict(kernel)}"
            if actions != ordered:
                self.same = False
                for which, these, those in (("then", ordered, actions), ("now", actions, ordered)):
                    yield self._in(RED, f"{at} > {which}: {_listed([action for action in these if action not in those])}")
                yield self._in(DIM, "# what came after that came of another decision: on to the next chapter")
                return
            yield from (f"{at} > {text(action)}" for action in actions if self.everything or not isinstance(action, _ASKED))

    def _verdict(self, kernel: Kernel) -> str:
        judgement, rung = kernel.judgement, kernel.ladder.rung
        colour = GREEN if judgement.verdict.name == "HEALTHY" else YELLOW
        return self._in(colour, f"= {judgement.verdict.value} ({rung.name}): {printable(judgement.why)}")

    def _in(self, colour: str, line: str) -> str:
        return f"{colour}{line}{PLAIN}" if self.colours else line


def _shown(kernel: Kernel) -> tuple[object, ...]:
    return kernel.judgement.verdict, kernel.ladder.rung


def _seen(kernel: Kernel) -> tuple[object, ...]:
    """What an answer can change that a person wants to know of."""
    view = kernel.view
    page, link, server, disk = view.page, view.link, view.server, view.deploy.disk
    heard = (link.url, link.open_since is None, link.dead_since is None, page.blank_since is None, page.text_since is None)
    return *heard, server.home and server.home.answer, server.socket and server.socket.answer, disk


def _dull(fact: Fact) -> bool:
    if isinstance(fact, Done | Failed):
        return isinstance(fact.action, _ASKED)
    return isinstance(fact, _ROUTINE)


def _wall(told: Told, moment: float) -> str:
    return datetime.fromtimestamp(max(0.0, told.clocks.wall - told.clocks.monotonic + moment), UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _listed(actions: list[Action]) -> str:
    return "; ".join(map(text, actions)) or "nothing else"


def text(value: object) -> str:
    """Return a fact, an action or a part of one for people: what is as by default is left out."""
    if isinstance(value, str):
        return f'"{printable(value)}"'
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, tuple | frozenset):
        return f"[{', '.join(sorted(map(text, value)) if isinstance(value, frozenset) else map(text, value))}]"
    if isinstance(value, float):
        return f"{value:.10g}"
    if not is_dataclass(value):
        return str(value)
    given = ((each.name, getattr(value, each.name)) for each in fields(value) if getattr(value, each.name) != each.default)
    return " ".join([type(value).__name__, *(f"{name}={_inner(part)}" for name, part in given)])


def _inner(value: object) -> str:
    return f"({text(value)})" if is_dataclass(value) else text(value)


def printable(line: str) -> str:
    """Return text that moves no terminal, and not a long one."""
    cut = line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)

"""The cases of the fault matrix: how one is written, and how it is played.

A case is a coroutine: *prepare*, ``await scene.start()``, *break*. Its first line says what happens; its decorator says which row of
the table it belongs to, and what is expected::

    @case("5", within=lambda t: t.reload_after + 7, touches=Touches.PAGE)
    async def gave_up_its_socket(scene: Scene) -> None:
        \"\"\"The page gives up its WebSocket; the server is up.\"\"\"
        await scene.start()
        await scene.dashboard.do("give_up")

The same case is played with kioskd, with the control (a Chromium that nobody keeps) and with the peers. Only the dashboard's server is
asked whether the page is back. Seconds count from the end of the coroutine, or from ``scene.begins()``.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from kioskd.core.policy import Health, Word
from tests.faults.stage import QUICK

if TYPE_CHECKING:
    from tests.faults.scene import Scene

Seconds = Callable[["Times"], float]


@dataclass(frozen=True, slots=True)
class Times:
    """The patience a case is played with, in seconds; bounds are made of these."""

    interval: float
    reload_after: float
    restart_after: float
    load_timeout: float
    hang_after: float
    blank_after: float
    outage: float  # of a server that is away for long
    settle: float = 1.0
    quick: bool = False
    cold: float = 0.0  # C: a bare Chromium, from its start to the first nonce

    @property
    def health(self) -> dict[str, Any]:
        """The section of kioskd's configuration that goes with it."""
        return QUICK if self.quick else {}


def shipped() -> Times:
    """The patience as shipped, and ten minutes of outage."""
    health = Health()
    page, websocket = health.page, health.websocket
    assert not isinstance(page.blank_after, Word)
    return Times(
        health.interval, websocket.reload_after, websocket.restart_after, page.load_timeout, page.hang_after, page.blank_after, 600.0
    )  # fmt: skip


def quick() -> Times:
    """A patience of seconds: the relations between the times stay."""
    page, websocket = QUICK["page"], QUICK["websocket"]
    times = (websocket["reload_after"], websocket["restart_after"], page["load_timeout"], page["hang_after"], page["blank_after"])
    return Times(QUICK["interval"], *times, outage=3.0 * websocket["restart_after"], quick=True)


class Touches(Enum):
    """The smallest thing that helps, which is what kioskd has to do."""

    NOTHING = "the same document"
    PAGE = "the same process"
    BROWSER = "another process"
    EITHER = "either"


class Control(Enum):
    """What becomes of the page where nobody keeps the browser."""

    STAYS_AWAY = "stays away"
    HEALS = "self-healing"
    LATE = "comes back late"  # by itself, but only after the bound
    NONE = "no control"  # the fault is one of kioskd's own parts: there is nothing to break without it


@dataclass(frozen=True, slots=True)
class Case:
    """One way in which a fault can happen."""

    name: str
    row: str
    says: str
    play: Callable[["Scene"], Awaitable[None]]
    within: Seconds | None  # back within; None: nothing may happen
    undisturbed: Seconds | None  # nothing happens for so long
    touches: Touches
    control: Control
    why: str  # there is no control, or the control heals
    instead: str  # why its bound is not that of its row
    same_document: bool  # the page comes back by itself: document and connection may be those from before
    anew: bool  # the page has to be loaded anew: one that helps its connection has not done it yet
    once: bool  # one load, and no second
    not_before: Seconds | None  # the page is given so long to help itself
    alone: bool  # its bound is a cold start and seconds: nothing may run beside it
    slow: bool  # also where patience is short
    inside: bool  # needs a network and mounts of its own
    machine: bool  # needs a booted machine, whose systemd keeps kioskd
    unheard: bool  # the page has closed its connection on purpose: that it still stands is all that can be said at the end

    def bound(self, times: Times) -> float:
        """How soon the page is to be back, or for how long nothing is to happen, in seconds."""
        seconds = self.within or self.undisturbed
        assert seconds is not None
        return seconds(times)

    @property
    def needs_cold(self) -> bool:
        """Whether a cold start is part of what is expected."""
        times, cold = quick(), replace(quick(), cold=1.0)
        return any(each(times) != each(cold) for each in (self.within, self.undisturbed, self.not_before) if each is not None)


CASES: dict[str, Case] = {}


def by_row() -> list[Case]:
    """All cases in the order of the table."""
    return sorted(CASES.values(), key=lambda case: (int("".join(filter(str.isdigit, case.row))), case.row))


def case(
    row: str,
    *,
    within: Seconds | None = None,
    undisturbed: Seconds | None = None,
    touches: Touches = Touches.EITHER,
    control: Control = Control.STAYS_AWAY,
    why: str = "",
    instead: str = "",
    same_document: bool = False,
    anew: bool = False,
    once: bool = False,
    not_before: Seconds | None = None,
    alone: bool = False,
    slow: bool = False,
    inside: bool = False,
    machine: bool = False,
    unheard: bool = False,
    name: str = "",
    **each: Any,
) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., Awaitable[None]]]:
    """Enter a case into the table (see ``Case``). ``name`` and further keywords: one of several, played with those."""
    assert (within is None) != (undisturbed is None), "either it comes back, or nothing happens"
    same_document = same_document or touches is Touches.NOTHING
    assert (control is Control.STAYS_AWAY) == (not why), "a control that does not stay away has its reason"
    if undisturbed is not None:
        assert control is not Control.STAYS_AWAY, "where nothing happens, nothing is wrong with the control either"

    def enter(play: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        slug = (name or play.__name__).replace("_", "-")
        said = (play.__doc__ or "").strip().split("\n")[0].format(**each)
        assert slug not in CASES and said.endswith("."), slug

        async def played(scene: "Scene") -> None:
            await play(scene, **each)

        CASES[slug] = Case(
            slug, row, said, played, within, undisturbed, touches, control, why, instead, same_document, anew, once, not_before,
            alone, slow, inside, machine, unheard,
        )  # fmt: skip
        return play

    return enter

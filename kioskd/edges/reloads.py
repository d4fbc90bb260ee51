"""Who asked for a reload and waits to hear what came of it: a question becomes a fact, the answer comes back as two actions."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from kioskd.core.actions import Broadcast, Reply
from kioskd.core.facts import Asked, Command, Fact

WAIT_S = 25.0  # a restart of the browser on a slow machine; what comes later happens all the same
WAITING = 50  # at a time


@dataclass(slots=True)
class _Waiting:
    """What somebody has heard so far."""

    clients: int | None = None
    screen: str = ""
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, clients: int | None = None, screen: str = "") -> None:
        self.clients = self.clients if clients is None else clients
        self.screen = screen or self.screen
        if self.clients is not None and self.screen:
            self.heard.set()


class Reloads:
    """The counter at which a reload is asked for."""

    def __init__(self, emit: Callable[[Fact], None], tell: Callable[[str], Awaitable[int]], why: Callable[[], str]) -> None:
        """``tell`` tells the other screens, and how many they are; ``why`` says how this one is, for who has waited too long."""
        self._emit, self._tell, self._why = emit, tell, why
        self._numbers = itertools.count(1)
        self._waiting: dict[int, _Waiting] = {}

    @property
    def full(self) -> bool:
        """Whether one more is one too many."""
        return len(self._waiting) >= WAITING

    async def ask(self, message: str) -> tuple[int, str]:
        """Ask for a reload; return how many other screens were told, and what this one did."""
        ticket, waiting = next(self._numbers), _Waiting()
        self._waiting[ticket] = waiting
        self._emit(Asked(Command.RELOAD, message=message, ticket=ticket))
        try:
            async with asyncio.timeout(WAIT_S):
                await waiting.heard.wait()
        except TimeoutError:
            return waiting.clients or 0, waiting.screen or f"pending: {self._why()}"
        finally:
            del self._waiting[ticket]
        return waiting.clients or 0, waiting.screen

    def close(self) -> None:
        """Let everybody go: aiohttp ends only when every answer is given, and systemd does not wait for so long."""
        for waiting in self._waiting.values():
            waiting.tell(clients=waiting.clients or 0, screen=waiting.screen or "pending: kioskd is stopping")

    async def broadcast(self, action: Broadcast) -> None:
        """Tell the other screens."""
        told = await self._tell(action.message)
        if waiting := self._waiting.get(action.ticket or 0):
            waiting.tell(clients=told)

    async def reply(self, action: Reply) -> None:
        """Tell who asked."""
        if waiting := self._waiting.get(action.ticket):
            waiting.tell(screen=action.screen)

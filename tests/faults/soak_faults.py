"""What befalls a kioskd in the soak: every kind of fault, dealt in rounds by a seed, and how often each has to come."""

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import aiohttp

from kioskd.demo.dist import How, steps
from kioskd.demo.kiosk import Kiosk
from kioskd.edges import processes
from kioskd.errors import EdgeUnavailable
from tests.faults.scene import Scene
from tests.faults.visitor import Visitor

RESTARTS = 3  # that the ladder allows in one incident

#: Faults that took effect, a minute, at least.
RATE = 2.0

#: Of a round: how many faults, when they begin and for how long, and the pause before it (seconds).
SIZE, AFTER_S, LASTS_S, REST_S = (2, 5), (0.0, 8.0), (1.0, 10.0), (0.0, 10.0)

#: A person has touched the page, or has seen which pages there are, within so many seconds, or does not come to it.
PERSON_S = 5.0

#: Shown by the page when it is told to, and at no other time: a page that gives up says so in English, and is to be known by its socket.
STUCK_TEXT = "Ingen anslutning till servern"


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault of a round: so many seconds after the round began, for so many seconds. ``build``: the version of what is deployed."""

    name: str
    after: float
    seconds: float
    build: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault.

    ``begins`` returns how many it befell (pages, processes, changes of the disk): 0 where there was nobody. One that ``lasts`` does so
    for some seconds; then it ``ends``, or it is there until all is mended. ``fatal``: it ends the browser, or the browser is ended for it,
    so that a restart is no fault of the ladder's.
    """

    begins: Callable[[Scene, Injection], Awaitable[int]]
    ends: Callable[[Scene], Awaitable[None]] | None = None
    lasts: bool = False
    fatal: bool = False


def told(verb: str, fatal: bool = False, **arguments: Any) -> Fault:
    """The page is told to do something."""

    async def begins(it: Scene, one: Injection) -> int:
        return await it.dashboard.do(verb, **arguments)

    return Fault(begins, fatal=fatal)


def touched(verb: str) -> Fault:
    """The page is told to do what Chromium lets it do only after a person has touched it."""

    async def begins(it: Scene, one: Injection) -> int:
        async with visiting(it) as visitor:
            await visitor.click()
            return await it.dashboard.do(verb)

    return Fault(begins)


def switched(**switches: Any) -> Fault:
    """The server misbehaves until it is mended."""

    async def begins(it: Scene, one: Injection) -> int:
        await it.dashboard.switch(**switches)
        await it.dashboard.do("drop")
        return 1

    return Fault(begins, lasts=True)


def struck(number: int, kind: str | None) -> Fault:
    """The browser, or one kind of its processes, gets a signal."""

    async def begins(it: Scene, one: Injection) -> int:
        hit = 0
        for process in it.victim.processes(kind):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
                hit += 1
        return hit

    return Fault(begins, fatal=True)


def deployed(how: How) -> Fault:
    """A build comes in one of the ways builds come in."""

    async def begins(it: Scene, one: Injection) -> int:
        return len(await asyncio.to_thread(list, steps(it.dashboard.dist, one.build, how)))

    return Fault(begins)


async def _server_killed(it: Scene, one: Injection) -> int:
    await it.dashboard.kill()
    return 1


async def _server_started(it: Scene) -> None:
    await it.dashboard.start()


async def _server_stopped(it: Scene, one: Injection) -> int:
    it.dashboard.freeze()  # it accepts, and answers nothing
    return 1


async def _server_goes_on(it: Scene) -> None:
    with contextlib.suppress(EdgeUnavailable, ProcessLookupError):  # it was killed meanwhile
        it.dashboard.thaw()


async def _configuration_broken(it: Scene, one: Injection) -> int:
    """Somebody's editor leaves a broken file."""
    the_kiosk(it).write("url: [")
    return 1


async def _configuration_written(it: Scene) -> None:
    the_kiosk(it).configure()


async def _reload_wanted(it: Scene, one: Injection) -> int:
    """A deploy hook calls."""
    await the_kiosk(it).reload()
    return 1


async def _hung_up_on(it: Scene, one: Injection) -> int:
    """The configuration is to be read again."""
    the_kiosk(it).strike(signal.SIGHUP)
    return 1


FAULTS: dict[str, Fault] = {
    "browser killed": struck(signal.SIGKILL, ""),
    "browser frozen": struck(signal.SIGSTOP, None),
    "main process frozen": struck(signal.SIGSTOP, ""),
    "renderer killed": struck(signal.SIGKILL, "renderer"),
    "renderer frozen": struck(signal.SIGSTOP, "renderer"),
    "GPU process killed": struck(signal.SIGKILL, "gpu-process"),
    "network service killed": struck(signal.SIGKILL, processes.NETWORK),
    "endless loop": told("endless_loop", fatal=True),
    "page busy": told("busy", seconds=2),
    "gave up": told("give_up"),
    "half open": told("half_open"),
    "connection dropped": told("drop"),
    "went away": told("navigate_away"),
    "error page": told("error_page"),
    "closes itself": told("window_close", fatal=True),
    "reloads itself": told("reload_self"),
    "alert": told("alert"),
    "confirm": told("confirm"),
    "prompt": told("prompt"),
    "asks before it is left": touched("beforeunload"),
    "prints": told("print"),
    "pop-up": touched("popup"),
    "download": told("download"),
    "blank": told("blank"),
    "says that it is stuck": told("stuck_text", text=STUCK_TEXT),
    "not alive": told("alive", value=False),
    "sockets refused": switched(socket="refuse"),
    "sockets closed at once": switched(socket="accept_and_close"),
    "server error": switched(http="500"),
    "bad gateway": switched(http="502"),
    "server silent": switched(http="hang"),
    "portal": switched(http="portal"),
    "sign-in": switched(http="basic_auth"),
    "login elsewhere": switched(index="redirect_login"),
    "assets missing": switched(http="blank"),
    "server killed": Fault(_server_killed, _server_started, lasts=True),
    "server stopped": Fault(_server_stopped, _server_goes_on, lasts=True),
    "configuration broken": Fault(_configuration_broken, _configuration_written, lasts=True),
    "reload wanted": Fault(_reload_wanted),
    "hung up on": Fault(_hung_up_on),
    **{f"deploy: {how.value.replace('_', ' ')}": deployed(how) for how in How if how is not How.ASSETS},
}

#: At the least rate so many minutes pass until every kind has had its turn: from then on each must have taken effect.
EVERY_KIND_MIN = len(FAULTS) / RATE


def the_kiosk(it: Scene) -> Kiosk:
    assert it.kiosk is not None, "it is started"
    return it.kiosk


@contextlib.asynccontextmanager
async def visiting(it: Scene) -> AsyncIterator[Visitor]:
    """A person at the browser; raises EdgeUnavailable, or TimeoutError, where it is about to end, or stands still."""
    visitor = Visitor(it.profile)
    try:
        async with asyncio.timeout(PERSON_S), visitor:
            yield visitor
    except (aiohttp.ClientError, KeyError, TypeError, ValueError) as error:
        raise EdgeUnavailable(f"Cannot come to the browser: {error!r}") from error
    finally:
        await visitor.__aexit__(None, None, None)  # nobody else lets go where it did not get in


@dataclass(frozen=True, slots=True)
class Round:
    """What a round is to be. ``build``: the version of what is built where a deploy has left less than a whole one."""

    number: int
    pause: float
    injections: tuple[Injection, ...]
    build: str


def rounds(seed: int) -> Iterator[Round]:
    """Deal rounds without end: every kind in turn, in another order each time, and never one twice in a round.

    Every round and every fault has dice of its own, so that the same seed gives the same whatever happens meanwhile.
    """
    bag: list[str] = []
    for number in count(1):
        dice = random.Random(f"{seed}/{number}")
        if not bag:
            bag = sorted(FAULTS)
            dice.shuffle(bag)
        size = min(dice.randint(*SIZE), len(bag))
        size += len(bag) - size == 1  # or the last one would be alone
        names = [bag.pop() for _ in range(size)]
        injections = tuple(_injection(name, random.Random(f"{seed}/{number}/{nth}")) for nth, name in enumerate(names, 1))
        yield Round(number, dice.uniform(*REST_S), injections, f"{dice.getrandbits(32)}")


def _injection(name: str, dice: random.Random) -> Injection:
    return Injection(name, dice.uniform(*AFTER_S), dice.uniform(*LASTS_S), f"{dice.getrandbits(32)}")


def allowed(names: Iterable[str]) -> int:
    """Return how many restarts of the browser a round may cost in which these faults took effect."""
    return RESTARTS * (1 + sum(FAULTS[name].fatal for name in names))


def lacking(tally: Counter[str], minutes: float) -> list[str]:
    """Return what has not befallen kioskd as often as it must in so many minutes."""
    said = []
    if tally.total() < RATE * minutes:
        said.append(f"{tally.total()} faults took effect, and {RATE * minutes:g} are the least in {minutes:g} minutes")
    if minutes >= EVERY_KIND_MIN and (absent := sorted(FAULTS.keys() - tally.keys())):
        said.append(f"of these none took effect in {minutes:g} minutes: {', '.join(absent)}")
    return said

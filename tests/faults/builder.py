"""A builder that deploys at random: in every way, some slowly, some by halves, some over each other. It keeps a story of the disk.

The story is what a deploy is judged by: after each change it notes what the dist holds, by reading it. A *build* is an index that
ends and whose assets are all there; another mtime makes another build of the same bytes. One that stood for ``settle`` has *settled*.
"""

import asyncio
import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from kioskd.demo.dist import How, lacks, steps, version_of

QUICK_WAYS = (How.RENAME, How.IN_PLACE, How.REBUILD, How.SYMLINK, How.TOUCH, How.ROLLBACK, How.SAME_SECOND)
SLOW_WAYS = (How.RENAME, How.IN_PLACE, How.REBUILD, How.SYMLINK, How.ROLLBACK, How.SAME_SECOND)

#: Between two files of a slow build, and before a half-written one goes on.
STEP_S, HALF_S = 0.7, 2.0

#: How a deploy goes about it, and how often. AWAY: the dist is moved away, and comes back as it was.
MANNERS = {"quick": 12, "slow": 4, "index first": 2, "emptied": 1, "away": 1}


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the disk, and what the dist held after it."""

    began: float  # monotonic: on a busy machine a change takes its time, too
    at: float
    what: str
    version: str | None  # None: there is no index, or none that says of which it is
    mtime: int
    lacks: tuple[str, ...]

    @property
    def held(self) -> tuple[str | None, int, tuple[str, ...]]:
        return self.version, self.mtime, self.lacks


@dataclass(frozen=True, slots=True)
class Stand:
    """How long the dist held the same, from the beginning of the change that made it: at which moment of that it was made, nobody knows."""

    since: float
    at: float  # by then it was made
    until: float
    version: str | None
    lacks: tuple[str, ...]

    @property
    def torn(self) -> bool:
        """An index that ends in the middle, with what it names so far: nobody can tell it from a whole one that ends like that."""
        return self.version is not None and self.lacks == ("</html>",)

    def settled(self, settle: float) -> bool:
        """Whether it was a build that stood for so long. A torn one does only where the machine was late with the rest of it."""
        return (not self.lacks or self.torn) and self.until - self.since >= settle


class Builder:
    """Deploys at random into ``dist``. ``settle``: a torn index goes on sooner, for one that stands still passes for whole.

    ``spares``: so many seconds from the moment at which a build has settled nothing is changed, as if nobody deployed in the same breath.
    """

    def __init__(self, dist: Path, seed: int, settle: float, spares: float = 0.0) -> None:
        self.dist, self.seed, self.settle, self.spares = dist, seed, settle, spares
        self.story: list[Change] = []
        self._note("at first", time.monotonic())

    async def deploy(self, times: int) -> None:
        """Deploy so often. All pauses are the fault's own pace. The last deploy begins when the others have ended, and is whole."""
        async with asyncio.TaskGroup() as group:
            for number in range(2, times + 1):
                dice = random.Random(f"{self.seed} {number}")  # its own: what it does must not hang on how others are timed
                task = group.create_task(self._deploy(number, dice, dice.choices(list(MANNERS), list(MANNERS.values()))[0]))
                if dice.random() < 0.4:
                    await task
                await asyncio.sleep(max(0.0, dice.uniform(-1, 3)) * self.settle)
        await self._deploy(times + 1, random.Random(f"{self.seed} {times + 1}"), "slow")

    async def _spare(self) -> None:
        """Wait while the build on the disk is being loaded, or is about to be."""
        while self.spares and not self.story[-1].lacks:
            stood = time.monotonic() - self.story[-1].began  # the change may be older than the note of it, where a machine is busy
            if not self.settle / 2 <= stood < self.settle + self.spares:
                return
            await asyncio.sleep(self.settle + self.spares - stood)

    async def _deploy(self, number: int, dice: random.Random, manner: str) -> None:
        version, name = str(number), f"{number} {manner}"
        await self._spare()
        match manner:
            case "quick":
                self._follow(name, steps(self.dist, version, dice.choice(QUICK_WAYS), dice))
            case "slow":
                await self._slowly(name, version, dice.choice(SLOW_WAYS), dice)
            case "index first":
                self._follow(name, steps(self.dist, version, How.HALF, dice))
                await asyncio.sleep(dice.uniform(0, HALF_S))
                await self._slowly(name, version, How.ASSETS, dice)
            case "emptied":
                self._follow(name, steps(self.dist, version, How.EMPTY_INDEX, dice))
                await asyncio.sleep(dice.uniform(0, HALF_S))
                await self._slowly(name, version, dice.choice((How.RENAME, How.IN_PLACE)), dice)
            case "away":
                await self._away(name, dice.uniform(0, HALF_S))

    def _follow(self, name: str, changes: Iterator[str]) -> None:
        began = time.monotonic()
        for what in changes:
            self._note(f"{name}: {what}", began)
            began = time.monotonic()

    async def _slowly(self, name: str, version: str, how: How, dice: random.Random) -> None:
        began = time.monotonic()
        for what in steps(self.dist, version, how, dice):
            self._note(f"{name} {how.value}: {what}", began)
            torn = what == "index.html torn"
            await asyncio.sleep(dice.uniform(0, self.settle / 3 if torn else STEP_S))
            await self._spare()
            began = time.monotonic()

    async def _away(self, name: str, seconds: float) -> None:
        aside = self.dist.with_name(f"aside {name}")
        if not self.dist.is_dir():
            return
        began = time.monotonic()
        self.dist.rename(aside)
        self._note(f"{name}: dist moved away", began)
        await asyncio.sleep(seconds)
        await self._spare()
        if not self.dist.exists():  # else another build has come meanwhile
            began = time.monotonic()
            aside.rename(self.dist)
            self._note(f"{name}: dist came back", began)

    def _note(self, what: str, began: float) -> None:
        index = self.dist / "index.html"
        try:
            text, mtime = index.read_text(), index.stat().st_mtime_ns
        except OSError:
            text, mtime = "", 0
        self.story.append(Change(began, time.monotonic(), what, version_of(text), mtime, lacks(self.dist, text)))

    def stands(self) -> list[Stand]:
        """What the dist held, from when until when; the last one still stands."""
        news = self.story[:1] + [change for before, change in pairwise(self.story) if before.held != change.held]
        ends = [*(change.began for change in news[1:]), math.inf]
        return [Stand(change.began, change.at, end, change.version, change.lacks) for change, end in zip(news, ends, strict=True)]

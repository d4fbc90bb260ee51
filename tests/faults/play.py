"""A case is played: with whom, how it ended, and whether that is as expected."""

import asyncio
import dataclasses
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

from kioskd import __version__
from kioskd.demo.kiosk import Kiosk
from kioskd.wire.story import read
from tests.faults import inside
from tests.faults.case import Case, Control, Times, Touches
from tests.faults.scene import Away, Missed, Scene, scene
from tests.faults.stage import START_S, tell
from tests.faults.taken import Telling
from tests.faults.victims import furnish

NOT_PLAYED = "not played"  # so begins what is said where there is nothing to tell of


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended. Times in seconds."""

    case: str
    who: str
    seed: int
    quick: bool
    cold: float
    bound: float
    waited: float  # at most
    seconds: float | None  # until the page was back; None: it was not
    well: bool  # as expected: of kioskd and the control; the peers are only looked at
    said: str = ""  # what was otherwise
    steps: tuple[str, ...] | list[str] = ()  # what kioskd's ladder has ordered for it, by the names of ``taken.rows``


async def play(case: Case, who: str, folder: Path, times: Times, seed: int, waits: float = 1.0) -> Outcome:
    """Play a case with ``who``; ``waits``: how many times the bound is waited for the page, so that also a miss has its figure."""
    if case.inside and not inside.here():
        return Outcome(**await inside.run(case.name, who, str(folder), dataclasses.asdict(times), seed, waits))
    bound, limit = case.bound(times), max(1.0, waits) * case.bound(times)
    outcome = Outcome(case.name, who, seed, times.quick, times.cold, bound, limit, None, False)
    async with scene(who, folder, times, seed) as it:
        it.machine, it.bound, it.waits = case.machine, bound, waits
        await furnish(it)
        try:
            async with _yielding(it):
                await _prepared(case, it)
            seconds = await (_back(case, it, limit) if case.within else _undisturbed(case, it, bound))
        except Away as error:
            well = not it.kept and case.control in (Control.STAYS_AWAY, Control.LATE)
            outcome = dataclasses.replace(outcome, well=well, waited=error.waited or limit, said=str(error))
        except (AssertionError, TimeoutError) as error:  # also in the midst of the preparations
            outcome = dataclasses.replace(outcome, said=str(error))
        else:
            said = await _wrong(case, it, seconds, bound) if it.kept else ""
            heals = it.kept or case.control is Control.HEALS or (case.control is Control.LATE and seconds > bound)
            outcome = dataclasses.replace(outcome, seconds=round(seconds, 3), well=heals and not said, said=said)
        if it.kiosk is not None:
            outcome = dataclasses.replace(outcome, steps=await _taken(it.kiosk, it.calm_at))
            if not outcome.well:
                print(it.kiosk.log(), file=sys.stderr)
                await tell(it.kiosk)
    return outcome


async def _prepared(case: Case, it: Scene) -> None:
    """Prepare, and break. Before a page that a peer never had on the screen nothing can be broken."""
    try:
        await case.play(it)
    except Away:
        raise
    except TimeoutError as error:
        if it.kept:
            raise
        raise Missed(f"{NOT_PLAYED}: {error}") from error


async def _back(case: Case, it: Scene, limit: float) -> float:
    moment = it.moment = time.monotonic() if it.moment is None else it.moment
    opened_after = None if case.same_document else it.noted_at
    try:
        async with _yielding(it):
            return await it.dashboard.back(limit, moment, it.document if case.anew else None, opened_after)
    except TimeoutError as error:
        raise Away(str(error)) from error


@asynccontextmanager
async def _yielding(it: Scene) -> AsyncIterator[None]:
    """Where a script burns a processor until somebody ends it, and nobody does, let the other cases have their share.

    Only before those who have no bound to keep: for kioskd's page nothing is changed.
    """

    async def yields() -> None:
        while True:
            for process in it.victim.processes("renderer") if it.burns else ():
                with suppress(psutil.Error):
                    process.nice(19)
            await asyncio.sleep(1.0)  # a process tells nobody that it begins

    if it.kept:
        yield
        return
    task = asyncio.create_task(yields())
    try:
        yield
    finally:
        task.cancel()


async def _undisturbed(case: Case, it: Scene, seconds: float) -> float:
    """Return 0 where for so long the document stays, in the same process, loaded once; and still lives at the end."""
    with suppress(TimeoutError):
        await it.dashboard.back(seconds, other_than=it.document)
        raise Missed("the document was replaced")
    if it.victim.pid != it.pid:
        raise Missed("the browser was restarted")
    if len(await it.dashboard.loads()) != it.loads:
        raise Missed("the page was loaded again")
    if not case.unheard:
        await it.dashboard.back(3.0)
    return 0.0


async def _wrong(case: Case, it: Scene, seconds: float, bound: float) -> str:
    """Return what kioskd has done beside bringing the page back in time."""
    if case.within is None:
        return ""
    if seconds > bound:
        return f"late: {seconds:.2f} s, and the bound is {bound:.2f} s"
    told = 0.0 if it.moment is None or it.dashboard.told_at is None else max(0.0, it.moment - it.dashboard.told_at)
    if case.not_before is not None and seconds + told < case.not_before(it.times):
        return f"early: after {seconds + told:.2f} s, and the page is given {case.not_before(it.times):g} s"
    if it.pid and case.touches is not Touches.EITHER and (it.victim.pid != it.pid) != (case.touches is Touches.BROWSER):
        return f"expected was {case.touches.value}"
    if case.touches is Touches.NOTHING and (await it.dashboard.document(), len(await it.dashboard.loads())) != (it.document, it.loads):
        return f"expected was {case.touches.value}"
    if case.once:
        document = await it.dashboard.document()
        with suppress(TimeoutError):
            await it.dashboard.back(it.times.settle + 3, other_than=document)
            return "a second document came"
        if len(await it.dashboard.loads()) != it.loads + 1:
            return f"{len(await it.dashboard.loads()) - it.loads} loads, and expected was one"
    return ""


async def _taken(kiosk: Kiosk, since: float | None) -> tuple[str, ...]:
    """What the ladder has ordered since a monotonic moment (None: ever), each once, by the names of ``taken.rows``.

    Its story of late is gone through again, and has to be decided the same way; its moments are of the same clock. What came before is no
    answer to the fault: every start goes home from the start page.
    """
    try:
        file = await kiosk.story()
    except (OSError, aiohttp.ClientError):  # it is not there, or has not the means to answer: then that is the fault
        return ()
    steps: dict[str, None] = {}
    for chapter in read(file.read_bytes(), file.name, __version__).chapters:
        kernel = Telling(chapter.state)
        for now, fact, ordered in chapter.turns:
            actions, _ = kernel.handle(fact, now)
            assert tuple(actions) == ordered, f"{file}: decided otherwise when it is gone through again, at {now}: {actions}, not {ordered}"
            names = kernel.ordered()
            if since is None or now >= since:
                steps.update(dict.fromkeys(names))
    return tuple(steps)


def limit_s(case: Case, times: Times) -> float:
    """Within how many seconds a case has ended, whatever happens: it only turns a hang into a failure."""
    return 3 * START_S + 2 * times.outage + 4 * case.bound(times) + 60.0

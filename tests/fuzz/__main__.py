"""``scripts/fuzz``: every target for as long as wanted. Ends with 1 where something is raised, hangs or grows, and keeps what did it."""

import argparse
import hashlib
import logging
import random
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext

import psutil
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings

from tests.fuzz import schema
from tests.fuzz.targets import DOOR, HERE, TARGETS, Target, bug_in, is_planted

HANG_S = 1.0
WARM_S, GROWTH = 5.0, 32 << 20  # bytes, after it is warm
BATCH = 500
PLANTED_S = 60.0


class Hang(Exception):
    """It took too long."""


class Run:
    """One target for so many seconds."""

    def __init__(self, target: Target, seconds: float, dice: random.Random) -> None:
        self._target, self._seconds, self._dice = target, seconds, dice
        self.executions, self.slowest = 0, 0.0
        self.found: bytes | None = None
        self._memory: int | None = None

    def take(self, content: bytes) -> None:
        """Give it one input."""
        began = time.monotonic()
        try:
            self._target.take(content)
        except BaseException:
            self.found = content
            raise
        took = time.monotonic() - began
        self.executions += 1
        self.slowest = max(self.slowest, took)
        if took > HANG_S:
            self.found = content
            raise Hang(f"{took:.1f} s")

    def go(self) -> Exception | None:
        """Return what went wrong, the smallest input that does it in ``found``; None: nothing did."""
        began, process = time.monotonic(), psutil.Process()
        while (passed := time.monotonic() - began) < self._seconds:
            try:
                batch(self.take, self._target, self._dice.getrandbits(64))
            except Exception as error:
                return error
            if self._memory is None and passed > min(WARM_S, self._seconds / 2):
                self._memory = process.memory_info().rss
        grown = process.memory_info().rss - (self._memory or sys.maxsize)
        return MemoryError(f"{grown >> 20} MB more than when it was warm") if grown > GROWTH else None


def batch(take: Callable[[bytes], None], target: Target, number: int) -> None:
    """Give it some hundred inputs; the one that fails is made as small as it goes."""

    @seed(number)
    @settings(
        max_examples=BATCH,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
    )
    @given(target.inputs)
    def one(content: bytes) -> None:
        take(content)

    one()


def fuzz(target: Target, seconds: float, dice: random.Random) -> bool:
    """Say how it goes; return whether all is well."""
    run = Run(target, seconds, dice)
    error = run.go()
    print(f"{target.name:10} {run.executions:>9} executions, the slowest {1000 * run.slowest:.0f} ms: {target.says}", flush=True)
    if error is None:
        return True
    content = run.found or b""
    file = HERE / "found" / f"{target.name}-{hashlib.sha256(content).hexdigest()[:8]}"
    file.write_bytes(content)
    print(f"  {type(error).__name__}: {error}\n  for {content[:200]!r}, kept in {file}", flush=True)
    return False


def planted(target: Target, dice: random.Random) -> bool:
    """Plant a bug; return whether it is found."""
    with target.plant():
        run = Run(target, PLANTED_S, dice)
        began = time.monotonic()
        error = run.go()
    found = is_planted(error)
    how = (
        f"found after {run.executions} executions, {time.monotonic() - began:.1f} s, by {(run.found or b'')[:60]!r}"
        if found
        else "NOT found"
    )
    print(f"{target.name:10} the planted bug was {how}", flush=True)
    return found


def ask_as_described(seconds: float, dice: random.Random, bug: bool) -> bool:
    """The same for the interface's own description; where a bug is planted, return whether it is found."""
    with bug_in(DOOR, "status", lambda: DOOR.asked % 5 == 0) if bug else nullcontext():
        well, asked, said = schema.run(DOOR, seconds, dice.getrandbits(32))
    if bug:
        print(f"{schema.NAME:10} the planted bug was {'NOT found' if well else f'found after {asked} requests'}", flush=True)
        return not well
    print(f"{schema.NAME:10} {asked:>9} requests: {schema.SAYS}", flush=True)
    if not well:
        print(said, flush=True)
    return well


def main() -> int:
    """``scripts/fuzz``."""
    names = [*(target.name for target in TARGETS), schema.NAME]
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz",
        description="Give everything that takes bytes from outside whatever bytes there are: no crash, no hang, no growth.",
        epilog="What is found is kept in tests/fuzz/found, and from then on a test.",
    )
    parser.add_argument("target", nargs="*", help=f"of {', '.join(names)} (default: all)")
    parser.add_argument("--minutes", type=float, default=10.0, help="for each (default: %(default)g)")
    parser.add_argument("--seed", type=int, default=random.getrandbits(32), help="of all chance (default: a new one; it is said)")
    parser.add_argument("--planted", action="store_true", help="plant a bug in each instead, and see that it is found")
    options = parser.parse_args()
    if unknown := set(options.target) - set(names):
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    logging.disable(logging.CRITICAL)  # what goes wrong is what is looked for
    print(f"seed {options.seed}", flush=True)
    wanted = [target for target in TARGETS if not options.target or target.name in options.target]
    dice = random.Random(options.seed)
    well = [planted(each, dice) if options.planted else fuzz(each, 60 * options.minutes, dice) for each in wanted]
    if not options.target or schema.NAME in options.target:
        well.append(ask_as_described(PLANTED_S if options.planted else 60 * options.minutes, dice, options.planted))
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())

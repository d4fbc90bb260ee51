"""Every scenario holds, and together they reach every verdict, every rung, every step and every row that the core decides."""

from pathlib import Path

import pytest

from kioskd.core.steps import Rung
from kioskd.core.verdict import Verdict
from tests.core.invariants import STEP_NAMES
from tests.core.scenario import FILES, load, play

#: Rows of the design's table of faults that the core decides. The others are the edges'.
ROWS = [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, "13b", 14, 15, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27]


#: What each scenario reached, once it has been played.
REACHED: dict[Path, set[Verdict | Rung | str]] = {}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_scenario(file: Path) -> None:
    REACHED[file] = reached_by(file)


def reached_by(file: Path) -> set[Verdict | Rung | str]:
    watch = play(load(file)).watch
    return {*watch.reached, *watch.taken}


def test_every_verdict_rung_step_and_row_is_reached() -> None:
    names = [*Verdict, *Rung, *STEP_NAMES.values(), *(f"row {row}" for row in ROWS)]
    table: dict[Verdict | Rung | str, list[str]] = {name: [] for name in names}
    for file in FILES:
        reached = REACHED.get(file) or reached_by(file)
        for name in [*reached, *(f"row {row}" for row in load(file).get("rows", []))]:
            table[name].append(file.stem)
    for name, files in table.items():
        print(f"{getattr(name, 'name', name):22} {', '.join(files)}")
    assert not [name for name, files in table.items() if not files]

"""The pictures in the documents are those of the tables."""

from pathlib import Path

from kioskd.core.diagram import drawn, ladder, verdicts
from kioskd.core.steps import STEPS, Rung
from kioskd.core.verdict import TABLE

DESIGN = Path(__file__).parent.parent / "docs" / "design.md"


def test_the_design_shows_the_tables_as_they_are() -> None:
    text = DESIGN.read_text()
    assert drawn(text) == text, "run scripts/diagrams"
    assert verdicts() in text
    assert ladder() in text


def test_nothing_is_left_out() -> None:
    for verdict, steps in STEPS.items():
        assert f"| {verdict.value} |" in verdicts()
        assert all(step.remedy.value in verdicts() for step in steps)
    assert set(STEPS) == set(TABLE)
    assert all(rung.name in ladder() for rung in Rung)


def test_only_what_stands_between_markers_is_drawn() -> None:
    assert drawn("before\n<!-- generated: ladder -->\nold\n<!-- end -->\nafter") == (
        f"before\n<!-- generated: ladder -->\n{ladder()}\n<!-- end -->\nafter"
    )
    assert drawn("nothing") == "nothing"

"""The fuzzer itself, for a moment: it finds what is planted, and what it once found is not found again."""

import random

import pytest

from tests.fuzz.__main__ import Run
from tests.fuzz.targets import HERE, TARGETS, Target, is_planted

FOUND = sorted(each for each in (HERE / "found").iterdir() if each.name != "README")
BY_NAME = {target.name: target for target in TARGETS}
MOMENT_S = 0.5
PLANTED_S = 240.0  # it ends when it is found; beside other tests that took more than a minute


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_moment_of_each(target: Target) -> None:
    run = Run(target, MOMENT_S, random.Random(1))
    assert run.go() is None, run.found
    assert run.executions > 50


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_what_is_planted_is_found(target: Target) -> None:
    with target.plant():
        assert is_planted(Run(target, PLANTED_S, random.Random(2)).go())


@pytest.mark.parametrize("file", FOUND, ids=lambda file: file.name)
def test_what_was_found_once_is_mended(file) -> None:
    BY_NAME[file.name.split("-")[0]].take(file.read_bytes())

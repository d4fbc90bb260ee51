"""What the Debian package says about kioskd is what kioskd is."""

import argparse
import re
from pathlib import Path

import pytest

import kioskd
from kioskd import cli, ctl

DEBIAN = Path(__file__).parents[1] / "debian"


def words(parser: argparse.ArgumentParser) -> set[str]:
    """Return the commands and long options of a program."""
    found: set[str] = set()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                found |= {name} | words(command)
        else:
            found |= {option for option in action.option_strings if option.startswith("--")}
    return found


PROGRAMS = {"kioskd.8": cli, "kioskctl.1": ctl}


@pytest.mark.parametrize("page", PROGRAMS)
def test_manual_and_completion_know_every_command_and_option(page: str) -> None:
    known = words(PROGRAMS[page]._parser()) - {"--help", "--version"}
    manual = (DEBIAN / page).read_text().replace("\\-", "-")
    completion = (DEBIAN / "completion").read_text()
    assert {word for word in known if word not in manual} == set()
    assert {word for word in known if word not in completion} == set()


def test_the_package_has_the_programs_version() -> None:
    found = re.match(r"kioskd \((.*?)\)", (DEBIAN / "changelog").read_text())
    assert found is not None and found[1] == kioskd.__version__


def test_the_unit_gives_what_the_program_expects() -> None:
    unit = (DEBIAN / "kioskd.service").read_text()
    for line in ("Type=notify", "Restart=always", "StartLimitIntervalSec=0", "KillMode=control-group", "ExecStart=/usr/bin/kioskd run"):
        assert f"\n{line}\n" in unit
    assert "--no-sandbox" not in unit

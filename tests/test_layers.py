"""Imports point one way: core <- wire <- edges <- shell, screen, display <- daemon <- cli. Read from the source, nothing is imported."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "kioskd"

#: Each floor may use those before it, and its own; what is not named here stands outside the house.
FLOORS = [
    ["errors"], ["core"], ["wire"], ["edges"], ["shell", "screen", "display", "own_pages", "replay"], ["daemon"],
    ["cli", "ctl", "asking", "doctor", "hardware", "machine"], ["__main__"],
]  # fmt: skip
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}

#: Rooms of one edge: these are used by one edge each, and are nobody else's.
ROOMS = {
    "browser": {"profile", "processes"},
    "confinement": {"cdp_pipe"},
    "page": {"cdp_pipe", "confinement", "navigation"},
    "http_api": {"access", "answers", "broadcast", "doors", "gate", "replies", "routes"},
    "answers": {"operator", "replies", "routes"},
    "operator": {"access", "replies", "routes", "story"},
    "routes": {"access", "broadcast", "live", "reloads"},
    "replies": {"gate"},
    "broadcast": {"listeners"},
    "live": {"listeners"},
    "doors": {"access", "gate"},
    "watch": {"deploy", "sight"},
    "sight": {"deploy"},
}

#: Data, and nothing that has a clock, does I/O or knows the machine.
DATA = {"collections.abc", "dataclasses", "enum", "functools", "math", "re", "typing", "urllib.parse"}
WIRE = DATA | {
    "base64", "binascii", "cattrs", "cattrs.errors", "cattrs.gen", "codecs", "contextlib", "datetime", "difflib", "hashlib", "html",
    "html.parser", "io", "ipaddress", "json", "segno", "warnings", "yaml",
}  # fmt: skip


def modules(source: str) -> set[str]:
    """Return every module that the source imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            ours = module == "kioskd" or (module.startswith("kioskd.") and module.count(".") == 1)
            found |= {f"{module}.{alias.name}" for alias in node.names} if ours else {module}
    return found


def mistakes(place: str, source: str) -> list[str]:
    """Return what a module at ``place`` ("edges/page") imports and must not."""
    floor, _, name = place.partition("/")
    found = modules(source)
    inside = {module.split(".")[1]: module for module in sorted(found) if module.startswith("kioskd.")}
    wrong = [module for part, module in inside.items() if part in LEVEL and LEVEL[part] > LEVEL[floor]]
    if floor == "edges":
        others = {module.split(".")[2] for module in found if module.startswith("kioskd.edges.")} - {name}
        wrong += sorted(others - ROOMS.get(name, set()))
    if floor in ("core", "wire"):
        wrong += sorted({module for module in found if not module.startswith("kioskd.")} - (DATA if floor == "core" else WIRE))
        wrong += [module for part, module in inside.items() if part not in LEVEL]
    return wrong


PLACES = sorted(
    str(file.relative_to(ROOT).with_suffix("")) for file in ROOT.rglob("*.py") if file.relative_to(ROOT).with_suffix("").parts[0] in LEVEL
)


@pytest.mark.parametrize("place", PLACES)
def test_imports_point_one_way(place: str) -> None:
    assert not mistakes(place, (ROOT / f"{place}.py").read_text())


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("core/ladder", "import time"),
        ("core/ladder", "def f():\n    from asyncio import sleep"),
        ("core/view", "from pathlib import Path"),
        ("core/view", "from kioskd.wire.config import Config"),
        ("core/view", "from kioskd.edges import page"),
        ("wire/config", "import os"),
        ("wire/cdp", "from kioskd.edges.page import Page"),
        ("wire/cdp", "from kioskd import demo"),
        ("edges/page", "from kioskd.edges.watch import Watch"),
        ("edges/page", "from kioskd.edges import watch"),
        ("edges/notify", "from kioskd.shell import Shell"),
        ("shell", "from kioskd import daemon"),
        ("daemon", "import kioskd.cli"),
    ],
)
def test_a_wrong_import_is_seen(place: str, source: str) -> None:
    assert mistakes(place, source)

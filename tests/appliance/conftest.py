"""What a run saw, as a page of the documentation: nothing in it is typed by hand."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
_rows: list[tuple[str, str, str]] = []
PAGE = """\
# The appliance, seen

Written by `scripts/test-appliance --write-doc` on {date}, at commit {commit}.
An emulated machine of two processors and 2 GiB, with Debian 12 and `{package}` (SHA-256 `{sha}`), from power-on to the page on its screen.

![The screen](appliance.png)

| check | result | seen |
|---|---|---|
{rows}
"""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome: Any = yield
    report = outcome.get_result()
    if item.get_closest_marker("appliance") and (report.when == "call" or report.failed):
        name = (getattr(item, "function").__doc__ or item.name).strip()  # noqa: B009
        keys = item.callspec.params.get("keys") if hasattr(item, "callspec") else None
        _rows.append((f"{name}: {keys}" if keys else name, report.outcome, dict(report.user_properties).get("seen", "")))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not os.environ.get("KIOSKD_WRITE_DOC") or not _rows:
        return
    sha, package = (Path(os.environ["KIOSKD_DISK"]) / "package").read_text().split()
    commit = _git("describe", "--always", "--abbrev=12")
    if _git("status", "--porcelain", "--", ":/", ":(top,exclude)docs/appliance.*"):  # these are being written
        commit += ", changed"
    rows = "\n".join("| " + " | ".join(row) + " |" for row in _rows)
    date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    (DOCS / "appliance.md").write_text(PAGE.format(date=date, commit=commit, package=package, sha=sha, rows=rows))


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=DOCS, capture_output=True, text=True, check=True).stdout.strip()

"""What kioskd knows, for people and programs: ``GET /api/status`` and the line in ``systemctl status``.

Pure: moments of the monotonic clock become wall-clock text by the two clocks that are handed in together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import floor
from typing import Any

from kioskd.core.facts import Version
from kioskd.core.kernel import Kernel
from kioskd.core.ladder import Plan
from kioskd.core.readings import expected_link, server_up, shown, waits_for_build
from kioskd.core.view import Heard
from kioskd.wire.urls import public

BIG = "the browser was over health.memory right after its start, and would be again: it is not restarted for that"


@dataclass(frozen=True, slots=True)
class Clocks:
    """One moment on both clocks, in seconds."""

    monotonic: float
    wall: float

    def text(self, moment: float | None) -> str | None:
        """Return a monotonic moment as ISO 8601 in UTC."""
        if moment is None:
            return None
        return datetime.fromtimestamp(floor(self.wall - (self.monotonic - moment)), UTC).isoformat().replace("+00:00", "Z")

    def exact(self, moment: float) -> str:
        """Return it with its milliseconds."""
        return datetime.fromtimestamp(self.wall - (self.monotonic - moment), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def status(kernel: Kernel, clocks: Clocks, problems: Mapping[str, str | None]) -> dict[str, Any]:
    """Return everything worth knowing. ``problems``: what kioskd itself lacks, by name; queries of URLs are left out."""
    view, judgement, plan, incident = kernel.view, kernel.judgement, kernel.plan, kernel.ladder.incident
    server, deploy = view.server, view.deploy
    up = server_up(view, kernel.policy, clocks.monotonic)
    lacks = {name: text for name, text in problems.items() if text}
    if view.browser.big_from_start:
        lacks["memory"] = BIG
    return {
        "verdict": judgement.verdict.value,
        "why": judgement.why,
        "rung": kernel.ladder.rung.name,
        "since": clocks.text(incident.since if incident else view.page.committed_at),
        "needs_person": incident.needs_person if incident else False,
        "next": _next(plan, _waits(kernel, clocks), clocks) if plan else None,
        "last_action": incident.last[1].value if incident and incident.last else None,
        "page": _page(kernel, clocks),
        "server": {"up": up, "home": _answer(server.home, clocks), "socket": _answer(server.socket, clocks)},
        "browser": {
            "state": view.browser.life.value,
            "product": view.browser.product,
            "pid": view.browser.pid,
            "since": clocks.text(view.browser.since),
            "generation": view.browser.generation,
            "memory": view.browser.memory,
            "reason": view.browser.reason,
        },
        "display": {
            "state": view.display.life.value,
            "since": clocks.text(view.display.since),
            "lacks": view.display.lacks,
            "software": view.display.software,
        },
        "versions": {
            "screen": _version(shown(view)),
            "disk": _version(deploy.disk.version if deploy.disk else None),
            "complete": not deploy.disk.missing if deploy.disk else None,
            "missing": list(deploy.disk.missing) if deploy.disk else [],
        },
        "paused_until": clocks.text(view.paused_until),
        "configuration": {"mistakes": list(view.mistakes)},
        "problems": lacks,
    }


def _next(plan: Plan, until: float | None, clocks: Clocks) -> dict[str, Any]:
    at = max(plan.due, clocks.monotonic) if until is None else until
    return {"action": plan.remedy.value, "at": clocks.text(at), "asks_server_first": plan.step.guarded}


def _page(kernel: Kernel, clocks: Clocks) -> dict[str, Any]:
    page, link, expected = kernel.view.page, kernel.view.link, expected_link(kernel.view, kernel.policy)
    return {
        "url": public(page.url),
        "status": page.report.status if page.report else None,
        "asked": clocks.text(page.reported_at),
        "connection": {
            "expected": public(expected) if expected is not None else None,
            "open_since": clocks.text(link.open_since),
            "dead_since": clocks.text(link.dead_since),
            "closed_by_page": link.asleep,
            "silent": link.silent,
        },
    }


def line(kernel: Kernel, clocks: Clocks) -> str:
    """Return the one line for ``systemctl status``: it changes only when something happens."""
    view, judgement, plan = kernel.view, kernel.judgement, kernel.plan
    parts = [f"{judgement.verdict.value}: {judgement.why}"]
    if view.page.url.startswith(("http:", "https:")):
        parts.append(public(view.page.url))
    version = shown(view)
    if version:
        parts.append(f"version {version.mtime}")
    if plan:
        until = _waits(kernel, clocks)
        at = f" at {clocks.text(until or plan.due)}" if until or plan.due > clocks.monotonic else ""
        parts.append(f"next: {plan.remedy.value}{at}{', or once the build on the disk is whole' if until else ''}")
    if view.display.lacks:
        parts.append(view.display.lacks)
    if view.mistakes:
        parts.append(f"bad configuration: {view.mistakes[0]}")
    return "; ".join(parts)


def _waits(kernel: Kernel, clocks: Clocks) -> float | None:
    """Until when the next step waits for the build on the disk, at the latest; None: it does not."""
    plan = kernel.plan
    if plan is None or not plan.step.guarded:
        return None
    return waits_for_build(kernel.view, plan.due, max(plan.due, clocks.monotonic), kernel.policy)


def _version(version: Version | None) -> dict[str, Any] | None:
    return {"version": version.mtime, "digest": version.digest} if version else None


def _answer(heard: Heard | None, clocks: Clocks) -> dict[str, Any] | None:
    if heard is None:
        return None
    return {"status": heard.answer.status, "error": heard.answer.error, "at": clocks.text(heard.at)}

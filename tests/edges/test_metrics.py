"""Metrics as Prometheus reads them: with the very library's own parser."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kioskd import __version__
from kioskd.core import actions as a
from kioskd.core import facts as f
from kioskd.core.incidents import Chronicle, Entry, Kind
from kioskd.core.kernel import Kernel
from kioskd.core.policy import Deploy, Policy
from kioskd.core.steps import Rung
from kioskd.core.verdict import Verdict
from kioskd.edges.metrics import ASKED, BUCKETS, CAUSES, Known, Metrics
from kioskd.errors import EdgeUnavailable
from tests.core.fake_page import HOME
from tests.core.world import World, settled

REPOSITORY = Path(__file__).parents[2]

STATUS: dict[str, Any] = {
    "verdict": "STUCK", "needs_person": False, "browser": {"memory": 400 << 20},
    "versions": {"disk": {"version": 1763000000, "digest": "sha256:ab"}, "screen": None, "complete": True, "missing": []},
}  # fmt: skip
POLICY = Policy(url=HOME, deploy=Deploy(index="/srv/dist/index.html"))
KNOWN = Known(STATUS, True, 12.5, {"home": 0.02})

Samples = dict[tuple[str, str], float]


def samples(metrics: Metrics, known: Known = KNOWN) -> Samples:
    """Return what a scrape has: by the name, and the label's value where there is one (of a bucket the cause and its bound)."""
    families = list(text_string_to_metric_families(metrics.text(known).decode()))
    assert all(family.documentation and family.type != "unknown" for family in families), "each says what it is"
    return {(each.name, " ".join(each.labels.values())): each.value for family in families for each in family.samples}


def counted(world: World) -> Metrics:
    """Count what a world's kernel does from now on, as the shell lets it be counted."""
    metrics, chronicle, handle = Metrics(world.kernel), Chronicle(world.kernel), world.kernel.handle

    def heard(fact: f.Fact, now: float) -> tuple[list[a.Action], float]:
        actions, wake_at = handle(fact, now)
        metrics.add(chronicle.turn(now, fact))
        metrics.turn(now, actions)
        return actions, wake_at

    world.kernel.handle = heard  # type: ignore[method-assign]
    return metrics


def events(found: Samples) -> Samples:
    """Return the counters that have counted something, and how many recoveries there were."""
    return {
        key: value
        for key, value in found.items()
        if value and key[0].startswith("kioskd_") and key[0].endswith(("_total", "_seconds_count"))
    }


# --- what is so now -----------------------------------------------------------------------------


def test_what_is_so_now() -> None:
    found = samples(Metrics(Kernel()))
    assert found["kioskd_up", ""] == 1 and found["kioskd_build_info", __version__] == 1
    assert found["kioskd_verdict", "STUCK"] == 1 and found["kioskd_verdict", "HEALTHY"] == 0
    assert sum(value for (name, _), value in found.items() if name == "kioskd_verdict") == 1
    assert found["kioskd_needs_person", ""] == 0 and found["kioskd_since_healthy_seconds", ""] == 12.5
    assert found["kioskd_browser_memory_bytes", ""] == 400 << 20
    assert found["kioskd_deploy_version", "disk"] == 1763000000
    assert found["kioskd_server_probe_seconds", "home"] == 0.02


def test_each_scrape_is_of_its_own_moment() -> None:
    metrics = Metrics(Kernel())
    assert samples(metrics)["kioskd_verdict", "STUCK"] == 1
    later = samples(metrics, Known({**STATUS, "verdict": "HEALTHY", "needs_person": True}, False, 0.0, {}))
    assert later["kioskd_verdict", "STUCK"] == 0 and later["kioskd_verdict", "HEALTHY"] == 1
    assert later["kioskd_up", ""] == 0 and later["kioskd_needs_person", ""] == 1


def test_what_is_not_known_is_left_out() -> None:
    found = samples(Metrics(Kernel()))
    assert ("kioskd_deploy_version", "screen") not in found and ("kioskd_server_probe_seconds", "socket") not in found
    status = {**STATUS, "browser": {"memory": None}, "versions": {"disk": None, "screen": None}}
    names = {name for name, _ in samples(Metrics(Kernel()), Known(status, True, 0.0, {}))}
    assert not names & {"kioskd_browser_memory_bytes", "kioskd_deploy_version", "kioskd_server_probe_seconds"}


def test_kioskd_itself_is_told_of_as_any_process_is() -> None:
    found = samples(Metrics(Kernel()))
    (pages,) = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS:")]
    assert found["process_resident_memory_bytes", ""] == pytest.approx(int(pages) * 1024, rel=0.2)
    assert found["process_cpu_seconds_total", ""] > 0


# --- what is counted ----------------------------------------------------------------------------


def test_every_count_is_there_from_the_first_scrape_or_its_first_event_would_not_be_seen_to_come() -> None:
    found = samples(Metrics(Kernel()))
    for name in ("kioskd_restarts_total", "kioskd_reloads_total"):
        assert {label: value for (each, label), value in found.items() if each == name} == dict.fromkeys((*CAUSES, ASKED), 0)
    assert {label for name, label in found if name == "kioskd_recovery_seconds_count"} == set(CAUSES)
    assert not {"HEALTHY", "PAUSED"} & set(CAUSES), "nothing is done about these"
    assert events(found) == {} and len(found) < 300, "as many as there ever are, but for the probes and the builds"


def test_recoveries_are_counted_by_how_long_they_took() -> None:
    metrics = Metrics(Kernel())
    for seconds in (20.0, 20.5, 4000.0):
        metrics.add(
            [Entry(Kind.BEGAN, 0.0, Verdict.STUCK, Rung.SUSPECT), Entry(Kind.CURED, 0.0, Verdict.HEALTHY, Rung.SUSPECT, seconds=seconds)]
        )
    found = samples(metrics)
    buckets = [found["kioskd_recovery_seconds_bucket", f"NO_BROWSER {bound}"] for bound in (*BUCKETS, "+Inf")]
    assert buckets == [0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2, 3]
    assert found["kioskd_recovery_seconds_count", "NO_BROWSER"] == 3 and found["kioskd_recovery_seconds_sum", "NO_BROWSER"] == 4040.5


@pytest.mark.parametrize(
    ("breaks", "expected"),
    [
        ("page.give_up_socket", {("reloads_total", "STUCK"): 1, ("recovery_seconds_count", "STUCK"): 1}),
        ("page.crash", {("reloads_total", "CRASHED"): 1, ("recovery_seconds_count", "CRASHED"): 1}),
        ("browser.kill", {("restarts_total", "NO_BROWSER"): 1, ("recovery_seconds_count", "NO_BROWSER"): 1}),
        ("deploy.change", {("reloads_total", "STALE"): 1, ("recovery_seconds_count", "STALE"): 1}),
        ("page.go_away http://elsewhere/", {("recovery_seconds_count", "AWAY"): 1}),
    ],
)
def test_what_was_done_and_how_long_it_took_counts_for_what_was_wrong_first(breaks: str, expected: Samples) -> None:
    world = settled(POLICY)
    metrics = counted(world)
    world.run(world.now + 5)  # from then on what goes wrong is no start
    world.do(breaks)
    world.run(world.now + 60)
    assert events(samples(metrics)) == {(f"kioskd_{name}", cause): value for (name, cause), value in expected.items()}


def test_kioskds_own_start_is_neither_a_restart_nor_a_recovery() -> None:
    world = World(POLICY)
    world.boot(POLICY)  # what it starts is not carried out yet
    metrics = counted(world)
    metrics.turn(world.now, [a.Steps((a.StartDisplay(1), a.StartBrowser(1)))])
    world.run(world.now + 60)
    assert events(samples(metrics)) == {}


@pytest.mark.parametrize(("command", "counter"), [(f.Command.RELOAD, "kioskd_reloads_total"), (f.Command.RESTART, "kioskd_restarts_total")])
def test_what_somebody_asked_for_is_nobodys_fault(command: f.Command, counter: str) -> None:
    world = settled(POLICY)
    metrics = counted(world)
    world.do("page.crash")
    world.run(world.now + 5)  # the incident is not over yet
    world.tell(f.Asked(command))
    world.run(world.now + 60)
    steps = {key: value for key, value in events(samples(metrics)).items() if key[0].endswith("_total")}
    assert steps == {("kioskd_reloads_total", "CRASHED"): 1, (counter, ASKED): 1}


def test_an_incident_of_hours_is_counted_to_its_last_step() -> None:
    world = settled(POLICY)
    metrics = counted(world)
    world.do("browser.vanish")
    world.do("browser.kill")
    world.run(world.now + 4 * 3600)
    assert events(samples(metrics))["kioskd_restarts_total", "NO_BROWSER"] == pytest.approx(4 * 3600 / 5, rel=0.01)


# --- the library --------------------------------------------------------------------------------


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client.exposition", None)
    with pytest.raises(EdgeUnavailable, match="apt install python3-prometheus-client"):
        Metrics(Kernel()).text(KNOWN)


def test_the_library_is_not_imported_before_it_is_asked_for() -> None:
    code = "import sys, kioskd.daemon; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, timeout=60).returncode == 0

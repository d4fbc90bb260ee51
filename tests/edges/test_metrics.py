"""Metrics as Prometheus reads them: with the very library's own parser."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from kioskd.core.incidents import Entry, Kind
from kioskd.core.steps import Remedy, Rung
from kioskd.core.verdict import Verdict
from kioskd.edges.metrics import BUCKETS, Known, Metrics

STATUS: dict[str, Any] = {
    "verdict": "STUCK", "needs_person": False, "browser": {"memory": 400 << 20},
    "versions": {"disk": {"version": 1763000000, "digest": "sha256:ab"}, "screen": None},
}  # fmt: skip


def samples(metrics: Metrics, known: Known) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = list(text_string_to_metric_families(metrics.text(known).decode()))
    assert all(family.documentation for family in families), "each says what it is"
    return {(each.name, tuple(sorted(each.labels.items()))): each.value for family in families for each in family.samples}


def test_what_is_so_now() -> None:
    found = samples(Metrics(), Known(STATUS, 45 << 20, 12.5, {"home": 0.02}))
    assert found["kioskd_up", ()] == 1
    assert found["kioskd_verdict", (("verdict", "STUCK"),)] == 1 and found["kioskd_verdict", (("verdict", "HEALTHY"),)] == 0
    assert sum(value for (name, _), value in found.items() if name == "kioskd_verdict") == 1
    assert found["kioskd_since_healthy_seconds", ()] == 12.5
    assert found["kioskd_browser_memory_bytes", ()] == 400 << 20 and found["kioskd_memory_bytes", ()] == 45 << 20
    assert found["kioskd_deploy_version", (("where", "disk"),)] == 1763000000
    assert ("kioskd_deploy_version", (("where", "screen"),)) not in found
    assert found["kioskd_server_probe_seconds", (("probe", "home"),)] == 0.02


def test_what_is_not_known_is_left_out() -> None:
    status = {**STATUS, "browser": {"memory": None}, "versions": {"disk": None, "screen": None}}
    found = samples(Metrics(), Known(status, None, 0.0, {}))
    assert not {name for name, _ in found} & {"kioskd_browser_memory_bytes", "kioskd_memory_bytes", "kioskd_deploy_version"}


def test_what_was_done_is_counted_by_its_cause_and_recoveries_by_how_long_they_took() -> None:
    metrics = Metrics()

    def told(kind: Kind, verdict: Verdict, remedy: Remedy | None = None, seconds: float | None = None) -> None:
        metrics.add([Entry(kind, 0.0, verdict, Rung.SUSPECT, "", remedy, seconds)])

    for seconds in (20.0, 20.5, 4000.0):
        told(Kind.BEGAN, Verdict.STUCK)
        told(Kind.DONE, Verdict.STUCK, Remedy.RELOAD)
        told(Kind.SEEN, Verdict.HEALTHY)
        told(Kind.CURED, Verdict.HEALTHY, Remedy.RELOAD, seconds)
    told(Kind.BEGAN, Verdict.NO_BROWSER)
    told(Kind.DONE, Verdict.NO_BROWSER, Remedy.START)
    told(Kind.FAILED, Verdict.NO_BROWSER, Remedy.START)
    told(Kind.DONE, Verdict.AWAY, Remedy.GO_HOME)
    found = samples(metrics, Known(STATUS, None, 0.0, {}))
    assert found["kioskd_reloads_total", (("cause", "STUCK"),)] == 3
    assert found["kioskd_restarts_total", (("cause", "NO_BROWSER"),)] == 1
    assert {key for key in found if key[0] == "kioskd_reloads_total"} == {("kioskd_reloads_total", (("cause", "STUCK"),))}
    assert found["kioskd_recovery_seconds_count", (("cause", "STUCK"),)] == 3
    assert found["kioskd_recovery_seconds_sum", (("cause", "STUCK"),)] == 4040.5
    buckets = {dict(labels)["le"]: value for (name, labels), value in found.items() if name == "kioskd_recovery_seconds_bucket"}
    assert [buckets[str(bound)] for bound in BUCKETS] == [0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2] and buckets["+Inf"] == 3

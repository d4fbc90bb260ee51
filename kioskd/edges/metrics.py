"""``GET /metrics``: what kioskd knows, as Prometheus text. Counted from the incidents' entries; the library is imported when asked for."""

import bisect
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kioskd.core.incidents import Entry, Kind
from kioskd.core.steps import Remedy
from kioskd.core.verdict import Verdict
from kioskd.errors import EdgeUnavailable

if TYPE_CHECKING:
    from prometheus_client.core import Metric

RESTARTS = frozenset({Remedy.START, Remedy.RESTART, Remedy.RESTART_GENTLY})
RELOADS = frozenset({Remedy.RELOAD, Remedy.RELOAD_FRESH, Remedy.UNHANG, Remedy.KILL_RENDERER})

#: Seconds: from what is hardly seen to what somebody is called for.
BUCKETS = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)


@dataclass(slots=True)
class _Histogram:
    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect.bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        found, so_far = [], 0
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), self.counts, strict=True):
            so_far += count
            found.append((bound, float(so_far)))
        return found


@dataclass(frozen=True, slots=True)
class Known:
    """What is so now."""

    status: dict[str, Any]
    memory: int | None  # of kioskd itself, bytes
    unhealthy_for: float  # seconds
    latency: dict[str, float]  # of the last probes, by their names, seconds


class Metrics:
    """Counts, and tells."""

    def __init__(self) -> None:
        self.restarts: Counter[Verdict] = Counter()
        self.reloads: Counter[Verdict] = Counter()
        self.recoveries: dict[Verdict, _Histogram] = {}
        self._cause: Verdict | None = None

    def add(self, entries: Iterable[Entry]) -> None:
        """Count what a turn has added to the incidents."""
        for entry in entries:
            if entry.kind is Kind.BEGAN:
                self._cause = entry.verdict
            elif entry.kind is Kind.DONE and entry.remedy in RESTARTS:
                self.restarts[entry.verdict] += 1
            elif entry.kind is Kind.DONE and entry.remedy in RELOADS:
                self.reloads[entry.verdict] += 1
            elif entry.kind is Kind.CURED and self._cause is not None and entry.seconds is not None:
                self.recoveries.setdefault(self._cause, _Histogram()).add(entry.seconds)

    def text(self, now: Known) -> bytes:
        """Return the text; raises ``EdgeUnavailable`` where the library is not there."""
        try:
            from prometheus_client import CollectorRegistry
            from prometheus_client.exposition import generate_latest
            from prometheus_client.registry import Collector
        except ImportError as error:
            raise EdgeUnavailable(f"Cannot give metrics: {error} (apt install python3-prometheus-client)") from error
        registry, collected = CollectorRegistry(auto_describe=False), list(self._families(now))

        class All(Collector):
            def collect(self) -> Iterator["Metric"]:
                yield from collected

        registry.register(All())
        return bytes(generate_latest(registry))

    def _families(self, now: Known) -> Iterator["Metric"]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        known = now.status

        def gauge(name: str, says: str, value: float | None) -> Iterator["Metric"]:
            if value is not None:
                yield GaugeMetricFamily(name, says, value=value)

        yield from gauge("kioskd_up", "1: kioskd's loop turns", 1.0)
        verdict = GaugeMetricFamily("kioskd_verdict", "1 for the verdict that holds, 0 for the others", labels=("verdict",))
        for each in Verdict:
            verdict.add_metric((each.value,), float(known["verdict"] == each.value))
        yield verdict
        yield from gauge("kioskd_needs_person", "1: all that kioskd has was done, in vain so far", float(known["needs_person"]))
        since = "Seconds since the page was last as it should be; 0 while it is"
        yield from gauge("kioskd_since_healthy_seconds", since, now.unhealthy_for)
        for what, counts in (("restarts", self.restarts), ("reloads", self.reloads)):
            counter = CounterMetricFamily(f"kioskd_{what}", f"{what.capitalize()} by the verdict that they were for", labels=("cause",))
            for cause in Verdict:
                if counts[cause]:
                    counter.add_metric((cause.value,), counts[cause])
            yield counter
        recovery = HistogramMetricFamily("kioskd_recovery_seconds", "From the first sign until the page was back", labels=("cause",))
        for cause, histogram in self.recoveries.items():
            recovery.add_metric((cause.value,), buckets=histogram.cumulative(), sum_value=histogram.total)
        yield recovery
        yield from gauge("kioskd_browser_memory_bytes", "Resident memory of the browser's processes", known["browser"]["memory"])
        yield from gauge("kioskd_memory_bytes", "Resident memory of kioskd itself", now.memory)
        of = "The front end's version: its index's mtime in Unix seconds"
        version = GaugeMetricFamily("kioskd_deploy_version", of, labels=("where",))
        for where in ("disk", "screen"):
            if known["versions"][where]:
                version.add_metric((where,), known["versions"][where]["version"])
        yield version
        probes = GaugeMetricFamily("kioskd_server_probe_seconds", "How long the server's last answer took", labels=("probe",))
        for probe, seconds in now.latency.items():
            probes.add_metric((probe,), seconds)
        yield probes

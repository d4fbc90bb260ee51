"""``GET /metrics``: what kioskd knows, as Prometheus text. The library is imported when asked for.

What is counted starts at 0, or the first event would not be seen to come. What is not known is left out. ``docs/monitoring.md`` has
the table.
"""

import bisect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from kioskd import __version__
from kioskd.core.actions import Action, Reload, StartBrowser, Steps
from kioskd.core.incidents import Entry, Kind
from kioskd.core.kernel import Kernel
from kioskd.core.steps import STEPS
from kioskd.core.verdict import Verdict
from kioskd.errors import EdgeUnavailable

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

#: What something is done for: a verdict that has steps, or somebody who asked for it.
CAUSES = tuple(verdict.value for verdict in Verdict if STEPS[verdict])
ASKED = "ASKED"

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
    alive: bool
    unhealthy_for: float  # seconds
    latency: dict[str, float]  # of the last probes, by their names, seconds


class Metrics:
    """Counts, and tells."""

    def __init__(self, kernel: Kernel) -> None:
        self.restarts = dict.fromkeys((*CAUSES, ASKED), 0)
        self.reloads = dict.fromkeys((*CAUSES, ASKED), 0)
        self.recoveries = {cause: _Histogram() for cause in CAUSES}
        self._kernel = kernel
        self._cause = Verdict.NO_BROWSER.value  # of the present incident; the first one is kioskd's own start
        self._known: Known | None = None
        self._registry: CollectorRegistry | None = None

    def add(self, entries: Iterable[Entry]) -> None:
        """Count what a turn has added to the incidents: how long they took. What was done they do not tell for ever, see ``FULL`` there."""
        for entry in entries:
            if entry.kind is Kind.CURED and entry.seconds is not None:
                self.recoveries[self._cause].add(entry.seconds)

    def turn(self, now: float, actions: Iterable[Action]) -> None:
        """Count what the kernel has ordered in the turn that is over."""
        incident, cause = self._kernel.ladder.incident, ASKED
        if incident is not None:
            self._cause = incident.verdict.value
            if incident.last is not None and incident.acted_at == now:
                cause = incident.last[0].value
        for action in actions:
            for part in action.actions if isinstance(action, Steps) else (action,):
                if isinstance(part, StartBrowser) and part.generation > 1:  # the first start is none
                    self.restarts[cause] += 1
                elif isinstance(part, Reload):
                    self.reloads[cause] += 1

    def text(self, now: Known) -> bytes:
        """Return the text; raises ``EdgeUnavailable`` where the library is not there."""
        try:
            from prometheus_client.exposition import generate_latest

            self._registry = self._registry or self._open()
        except ImportError as error:
            raise EdgeUnavailable(f"Cannot give metrics: {error} (apt install python3-prometheus-client)") from error
        self._known = now
        return bytes(generate_latest(self._registry))

    def _open(self) -> "CollectorRegistry":
        from prometheus_client import CollectorRegistry, ProcessCollector

        registry = CollectorRegistry(auto_describe=False)
        registry.register(cast(Any, self))  # it has the shape of a Collector, which is imported late
        ProcessCollector(registry=registry)  # of kioskd itself, under the names that every exporter has for it
        return registry

    def collect(self) -> Iterator["Metric"]:
        """Give what ``text`` was handed last, as the library asks for it."""
        from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

        assert self._known is not None, "text() asks"
        status = self._known.status

        def gauge(name: str, says: str, value: float | None) -> "Metric":
            return GaugeMetricFamily(name, says, value=value)

        def gauges(name: str, says: str, label: str, values: Iterable[tuple[str, float]]) -> "Metric":
            family = GaugeMetricFamily(name, says, labels=(label,))
            for each, value in values:
                family.add_metric((each,), value)
            return family

        yield gauge("kioskd_up", "1 while kioskd's loop turns, as /healthz says", float(self._known.alive))
        yield InfoMetricFamily("kioskd_build", "Always 1; the label is kioskd's version", value={"version": __version__})
        verdicts = [(each.value, float(status["verdict"] == each.value)) for each in Verdict]
        yield gauges("kioskd_verdict", "1 for the verdict that holds, 0 for the others", "verdict", verdicts)
        yield gauge("kioskd_needs_person", "1 while all that kioskd has was done, in vain so far", float(status["needs_person"]))
        # Not the moment at which it was, as others do: that is the wall clock's, which a screen without a battery for it has wrong.
        says = "Seconds since the page was last as it should be; 0 while it is"
        yield gauge("kioskd_since_healthy_seconds", says, self._known.unhealthy_for)
        yield from self._counted()
        says = "Memory that the browser's processes hold; under systemd, all of the unit's"
        yield gauge("kioskd_browser_memory_bytes", says, status["browser"]["memory"])
        builds = [(where, version["version"]) for where in ("disk", "screen") if (version := status["versions"][where])]
        says = "The front end's build, as /api/deployment_version tells it: its index's mtime in Unix seconds"
        yield gauges("kioskd_deploy_version", says, "where", builds)
        says = "How long the server took for its last answer; it is asked only in doubt"
        yield gauges("kioskd_server_probe_seconds", says, "probe", self._known.latency.items())

    def _counted(self) -> Iterator["Metric"]:
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        says = {"restarts": "Starts of the browser but the first", "reloads": "Reloads of the page"}
        for what, counts in (("restarts", self.restarts), ("reloads", self.reloads)):
            counter = CounterMetricFamily(f"kioskd_{what}", f"{says[what]}, by the verdict that they were ordered for", labels=("cause",))
            for cause, count in counts.items():
                counter.add_metric((cause,), count)
            yield counter
        recovery = HistogramMetricFamily(
            "kioskd_recovery_seconds", "From the first sign of an incident until the page was back, by its first verdict", labels=("cause",)
        )
        for cause, histogram in self.recoveries.items():
            recovery.add_metric((cause,), buckets=histogram.cumulative(), sum_value=histogram.total)
        yield recovery

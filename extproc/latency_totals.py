"""The latencies of all requests since the start of a process, as Prometheus histograms.

The totals grow with each flush, so they add no work to a request. At a scrape, the fine buckets (ADR 0004) are merged
into buckets whose edges are powers of two of a millisecond. Each of these is also an edge of a fine bucket
(OpenTelemetry's scale 0 and scale 6), so no value is counted on the wrong side of an edge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import HistogramMetricFamily

from glidepath.histogram import SCALE, Histogram, midpoint
from glidepath.metric_families import Family, MetricDefinition, seconds_by_bucket
from glidepath.outcome_summaries import Outcomes
from glidepath.sides import Origin, Side

Key = tuple[str, Side, Origin]
_LABELS = ("workload", "side", "origin")
LATENCY = MetricDefinition(
    "glidepath_extproc_request_duration_seconds",
    "histogram",
    "Time from the end of a request to the end of its answer, of requests without an error",
    _LABELS,
)
FIRST_BYTE = MetricDefinition(
    "glidepath_extproc_time_to_first_byte_seconds",
    "histogram",
    "Time from the end of a request to the first byte of its answer's body, of requests without an error",
    _LABELS,
)
# From 4 ms to 131 s. Bucket i of the fine histogram ends at 2**((i + 1) / 2**SCALE) ms.
EDGES = tuple((2.0**power / 1000, (power << SCALE) - 1) for power in range(2, 18))


@dataclass(slots=True)
class LatencyTotal:
    """A growing histogram. ``counts``: the number of values in each fine bucket. ``zeros``: how many values are ≤ 0."""

    counts: Counter[int] = field(default_factory=Counter)
    zeros: int = 0

    def add(self, histogram: Histogram) -> None:
        for bucket, number in histogram.counts.items():
            self.counts[bucket] += number
        self.zeros += histogram.zeros

    @property
    def sum_s(self) -> float:
        """The sum of all values in seconds. Each value is taken as the midpoint of its fine bucket (±0.55 %)."""
        return sum(midpoint(bucket) * number for bucket, number in self.counts.items()) / 1000

    def samples(self) -> list[tuple[str, float]]:
        """Return the cumulative counts, each with its upper edge as text. prometheus_client needs this form."""
        found = seconds_by_bucket(self.counts, self.zeros, EDGES)
        edges = [str(edge) for edge, _ in EDGES]
        return [*zip(edges, map(float, found), strict=True), ("+Inf", float(sum(self.counts.values()) + self.zeros))]


class LatencyTotals:
    """The latencies and the times to the first byte, by workload, side and origin."""

    def __init__(self) -> None:
        self.latency: dict[Key, LatencyTotal] = {}
        self.first_byte: dict[Key, LatencyTotal] = {}

    def add(self, flushed: Iterable[Outcomes]) -> None:
        for flush in flushed:
            for one in flush.sides:
                key = (flush.workload, one.side, one.origin)
                for totals, histogram in ((self.latency, one.latency_ms), (self.first_byte, one.ttft_ms)):
                    if histogram.counts or histogram.zeros:
                        totals.setdefault(key, LatencyTotal()).add(histogram)

    def families(self) -> Iterator[Family]:
        yield _family(LATENCY, self.latency)
        yield _family(FIRST_BYTE, self.first_byte)


def _family(definition: MetricDefinition, totals: Mapping[Key, LatencyTotal]) -> Family:
    family = definition.family()
    assert isinstance(family, HistogramMetricFamily)  # noqa: S101 - what the definition says
    for (workload, side, origin), total in sorted(totals.items()):
        family.add_metric((workload, side.value, origin.value), total.samples(), total.sum_s)
    return family

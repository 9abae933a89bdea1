"""The durations of all requests as the metric ``gen_ai.client.operation.duration``. Needs the extra ``otel``.

At each export, the metric is computed from the totals of ``latency_totals.py``, so it adds no work to a request.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
)

from extproc.latency_totals import Key, LatencyTotal, LatencyTotals
from glidepath.config import Config
from glidepath.histogram import SCALE, midpoint
from glidepath.metric_families import seconds_by_bucket
from glidepath.sides import Side
from glidepath.telemetry import genai_names as names
from glidepath.telemetry.otlp import SCHEMA_URL, SCOPE, resource

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

# Each boundary that OpenTelemetry advises, with the last fine bucket that ends at or below it. A value that is at most
# 1.1 % below a boundary may be counted above it.
EDGES = tuple((edge, math.floor(math.log2(edge * 1000) * 2**SCALE) - 1) for edge in names.SECONDS)


class DurationMetric:
    """Converts the latency totals of a process into the metric."""

    def __init__(self, config: Config, began_ns: int) -> None:
        self._config, self._began_ns, self._resource = config, began_ns, resource("extproc")
        self._attributes = lru_cache(1024)(self._attributes_of)

    def data(self, totals: LatencyTotals, now_ns: int) -> MetricsData | None:
        """Return the metric for the totals at ``now_ns`` (Unix nanoseconds), or None if there are no requests yet."""
        points = [self._point(key, total, now_ns) for key, total in sorted(totals.latency.items())]
        if not points:
            return None
        histogram = Histogram(points, AggregationTemporality.CUMULATIVE)
        metric = Metric(names.DURATION, "GenAI operation duration.", "s", histogram)
        return MetricsData([ResourceMetrics(self._resource, [ScopeMetrics(SCOPE, [metric], SCHEMA_URL)], SCHEMA_URL)])

    def _point(self, key: Key, total: LatencyTotal, now_ns: int) -> HistogramDataPoint:
        upto = seconds_by_bucket(total.counts, total.zeros, EDGES)
        count = sum(total.counts.values()) + total.zeros
        counts = [upto[0], *(b - a for a, b in pairwise(upto)), count - upto[-1]]
        low, high = min(total.counts, default=None), max(total.counts, default=None)
        return HistogramDataPoint(
            attributes=self._attributes(key),
            start_time_unix_nano=self._began_ns,
            time_unix_nano=now_ns,
            count=count,
            sum=total.sum_s,
            bucket_counts=counts,
            explicit_bounds=names.SECONDS,
            min=0.0 if total.zeros or low is None else midpoint(low) / 1000,
            max=0.0 if high is None else midpoint(high) / 1000,
        )

    def _attributes_of(self, key: Key) -> Mapping[str, AttributeValue]:
        workload, side, origin = key
        settings = self._config.workload(workload)
        backend = settings.baseline if side is Side.BASELINE else settings.candidate
        found = names.backend_attributes(self._config, backend, names.path_of_workload(self._config, workload))
        return {**found, names.WORKLOAD: workload, names.SIDE: side.value, names.ORIGIN: origin.value}

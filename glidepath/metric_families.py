"""Builds metric families at a scrape, from data that the process holds anyway."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
Kind = Literal["counter", "gauge", "histogram"]
_KINDS: Mapping[str, Kind] = {"counter": "counter", "gauge": "gauge", "histogram": "histogram"}
BUILD_INFO = "glidepath_build_info"
OTHER = "other"


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """A metric: its full name, its type, its help text, and the names of its labels."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()

    def family(self) -> Family:
        """Return the family of the metric, without samples."""
        if self.kind == "counter":
            return CounterMetricFamily(self.name, self.meaning, labels=self.labels)
        if self.kind == "histogram":
            return HistogramMetricFamily(self.name, self.meaning, labels=self.labels)
        return GaugeMetricFamily(self.name, self.meaning, labels=self.labels)


class FamilyTable:
    """The families of one scrape, in the order of their definitions. Families without samples are included."""

    def __init__(self, definitions: Sequence[MetricDefinition]) -> None:
        self._families = {one.name: one.family() for one in definitions}

    def add(self, name: str, labels: Sequence[str], value: float | None) -> None:
        """Add a sample to the counter or gauge ``name``. Add nothing if ``value`` is None, which means unknown."""
        family = self._families[name]
        if value is not None and not isinstance(family, HistogramMetricFamily):
            family.add_metric(labels, value)

    def __iter__(self) -> Iterator[Family]:
        return iter(self._families.values())


class BoundedNames:
    """Limits the values of a label: after ``most`` different names, each further name becomes ``other``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, name: str) -> str:
        if name in self._known:
            return name
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(name)
        return name


class BuildInfo(Collector):
    """A metric with the versions of Glidepath and Python that the process runs."""

    DEFINITION = MetricDefinition(
        BUILD_INFO,
        "gauge",
        "1, with the version of Glidepath and of Python that the process runs",
        ("version", "python"),
    )

    def collect(self) -> Iterator[Family]:
        family = self.DEFINITION.family()
        assert isinstance(family, GaugeMetricFamily)  # noqa: S101 - what the definition says
        family.add_metric((_version(), platform.python_version()), 1)
        yield family


class ProcessRegistry(CollectorRegistry):
    """The metrics registry of a process. It includes the metrics common to all processes, and can list all metrics."""

    def __init__(self) -> None:
        super().__init__()
        self._collectors: list[Collector] = []
        self.register(BuildInfo())

    def register(self, collector: Collector) -> None:
        super().register(collector)
        self._collectors.append(collector)

    def definitions(self) -> list[MetricDefinition]:
        """Return the definitions of all metrics of this process, including those without samples."""
        return [_definition(collector, family) for collector in self._collectors for family in collector.collect()]


def _definition(collector: Collector, family: Metric) -> MetricDefinition:
    labels: Iterable[str] = getattr(collector, "_labelnames", ()) or getattr(family, "_labelnames", ())
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return MetricDefinition(name, _KINDS[family.type], family.documentation, tuple(labels))


def _version() -> str:
    try:
        return version("glidepath")
    except PackageNotFoundError:  # a checkout that was not installed
        return "unknown"


def seconds_by_bucket(counts: Mapping[int, int], zeros: int, edges: Sequence[tuple[float, int]]) -> list[int]:
    """Return the number of values at or below each edge.

    ``edges``: each an edge in seconds, and the index of the last bucket that is not above it.
    """
    ordered = sorted(counts.items())
    found, seen, at = [], zeros, 0
    for _, last in edges:
        while at < len(ordered) and ordered[at][0] <= last:
            seen += ordered[at][1]
            at += 1
        found.append(seen)
    return found

"""Loads the telemetry of a process, if the configuration has the section ``otel``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from prometheus_client.registry import Collector

from glidepath.config import Config
from glidepath.errors import DependencyError
from glidepath.metric_families import Family, FamilyTable, MetricDefinition
from glidepath.telemetry.bounded_export import ExportCounts
from glidepath.telemetry.signals import CopyTracer, EvaluationEvents, NoEvents, NoTraces

ITEMS = MetricDefinition(
    "glidepath_otel_items_total",
    "counter",
    "Spans, events and exports of metrics for the OpenTelemetry collector by result: exported, failed (the collector"
    " did not accept them) or dropped (too many waited)",
    ("signal", "result"),
)


class Signals(Protocol):
    """The telemetry of one process. Only ``close`` waits. No method raises an error."""

    traces: CopyTracer
    events: EvaluationEvents

    @property
    def counts(self) -> Mapping[str, ExportCounts]: ...

    @property
    def metrics_every_s(self) -> float:
        """Seconds between two exports of metrics; 0 if metrics are not sent."""

    def put_metrics(self, more: Callable[[], Any] | None = None) -> None:
        """Queue an export of the present metrics, or of the metrics that ``more`` returns."""

    def close(self, within_s: float) -> None: ...


class NoSignals:
    """The telemetry of a process that sends nothing."""

    metrics_every_s = 0.0
    counts: Mapping[str, ExportCounts] = {}

    def __init__(self) -> None:
        self.traces: CopyTracer = NoTraces()
        self.events: EvaluationEvents = NoEvents()

    def put_metrics(self, more: Callable[[], Any] | None = None) -> None:
        """Do nothing."""

    def close(self, within_s: float) -> None:
        """Do nothing."""


# xds-protos brings an old copy of these files. If pip installs it after opentelemetry-proto, the old copy stays.
REPAIR = "pip install --force-reinstall --no-deps opentelemetry-proto"


def load_signals(config: Config, part: str) -> Signals:
    """Return the telemetry of the process ``part``: extproc or scorer.

    Raises DependencyError if the configuration has the section ``otel`` and the extra is not installed, and ConfigError
    if a variable OTEL_… is invalid.
    """
    if config.otel is None or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return NoSignals()
    try:
        from glidepath.telemetry.otel_signals import OtelSignals

        return OtelSignals(config, config.otel, part)
    except ImportError as error:
        remedy = REPAIR if "opentelemetry.proto" in str(error) else 'pip install "glidepath[otel]"'
        raise DependencyError(f"otel: needs the extra otel: {remedy} ({error})") from error


class SignalsCollector(Collector):
    """A metric with the number of spans, events and metrics that were sent, refused or dropped."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals

    def collect(self) -> Iterator[Family]:
        table = FamilyTable((ITEMS,))
        for signal, counts in sorted(self._signals.counts.items()):
            for result in ("exported", "failed", "dropped"):
                table.add(ITEMS.name, (signal, result), getattr(counts, result))
        yield from table

"""The exporters to an OpenTelemetry collector. Importing this module needs the extra otel."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from glidepath.config.telemetry import OtelSection
from glidepath.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.trace import ReadableSpan

SCOPE = InstrumentationScope("glidepath", version("glidepath"))
SCHEMA_URL = "https://opentelemetry.io/schemas/1.42.0"


@dataclass(frozen=True, slots=True)
class Exporters:
    """Functions that send a batch to the collector.

    Each function waits for the collector's answer, and returns whether the collector has accepted the batch.
    """

    spans: Callable[[Sequence[ReadableSpan]], bool]
    logs: Callable[[Sequence[ReadableLogRecord]], bool]
    metrics: Callable[[MetricsData], bool]


def resource(part: str) -> Resource:
    """Return the process's resource attributes: name, instance, version, and OTEL_RESOURCE_ATTRIBUTES.

    ``part``: extproc or scorer. OTEL_SERVICE_NAME has precedence over the name ``glidepath-PART``.
    """
    own = {"service.version": version("glidepath"), "service.instance.id": f"{os.uname().nodename}/{os.getpid()}"}
    name = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": f"glidepath-{part}"}
    return Resource.create({**own, **name})


def exporters(section: OtelSection) -> Exporters:
    """Return the exporters of the configured protocol. OpenTelemetry's variables apply to absent settings.

    Raises ConfigError if a variable is invalid.
    """
    try:
        spans, logs, metrics = _grpc(section) if _protocol(section) == "grpc" else _http(section)
    except ValueError as error:
        raise ConfigError(f"otel: a variable OTEL_… cannot be understood: {error}") from error
    from opentelemetry.sdk._logs.export import LogRecordExportResult

    return Exporters(
        lambda batch: spans.export(batch) is SpanExportResult.SUCCESS,
        lambda batch: logs.export(batch) is LogRecordExportResult.SUCCESS,
        lambda data: metrics.export(data) is MetricExportResult.SUCCESS,
    )


def _protocol(section: OtelSection) -> str:
    asked = section.protocol or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "").strip() or "http/protobuf"
    if asked not in ("http/protobuf", "grpc"):
        raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf or grpc (got {asked[:40]!r})")
    return asked


def is_wanted(signal: str) -> bool:
    """Return whether the standard variable OTEL_TRACES_EXPORTER, …METRICS… or …LOGS… allows sending the signal."""
    return os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip().lower() != "none"


def _http(section: OtelSection) -> tuple[SpanExporter, LogRecordExporter, MetricExporter]:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    base = str(section.endpoint).rstrip("/") if section.endpoint is not None else None

    def place(signal: str) -> str | None:
        return f"{base}/v1/{signal}" if base is not None else None

    wait = section.timeout
    return (
        OTLPSpanExporter(endpoint=place("traces"), timeout=wait),
        OTLPLogExporter(endpoint=place("logs"), timeout=wait),
        OTLPMetricExporter(endpoint=place("metrics"), timeout=wait),
    )


def _grpc(section: OtelSection) -> tuple[SpanExporter, LogRecordExporter, MetricExporter]:
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    place = str(section.endpoint) if section.endpoint is not None else None
    insecure = place.startswith("http://") if place is not None else None
    wait = section.timeout
    return (
        OTLPSpanExporter(endpoint=place, insecure=insecure, timeout=wait),
        OTLPLogExporter(endpoint=place, insecure=insecure, timeout=wait),
        OTLPMetricExporter(endpoint=place, insecure=insecure, timeout=wait),
    )

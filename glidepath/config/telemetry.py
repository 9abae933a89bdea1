"""The ``otel`` section: the telemetry that is sent to an OpenTelemetry collector."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from glidepath.config.section import Section
from glidepath.config.units import Duration
from glidepath.config.urls_and_secrets import BaseUrl, split_url


class OtelSection(Section):
    """The telemetry that extproc and the scorer send to an OpenTelemetry collector by OTLP. Needs the extra otel.

    Without this section, nothing is sent. ``endpoint``, ``protocol`` and ``timeout`` default to the values of
    OpenTelemetry's standard environment variables. All other settings come only from such variables:
    OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS (put credentials there), OTEL_SERVICE_NAME,
    OTEL_TRACES_SAMPLER, and so on. No request or answer is sent, only numbers, names and ids.
    """

    endpoint: BaseUrl | None = None  # of the collector, such as http://collector:4318 (4317 for grpc)
    protocol: Literal["http/protobuf", "grpc"] | None = None  # absent: the standard variable, else http/protobuf
    traces: bool = True  # a span for each copy, in the trace of the client's request (traceparent)
    metrics: bool = True  # gen_ai.client.operation.duration, …time_to_first_chunk, gen_ai.client.token.usage
    events: bool = True  # gen_ai.evaluation.result for each scored pair
    every: Duration = Field(default=5, ge=0.1, le=300)  # longest time until spans and events are sent
    metrics_every: Duration = Field(default=30, ge=0.1, le=3600)  # time between two exports of metrics
    timeout: Duration | None = Field(default=None, ge=0.1, le=60)  # of one export; absent: standard variable, else 10s
    queue: int = Field(default=2048, ge=16, le=100_000)  # maximum waiting spans, and maximum waiting events

    @field_validator("endpoint")
    @classmethod
    def _no_user(cls, value: str | None) -> str | None:
        if value is not None and "@" in split_url(value).netloc:
            raise ValueError(
                "must not contain a user or a password: they would not be sent. Set the variable "
                "OTEL_EXPORTER_OTLP_HEADERS, such as authorization=Basic%20…"
            )
        return value

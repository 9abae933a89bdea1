"""Queues spans, events and metrics in OpenTelemetry's format for the exporters of ``otlp.py``. Needs the extra otel."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from glidepath.answers_of_pairs import answers_of
from glidepath.config import Config
from glidepath.config.telemetry import OtelSection
from glidepath.logs import get_logger
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import Answer, Ending, PairKind, is_failure
from glidepath.sides import Side
from glidepath.telemetry import genai_names as names
from glidepath.telemetry.bounded_export import BoundedExport, ExportCounts, QueueLimits
from glidepath.telemetry.otlp import SCOPE, Exporters, exporters, is_wanted, resource
from glidepath.telemetry.signals import CopySpan, CopyToTrace, CopyTracer, EvaluationEvents, NoEvents, NoTraces

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

log = get_logger()

_PROPAGATOR = TraceContextTextMapPropagator()
_STREAM = "text/event-stream"


class SdkMessages(logging.Handler):
    """Keeps the latest log message of OpenTelemetry's packages.

    Otherwise these would print each message as plain text.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._latest = ""

    @classmethod
    def installed(cls) -> SdkMessages:
        """Return this process's handler, after making it the only handler of OpenTelemetry's packages."""
        handler, sdk = cls(), logging.getLogger("opentelemetry")
        sdk.handlers, sdk.propagate = [handler], False
        return handler

    def emit(self, record: logging.LogRecord) -> None:
        self._latest = record.getMessage()[:300]

    def taken(self) -> str:
        """Return the latest message and forget it. Return "" if there was none."""
        latest, self._latest = self._latest, ""
        return latest


class OtelSignals:
    """The telemetry of one process: ``traces``, ``events`` and metrics. ``counts``: the results by signal."""

    def __init__(self, config: Config, section: OtelSection, part: str, send: Exporters | None = None) -> None:
        self._messages = SdkMessages.installed()
        send = send if send is not None else exporters(section)
        limits, batches = QueueLimits(section.queue, every_s=section.every), QueueLimits(2, 1, section.every)
        self._resource, self._section = resource(part), section
        self._queues: dict[str, BoundedExport[ReadableSpan] | BoundedExport[ReadableLogRecord]] = {}
        self._metrics: BoundedExport[MetricsData] = BoundedExport(
            lambda batch: send.metrics(batch[0]), batches, "metrics", self._reporter("metrics")
        )
        self.traces: CopyTracer = NoTraces()
        self.events: EvaluationEvents = NoEvents()
        self._answers: AnswerMetrics | None = None
        self._sends_metrics = section.metrics and is_wanted("metrics")
        if section.traces and is_wanted("traces") and part == "extproc":
            spans = self._queues["traces"] = BoundedExport(send.spans, limits, "traces", self._reporter("traces"))
            self.traces = OtelTracer(config, spans, TracerProvider(resource=self._resource, shutdown_on_exit=False))
        if part == "scorer":
            self._answers = AnswerMetrics(config, self._resource) if self._sends_metrics else None
            logs: BoundedExport[ReadableLogRecord] | None = None
            if section.events and is_wanted("logs"):
                logs = self._queues["events"] = BoundedExport(send.logs, limits, "events", self._reporter("events"))
            self.events = OtelEvents(logs, self._resource, self._answers)
        if reason := self._messages.taken():
            log.warning("otel_setting_ignored", reason=reason, effect="the default is used")

    def _reporter(self, signal: str) -> Callable[[bool], None]:
        def report(accepted: bool) -> None:
            reason = self._messages.taken()
            if accepted:
                log.info("telemetry_accepted", signal=signal)
            else:
                effect = "what is not sent is counted; nothing else is affected"
                log.warning("telemetry_refused", signal=signal, reason=reason, effect=effect)

        return report

    @property
    def counts(self) -> Mapping[str, ExportCounts]:
        found = {signal: queue.counts for signal, queue in self._queues.items()}
        return {**found, "metrics": self._metrics.counts} if self._sends_metrics else found

    @property
    def metrics_every_s(self) -> float:
        return self._section.metrics_every if self._sends_metrics else 0.0

    def put_metrics(self, more: Callable[[], Any] | None = None) -> None:
        """Queue an export of metrics. Drop it if two exports wait already."""
        if not self._sends_metrics:
            return
        data = more() if more is not None else self._answers.read() if self._answers is not None else None
        if data is not None:
            self._metrics.put(data)

    def close(self, within_s: float) -> None:
        until = time.monotonic() + within_s
        for queue in (*self._queues.values(), self._metrics):
            queue.close(max(until - time.monotonic(), 0.0))


class _Queueing(SpanProcessor):
    def __init__(self, queue: BoundedExport[ReadableSpan]) -> None:
        self._queue = queue

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Do nothing."""

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is not None and span.context.trace_flags.sampled:
            self._queue.put(span)


class OtelTracer:
    """Records a span for each copy. Its parent is the span in the client's traceparent header."""

    def __init__(self, config: Config, queue: BoundedExport[ReadableSpan], provider: TracerProvider) -> None:
        provider.add_span_processor(_Queueing(queue))
        self._tracer = provider.get_tracer(SCOPE.name, SCOPE.version)
        self._attributes = lru_cache(1024)(lambda backend, path: names.backend_attributes(config, backend, path))

    def begin(self, copy: CopyToTrace) -> CopySpan:
        parent = _PROPAGATOR.extract(dict(copy.headers))
        backend = self._attributes(copy.backend, copy.path.partition("?")[0])
        attributes: dict[str, AttributeValue] = {
            **backend,
            names.WORKLOAD: copy.workload,
            names.SIDE: copy.side,
            names.ORIGIN: "shadow",
            names.PAIR: copy.pair_id,
            names.PAIR_KIND: copy.kind.value,
        }
        return OtelSpan(self._tracer.start_span(names.span_name(backend), parent, SpanKind.CLIENT, attributes))


class OtelSpan:
    """The span of one copy."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self.headers: dict[str, str] = {}
        if span.is_recording():
            _PROPAGATOR.inject(self.headers, trace.set_span_in_context(span, Context()))
        self.traceparent = self.headers.get("traceparent", "")

    def end(self, answer: Answer | None) -> None:
        span = self._span
        if answer is None:
            self._fail("cancelled")
        else:
            if answer.status:
                span.set_attribute(names.STATUS, answer.status)
            if answer.content_type.startswith(_STREAM):
                span.set_attribute(names.STREAM, True)
                span.set_attribute(names.FIRST_CHUNK_OF_SPAN, answer.first_byte_ms / 1000)
            if answer.ending is not Ending.COMPLETE:
                self._fail(answer.ending.value)
            elif is_failure(answer.status) or answer.status >= 400:
                self._fail(str(answer.status))
        span.end()

    def _fail(self, kind: str) -> None:
        self._span.set_attribute(names.ERROR, kind)
        self._span.set_status(Status(StatusCode.ERROR))


class AnswerMetrics:
    """The tokens of all answers that were read for scoring, and the time to the first chunk of streamed answers."""

    def __init__(self, config: Config, of: Resource) -> None:
        self._reader = InMemoryMetricReader()  # read when the metrics are exported
        provider = MeterProvider([self._reader], of, shutdown_on_exit=False)
        meter = provider.get_meter(SCOPE.name, SCOPE.version)
        self._tokens = meter.create_histogram(
            names.TOKEN_USAGE,
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=list(names.TOKENS),
        )
        self._first_chunk = meter.create_histogram(
            names.FIRST_CHUNK,
            unit="s",
            description="Time from the end of the request to the first chunk of a streamed answer.",
            explicit_bucket_boundaries_advisory=list(names.SECONDS),
        )
        self._attributes = lru_cache(1024)(
            lambda workload, backend: names.backend_attributes(
                config, backend, names.path_of_workload(config, workload)
            )
        )

    def read(self) -> MetricsData | None:
        return self._reader.get_metrics_data()

    def count(self, workload: str, side: Side, facts: AnswerFacts) -> None:
        try:
            known = self._attributes(workload, facts.backend)
        except LookupError:  # another file names this backend
            return
        own = {names.WORKLOAD: workload, names.SIDE: side.value, names.ORIGIN: facts.origin.value}
        attributes: dict[str, AttributeValue] = {**known, **own}
        for kind, number in (("input", facts.input_tokens), ("output", facts.output_tokens)):
            if number > 0:
                self._tokens.record(number, {**attributes, names.TOKEN_TYPE: kind})
        if facts.streamed and facts.first_byte_ms > 0:
            self._first_chunk.record(facts.first_byte_ms / 1000, attributes)


class OtelEvents:
    """Records an event for each result of scoring a pair."""

    def __init__(
        self, queue: BoundedExport[ReadableLogRecord] | None, of: Resource, answers: AnswerMetrics | None
    ) -> None:
        self._queue, self._resource, self._answers = queue, of, answers

    def scored(self, pair: ScoredPair) -> None:
        if self._answers is not None:
            for side, facts in answers_of(pair):
                self._answers.count(pair.workload, side, facts)
        if self._queue is not None:
            parent = _PROPAGATOR.extract({"traceparent": pair.traceparent}) if pair.traceparent else Context()
            for attributes in evaluations(pair):
                self._queue.put(self._record(pair, attributes, parent))

    def _record(self, pair: ScoredPair, attributes: names.Attributes, parent: Context) -> ReadableLogRecord:
        record = LogRecord(
            timestamp=pair.scored_at_ms * 1_000_000,
            observed_timestamp=pair.scored_at_ms * 1_000_000,
            context=parent,
            severity_number=SeverityNumber.INFO,
            attributes=attributes,
            event_name=names.EVALUATION,
        )
        return ReadableLogRecord(record, self._resource, SCOPE)


def evaluations(pair: ScoredPair) -> Sequence[names.Attributes]:
    """Return the attributes of the events about a pair: one event for the agreement and one for each other result.

    Pure. The attributes contain no text of a request or an answer.
    """
    own: names.Attributes = {
        names.WORKLOAD: pair.workload,
        names.PAIR: pair.pair_id,
        names.PAIR_KIND: pair.kind.value,
        names.BACKEND: pair.candidate.backend,
    }
    if not pair.scored:
        return [{**own, names.EVALUATION_NAME: "agreement", names.ERROR: pair.unscored_reason or "unscored"}]
    found: list[names.Attributes] = [{names.EVALUATION_NAME: "agreement", names.SCORE: pair.agreement}]
    if pair.flags:
        found[0][names.EXPLANATION] = ", ".join(pair.flags[:16])
    if pair.kind is PairKind.CROSS:
        faults = pair.candidate.faults
        found.append(
            {names.EVALUATION_NAME: "faults", names.SCORE: float(len(faults)), names.SCORE_LABEL: _label(faults)}
        )
        if pair.preference is not None:
            score, label = pair.preference.score, pair.preference.value
            found.append({names.EVALUATION_NAME: "preference", names.SCORE: score, names.SCORE_LABEL: label})
        if pair.correctness is not None:
            found.append({names.EVALUATION_NAME: "correctness", names.SCORE: pair.correctness.candidate})
    return [{**own, **one} for one in found]


def _label(faults: Sequence[str]) -> str:
    return faults[0] if faults else "none"

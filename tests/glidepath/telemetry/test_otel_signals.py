"""The data that a collector receives over OTLP: spans of copies, events about pairs, metrics; also a dead collector."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("opentelemetry.sdk", reason='the extra otel is not installed: pip install "glidepath[otel]"')

from opentelemetry.sdk.trace import TracerProvider
from structlog.testing import capture_logs

from extproc.latency_totals import LatencyTotals
from extproc.otel_durations import DurationMetric
from glidepath.config import Config, parse_config
from glidepath.errors import ConfigError, DependencyError
from glidepath.histogram import Histogram
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.pair_scores import AnswerFacts, Correctness, Preference, ScoredPair
from glidepath.pairs import Answer, Ending, PairKind
from glidepath.sides import Origin, Side
from glidepath.telemetry import otel_signals
from glidepath.telemetry.bounded_export import BoundedExport, QueueLimits
from glidepath.telemetry.load_telemetry import REPAIR, NoSignals, Signals, load_signals
from glidepath.telemetry.otel_signals import OtelTracer
from glidepath.telemetry.signals import CopyToTrace
from tests.conftest import VALID
from tests.support.otlp_receiver import Receiver, attributes, grpc_receiver, http_receiver

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
COPY = CopyToTrace(
    "chat",
    "candidate",
    "onprem",
    "/v1/chat/completions?x=secret",
    "pair-1",
    PairKind.CROSS,
    {"traceparent": f"00-{TRACE}-{PARENT}-01", "authorization": "Bearer secret"},
)
ANSWER = Answer(Side.CANDIDATE, Origin.SHADOW, "onprem", 200, "text/event-stream", b"secret", first_byte_ms=250.0)
PAIR = ScoredPair(
    "pair-1",
    "chat",
    PairKind.CROSS,
    1_000,
    1_700_000_000_123,
    True,
    agreement=0.75,
    flags=("numbers", "names"),
    baseline=AnswerFacts(Origin.LIVE, "cloud", 200, 100.0, 900.0, 10, 20, streamed=True),
    candidate=AnswerFacts(Origin.SHADOW, "onprem", 200, 0.0, 800.0, 11, 30, excerpt="secret", faults=("refusal",)),
    preference=Preference.LOSS,
    correctness=Correctness(1.0, 0.5),
)


def config_for(receiver: Receiver, valid_yaml: str, more: str = "") -> Config:
    return parse_config(f'{valid_yaml}otel: {{endpoint: "{receiver.url}", every: 100ms{more}}}\n')


def sent(signals: Signals) -> None:
    signals.close(20)
    assert {counts.dropped + counts.failed for counts in signals.counts.values()} == {0}


@pytest.mark.parametrize(("receives", "protocol"), [(http_receiver, "http/protobuf"), (grpc_receiver, "grpc")])
def test_the_span_of_a_copy_is_a_child_of_the_clients_span(
    receives: Callable[[], AbstractContextManager[Receiver]], protocol: str, valid_yaml: str
) -> None:
    with receives() as receiver:
        signals = load_signals(config_for(receiver, valid_yaml, f", protocol: {protocol}"), "extproc")
        span = signals.traces.begin(COPY)
        span.end(ANSWER)
        sent(signals)
    (one,) = receiver.spans
    assert (one.trace_id.hex(), one.parent_span_id.hex()) == (TRACE, PARENT)
    assert span.headers["traceparent"] == span.traceparent == f"00-{TRACE}-{one.span_id.hex()}-01"
    assert (one.name, one.kind) == ("chat llama-3.1-8b", 3)
    found = attributes(one)
    assert found["gen_ai.provider.name"] == "openai"
    assert found["gen_ai.response.time_to_first_chunk"] == 0.25
    assert (found["glidepath.workload"], found["glidepath.side"], found["glidepath.pair.id"]) == (
        "chat",
        "candidate",
        "pair-1",
    )
    assert "secret" not in str(one)
    assert receiver.services == {"glidepath-extproc"}


def test_a_copy_of_a_request_without_a_trace_begins_one(valid_yaml: str) -> None:
    with http_receiver() as receiver:
        signals = load_signals(config_for(receiver, valid_yaml), "extproc")
        for headers in ({}, {"traceparent": "00-nonsense"}):
            signals.traces.begin(replace(COPY, headers=headers)).end(ANSWER)
        sent(signals)
    assert [one.parent_span_id for one in receiver.spans] == [b"", b""]


@given(st.dictionaries(st.sampled_from(["traceparent", "tracestate", "x"]), st.text(max_size=300)))
@settings(max_examples=60)
def test_no_header_of_a_client_makes_the_tracer_fail(headers: dict[str, str]) -> None:
    queue: BoundedExport[Any] = BoundedExport(lambda _: True, QueueLimits(16), "test")
    tracer = OtelTracer(parse_config(VALID), queue, TracerProvider(shutdown_on_exit=False))
    span = tracer.begin(replace(COPY, headers=headers))
    span.end(ANSWER)
    assert re.fullmatch(r"(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})?", span.traceparent)
    queue.close(5)


def test_a_client_that_does_not_record_its_trace_has_no_spans_of_copies(valid_yaml: str) -> None:
    with http_receiver() as receiver:
        signals = load_signals(config_for(receiver, valid_yaml), "extproc")
        span = signals.traces.begin(replace(COPY, headers={"traceparent": f"00-{TRACE}-{PARENT}-00"}))
        span.end(ANSWER)
        sent(signals)
    assert (dict(span.headers), span.traceparent) == ({}, "")
    assert not receiver.spans


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (replace(ANSWER, status=503), "503"),
        (replace(ANSWER, status=0, ending=Ending.TIMEOUT), "timeout"),
        (None, "cancelled"),
    ],
)
def test_a_failed_copy_has_an_error_type(answer: Answer | None, kind: str, valid_yaml: str) -> None:
    with http_receiver() as receiver:
        signals = load_signals(config_for(receiver, valid_yaml), "extproc")
        signals.traces.begin(COPY).end(answer)
        sent(signals)
    (one,) = receiver.spans
    assert attributes(one)["error.type"] == kind
    assert one.status.code == 2


def test_a_scored_pair_is_an_event_for_each_judgement_in_the_trace_of_the_copy(valid_yaml: str) -> None:
    with http_receiver() as receiver:
        signals = load_signals(config_for(receiver, valid_yaml), "scorer")
        signals.events.scored(replace(PAIR, traceparent=f"00-{TRACE}-{PARENT}-01"))
        sent(signals)
    assert {one.event_name for one in receiver.logs} == {"gen_ai.evaluation.result"}
    assert {(one.trace_id.hex(), one.span_id.hex()) for one in receiver.logs} == {(TRACE, PARENT)}
    assert {one.time_unix_nano for one in receiver.logs} == {1_700_000_000_123_000_000}
    found = {attributes(one)["gen_ai.evaluation.name"]: attributes(one) for one in receiver.logs}
    assert found["agreement"]["gen_ai.evaluation.score.value"] == 0.75
    assert found["agreement"]["gen_ai.evaluation.explanation"] == "numbers, names"
    assert found["faults"]["gen_ai.evaluation.score.label"] == "refusal"
    assert (
        found["preference"]["gen_ai.evaluation.score.value"],
        found["preference"]["gen_ai.evaluation.score.label"],
    ) == (
        0.0,
        "loss",
    )
    assert found["correctness"]["gen_ai.evaluation.score.value"] == 0.5
    assert "secret" not in str(receiver.logs)


def test_a_pair_without_a_score_is_an_event_with_an_error_and_without_a_trace(valid_yaml: str) -> None:
    with http_receiver() as receiver:
        signals = load_signals(config_for(receiver, valid_yaml), "scorer")
        signals.events.scored(replace(PAIR, scored=False, unscored_reason="cut"))
        sent(signals)
    (one,) = receiver.logs
    assert attributes(one)["error.type"] == "cut"
    assert "gen_ai.evaluation.score.value" not in attributes(one)
    assert one.trace_id in (b"", bytes(16))


def points(receiver: Receiver, name: str) -> list[Any]:
    return [point for one in receiver.metrics if one.name == name for point in one.histogram.data_points]


def test_tokens_and_the_time_to_the_first_chunk_of_streams_are_metrics(valid_yaml: str) -> None:
    with http_receiver() as receiver:
        signals = load_signals(config_for(receiver, valid_yaml), "scorer")
        signals.events.scored(PAIR)
        signals.put_metrics()
        sent(signals)
    tokens = {
        (attributes(one)["glidepath.side"], attributes(one)["gen_ai.token.type"]): one.sum
        for one in points(receiver, "gen_ai.client.token.usage")
    }
    assert tokens == {
        ("baseline", "input"): 10,
        ("baseline", "output"): 20,
        ("candidate", "input"): 11,
        ("candidate", "output"): 30,
    }
    (first,) = points(receiver, "gen_ai.client.operation.time_to_first_chunk")
    assert (first.sum, attributes(first)["gen_ai.request.model"]) == (0.1, "gpt-4o-mini")
    assert list(first.explicit_bounds)[:2] == [0.01, 0.02]


def test_the_durations_of_all_requests_are_a_metric(valid_yaml: str) -> None:
    totals = LatencyTotals()
    side = SideOutcomes(Side.BASELINE, Origin.LIVE, 3, latency_ms=Histogram.of([15.0, 100.0, 200_000.0]))
    totals.add([Outcomes("chat", "here", 1, 0, 1, (side,))])
    with http_receiver() as receiver:
        config = config_for(receiver, valid_yaml)
        signals, metric = load_signals(config, "extproc"), DurationMetric(config, 1)
        signals.put_metrics(lambda: metric.data(totals, time.time_ns()))
        sent(signals)
    (point,) = points(receiver, "gen_ai.client.operation.duration")
    assert point.count == 3
    assert point.sum == pytest.approx(200.115, rel=0.01)
    assert sum(point.bucket_counts) == 3
    assert (point.bucket_counts[1], point.bucket_counts[4], point.bucket_counts[-1]) == (1, 1, 1)
    assert attributes(point)["gen_ai.request.model"] == "gpt-4o-mini"
    assert attributes(point)["glidepath.origin"] == "live"


def test_what_a_dead_collector_misses_is_counted_and_nobody_waits(valid_yaml: str) -> None:
    with http_receiver() as receiver:
        receiver.refuses = True
        signals = load_signals(config_for(receiver, valid_yaml, ", queue: 16, timeout: 1s"), "extproc")
        for _ in range(5):
            signals.traces.begin(COPY).end(ANSWER)
        signals.close(20)
    assert (signals.counts["traces"].exported, signals.counts["traces"].failed) == (0, 5)


def test_the_standard_variables_say_what_the_file_leaves_out(valid_yaml: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=the-key")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "ours")
        signals = load_signals(parse_config(f"{valid_yaml}otel: {{}}\n"), "extproc")
        signals.traces.begin(COPY).end(ANSWER)
        sent(signals)
    assert receiver.headers[0]["api-key"] == "the-key"
    assert receiver.services == {"ours"}


@pytest.mark.parametrize(("name", "value"), [("PROTOCOL", "grpc"), ("TIMEOUT", "3")])
def test_protocol_and_timeout_come_from_the_standard_variables_too(
    name: str, value: str, valid_yaml: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
    with grpc_receiver() if value == "grpc" else http_receiver() as receiver:
        signals = load_signals(config_for(receiver, valid_yaml), "extproc")
        signals.traces.begin(COPY).end(ANSWER)
        sent(signals)
    assert len(receiver.spans) == 1


def test_a_standard_variable_turns_one_signal_off(valid_yaml: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    with http_receiver() as receiver:
        signals = load_signals(config_for(receiver, valid_yaml), "extproc")
        signals.traces.begin(COPY).end(ANSWER)
        sent(signals)
    assert not receiver.spans


def test_an_unknown_protocol_is_an_error_that_names_the_allowed_ones(
    valid_yaml: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
    with pytest.raises(ConfigError, match=r"http/protobuf or grpc \(got 'http/json'\)"):
        load_signals(parse_config(f"{valid_yaml}otel: {{}}\n"), "extproc")


def test_the_log_says_once_that_the_collector_refuses(valid_yaml: str) -> None:
    with http_receiver() as receiver, capture_logs() as lines:
        receiver.refuses = True
        signals = load_signals(config_for(receiver, valid_yaml), "extproc")
        for _ in range(3):
            signals.traces.begin(COPY).end(ANSWER)
        signals.close(20)
    (line,) = [one for one in lines if one["event"] == "telemetry_refused"]
    assert (line["signal"], line["log_level"]) == ("traces", "warning")
    assert "400" in line["reason"]


def test_nothing_is_sent_without_the_section_or_if_the_standard_variable_forbids_it(
    valid_yaml: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(load_signals(parse_config(valid_yaml), "extproc"), NoSignals)
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert isinstance(load_signals(parse_config(f"{valid_yaml}otel: {{}}\n"), "extproc"), NoSignals)


def test_an_old_copy_of_the_messages_is_named_with_its_remedy(valid_yaml: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Signals:
        raise ImportError("cannot import name 'InstrumentationScope' from 'opentelemetry.proto.common.v1.common_pb2'")

    monkeypatch.setattr(otel_signals, "OtelSignals", broken)
    with pytest.raises(DependencyError, match=re.escape(REPAIR)):
        load_signals(parse_config(f"{valid_yaml}otel: {{}}\n"), "extproc")

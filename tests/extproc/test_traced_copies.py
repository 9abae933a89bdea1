"""Spans of copies for OpenTelemetry."""

from __future__ import annotations

from dataclasses import dataclass, field

from extproc.exchange_events import ResponseHeaders
from glidepath.pairs import Answer
from glidepath.telemetry.signals import CopyToTrace
from tests.support.capture_setup import END, OK, setup
from tests.support.waiting import eventually


@dataclass(slots=True)
class RecordedSpan:
    headers: dict[str, str]
    traceparent: str
    ended: list[Answer | None] = field(default_factory=list)

    def end(self, answer: Answer | None) -> None:
        self.ended.append(answer)


@dataclass(slots=True)
class RecordingTracer:
    copies: list[CopyToTrace] = field(default_factory=list)
    spans: list[RecordedSpan] = field(default_factory=list)

    def begin(self, copy: CopyToTrace) -> RecordedSpan:
        self.copies.append(copy)
        self.spans.append(RecordedSpan({"traceparent": "of-the-copy"}, "of-the-copy"))
        return self.spans[-1]


async def test_a_copy_is_traced_and_sent_with_the_trace_of_its_own_span() -> None:
    tracer = RecordingTracer()
    async with setup(traces=tracer) as r:
        captured = r.request(traceparent="of-the-client")
        await eventually(lambda: len(r.sender.copies) == 1)
        assert r.sender.copies[0].headers["traceparent"] == "of-the-copy"
        r.feed(captured, OK, END)
        r.sender.gate.set()
        await r.settled()
        (copy,) = tracer.copies
        assert (copy.workload, copy.side, copy.backend, copy.pair_id) == ("chat", "candidate", "onprem", "id-1")
        assert copy.headers["traceparent"] == "of-the-client"
        assert [answer.body for answer in tracer.spans[0].ended if answer is not None] == [b"theirs"]
        assert [pair.traceparent for pair in r.sink.pairs] == ["of-the-copy"]


async def test_the_span_of_a_copy_that_is_given_up_ends_once_without_an_answer() -> None:
    tracer = RecordingTracer()
    async with setup(traces=tracer) as r:
        captured = r.request()
        await eventually(lambda: len(r.sender.copies) == 1)
        r.feed(captured, ResponseHeaders(503, {}, 1, "via_upstream"), END)
        await r.settled()
        assert [span.ended for span in tracer.spans] == [[None]]

"""The latency of an access log entry contains neither a slow upload nor a slow download."""

from __future__ import annotations

import pytest
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry
from hypothesis import given
from hypothesis import strategies as st

from extproc.access_log_latency import LoggedLatency, answer_ended, answered_early, logged_latency, unanswered_wait_ms
from glidepath import envoy_names

NANOS = st.integers(0, 3600 * 10**9)


def entry(
    request_end: int | None,
    first: int | None,
    last: int | None,
    duration: int = 0,
    status: int = 200,
    kind: str = "text/event-stream",
) -> HTTPAccessLogEntry:
    """Return an entry with these times, in nanoseconds from the start of the request. None: the time is not set."""
    made = HTTPAccessLogEntry()
    common = made.common_properties
    common.duration.FromNanoseconds(duration)
    for field, nanos in (
        (common.time_to_last_rx_byte, request_end),
        (common.time_to_first_upstream_rx_byte, first),
        (common.time_to_last_upstream_rx_byte, last),
    ):
        if nanos is not None:
            field.FromNanoseconds(nanos)
    made.response.response_code.value = status
    made.response.response_headers["content-type"] = kind
    return made


@given(upload=NANOS, think=NANOS, stream=NANOS, download=NANOS)
def test_only_the_backends_time_counts_however_slow_the_client_is(
    upload: int, think: int, stream: int, download: int
) -> None:
    last = upload + think + stream
    found = logged_latency(entry(upload, upload + think, last, duration=last + download))
    assert found.ttft_ms == pytest.approx(think / 1e6, abs=1e-5)
    assert found.total_ms == pytest.approx((think + stream) / 1e6, abs=1e-5)


@given(st.none() | NANOS, st.none() | NANOS, st.none() | NANOS)
def test_latency_is_never_negative_and_none_if_a_time_is_missing_or_the_answer_came_first(
    end: int | None, first: int | None, last: int | None
) -> None:
    found = logged_latency(entry(end, first, last))
    for answer, ms in ((first, found.ttft_ms), (last, found.total_ms)):
        assert (ms is not None) == (end is not None and answer is not None and answer >= end)
        assert ms is None or ms >= 0


@given(upload=NANOS, wait=NANOS, silence=NANOS)
def test_the_first_byte_is_that_of_the_body_not_of_the_headers(upload: int, wait: int, silence: int) -> None:
    made = entry(upload, upload + wait, upload + wait + silence)
    made.common_properties.custom_tags[envoy_names.BODY_BEGIN_TAG] = str((upload + wait + silence) // 1000)
    found = logged_latency(made)
    assert found.headers_ms == pytest.approx(wait / 1e6, abs=1e-5)
    if found.ttft_ms is not None:  # the tag has whole microseconds, so it may be just before the end of the request
        assert found.ttft_ms == pytest.approx((wait + silence) / 1e6, abs=2e-3)


@pytest.mark.parametrize("tag", ["", "-", "x", "-5", "9" * 40, "١"])
def test_without_a_usable_time_of_the_body_the_time_of_the_headers_counts(tag: str) -> None:
    made = entry(0, 5_000_000, 9_000_000)
    made.common_properties.custom_tags[envoy_names.BODY_BEGIN_TAG] = tag
    assert logged_latency(made) == LoggedLatency(9.0, 5.0, 5.0)


def test_a_time_of_zero_is_a_time() -> None:
    assert logged_latency(entry(0, 0, 0)) == LoggedLatency(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("kind", "streams"),
    [
        ("text/event-stream", True),
        ("Text/Event-Stream; charset=utf-8", True),
        ("application/x-ndjson", True),
        ("application/vnd.amazon.eventstream", True),
        ("application/json", False),
        ("", False),
    ],
)
def test_only_a_streamed_answer_has_a_time_to_the_first_token(kind: str, streams: bool) -> None:
    found = logged_latency(entry(0, 5_000_000, 9_000_000, kind=kind))
    assert found == LoggedLatency(9.0, 5.0 if streams else None, 5.0)


def test_a_switched_protocol_has_no_latency() -> None:
    assert logged_latency(entry(1, 2, 10**12, status=101)) == LoggedLatency(None, None, None)


@given(st.none() | NANOS, st.none() | NANOS)
def test_an_answer_is_early_if_its_first_byte_comes_before_the_end_of_the_request(
    end: int | None, first: int | None
) -> None:
    assert answered_early(entry(end, first, None)) == (first is not None and (end is None or first < end))


def test_an_answer_has_ended_when_envoy_has_its_last_byte() -> None:
    assert answer_ended(entry(1, 2, 0))
    assert not answer_ended(entry(1, 2, None))


def test_a_client_that_left_without_a_byte_waited_from_the_end_of_its_request() -> None:
    assert unanswered_wait_ms(entry(1_000_000, None, None, duration=6_001_000_000)) == 6000.0


def test_a_client_that_got_a_part_of_the_answer_or_never_ended_its_request_has_no_unanswered_wait() -> None:
    partly = entry(1_000_000, 2_000_000, None, duration=6_001_000_000)
    partly.response.response_body_bytes = 1
    assert unanswered_wait_ms(partly) is None
    assert unanswered_wait_ms(entry(None, None, None, duration=6_001_000_000)) is None

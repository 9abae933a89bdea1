"""The latency of a request, from the times of its access log entry (data.accesslog.v3.AccessLogCommon).

Envoy measures these times from the start of the request, with its monotonic clock. ``duration`` is not a latency,
because it includes the time in which the client sends its request and the time in which the client reads the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry

from glidepath import envoy_names
from glidepath.latency import is_streamed, waited

_DIGITS = 13  # the most digits of a time in µs; a longer time would exceed a hundred days
SWITCHING_PROTOCOLS = 101  # such a stream lasts for as long as the client wants


@dataclass(frozen=True, slots=True)
class LoggedLatency:
    """Three latencies in milliseconds from the end of the request. None: not measured.

    ``total_ms``: to the last byte of the answer.
    ``ttft_ms``: to the first byte of the body of a streamed answer, which carries the first token. None if the answer
    is not streamed. If Envoy does not report when the body began, it is the time of the headers.
    ``headers_ms``: to the first byte of the headers.
    """

    total_ms: float | None
    ttft_ms: float | None
    headers_ms: float | None


def logged_latency(entry: HTTPAccessLogEntry) -> LoggedLatency:
    """Return the latencies of a request that a backend answered. glidepath/latency.py defines them."""
    if entry.response.response_code.value == SWITCHING_PROTOCOLS:
        return LoggedLatency(None, None, None)
    request_end = _ms(entry, "time_to_last_rx_byte")
    headers, body = _ms(entry, "time_to_first_upstream_rx_byte"), _body_begin_ms(entry)
    first_token = (headers if body is None else body) if streamed(entry) else None
    return LoggedLatency(
        total_ms=waited(request_end, _ms(entry, "time_to_last_upstream_rx_byte")),
        ttft_ms=waited(request_end, first_token),
        headers_ms=waited(request_end, headers),
    )


def streamed(entry: HTTPAccessLogEntry) -> bool:
    """Return whether the answer is sent token by token, judged by its content type in the access log entry."""
    return is_streamed(entry.response.response_headers.get("content-type", ""))


def unanswered_wait_ms(entry: HTTPAccessLogEntry) -> float | None:
    """Return how long a client waited before it left without an answer, in milliseconds from the end of its request.

    Return None if the client got a byte of the answer's body, or left before its whole request had been received.
    """
    return None if entry.response.response_body_bytes else time_to_leaving_ms(entry)


def time_to_leaving_ms(entry: HTTPAccessLogEntry) -> float | None:
    """Return the time from the end of a client's request until the client left, in milliseconds, or None if unknown."""
    return waited(_ms(entry, "time_to_last_rx_byte"), _ms(entry, "duration"))


def answer_ended(entry: HTTPAccessLogEntry) -> bool:
    """Return whether the backend has sent its whole answer."""
    return _ms(entry, "time_to_last_upstream_rx_byte") is not None


def answered_early(entry: HTTPAccessLogEntry) -> bool:
    """Return whether the backend began to answer before it had received the whole request."""
    first_byte, request_end = _ms(entry, "time_to_first_upstream_rx_byte"), _ms(entry, "time_to_last_rx_byte")
    return first_byte is not None and (request_end is None or first_byte < request_end)


def _body_begin_ms(entry: HTTPAccessLogEntry) -> float | None:
    """Return the time from the start of the request to the first byte of the answer's body, or None if unknown."""
    text = str(entry.common_properties.custom_tags.get(envoy_names.BODY_BEGIN_TAG, ""))
    return int(text) / 1000 if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


def _ms(entry: HTTPAccessLogEntry, field: Any) -> float | None:
    common = entry.common_properties
    if not common.HasField(field):
        return None
    duration = getattr(common, field)
    return float(duration.seconds * 1000 + duration.nanos / 1e6)

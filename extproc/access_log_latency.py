"""The latency of a request, from the times of its access log entry (data.accesslog.v3.AccessLogCommon).

Envoy measures all of them by its monotonic clock, from the begin of the request. ``duration`` is none of them: it
contains the time in which the client sends its request, and the time in which it reads the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry

from glidepath import envoy_names
from glidepath.latency import is_streamed, waited

_DIGITS = 13  # of a time in µs; more would be longer than a hundred days
SWITCHING_PROTOCOLS = 101  # such a stream lasts for as long as the client wants


@dataclass(frozen=True, slots=True)
class LoggedLatency:
    """Milliseconds from the end of the request; None: not measured.

    ``total_ms``: to the last byte of the answer. ``ttft_ms``: to the first token, that is the first byte of the body of
    an answer that is streamed; others have none. ``headers_ms``: to the first byte of the headers. If Envoy does not
    report when the body began, ``ttft_ms`` is the time of the headers.
    """

    total_ms: float | None
    ttft_ms: float | None
    headers_ms: float | None


def logged_latency(entry: HTTPAccessLogEntry) -> LoggedLatency:
    """Return the latency of a request that a backend answered, as glidepath/latency.py defines it."""
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
    """Return whether the answer is sent token by token, by the content type that Envoy logs."""
    return is_streamed(entry.response.response_headers.get("content-type", ""))


def waited_in_vain(entry: HTTPAccessLogEntry) -> float | None:
    """Return how long a client that left had waited for an answer, in milliseconds from the end of its request.

    Return None if it got a byte of an answer, or left before its request had been received.
    """
    if entry.response.response_body_bytes:
        return None
    return waited(_ms(entry, "time_to_last_rx_byte"), _ms(entry, "duration"))


def answer_ended(entry: HTTPAccessLogEntry) -> bool:
    """Return whether the backend has sent its whole answer."""
    return _ms(entry, "time_to_last_upstream_rx_byte") is not None


def answered_early(entry: HTTPAccessLogEntry) -> bool:
    """Return whether the backend began to answer before it had the whole request."""
    first_byte, request_end = _ms(entry, "time_to_first_upstream_rx_byte"), _ms(entry, "time_to_last_rx_byte")
    return first_byte is not None and (request_end is None or first_byte < request_end)


def _body_begin_ms(entry: HTTPAccessLogEntry) -> float | None:
    """Return the time from the begin of the request to the first byte of the answer's body, or None if unknown."""
    text = str(entry.common_properties.custom_tags.get(envoy_names.BODY_BEGIN_TAG, ""))
    return int(text) / 1000 if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


def _ms(entry: HTTPAccessLogEntry, field: Any) -> float | None:
    common = entry.common_properties
    if not common.HasField(field):
        return None
    duration = getattr(common, field)
    return float(duration.seconds * 1000 + duration.nanos / 1e6)

"""The latency of a request, from the times of its access log entry (data.accesslog.v3.AccessLogCommon).

Envoy measures all of them by its monotonic clock, from the begin of the request. ``duration`` is none of them: it
contains the time in which the client sends its request, and the time in which it reads the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry

from glidepath.latency import is_streamed, waited

SWITCHING_PROTOCOLS = 101  # such a stream lasts for as long as the client wants


@dataclass(frozen=True, slots=True)
class LoggedLatency:
    """Milliseconds from the end of the request to the last and to the first byte from upstream; None: not measured.

    ``ttft_ms`` is the time to the first token, so an answer that is not streamed has none.
    """

    total_ms: float | None
    ttft_ms: float | None


def logged_latency(entry: HTTPAccessLogEntry) -> LoggedLatency:
    """Return the latency of a request that a backend answered, as glidepath/latency.py defines it."""
    if entry.response.response_code.value == SWITCHING_PROTOCOLS:
        return LoggedLatency(None, None)
    request_end = _ms(entry, "time_to_last_rx_byte")
    first_byte = _ms(entry, "time_to_first_upstream_rx_byte") if streamed(entry) else None
    return LoggedLatency(
        total_ms=waited(request_end, _ms(entry, "time_to_last_upstream_rx_byte")),
        ttft_ms=waited(request_end, first_byte),
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


def _ms(entry: HTTPAccessLogEntry, field: Any) -> float | None:
    common = entry.common_properties
    if not common.HasField(field):
        return None
    duration = getattr(common, field)
    return float(duration.seconds * 1000 + duration.nanos / 1e6)

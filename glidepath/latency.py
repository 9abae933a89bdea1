"""The definition of latency, for all code that measures one (docs/reference/extproc.md, Latency).

A latency is the time that a client waits after it has sent its whole request. It begins when the last byte of the
request has been received. It ends when the backend sends the last byte of the answer (``total``) or the first
(``ttft``). So the time that a client needs to send a request, or to read an answer, does not count.
"""

from __future__ import annotations

LEAST_WAIT_MS = 1000.0  # a client that leaves sooner, without an answer, left for a reason of its own
# Content types of answers that are sent token by token: server-sent events, lines of JSON, Bedrock's event stream.
STREAMED_TYPES = frozenset(
    {"text/event-stream", "application/x-ndjson", "application/ndjson", "application/vnd.amazon.eventstream"}
)


def is_streamed(content_type: str) -> bool:
    """Return whether an answer of this content type is sent token by token."""
    return content_type.partition(";")[0].strip().lower() in STREAMED_TYPES


def waited(request_end: float | None, answer_at: float | None) -> float | None:
    """Return the time from the end of the request to an event of its answer, in the unit of the arguments.

    Return None if one of the two times is None (unknown), or if the event came before the end of the request. Such a
    time would depend on how fast the client sends. The result is never negative.
    """
    if request_end is None or answer_at is None or answer_at < request_end:
        return None
    return answer_at - request_end


def waited_ms(request_end_s: float | None, answer_at_s: float | None) -> float:
    """Return ``waited`` in milliseconds, or 0 if it is None. The arguments are in seconds."""
    seconds = waited(request_end_s, answer_at_s)
    return 0.0 if seconds is None else seconds * 1000

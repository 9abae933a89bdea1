"""A pair: a request with two answers to it, as extproc captures it.

``captured_at_ms`` is in Unix milliseconds, all other fields ``*_ms`` are durations in milliseconds. Bodies in Redis
have no content encoding (such as gzip).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from glidepath.sides import Origin, Side

BUSY = (408, 429)  # statuses below 500 that count as failures of the backend


class PairKind(StrEnum):
    """The kind of a pair. CROSS: one answer of each side. NOISE: two answers of the same side.

    Only NOISE pairs of the baseline count towards the noise floor (ADR 0039). extproc makes no others.
    """

    CROSS = "cross"
    NOISE = "noise"


class Ending(StrEnum):
    """How a request and its answer ended. Only COMPLETE answers are scored."""

    COMPLETE = "complete"
    ABORTED = "aborted"  # client or upstream ended it during the body
    TIMEOUT = "timeout"  # no answer within the time limit of the tee or probe
    REFUSED = "refused"  # the shadow listener could not be reached
    LOCAL = "local"  # Envoy answered by itself


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of one side to one request.

    ``first_byte_ms``, ``total_ms``: milliseconds from the end of the request to the first content of the answer, and to
    its end (glidepath/latency.py); 0 if unknown. If the answer is not streamed, ``first_byte_ms`` is the time to the
    first byte of its body.
    """

    side: Side
    origin: Origin
    backend: str
    status: int
    content_type: str = ""
    body: bytes = b""
    body_cut: bool = False
    ending: Ending = Ending.COMPLETE
    first_byte_ms: float = 0.0
    total_ms: float = 0.0
    error: str = ""
    failed_over: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """A request with its two answers: ``first`` went to the client, and ``second`` answered the copy of the request.

    ``both_copied``: whether each side got a copy of the request. If so, the request has a CROSS pair and a NOISE pair,
    whose second answers were obtained in the same way.
    """

    id: str
    workload: str
    kind: PairKind
    captured_at_ms: int
    method: str
    path: str
    request_body: bytes
    first: Answer
    second: Answer
    request_cut: bool = False
    request_content_type: str = ""
    sticky: str = ""
    served: str = ""  # the served digest (glidepath/served_digest.py); "" if unknown
    both_copied: bool = False
    traceparent: str = ""  # of the copy's span, if OpenTelemetry records it

    @property
    def baseline(self) -> Answer:
        """Return the baseline's answer.

        In a NOISE pair, both answers are the baseline's. The answer that the client got is returned.
        """
        if self.kind is PairKind.NOISE or self.first.side is Side.BASELINE:
            return self.first
        return self.second

    @property
    def candidate(self) -> Answer:
        """Return the candidate's answer.

        In a NOISE pair, which has no candidate, this is the baseline's answer to the copy of the request.
        """
        return self.second if self.baseline is self.first else self.first


def is_failure(status: int) -> bool:
    """Return whether an HTTP status means that the backend failed: 408, 429, or any status outside 200 to 499."""
    return not 200 <= status < 500 or status in BUSY

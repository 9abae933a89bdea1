"""Requests that reached the candidate although its share was 0 when they began."""

from __future__ import annotations

from collections.abc import Iterable

from glidepath.domain import SideOutcomes
from glidepath.histogram import bucket_of

SETTLE_MS = 10_000  # after a change of weights: Envoys that confirm within this time have confirmed in time
LONGEST_MS = 120_000  # a failed request does not say when it began; it is assumed to have lasted this long at most


def begun_after(live: Iterable[SideOutcomes], from_ms: int, since_ms: int) -> int:
    """Count the requests of a flush from ``from_ms`` on that surely began after ``since_ms``.

    A long answer that ends now may have begun earlier. So a request counts only if its latency is shorter than the
    time between ``since_ms`` (with SETTLE_MS added) and ``from_ms``; see ADR 0120.
    """
    left_ms = from_ms - since_ms - SETTLE_MS
    if left_ms <= 0:
        return 0
    longest = bucket_of(left_ms) - 1
    late = left_ms > LONGEST_MS
    return sum(s.latency_ms.total - s.latency_ms.above(longest) + (s.errors if late else 0) for s in live)

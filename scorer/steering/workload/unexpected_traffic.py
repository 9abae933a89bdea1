"""Count the requests that reached the candidate although its share was 0 when the requests began."""

from __future__ import annotations

from collections.abc import Iterable

from glidepath.histogram import bucket_of
from glidepath.outcome_summaries import SideOutcomes

SETTLE_MS = 10_000  # Envoys should confirm a change of the weights within this time
LONGEST_MS = (
    120_000  # the start of a failed request is unknown; the request is assumed to have lasted at most this long
)


def begun_after(live: Iterable[SideOutcomes], from_ms: int, since_ms: int) -> int:
    """Return how many clients' requests to the candidate in a flush certainly began after ``since_ms``.

    ``live``: the flush's counts of these requests. ``from_ms``: the beginning of the flush. A request that ends in the
    flush may have begun much earlier. So it counts only if its duration, with its upload, is shorter than the time
    between ``since_ms`` (with SETTLE_MS added) and ``from_ms``; see ADR 0120.
    """
    left_ms = from_ms - since_ms - SETTLE_MS
    if left_ms <= 0:
        return 0
    longest = bucket_of(left_ms) - 1
    late = left_ms > LONGEST_MS
    return sum(s.duration_ms.total - s.duration_ms.above(longest) + (s.errors if late else 0) for s in live)

"""What a tick knows beside the news of its own workload, and what it makes of requests that should not be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from glidepath.config.backends import Backend
from glidepath.domain import SideOutcomes
from glidepath.histogram import bucket_of
from glidepath.records import Verdict
from scorer.steering.envoy.runtime_values import RuntimeEntries, RuntimeValues

SETTLE_MS = 10_000  # Envoys that take longer to confirm a share do not cost the evidence that came meanwhile
LONGEST_MS = 120_000  # an error does not say when its request began: it is taken to have lasted this long at most


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the tick knows from outside the workload: other workloads, the candidate's load, a former leader."""

    waiting_for: str = ""
    capacity: Verdict | None = None
    stale: frozenset[RuntimeValues] = frozenset()
    unknown_weights: frozenset[str] = frozenset()  # Envoys that came with weights of they do not say whom
    admin_layers: Mapping[str, RuntimeEntries | None] = field(default_factory=dict)  # admin layers above RTDS


def identity(name: str, backend: Backend) -> str:
    """Who a side is: what must be proven anew when it changes."""
    where = json.dumps([str(backend.url), backend.model])
    return f"{name} ({hashlib.blake2b(where.encode(), digest_size=4).hexdigest()})"


def begun_later(live: Iterable[SideOutcomes], from_ms: int, since_ms: int) -> int:
    """How many of these requests, of a flush from ``from_ms`` on, surely began after ``since_ms``.

    A long answer that ends now may have begun before: only those count that were shorter than the time between.
    """
    left_ms = from_ms - since_ms - SETTLE_MS
    if left_ms <= 0:
        return 0
    longest = bucket_of(left_ms) - 1
    late = left_ms > LONGEST_MS
    return sum(s.latency_ms.total - s.latency_ms.above(longest) + (s.errors if late else 0) for s in live)

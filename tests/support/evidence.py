"""A workload, flushes and pairs of it, and stored states."""

from __future__ import annotations

import json
from typing import TypeVar

from glidepath.config import Workload, parse_config
from glidepath.domain import Origin, Outcomes, PairKind, ScoredPair, Side, SideOutcomes
from glidepath.histogram import Histogram
from scorer.steering.evidence.state_codec import decode, encode

T = TypeVar("T")

BACKENDS = """\
backends:
  cloud: {url: "http://127.0.0.1:9001"}
  onprem: {url: "http://127.0.0.1:9002"}
workloads:
  chat:
    match: {path: /v1/chat/completions}
    baseline: cloud
    candidate: onprem
"""


def through_json(state: T) -> T:
    """Return a state as it comes back from Redis."""
    return decode(type(state), json.loads(json.dumps(encode(state), allow_nan=False)))


def workload_of(text: str = "") -> Workload:
    """Return the workload chat with these lines added."""
    return parse_config(BACKENDS + text).workload("chat")


def side(
    which: Side,
    n: int,
    errors: int = 0,
    *,
    origin: Origin = Origin.LIVE,
    kind: str = "http_500",
    ms: tuple[float, ...] = (),
    aborts: int = 0,
    rescued: int = 0,
    rescues_failed: int = 0,
) -> SideOutcomes:
    return SideOutcomes(
        side=which,
        origin=origin,
        requests=n,
        errors=errors,
        error_kinds={kind: errors} if errors else {},
        client_aborts=aborts,
        latency_ms=Histogram.of(ms),
        ttft_ms=Histogram.of(v / 4 for v in ms),
        failovers=rescued + rescues_failed,
        rescued=rescued,
        rescues_failed=rescues_failed,
    )


def flush(seq: int, *sides: SideOutcomes, start_ms: int = 1000, source: str = "envoy-1") -> Outcomes:
    """Return the seq-th flush of 250 ms after ``start_ms``."""
    begin = start_ms + seq * 250
    return Outcomes("chat", source, seq, begin, begin + 250, sides)


def pair(
    agreement: float,
    at_ms: int = 2000,
    *,
    kind: PairKind = PairKind.CROSS,
    sticky: str = "",
    scored: bool = True,
) -> ScoredPair:
    return ScoredPair(
        pair_id=f"p{at_ms}",
        workload="chat",
        kind=kind,
        captured_at_ms=at_ms,
        scored_at_ms=at_ms + 50,
        scored=scored,
        agreement=agreement,
        sticky=sticky,
    )

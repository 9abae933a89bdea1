"""Outcome flushes, scored pairs and evidence of the workload chat, and stored states."""

from __future__ import annotations

import json
from typing import TypeVar

import numpy as np

from glidepath.config import Workload, parse_config
from glidepath.histogram import Histogram
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.pair_scores import ScoredPair
from glidepath.pairs import PairKind
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Verdict
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.evidence.state_codec import Stored, encode, load
from tests.support.chat_config import CHAT_CONFIG

T = TypeVar("T")


def through_json(state: T) -> T:
    """Return a part's state, or the value of a stored attribute, after writing it as JSON and reading it back."""
    if isinstance(state, list):
        return json.loads(json.dumps(state, allow_nan=False))
    kind = type("Holder", (Stored,), {"__annotations__": {"value": type(state)}})
    holder, twin = kind(), kind()
    holder.value, twin.value = state, None
    load(twin, json.loads(json.dumps(encode(holder), allow_nan=False)))
    return twin.value


def workload_of(text: str = "") -> Workload:
    """Return the workload ``chat`` with the lines ``text`` added to its configuration."""
    return parse_config(CHAT_CONFIG + text).workload("chat")


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
    failed_at_both: int = 0,
    copies: tuple[int, int] = (0, 0),
) -> SideOutcomes:
    """Return the outcomes of one side. ``copies``: the baseline's copies of its requests, and how many failed."""
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
        failed_at_both=failed_at_both,
        baseline_copies=copies[0],
        baseline_copies_failed=copies[1],
    )


def flush(seq: int, *sides: SideOutcomes, start_ms: int = 1000, source: str = "envoy-1") -> Outcomes:
    """Return the flush with the number ``seq``. Flush 0 begins at ``start_ms``, and each flush covers 250 ms."""
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


GATES = """\
    ramp: {min_samples: 20}
    gates:
      sameness: {min_agreement: 0.85, margin: 0.05}
      errors: {max_increase: 1%, max_rate: 5%}
      latency: [{quantile: p95}, {quantile: p50, signal: ttft}, {quantile: p50, signal: per_token}]
"""


def by_gate(evidence: Evidence, now_ms: int = 100_000) -> dict[str, Verdict]:
    """Return the verdicts by gate."""
    return {v.gate: v for v in evidence.verdicts(now_ms)}


def fresh_evidence(percent: float = 25, gates: str = GATES) -> Evidence:
    """Return empty evidence of a step that began at 1000 ms."""
    return Evidence.fresh(workload_of(gates), percent, 1000)


def with_healthy_flushes(
    evidence: Evidence, flushes: int, *, first: int = 0, seed: int = 1, slower: float = 1.0
) -> Evidence:
    """Fold flushes without errors. The candidate's latencies are ``slower`` times as long."""
    rng = np.random.default_rng(seed)
    for k in range(first, first + flushes):
        own, base = 10, 30
        evidence = evidence.fold_outcomes(
            flush(
                k,
                side(Side.BASELINE, base, ms=tuple(100 * rng.lognormal(0, 0.4, base))),
                side(Side.CANDIDATE, own, ms=tuple(100 * slower * rng.lognormal(0, 0.4, own))),
            )
        )
    return evidence

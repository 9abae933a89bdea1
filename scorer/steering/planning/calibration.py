"""Thresholds from what was measured: the noise floor, the spread of the scores, the baseline's own ups and downs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from glidepath.config import Workload
from glidepath.domain import PairKind, ScoredPair
from scorer.steering.evidence.betting import Interval
from scorer.steering.evidence.formatting import duration_words

FEW = 50  # below this a proposal is a guess, and says so
_BLOCKS = 8
_LEAST_MARGIN, _DEFAULT_RATIO = 0.02, 1.2
_MOST_RATIO = 1000.0  # what max_ratio may be
# The candidate's samples that a quantile needs to prove 1.2 × at equality, with room (see docs/reference/evidence.md).
_NEEDS = (("p99", 6000, 100), ("p95", 1500, 40), ("p50", 0, 10))


@dataclass(slots=True)
class History:
    """``latencies``: the baseline's, in the order in which they were captured; ``span_s``: first to last pair."""

    agreements: list[float] = field(default_factory=list)
    noises: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    span_s: float = 0.0

    @classmethod
    def of(cls, scored: Sequence[ScoredPair]) -> History:
        history = cls()
        for pair in sorted(scored, key=lambda s: s.captured_at_ms):
            if pair.scored:
                (history.noises if pair.kind is PairKind.NOISE else history.agreements).append(pair.agreement)
            if pair.kind is PairKind.CROSS and pair.baseline.total_ms > 0:
                history.latencies.append(pair.baseline.total_ms)
        if scored:
            times = [s.captured_at_ms for s in scored]
            history.span_s = (max(times) - min(times)) / 1000
        return history


@dataclass(frozen=True, slots=True)
class Proposal:
    """``key`` below ``gates``, its value as YAML, and why."""

    key: str
    value: str
    reasons: tuple[str, ...]


def propose(workload: Workload, history: History) -> tuple[Proposal, ...]:
    """Proposals for ``gates``: quality, and latency where latencies are known."""
    found = [*_quality(history)]
    if history.latencies:
        found.append(_latency(workload, history))
    return tuple(found)


def _quality(history: History) -> list[Proposal]:
    scores = history.agreements
    if not history.noises and not scores:
        return []
    if not history.noises:
        middle, spread = float(np.mean(scores)), float(np.std(scores))
        limit = _down(middle - max(_LEAST_MARGIN, 0.2 * spread) * 2)
        measured = (
            f"agreement {_about(scores)}, spread {spread:.3f}",
            "no noise pairs (shadow.same_side): this is what the candidate does, not what could be asked of it",
            *_guess(len(scores)),
        )
        return [Proposal("quality", f"{{min_agreement: {limit:g}}}", measured)]
    floor, spread = float(np.mean(history.noises)), float(np.std(history.noises))
    margin = max(_LEAST_MARGIN, math.ceil(20 * spread) / 100)
    limit = _down(floor - margin)
    reasons = [
        f"noise floor {_about(history.noises)}: the baseline agrees with itself no better than that",
        f"margin {margin:g}: a fifth of one score's spread ({spread:.3f}), at least {_LEAST_MARGIN:g}",
        *_guess(len(history.noises)),
    ]
    if scores and float(np.mean(scores)) < limit:
        reasons.append(f"NOTE: the candidate's agreement, {_about(scores)}, is below this: the gate will not pass")
    return [Proposal("quality", f"{{min_agreement: {limit:g}, margin: {margin:g}}}", tuple(reasons))]


def _latency(workload: Workload, history: History) -> Proposal:
    ramp = workload.ramp
    rate = len(history.agreements) / history.span_s / max(workload.shadow.sample / 100, 1e-3) if history.span_s else 0.0
    first = ramp.steps[0]
    hold = ramp.rules_at(first).hold
    seen = rate * first / 100 * hold
    quantile, _, least = next(row for row in _NEEDS if seen >= row[1])
    drift = _own_ratio(history.latencies, {"p99": 0.99, "p95": 0.95, "p50": 0.5}[quantile], least)
    ratio = max(_DEFAULT_RATIO, math.ceil((drift or 1.0) * 20) / 20)
    reasons = [
        f"{quantile}: about {seen:.0f} samples at {first:g} % within the hold of {duration_words(hold)}",
    ]
    if drift is not None:
        text = f"max_ratio {ratio:g}: from block to block the baseline's own {quantile} moves by up to {drift:.2f} ×"
        reasons.append(f"{text}, a limit below that would measure the weather")
    else:
        reasons.append(f"max_ratio {ratio:g}: the default; too few latencies to see how the {quantile} varies")
    return Proposal("latency", f"{{quantile: {quantile}, max_ratio: {ratio:g}}}", tuple(reasons))


def _own_ratio(latencies: Sequence[float], q: float, least: int) -> float | None:
    """The largest ratio of the quantile between neighbouring blocks of time; None with fewer than three blocks."""
    blocks = min(_BLOCKS, len(latencies) // least)
    if blocks < 3:
        return None
    quantiles = [float(np.quantile(block, q)) for block in np.array_split(np.asarray(latencies), blocks)]
    return min(_MOST_RATIO, max(max(a, b) / max(min(a, b), 1e-9) for a, b in pairwise(quantiles)))


def _about(scores: Sequence[float]) -> str:
    interval = Interval(0.05)
    for score in scores:
        interval.update(score)
    low, high = interval.bounds
    return f"{float(np.mean(scores)):.3f} ({low:.3f} to {high:.3f}, {len(scores)} pairs)"


def _guess(n: int) -> tuple[str, ...]:
    return (f"only {n} pairs: a guess; calibrate again with {FEW} or more",) if n < FEW else ()


def _down(value: float) -> float:
    return max(0.0, math.floor(value * 100) / 100)


def fragment(workload: str, proposals: Sequence[Proposal]) -> str:
    """YAML to paste, with the reasons as comments."""
    lines = ["workloads:", f"  {workload}:", "    gates:"]
    for proposal in proposals:
        lines += [f"      # {reason}" for reason in proposal.reasons]
        lines.append(f"      {proposal.key}: {proposal.value}")
    return "\n".join(lines)

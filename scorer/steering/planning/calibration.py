"""Propose limits for the sameness gates and the latency gate from a workload's measured scores and latencies.

The limits follow from the noise floor, the spread of the scores, and the variation of the baseline's latency.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from glidepath.config import Workload
from glidepath.config.comparison import FREE_TEXT
from glidepath.config.latency_quantiles import QUANTILES, Quantile
from glidepath.duration_text import duration_text
from glidepath.pair_scores import ScoredPair
from glidepath.pairs import PairKind
from glidepath.pluralization import number_of

FEW = 50  # a proposal from fewer pairs is a guess, and its reasons then mention this
_BLOCKS = 8
_LEAST_MARGIN, _DEFAULT_RATIO = 0.02, 1.2
_MOST_RATIO = 1000.0  # the largest allowed max_ratio
# Quantile → the candidate's samples that prove a ratio below 1.2 if both sides are equal, with a reserve
# (docs/reference/evidence.md), and the least number of latencies in a block of time. The first quantile with enough
# samples is proposed.
_NEEDS: dict[Quantile, tuple[int, int]] = {"p99": (6000, 100), "p95": (1500, 40), "p50": (0, 10)}


@dataclass(slots=True)
class History:
    """The measurements in a workload's scored pairs, in the order of capture.

    - ``agreements``: the agreements of the cross pairs
    - ``noises``: the agreements of the noise pairs
    - ``latencies``: the baseline's total times in ms, from the cross pairs
    - ``span_s``: the seconds between the first and the last pair
    - ``left_out``: the number of results that are not about the configured backends, weights and embedder
    """

    agreements: list[float] = field(default_factory=list)
    noises: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    span_s: float = 0.0
    left_out: int = 0

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
    """A proposed setting. ``key``: its key below ``gates``; ``value``: its value as YAML; ``reasons``: as text."""

    key: str
    value: str
    reasons: tuple[str, ...]


def propose(workload: Workload, history: History) -> tuple[Proposal, ...]:
    """Return proposals for ``gates.sameness`` and ``gates.latency``, except where ``history`` has no data."""
    found = [*_sameness(workload, history)]
    if history.latencies:
        found.append(_latency(workload, history))
    if found and history.left_out:
        found[0] = replace(found[0], reasons=(*found[0].reasons, left_out_text(history.left_out)))
    return tuple(found)


def left_out_text(results: int) -> str:
    return f"{results} results left out: made with other backends, weights or embedder than the file has now"


def _sameness(workload: Workload, history: History) -> list[Proposal]:
    if history.noises:
        return [_sameness_from_noise(workload, history)]
    scores = history.agreements
    if not scores:
        return []
    middle, spread = float(np.mean(scores)), float(np.std(scores))
    limit = _rounded_down(middle - max(_LEAST_MARGIN, 0.2 * spread) * 2)
    reasons = (
        f"agreement {_with_interval(scores)}, spread {spread:.3f}",
        "no noise pairs (shadow.same_side): the limit follows the candidate's own agreement, not the noise floor",
        *_caveat(len(scores)),
    )
    return [Proposal("sameness", f"{{min_agreement: {limit:g}}}", reasons)]


def _sameness_from_noise(workload: Workload, history: History) -> Proposal:
    scores, noises = history.agreements, history.noises
    floor, spread = float(np.mean(noises)), float(np.std(noises))
    margin = max(_LEAST_MARGIN, math.ceil(20 * spread) / 100)
    limit = _rounded_down(floor - margin)
    reasons = [
        f"noise floor {_with_interval(noises)}: how well the baseline agrees with itself",
        f"margin {margin:g}: a fifth of one score's spread ({spread:.3f}), at least {_LEAST_MARGIN:g}",
        *_caveat(len(noises)),
    ]
    if scores and float(np.mean(scores)) < limit:
        reasons.append(
            f"NOTE: the candidate's agreement, {_with_interval(scores)}, is below this: the gate will not pass"
        )
    if workload.task in FREE_TEXT:  # no absolute limit suits free text (ADR 0170)
        return Proposal("sameness", f"{{margin: {margin:g}}}", tuple(reasons))
    return Proposal("sameness", f"{{min_agreement: {limit:g}, margin: {margin:g}}}", tuple(reasons))


def _latency(workload: Workload, history: History) -> Proposal:
    ramp = workload.ramp
    rate = len(history.agreements) / history.span_s / max(workload.shadow.sample / 100, 1e-3) if history.span_s else 0.0
    first = ramp.steps[0]
    hold = ramp.rules_at(first).hold
    samples = rate * first / 100 * hold
    quantile, least = next((name, least) for name, (needed, least) in _NEEDS.items() if samples >= needed)
    drift = _largest_change(history.latencies, QUANTILES[quantile], least)
    ratio = max(_DEFAULT_RATIO, math.ceil((drift or 1.0) * 20) / 20)
    reasons = [
        f"{quantile}: about {number_of(round(samples), 'sample')} at {first:g} % "
        f"within the hold of {duration_text(hold)}",
    ]
    if drift is not None:
        text = f"max_ratio {ratio:g}: the baseline's own {quantile} changes by up to {drift:.2f} × from block to block"
        reasons.append(f"{text}; a lower limit would fail a candidate for ordinary changes")
    else:
        text = "there are too few latencies to measure the variation"
        reasons.append(f"max_ratio {ratio:g}: the default, because {text}")
    return Proposal("latency", f"{{quantile: {quantile}, max_ratio: {ratio:g}}}", tuple(reasons))


def _largest_change(latencies: Sequence[float], q: float, least: int) -> float | None:
    """Return the largest factor by which the q-quantile changes from one block of ``latencies`` to the next.

    The latencies, in the order of capture, are divided into at most 8 blocks of at least ``least`` latencies. If there
    are too few latencies for 3 blocks, return None.
    """
    blocks = min(_BLOCKS, len(latencies) // least)
    if blocks < 3:
        return None
    quantiles = [float(np.quantile(block, q)) for block in np.array_split(np.asarray(latencies), blocks)]
    return min(_MOST_RATIO, max(max(a, b) / max(min(a, b), 1e-9) for a, b in pairwise(quantiles)))


def _with_interval(scores: Sequence[float]) -> str:
    low, high = mean_interval(scores)
    return f"{float(np.mean(scores)):.3f} ({low:.3f} to {high:.3f}, {len(scores)} pairs)"


def mean_interval(scores: Sequence[float], alpha: float = 0.05) -> tuple[float, float]:
    """Return a confidence interval at level 1 - α of the mean of scores in [0, 1]; (0, 1) for fewer than two scores.

    The number of scores must not depend on the scores. The interval always contains their average. Source: Maurer &
    Pontil, "Empirical Bernstein bounds and sample variance penalization" (2009), theorem 4.
    """
    n = len(scores)
    if n < 2:
        return (0.0, 1.0)
    mean, log = float(np.mean(scores)), math.log(4 / alpha)
    half = math.sqrt(2 * float(np.var(scores, ddof=1)) * log / n) + 7 * log / (3 * (n - 1))
    return (max(0.0, mean - half), min(1.0, mean + half))


def _caveat(n: int) -> tuple[str, ...]:
    return (f"only {n} pairs: a guess; calibrate again with {FEW} or more",) if n < FEW else ()


def _rounded_down(value: float) -> float:
    return max(0.0, math.floor(value * 100) / 100)


def fragment(workload: str, proposals: Sequence[Proposal]) -> str:
    """Return the proposals as a piece of configuration for ``workload``: YAML with the reasons as comments."""
    lines = ["workloads:", f"  {workload}:", "    gates:"]
    for proposal in proposals:
        lines += [f"      # {reason}" for reason in proposal.reasons]
        lines.append(f"      {proposal.key}: {proposal.value}")
    return "\n".join(lines)

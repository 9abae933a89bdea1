"""Confidence sequences: intervals for a gate's value that are valid at all looks together. They decide nothing.

With probability 1 - α, the true value is in the interval at every look of a step. The tests of a gate are sharper than
its interval, because they test one limit in one direction. So a gate may decide while its limit is still in the
interval.

A rate p is in the interval while the mixture of Krichevsky and Trofimov, which bets with the prior Beta(½, ½), has won
less than 1/α against it. After n trials with the rate p̂, that mixture loses at most ln 2 + ½ ln n against the best
rate (Cesa-Bianchi & Lugosi, "Prediction, Learning, and Games", 2006, section 9.7). So p is in the interval if n KL(p̂ ‖
p) ≤ ln(2/α) + ½ ln n. The same holds for a q-quantile, which is a value that a share q of the samples does not exceed
(Howard & Ramdas, "Sequential estimation of quantiles", 2022).

A rate is assumed to be constant over the step; under drift, the interval describes its mean only roughly. The interval
of a mean is valid for the mean of the conditional means (Waudby-Smith & Ramdas, 2023, their theorem 2).

See ADR 0253.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from scorer.steering.evidence.mixture import LN2

_STEPS = 8  # of Newton's method, which converges quadratically from a close start
_CLOSE = 1e-3  # the method ends at this relative error of the divergence
_LARGEST_BET = 0.5
_TWO_LOG = 2 * math.log(2 / 0.05)  # the bets are tuned for α = 0.05; the interval holds for every α


@dataclass(frozen=True, slots=True)
class Interval:
    """The lower and the upper bound of a value; None if the data gives no bound."""

    low: float | None
    high: float | None


def _divergence(p: float, q: float) -> float:
    """Return KL(p ‖ q) of two Bernoulli distributions, 0 ≤ p ≤ 1 and 0 < q < 1."""
    hits = p * math.log(p / q) if p else 0.0
    misses = (1 - p) * math.log((1 - p) / (1 - q)) if p < 1 else 0.0
    return hits + misses


def _room(n: int, alpha: float) -> float:
    """Return the largest KL divergence (per trial) between the measured rate and a rate in the interval."""
    return (math.log(1 / alpha) + LN2 + 0.5 * math.log(n)) / n


def _bound(rate: float, room: float, sign: float) -> float:
    """Return the rate p beyond ``rate``, above it (sign 1) or below it (sign -1), with KL(rate ‖ p) = ``room``.

    In the log-odds u of p, the divergence is convex and has the slope p - rate, so Newton's method converges quickly.
    """
    end = 1.0 if sign > 0 else 0.0
    if rate == end:
        return end
    if rate == 1 - end:  # the divergence is -ln(1 - p) or -ln p
        return 1 - math.exp(-room) if sign > 0 else math.exp(-room)
    spread = math.sqrt(2 * room * rate * (1 - rate)) + room
    p = min(max(rate + sign * spread, rate / 2 if sign < 0 else 0.0), 1.0 if sign < 0 else (1 + rate) / 2)
    for _ in range(_STEPS):
        excess = _divergence(rate, p) - room
        if abs(excess) < _CLOSE * room:
            break
        u = math.log(p / (1 - p)) - excess / (p - rate)
        p = min(max(1 / (1 + math.exp(-min(max(u, -700.0), 700.0))), 1e-15), 1 - 1e-15)
        if (p - rate) * sign <= 0:
            return rate
    return p


@lru_cache(maxsize=4096)
def rate_interval(events: float, n: int, alpha: float) -> Interval | None:
    """Return the interval of a rate after ``n`` trials with ``events`` events; None without trials."""
    if not n:
        return None
    rate, room = min(max(events / n, 0.0), 1.0), _room(n, alpha)
    return Interval(_bound(rate, room, -1.0), _bound(rate, room, 1.0))


def difference_interval(candidate: tuple[float, int], baseline: tuple[float, int], alpha: float) -> Interval | None:
    """Return the interval of the candidate's rate minus the baseline's; None if a side has no trials.

    ``candidate``, ``baseline``: the events and the trials of each side. Each side's interval gets half of ``alpha``.
    """
    own, base = (rate_interval(*side, alpha / 2) for side in (candidate, baseline))
    if own is None or base is None or None in (own.low, own.high, base.low, base.high):
        return None
    return Interval(_minus(own.low, base.high), _minus(own.high, base.low))


def _minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def quantile_places(n: int, q: float, alpha: float) -> tuple[float, float | None]:
    """Return the bounds of the q-quantile as positions in the sorted samples, from 0 to 1.

    The upper bound is None if the quantile may exceed even the largest sample.
    """
    room = _room(n, alpha)
    low, high = _place(q, room, -1.0), _place(q, room, 1.0)
    return low, None if high * n > n - 1 else high


def _place(q: float, room: float, sign: float) -> float:
    """Return the share x beyond q with KL(x ‖ q) = ``room``; 0 or 1 if there is none."""
    end = 1.0 if sign > 0 else 0.0
    if _divergence(end, q) <= room:
        return end
    x = min(max(q + sign * (math.sqrt(2 * room * q * (1 - q)) + room), 1e-12), 1 - 1e-12)
    if _divergence(x, q) < room:
        x = 0.5 * (x + end)
    for _ in range(_STEPS):
        excess, slope = _divergence(x, q) - room, math.log(x * (1 - q) / ((1 - x) * q))
        if abs(excess) < _CLOSE * room or not slope:
            break
        x = min(max(x - excess / slope, 1e-15), 1 - 1e-15)
    return x


def ratio_interval(candidate: Interval, baseline: Interval) -> Interval:
    """Return the interval of the ratio of two positive values, from an interval of each."""
    low = candidate.low / baseline.high if candidate.low is not None and baseline.high else None
    return Interval(low, candidate.high / baseline.low if candidate.high is not None and baseline.low else None)


@dataclass(frozen=True, slots=True)
class MeanBounds:
    """The sums for the confidence sequence of a mean of scores in [0, 1], with predictable bets λ.

    - ``squares``: the sum of the squared distances of each score from the mean of the scores before it
    - ``weights``: the sum of λ
    - ``weighed``: the sum of λ times the score
    - ``spread``: the sum of the squared distances, each times (−ln(1−λ) − λ)
    """

    squares: float = 0.0
    weights: float = 0.0
    weighed: float = 0.0
    spread: float = 0.0

    def after(self, x: float, n: int, total: float) -> MeanBounds:
        """Return the sums with the score ``x`` added. The ``n`` scores before it have the sum ``total``."""
        bet = min(math.sqrt(_TWO_LOG / ((0.25 + self.squares) * math.log(2 + n))), _LARGEST_BET)
        square = (x - (0.5 + total) / (n + 1)) ** 2
        return MeanBounds(
            self.squares + square,
            self.weights + bet,
            self.weighed + bet * x,
            self.spread + square * (-math.log1p(-bet) - bet),
        )

    def interval(self, alpha: float) -> Interval | None:
        if not self.weights:
            return None
        center, half = self.weighed / self.weights, (math.log(2 / alpha) + self.spread) / self.weights
        return Interval(max(0.0, center - half), min(1.0, center + half))


NO_BOUNDS = MeanBounds()

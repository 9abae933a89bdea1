"""Mixtures of likelihood ratios in log space, with and without restarts.

The likelihood ratio of a fixed alternative to a null is an e-process. An average of e-processes over several
alternatives is also an e-process, and so is an average of e-processes that start at different times. Averaging over
starting times makes it possible to detect a candidate that breaks after a healthy week. During that week, the e-process
that began a week ago has fallen almost to zero. An e-process that begins when the candidate breaks has not fallen.

Ville's inequality limits false decisions: under the null, an e-process ever reaches 1/α with probability at most α.

Sources: Ville (1939); Ramdas, Grünwald, Vovk & Shafer, "Game-theoretic statistics and safe anytime-valid inference"
(2023); mixtures over starting times: Shin, Ramdas & Rinaldo, "E-detectors" (2024).

See ADR 0041.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, log1p

import numpy as np
from numpy.typing import NDArray

from scorer.steering.evidence.state_codec import Stored

LN2 = math.log(2.0)
LEAST_UNSPENT = 1e-12  # a lower bound of the unspent weight, which may become ≤ 0 by rounding: its logarithm must exist
_SPEND_TOTAL = 2.109742802  # Σ_{n≥2} 1/(n ln² n)

FloatArray = NDArray[np.float64]


def spend(k: int) -> float:
    """Return the weight of the k-th start (k ≥ 1) of an e-process that restarts.

    The weights of all starts add up to 1. They fall only slightly faster than 1/k, so late starts keep some weight.
    """
    return 1.0 / (_SPEND_TOTAL * (k + 1) * math.log(k + 1) ** 2)


def log_add(a: float, b: float) -> float:
    """Return ln(e^a + e^b)."""
    return a + log1p(exp(b - a)) if a >= b else b + log1p(exp(a - b))


def log_sum(values: Sequence[float]) -> float:
    """Return ln Σ e^v of a non-empty sequence."""
    top = max(values)
    return top + log(sum([exp(v - top) for v in values]))


class RestartingMixture(Stored):
    """An e-process that averages over a grid of alternatives and over starting times: each update is a starting time.

    At the beginning, half of the weight is divided among the alternatives in proportion to ``weights``, which add up to
    1. The other half is unspent. The k-th update takes the fraction ``spend(k)`` of this half and
    divides it among the alternatives in the same way. The state has a constant size.

    - ``_log_parts``: for each alternative, ln of its part of the e-value
    - ``_unspent``: the weight that is kept for later starts
    - ``_updates``: the number of updates so far
    - ``log_e``: ln of the e-value
    """

    _log_parts: list[float]
    _unspent: float
    _updates: int
    log_e: float

    def __init__(self, weights: Sequence[float]) -> None:
        self._base = [math.log(w) - LN2 for w in weights]
        self._log_parts = list(self._base)
        self._unspent = 0.5
        self._log_unspent = -LN2
        self._updates = 0
        self.log_e = 0.0

    def update(self, log_ratios: Sequence[float]) -> float:
        """Add new data, and return ln of the e-value.

        ``log_ratios``: for each alternative, ln of the likelihood ratio of the new data.
        """
        self._updates += 1
        weight = spend(self._updates)
        start = math.log(weight)
        # The formula is that of ``log_add``, without a call for each alternative: every flush updates many of them.
        self._log_parts = [
            (part + log1p(exp(fresh - part)) if part >= fresh else fresh + log1p(exp(part - fresh))) + ratio
            for part, fresh, ratio in zip(
                self._log_parts, [base + start for base in self._base], log_ratios, strict=True
            )
        ]
        self._unspent -= 0.5 * weight
        self._log_unspent = math.log(max(self._unspent, LEAST_UNSPENT))
        self.log_e = log_sum([*self._log_parts, self._log_unspent])
        return self.log_e

    def forget(self) -> None:
        """Discard the evidence that the alternatives have gained since their start.

        The weight that is kept for alternatives that start later does not change.

        The e-process stays valid, because this can only lower the e-value.
        """
        self._log_parts = [min(s, b + self._log_unspent) for s, b in zip(self._log_parts, self._base, strict=True)]
        self.log_e = log_sum([*self._log_parts, self._log_unspent])

    def _restored(self) -> None:
        _check_grid(self._log_parts, len(self._base))
        self._log_unspent = math.log(max(self._unspent, LEAST_UNSPENT))


def _check_grid(log_parts: Sequence[float], alternatives: int) -> None:
    if len(log_parts) != alternatives:
        raise ValueError(f"{len(log_parts)} parts for a grid of {alternatives} alternatives")


class Mixture(Stored):
    """An e-process that averages over a grid of alternatives. It has no restarts: its evidence covers the whole step.

    ``_log_parts``, ``log_e``: see ``RestartingMixture``.
    """

    _log_parts: list[float]
    log_e: float

    def __init__(self, weights: Sequence[float]) -> None:
        self._alternatives = len(weights)
        self._log_parts = [math.log(w) for w in weights]
        self.log_e = 0.0

    def update(self, log_ratios: Sequence[float]) -> float:
        """Add new data, and return ln of the e-value.

        ``log_ratios``: for each alternative, ln of the likelihood ratio of the new data.
        """
        self._log_parts = [part + ratio for part, ratio in zip(self._log_parts, log_ratios, strict=True)]
        self.log_e = log_sum(self._log_parts)
        return self.log_e

    def tempered(self, weights: Sequence[float], part: float) -> Mixture:
        """Return the mixture of all data so far, with every likelihood ratio raised to the power ``part``.

        ``weights``: the initial weights of the alternatives.
        """
        other = Mixture(weights)
        other.update([part * (log_part - log(w)) for log_part, w in zip(self._log_parts, weights, strict=True)])
        return other

    def _restored(self) -> None:
        _check_grid(self._log_parts, self._alternatives)


class Restarts(Stored):
    """Average two e-values against the candidate: one over the whole step, and one that restarts from time to time.

    - ``starts``: how many times the restarting part has started
    - ``_unspent``: the weight not yet spent, which is kept for later starts
    """

    starts: int
    _unspent: float

    def __init__(self) -> None:
        self.starts, self._unspent = 1, 0.5 * (1 - spend(1))

    def log_e(self, steady: float, recent: float) -> float:
        """Return ln of the e-value.

        ``steady``, ``recent``: ln of the e-values over the whole step, and since the last start.
        """
        bet = math.log(spend(self.starts)) - LN2 + recent
        return log_sum([steady - LN2, bet, math.log(max(self._unspent, LEAST_UNSPENT))])

    def restart(self) -> None:
        self.starts += 1
        self._unspent -= 0.5 * spend(self.starts)


class TwoSidedTest(Stored):
    """The two e-processes of a gate: one against the candidate, which may restart, and one in its favour.

    Each is a mixture over a grid of alternatives. The tests of a mean, of a rate and of an increase differ only in the
    likelihood ratios, or the results of bets, that they give to ``add``.
    """

    _fail: RestartingMixture
    _pass: Mixture

    def __init__(self, against: Sequence[float], in_favour: Sequence[float]) -> None:
        """Start without data. ``against`` and ``in_favour``: the weights of the alternatives of the two e-processes."""
        self._fail, self._pass = RestartingMixture(against), Mixture(in_favour)
        self._weights = (against, in_favour)
        self._power = 1.0  # to which each ratio is raised
        self.gain = 0.0  # ln of the last update's ratio for the nearest alternative beyond the limit (changepoint.py)

    @property
    def log_fail(self) -> float:
        """ln of the e-value against the candidate, averaged over different starting times in the step."""
        return self._fail.log_e

    @property
    def log_pass(self) -> float:
        """ln of the e-value in favour of the candidate, over the whole step."""
        return self._pass.log_e

    def add(self, against: Sequence[float], in_favour: Sequence[float]) -> None:
        """Add new data.

        ``against``, ``in_favour``: for each alternative, ln of its likelihood ratio, or of the result of its bet. The
        first alternative of ``against`` is nearest to the limit.
        """
        if self._power != 1:
            against, in_favour = ([self._power * ratio for ratio in ratios] for ratios in (against, in_favour))
        self.gain = against[0]
        self._fail.update(against)
        self._pass.update(in_favour)

    def temper(self, first: TwoSidedTest, power: float) -> None:
        """Raise each ratio to ``power`` from now on.

        The evidence in the candidate's favour begins again from the data of the test ``first``, with its ratios raised
        to ``power`` too.
        """
        self._power = power
        self._pass = first._pass.tempered(self._weights[1], power)

    def forget_gains(self) -> None:
        """Discard the gains of the e-process against the candidate (``RestartingMixture.forget``)."""
        self._fail.forget()

    def forget_against(self) -> None:
        """Begin the e-process against the candidate again."""
        self._fail = RestartingMixture(self._weights[0])


@dataclass(frozen=True, slots=True)
class RateGrid:
    """A grid of alternatives to the null "the rate is at most p", or of alternatives to "the rate is at least p".

    - ``hit``: for each alternative, ln of the likelihood ratio of one event
    - ``miss``: for each alternative, ln of the likelihood ratio of one non-event
    - ``weights``: the weights of the alternatives, which add up to 1

    For an alternative g > p, the expected ratio under a rate p' is 1 + (p' - p)(g - p)/(p(1 - p)). This is at most 1
    for every p' ≤ p. The case g < p is symmetric. All alternatives are on one side of p. A beta-binomial mixture has
    weight on both sides of p, so it would also count a rate that is better than p as evidence against a candidate.
    """

    hit: tuple[float, ...]
    miss: tuple[float, ...]
    weights: tuple[float, ...]

    @classmethod
    def around(cls, limit: float, shifts: Sequence[float], *, above: bool, weights: Sequence[float] = ()) -> RateGrid:
        """Return a grid with one alternative to ``limit`` for each of ``shifts``. By default, all weigh the same.

        The limit is in (0, 1). The log-odds of an alternative differ from the limit's log-odds by its shift (> 0).
        ``above``: whether the alternatives are above the limit, so that the null is "the rate is at most the limit".
        """
        sign = 1.0 if above else -1.0
        odds = math.log(limit / (1 - limit))
        return cls.at(limit, [1 / (1 + math.exp(-(odds + sign * s))) for s in shifts], weights)

    @classmethod
    def at(cls, limit: float, rates: Sequence[float], weights: Sequence[float] = ()) -> RateGrid:
        """Return a grid with ``rates`` as the alternatives to ``limit``. By default, all have the same weight."""
        share = tuple(weights) or (1 / len(rates),) * len(rates)
        hit = tuple(math.log(g / limit) for g in rates)
        miss = tuple(math.log1p(-g) - math.log1p(-limit) for g in rates)
        return cls(hit, miss, share)

    def ratios(self, hits: float, n: int) -> list[float]:
        """Return, for each alternative, ln of the likelihood ratio of ``hits`` events in ``n`` trials."""
        misses = n - hits
        return [hits * h + misses * m for h, m in zip(self.hit, self.miss, strict=True)]


class RateGrids:
    """Several grids that are evaluated together. All have the same number of alternatives; each has its own counts.

    A part of each mixture's weight, its ``reserve``, is on the limit itself, with the ratio 1.
    """

    def __init__(self, *grids: tuple[RateGrid, float]) -> None:
        """Prepare ``grids``, each with its reserve, from 0 to 1."""
        self._gain = np.array([[0.0, *np.subtract(g.hit, g.miss)] for g, _ in grids])[:, :, None]
        self._miss = np.array([[0.0, *g.miss] for g, _ in grids])[:, :, None]
        self._weight = np.log([[kept, *np.multiply(g.weights, 1 - kept)] for g, kept in grids])[:, :, None]

    def log_e(self, hits: FloatArray, n: FloatArray) -> FloatArray:
        """Return ln{reserve + (1 - reserve) Σ_j π_j ratio_j} of each grid, for each number of events in ``hits``.

        π_j is the weight of alternative j, and ratio_j is its likelihood ratio. Shapes: ``hits`` [grid, x], ``n``, the
        numbers of trials, [grid] → [grid, x].
        """
        exponents = self._gain * hits[:, None, :]
        exponents += self._miss * n[:, None, None] + self._weight
        top = exponents.max(axis=1)
        exponents -= top[:, None, :]
        np.exp(exponents, out=exponents)
        mixture: FloatArray = np.log(exponents.sum(axis=1))
        mixture += top
        return mixture

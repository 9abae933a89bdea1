"""Mixtures of likelihood ratios in log space, with and without restarts.

A likelihood ratio of a fixed alternative against a null is an e-process; so is any average of such, and so is an
average over the moment at which one begins to count. The last is what lets a guard see a candidate that breaks after
a week of health: evidence against the null that began long ago has been eaten by the good days, evidence that
began a moment ago has not. Ville's inequality: P(some e-value ≥ 1/α) ≤ α under the null.

Sources: Ville (1939); Ramdas, Grünwald, Vovk & Shafer, "Game-theoretic statistics and safe anytime-valid inference"
(2023); mixtures over starting times: Shin, Ramdas & Rinaldo, "E-detectors" (2024).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LN2 = math.log(2.0)
_SPEND_TOTAL = 2.109742802  # Σ_{n≥2} 1/(n ln² n)
_NOTHING_LEFT = 1e-12

FloatArray = NDArray[np.float64]


def spend(k: int) -> float:
    """The weight of the k-th start, k ≥ 1: they add up to 1 for ever, and fall hardly faster than 1/k."""
    return 1.0 / (_SPEND_TOTAL * (k + 1) * math.log(k + 1) ** 2)


def log_add(a: float, b: float) -> float:
    """ln(e^a + e^b)."""
    if a < b:
        a, b = b, a
    return a + math.log1p(math.exp(b - a))


def log_sum(values: Sequence[float]) -> float:
    """ln Σ e^v of a non-empty sequence."""
    top = max(values)
    return top + math.log(sum([math.exp(v - top) for v in values]))


class Restarting:
    """An e-process over a grid of alternatives that may each begin at any update.

    Half of the stake is put on the grid (``weights``, adding up to 1) at the beginning, the other half is spent over
    the updates to come by ``spend``; what is not spent yet is kept as cash. A constant number of floats.
    """

    __slots__ = ("_base", "_cash", "_log_cash", "_stakes", "log_e", "updates")

    def __init__(self, weights: Sequence[float]) -> None:
        self._base = [math.log(w) - LN2 for w in weights]
        self._stakes = list(self._base)
        self._cash = 0.5
        self._log_cash = -LN2
        self.updates = 0
        self.log_e = 0.0

    def update(self, log_ratios: Sequence[float]) -> float:
        """Multiply by each alternative's likelihood ratio of the new data; the e-value's logarithm."""
        self.updates += 1
        weight = spend(self.updates)
        start = math.log(weight)
        self._stakes = [
            log_add(stake, base + start) + ratio
            for stake, base, ratio in zip(self._stakes, self._base, log_ratios, strict=True)
        ]
        self._cash -= 0.5 * weight
        self._log_cash = math.log(max(self._cash, _NOTHING_LEFT))
        self.log_e = log_sum([*self._stakes, self._log_cash])
        return self.log_e

    def forget(self) -> None:
        """Throw away what was won, keep what is not staked yet: always allowed, an e-value may be made smaller."""
        self._stakes = [min(s, b + self._log_cash) for s, b in zip(self._stakes, self._base, strict=True)]
        self.log_e = log_sum([*self._stakes, self._log_cash])

    def to_json(self) -> list[Any]:
        return [self.updates, self._cash, self.log_e, *self._stakes]

    def load(self, raw: Sequence[Any]) -> None:
        updates, cash, log_e, *stakes = raw
        if len(stakes) != len(self._base):
            raise ValueError("another grid")
        self.updates, self._cash, self.log_e = int(updates), float(cash), float(log_e)
        self._log_cash = math.log(max(self._cash, _NOTHING_LEFT))
        self._stakes = [float(s) for s in stakes]


class Mixed:
    """The same grid without restarts: for evidence that promotes, which has to hold for the step as a whole."""

    __slots__ = ("_stakes", "log_e")

    def __init__(self, weights: Sequence[float]) -> None:
        self._stakes = [math.log(w) for w in weights]
        self.log_e = 0.0

    def update(self, log_ratios: Sequence[float]) -> float:
        self._stakes = [stake + ratio for stake, ratio in zip(self._stakes, log_ratios, strict=True)]
        self.log_e = log_sum(self._stakes)
        return self.log_e

    def to_json(self) -> list[Any]:
        return [self.log_e, *self._stakes]

    def load(self, raw: Sequence[Any]) -> None:
        log_e, *stakes = raw
        if len(stakes) != len(self._stakes):
            raise ValueError("another grid")
        self.log_e, self._stakes = float(log_e), [float(s) for s in stakes]


@dataclass(frozen=True, slots=True)
class RateGrid:
    """Alternatives to "the rate is at most (``above``) or at least the limit p", each one-sided.

    ``hit`` and ``miss`` are the logarithms of the likelihood ratios of one event and of one non-event. With g > p the
    expected ratio under a rate p' is 1 + (p' - p)(g - p)/(p(1 - p)), so at most 1 for every p' ≤ p; mirrored for g < p.
    The plain beta-binomial mixture puts mass on both sides of p and would punish a candidate for being too good.
    """

    hit: tuple[float, ...]
    miss: tuple[float, ...]
    weights: tuple[float, ...]

    @classmethod
    def around(cls, limit: float, shifts: Sequence[float], *, above: bool) -> RateGrid:
        """Alternatives at ``shifts`` (> 0) of the log-odds from ``limit`` (0 < limit < 1), equally weighted."""
        sign = 1.0 if above else -1.0
        odds = math.log(limit / (1 - limit))
        return cls.at(limit, [1 / (1 + math.exp(-(odds + sign * s))) for s in shifts])

    @classmethod
    def at(cls, limit: float, rates: Sequence[float], weights: Sequence[float] = ()) -> RateGrid:
        share = tuple(weights) or (1 / len(rates),) * len(rates)
        hit = tuple(math.log(g / limit) for g in rates)
        miss = tuple(math.log1p(-g) - math.log1p(-limit) for g in rates)
        return cls(hit, miss, share)

    def ratios(self, hits: int, n: int) -> list[float]:
        """Per alternative: ln of the likelihood ratio of ``hits`` events among ``n``."""
        misses = n - hits
        return [hits * h + misses * m for h, m in zip(self.hit, self.miss, strict=True)]

    def log_e(self, hits: NDArray[np.int64], n: int) -> FloatArray:
        """ln{½ + ½ Σ_j π_j ratio_j} for many counts at once. Shapes: [x] → [x]."""
        one: FloatArray = Grids(self).log_e(hits[None, :], np.array([n]))[0]
        return one


class Grids:
    """Some grids of as many alternatives each, evaluated together, each over counts of its own."""

    def __init__(self, *grids: RateGrid) -> None:
        # The half that is not staked is one more alternative, whose ratio is always 1.
        self._gain = np.array([[0.0, *np.subtract(g.hit, g.miss)] for g in grids])[:, :, None]
        self._miss = np.array([[0.0, *g.miss] for g in grids])[:, :, None]
        self._weight = np.log([[0.5, *np.multiply(g.weights, 0.5)] for g in grids])[:, :, None]

    def log_e(self, hits: NDArray[np.int64], n: NDArray[np.int64]) -> FloatArray:
        """As ``RateGrid.log_e``. Shapes: ``hits`` [grid, x], ``n`` [grid] → [grid, x]."""
        exponents = self._gain * hits[:, None, :]
        exponents += self._miss * n[:, None, None] + self._weight
        top = exponents.max(axis=1)
        exponents -= top[:, None, :]
        np.exp(exponents, out=exponents)
        mixture: FloatArray = np.log(exponents.sum(axis=1))
        mixture += top
        return mixture

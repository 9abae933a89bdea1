"""Test the mean of a bounded score by betting.

A bet λ against the null "the mean is at least m" has the value E = Π(1 - λ (X_i - m)), and a bet against the null "the
mean is at most m" has the value E = Π(1 + λ (X_i - m)). Both are e-processes. The best λ depends on the unknown mean
and variance, so the test averages over a few fixed bets. Source: Waudby-Smith & Ramdas, "Estimating means of bounded
random variables by betting" (2023), the diversified bets of their section 5.4.

See ADR 0250 and ADR 0533.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scorer.steering.evidence.confidence import NO_BOUNDS, Interval, MeanBounds
from scorer.steering.evidence.mixture import TwoSidedTest

# The bets, as fractions of the largest bet with which E cannot become negative. Their weights differ between the
# evidence against the candidate and the evidence in its favour (ADR 0533).
_PARTS = (0.04, 0.1, 0.2, 0.4, 0.7, 0.95)
_WEIGHTS_AGAINST = (0.06, 0.10, 0.15, 0.15, 0.16, 0.38)
_WEIGHTS_IN_FAVOUR = (0.08, 0.12, 0.16, 0.18, 0.18, 0.28)


def score_of_difference(worse: float) -> float:
    """Return the score of a difference: 1 if the candidate's answer is better by 1, 0 if it is worse by 1.

    ``worse``: by how much the candidate's answer is worse than the other answer, from -1 to 1. The mean difference is
    at most a limit if and only if the mean score is at least the score of that limit.
    """
    return (1 - worse) / 2


@dataclass(frozen=True, slots=True)
class ScoreSums:
    """The number of scores and their sum."""

    n: int = 0
    total: float = 0.0

    def after(self, x: float) -> ScoreSums:
        return ScoreSums(self.n + 1, self.total + x)

    @property
    def mean(self) -> float | None:
        return self.total / self.n if self.n else None


NO_SCORES = ScoreSums()


class MeanTest(TwoSidedTest):
    """Test whether the mean of scores in [0, 1] is below or above the limit m, 0 < m < 1.

    ``log_fail`` is evidence for a mean below m; ``log_pass`` is evidence for a mean above m. Both are ln of an e-value.

    - ``all``: the scores of the step
    - ``recent``: the scores since the present bad period began, see changepoint.py; ``_score``: the sum of their gains
    - ``_bounds``: the sums for the confidence sequence
    """

    all: ScoreSums
    recent: ScoreSums
    _score: float
    _bounds: MeanBounds

    def __init__(self, m: float) -> None:
        super().__init__(_WEIGHTS_AGAINST, _WEIGHTS_IN_FAVOUR)
        self.m = m
        self._against, self._in_favour = [-part / (1 - m) for part in _PARTS], [part / m for part in _PARTS]
        self.all = self.recent = NO_SCORES
        self._score, self._bounds = 0.0, NO_BOUNDS

    def update(self, x: float) -> None:
        d, log1p = x - self.m, math.log1p
        self.add([log1p(bet * d) for bet in self._against], [log1p(bet * d) for bet in self._in_favour])
        self._bounds = self._bounds.after(x, self.all.n, self.all.total)
        self.all = self.all.after(x)
        self._score = max(0.0, self._score + self.gain)
        self.recent = self.recent.after(x) if self._score else NO_SCORES

    @property
    def n(self) -> int:
        return self.all.n

    @property
    def mean(self) -> float | None:
        return self.all.mean

    def interval(self, alpha: float) -> Interval | None:
        """Return the confidence sequence of the mean; None without scores."""
        return self._bounds.interval(alpha)

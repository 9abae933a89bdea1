"""Test the mean of a bounded score by betting.

The e-value against the null "the mean is at least m" is E = Π(1 - λ_i (X_i - m)). The e-value against the null "the
mean is at most m" is E = Π(1 + λ_i (X_i - m)). The bet λ_i is fixed before the score X_i is observed. Source:
Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting" (2023), the predictable plug-in of
their eq. 26.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scorer.steering.evidence.mixture import LEAST_CASH, LN2, log_add, spend

_RESTART_AT = -2.0  # a bet restarts when the natural logarithm of its value has fallen this far since its start


def score_of_difference(worse: float) -> float:
    """Return the score of a difference: 1 if the candidate's answer is better by 1, 0 if it is worse by 1.

    ``worse``: by how much the candidate's answer is worse than the other answer, from -1 to 1. The mean difference is
    at most a limit if and only if the mean score is at least the score of that limit.
    """
    return (1 - worse) / 2


@dataclass(frozen=True, slots=True)
class MomentsState:
    n: int
    total: float
    squares: float


class Moments:
    """The sums over all earlier scores. They give the estimates of mean μ̂ and variance σ̂², and so the next bet."""

    __slots__ = ("n", "squares", "total")

    def __init__(self) -> None:
        self.n, self.total, self.squares = 0, 0.0, 0.0

    def stake(self, two_log: float) -> float:
        """Return the bet √(2 ln(1/α) / (σ̂² i ln(1 + i))) on the i-th score, the next one. ``two_log`` is 2 ln(1/α)."""
        i = self.n + 1
        return math.sqrt(two_log / ((0.25 + self.squares) * math.log(1 + i)))

    def add(self, x: float) -> None:
        self.n += 1
        self.total += x
        self.squares += (x - (0.5 + self.total) / (self.n + 1)) ** 2

    @property
    def state(self) -> MomentsState:
        return MomentsState(self.n, self.total, self.squares)

    def restore(self, state: MomentsState) -> None:
        self.n, self.total, self.squares = state.n, state.total, state.squares


@dataclass(frozen=True, slots=True)
class MeanTestState:
    """The state of a ``MeanTest``. Values of bets and e-values are natural logarithms.

    - ``all``: the moments of all scores of the step
    - ``recent``: the moments of the scores since the restarting bet last started
    - ``log_pass``: the e-value in favour of the candidate
    - ``log_fail``: the e-value against the candidate
    - ``steady``: the value of the bet that runs from the beginning
    - ``starts``: how many times the restarting bet has started
    - ``bet``: the present value of the restarting bet
    - ``opened``: the value of the restarting bet when it last started
    - ``cash``: the weight that is kept for later starts of the restarting bet
    """

    all: MomentsState
    recent: MomentsState
    log_pass: float
    log_fail: float
    steady: float
    starts: int
    bet: float
    opened: float
    cash: float


class MeanTest:
    """Test whether the mean of scores in [0, 1] is below or above the limit m.

    ``log_fail`` is evidence for a mean below m; ``log_pass`` is evidence for a mean above m. Both are ln of an e-value.

    Half of the weight of ``log_fail`` is on a bet that runs from the beginning. The other half is on a bet that
    restarts whenever it has lost too much. The restarts make it possible to detect a fall of the mean after a long good
    time (see mixture.py).

    The class is mutable, because planning and replays add about ten thousand scores to it, and two new dataclasses for
    each score would take as long as the arithmetic. Its stored form is ``state``.
    """

    def __init__(self, m: float, fail_at: float, pass_at: float) -> None:
        """Start without data. ``m``: the limit, with 0 < m < 1.

        ``fail_at``: the ``log_fail`` that fails the candidate, ln(1/α). ``pass_at``: the ``log_pass`` that passes it.
        """
        self.m = m
        self._two_fail, self._two_pass = 2 * fail_at, 2 * pass_at
        self._cap_pass, self._cap_fail = 0.5 / m, 0.5 / (1 - m)
        self.all, self.recent = Moments(), Moments()
        self.log_pass = 0.0
        self._steady = 0.0
        self._starts = 1
        self._bet = self._opened = math.log(spend(1)) - LN2
        self._cash = 0.5 * (1 - spend(1))
        self.log_fail = 0.0

    def update(self, x: float) -> None:
        d = x - self.m
        self.log_pass += math.log1p(min(self.all.stake(self._two_pass), self._cap_pass) * d)
        self._steady += math.log1p(-min(self.all.stake(self._two_fail), self._cap_fail) * d)
        self._bet += math.log1p(-min(self.recent.stake(self._two_fail), self._cap_fail) * d)
        self.all.add(x)
        self.recent.add(x)
        if self._bet - self._opened < _RESTART_AT:
            self._restart()
        held = log_add(self._steady - LN2, self._bet)
        self.log_fail = log_add(held, math.log(max(self._cash, LEAST_CASH)))

    def _restart(self) -> None:
        self._starts += 1
        weight = spend(self._starts)
        self._cash -= 0.5 * weight
        self._bet = self._opened = log_add(self._bet, math.log(weight) - LN2)
        self.recent = Moments()

    @property
    def n(self) -> int:
        return self.all.n

    @property
    def mean(self) -> float | None:
        return self.all.total / self.all.n if self.all.n else None

    @property
    def state(self) -> MeanTestState:
        return MeanTestState(
            all=self.all.state,
            recent=self.recent.state,
            log_pass=self.log_pass,
            log_fail=self.log_fail,
            steady=self._steady,
            starts=self._starts,
            bet=self._bet,
            opened=self._opened,
            cash=self._cash,
        )

    def restore(self, state: MeanTestState) -> None:
        self.all.restore(state.all)
        self.recent.restore(state.recent)
        self.log_pass, self.log_fail, self._steady = state.log_pass, state.log_fail, state.steady
        self._starts, self._bet, self._opened, self._cash = state.starts, state.bet, state.opened, state.cash

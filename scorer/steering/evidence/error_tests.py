"""Error rates: the increase over the baseline, a fixed limit, and two fast guards.

All of them take counts, so a flush of outcomes costs the same whether it holds one request or a thousand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scorer.steering.evidence.mixture import Mixed, RateGrid, Restarting
from scorer.steering.evidence.shared_outage import Rescues

_SHIFTS = (0.1, 0.25, 0.5, 0.9, 1.5, 2.3, 3.5, 5.0)
_DOWN_SHIFTS = (0.3, 0.7, 1.2, 2.0, 3.0)
_EXACT, _STEPS = 1e-14, 60  # of a projection
_SURE = 1e-6  # no bet on a rate nearer to 0 or 1: what never happened may, and its logarithm must exist


class TwoWays:
    """Evidence that fails the candidate, which may begin late, and evidence that passes it, which may not."""

    def __init__(self, fail_weights: Sequence[float], pass_weights: Sequence[float]) -> None:
        self._fail, self._pass = Restarting(fail_weights), Mixed(pass_weights)

    @property
    def log_fail(self) -> float:
        return self._fail.log_e

    @property
    def log_pass(self) -> float:
        return self._pass.log_e

    def to_json(self) -> list[Any]:
        return [self._fail.to_json(), self._pass.to_json()]

    def load(self, raw: Sequence[Any]) -> None:
        self._fail.load(raw[0])
        self._pass.load(raw[1])


class RateTest(TwoWays):
    """The candidate's error rate against a fixed limit p, 0 < p < 1."""

    def __init__(self, limit: float) -> None:
        self._above = RateGrid.around(limit, _SHIFTS, above=True)
        self._below = RateGrid.around(limit, _DOWN_SHIFTS, above=False)
        super().__init__(self._above.weights, self._below.weights)
        self.gain = 0.0  # of the last update: ln of the likelihood ratio of the nearest rate beyond the limit

    def update(self, errors: int, n: int) -> None:
        ratios = self._above.ratios(errors, n)
        self.gain = ratios[0]
        self._fail.update(ratios)
        self._pass.update(self._below.ratios(errors, n))


class IncreaseTest(TwoWays):
    """p_candidate - p_baseline against the limit d, block by block, so that what both sides share cancels.

    A block holds n_c and n_b requests of one short time. Let (θ_c, θ_b) be an alternative fixed before the block and
    (θ°_c, θ°_b) the point of the null {p_c - p_b ≤ d} nearest to it in the block's Kullback-Leibler divergence
    n_c·KL + n_b·KL. Then the likelihood ratio of the alternative to that point is an e-value for the whole null: its
    expectation's logarithm, n_c ln(1 + (p_c-θ°_c)(θ_c-θ°_c)/(θ°_c(1-θ°_c))) + the same for b, is concave in (p_c, p_b),
    is 0 at θ°, and its gradient there is minus that of the divergence, which the null's convexity keeps from pointing
    into the null. The rates may be others in every block. Source: Turner & Grünwald, "Exact anytime-valid confidence
    intervals for contingency tables and beyond" (2023), where the projection is the reverse information projection.
    """

    def __init__(self, limit: float) -> None:
        super().__init__((1 / len(_SHIFTS),) * len(_SHIFTS), (0.5, 0.5))
        self.d = limit
        self.gain = 0.0  # of the last block: ln of the likelihood ratio of the smallest increase beyond the limit
        self._base_n, self._base_errors = 100.0, 50.0 * limit  # a guess that a hundred requests outweigh

    def update(self, c_errors: int, c_n: int, b_errors: int, b_n: int) -> None:
        """One block; both sides must have requests."""
        base = _unsure(self._base_errors / self._base_n)
        odds = math.log((base + self.d) / max(1e-9, 1 - base - self.d))
        worse = [_unsure(1 / (1 + math.exp(-(odds + s)))) for s in _SHIFTS]
        block = (c_errors, c_n, b_errors, b_n)
        ratios = [self._ratio(theta, base, block) if theta > base + self.d else 0.0 for theta in worse]
        self.gain = ratios[0]
        self._fail.update(ratios)
        self._pass.update([self._ratio(theta, base, block) for theta in (base, _unsure(base + self.d / 3))])
        keep = 2000 / (2000 + b_n)  # the baseline's rate as of late: what is long gone fades
        self._base_n, self._base_errors = self._base_n * keep + b_n, self._base_errors * keep + b_errors

    def _ratio(self, theta_c: float, theta_b: float, block: tuple[int, int, int, int]) -> float:
        c_errors, c_n, b_errors, b_n = block
        null_b = project(theta_c, theta_b, c_n, b_n, self.d)
        null_c = null_b + self.d
        return (
            c_errors * math.log(theta_c / null_c)
            + (c_n - c_errors) * (math.log1p(-theta_c) - math.log1p(-null_c))
            + b_errors * math.log(theta_b / null_b)
            + (b_n - b_errors) * (math.log1p(-theta_b) - math.log1p(-null_b))
        )

    def to_json(self) -> list[Any]:
        return [self._base_n, self._base_errors, *super().to_json()]

    def load(self, raw: Sequence[Any]) -> None:
        self._base_n, self._base_errors = float(raw[0]), float(raw[1])
        super().load(raw[2:])


def _unsure(rate: float) -> float:
    return min(max(rate, _SURE), 1 - _SURE)


def project(theta_c: float, theta_b: float, c_n: int, b_n: int, d: float) -> float:
    """The u that minimises c_n·KL(θ_c ‖ u + d) + b_n·KL(θ_b ‖ u): the root of the derivative, which rises in u.

    Times u(1-u)v(1-v), v = u + d, that is a cubic of the same sign. Newton's steps on it, halving where one would leave
    the bracket.
    """
    low, high = sorted((theta_b, theta_c - d))
    low, high = max(low, 1e-12), min(max(high, 1e-12), 1 - d - 1e-12)
    u = 0.5 * (low + high)
    for _ in range(_STEPS):
        v = u + d
        by_c, by_b = c_n * (v - theta_c), b_n * (u - theta_b)
        spread_c, spread_b = v * (1 - v), u * (1 - u)
        value = by_c * spread_b + by_b * spread_c
        if value > 0:
            high = u
        else:
            low = u
        slope = c_n * spread_b + b_n * spread_c + by_c * (1 - 2 * u) + by_b * (1 - 2 * v)
        step = value / slope if slope > 0 else 1.0
        if abs(step) < _EXACT or high - low < _EXACT:
            break
        u = u - step if low < u - step < high else 0.5 * (low + high)
    return u


class Share:
    """The candidate's share of requests as known *before* the next ones: the larger of a quick and a slow memory.

    A memory that lags behind a rising share would make candidate errors look more surprising than they are; the
    larger of the two errs toward no alarm.
    """

    _HALVES = (30.0, 1000.0)

    def __init__(self, prior: float, weight: float) -> None:
        """``prior`` share, worth ``weight`` requests."""
        self._state = [prior * weight, weight, prior * weight, weight]

    @property
    def value(self) -> float:
        quick, quick_n, slow, slow_n = self._state
        return min(max(quick / quick_n, slow / slow_n, 1e-3), 0.999)

    def update(self, c_n: int, b_n: int) -> None:
        n = c_n + b_n
        for at, half in zip((0, 2), self._HALVES, strict=True):
            keep = 0.5 ** (n / half)
            self._state[at] = self._state[at] * keep + c_n * _faded(n, half)
            self._state[at + 1] = self._state[at + 1] * keep + n * _faded(n, half)

    def to_json(self) -> list[float]:
        return list(self._state)

    def load(self, raw: Sequence[Any]) -> None:
        self._state = [float(raw[i]) for i in range(4)]


def _faded(n: int, half: float) -> float:
    """The mean weight of n requests, each older by one than the next, under that half-life."""
    return 1.0 if n <= 1 else (1 - 0.5 ** (n / half)) / (n * (1 - 0.5 ** (1 / half)))


class RatioGuard(Restarting):
    """Whose are the errors? One update an error event; survives what both sides share.

    P(an error is the candidate's) = w r / (w r + 1 - w) at ratio r of the error rates; null r ≤ r0 = ``max_ratio``.
    Successes do not enter, so at a large share w a single error says little: CatastropheGuard is there for that.
    """

    _FACTORS = (1.5, 2.5, 5.0, 15.0, 100.0)

    def __init__(self, max_ratio: float) -> None:
        super().__init__((0.2,) * len(self._FACTORS))
        self.max_ratio = max_ratio
        self.gain = 0.0  # of what was seen last: ln of the likelihood ratio of the nearest ratio beyond the limit

    def see(self, c_errors: int, b_errors: int, share: float) -> None:
        """``share``: the candidate's share of requests, fixed before these were seen."""
        self.gain = 0.0
        if c_errors + b_errors == 0:
            return
        r0, rest = self.max_ratio, 1 - share
        at_limit = share * r0 + rest
        ratios = []
        for factor in self._FACTORS:
            less = math.log(at_limit / (share * r0 * factor + rest))
            ratios.append(c_errors * (math.log(factor) + less) + b_errors * less)
        self.gain = ratios[0]
        self.update(ratios)


class CatastropheGuard(Restarting):
    """Is about half of everything failing? Null: the candidate's rate is at most ``floor``, or what the baseline itself
    shows of late; alternatives from 55 % up. Also at 100 %, where there is no baseline to compare with.

    The limit of each update is fixed by what came before it, so this is an e-process for "never above its limit".
    """

    _RATES = (0.97, 0.8, 0.55)
    _WEIGHTS = (0.5, 0.25, 0.25)
    _TOO_CLOSE = 0.45  # with the limit up here there is nothing left to tell apart: no bet

    def __init__(self, floor: float) -> None:
        super().__init__(self._WEIGHTS)
        self._floor = floor
        self.gain = 0.0  # of what was seen last: ln of the likelihood ratio of the mildest catastrophe to the limit
        self._grids: dict[float, RateGrid] = {}

    def see(self, errors: int, n: int, baseline_rate: float) -> None:
        """``baseline_rate``: what is tolerated for the baseline's sake, known before these requests."""
        self.gain = 0.0
        limit = max(self._floor, math.ceil(baseline_rate * 50) / 50)
        if n == 0 or limit > self._TOO_CLOSE:
            return
        grid = self._grids.get(limit)
        if grid is None:
            grid = self._grids[limit] = RateGrid.at(limit, self._RATES, self._WEIGHTS)
        ratios = grid.ratios(errors, n)
        self.gain = ratios[-1]
        self.update(ratios)


class AliveProof(Mixed):
    """Proof that a share is below one half: what a guard needs to say more than "nothing has happened yet"."""

    def __init__(self) -> None:
        self._grid = RateGrid.at(0.5, (0.02, 0.1, 0.25))
        super().__init__(self._grid.weights)

    def see(self, hits: int, n: int) -> None:
        self.update(self._grid.ratios(hits, n))


class RecentRate:
    """The baseline's error rate as of late: the larger of the last ten requests' and the last few hundred's.

    Of the ten, one error is not held against it: a single one is no outage, and must not slow the candidate's guard.
    """

    _HALVES = (10.0, 300.0)
    _OLD = 24  # requests of the candidate after which the baseline's last failure is no news any more

    def __init__(self) -> None:
        self._state = [0.0, 3.0, 0.0, 3.0]
        self.failing = False  # whether half or more of its very last requests failed
        self.silent = 0  # requests of the candidate since then

    @property
    def value(self) -> float:
        quick, quick_n, slow, slow_n = self._state
        return max((quick - 1) / quick_n, slow / slow_n)

    def update(self, errors: int, n: int, candidates: int, rescues: Rescues) -> None:
        """``candidates``: the candidate's requests of the same time. A baseline that is hardly asked any more must not
        shield the candidate by one failure of long ago.

        Rescues are news of the baseline, and one that is answered ends its failing. For its rate they are left out, as
        they are of requests that the candidate could not answer.
        """
        if not n:
            self.silent = 0 if rescues.n else self.silent + candidates
            self.failing &= self.silent <= self._OLD and rescues.answered <= rescues.failed
            return
        self.failing, self.silent = 2 * errors >= n, 0
        for at, half in zip((0, 2), self._HALVES, strict=True):
            keep = 0.5 ** (n / half)
            weight = _faded(n, half)
            self._state[at] = self._state[at] * keep + errors * weight
            self._state[at + 1] = self._state[at + 1] * keep + n * weight

    def to_json(self) -> list[Any]:
        return [*self._state, self.failing, self.silent]

    def load(self, raw: Sequence[Any]) -> None:
        *state, failing, since = raw
        self._state, self.failing, self.silent = [float(v) for v in state], bool(failing), int(since)

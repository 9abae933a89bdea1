"""The tests behind the error gates: against a fixed limit, against the baseline's error rate, and for the fast guards.

All tests take counts, so a flush of a thousand requests costs no more time than a flush of one request. The recent
error rates that the fast guards need are estimated in recent_rates.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scorer.steering.evidence.mixture import Mixture, MixtureState, RateGrid, RestartingMixture, RestartingState

_SHIFTS = (0.1, 0.25, 0.5, 0.9, 1.5, 2.3, 3.5, 5.0)
_DOWN_SHIFTS = (0.3, 0.7, 1.2, 2.0, 3.0)
_EXACT, _STEPS = 1e-14, 60  # the precision of a projection, and the largest number of its steps
# No alternative is closer to 0 or 1 than this: its logarithm must exist, and a first error must remain possible.
_NEVER_CERTAIN = 1e-6


@dataclass(frozen=True, slots=True)
class RateTestState:
    fail: RestartingState
    passed: MixtureState


class RateTest:
    """Test the candidate's error rate against a fixed limit p, 0 < p < 1.

    Evidence that fails the candidate may begin late in a step. Evidence that passes the candidate covers the whole
    step.
    """

    def __init__(self, limit: float) -> None:
        self._above = RateGrid.around(limit, _SHIFTS, above=True)
        self._below = RateGrid.around(limit, _DOWN_SHIFTS, above=False)
        self._fail, self._pass = RestartingMixture(self._above.weights), Mixture(self._below.weights)
        self.gain = 0.0  # ln of the last update's likelihood ratio for the nearest alternative rate beyond the limit

    @property
    def log_fail(self) -> float:
        return self._fail.log_e

    @property
    def log_pass(self) -> float:
        return self._pass.log_e

    def update(self, errors: int, n: int) -> None:
        ratios = self._above.ratios(errors, n)
        self.gain = ratios[0]
        self._fail.update(ratios)
        self._pass.update(self._below.ratios(errors, n))

    @property
    def state(self) -> RateTestState:
        return RateTestState(self._fail.state, self._pass.state)

    def restore(self, state: RateTestState) -> None:
        self._fail.restore(state.fail)
        self._pass.restore(state.passed)


@dataclass(frozen=True, slots=True)
class IncreaseTestState:
    """The state of an ``IncreaseTest``.

    ``base_n``, ``base_errors``: the weighted numbers of the baseline's requests and errors; older ones have less
    weight.
    """

    base_n: float
    base_errors: float
    fail: RestartingState
    passed: MixtureState


class IncreaseTest:
    """Test the error rates' difference p_c - p_b against the limit d, by blocks, so that common changes cancel.

    The index c stands for the candidate, b for the baseline. A block has n_c and n_b requests from one short time. Let
    (θ_c, θ_b) be an alternative that is fixed before the block, and let (θ°_c, θ°_b) be the point of the null
    {p_c - p_b ≤ d} that is nearest to it in the block's Kullback-Leibler divergence n_c·KL + n_b·KL. Then the
    likelihood ratio of the alternative to that point is an e-value for the whole null. Proof: the logarithm of its
    expectation, n_c ln(1 + (p_c-θ°_c)(θ_c-θ°_c)/(θ°_c(1-θ°_c))) + the same for b, is concave in (p_c, p_b) and is 0 at
    θ°. Its gradient at θ° is minus the gradient of the divergence, which points out of the null because the null is
    convex. The rates may differ from block to block. Source: Turner & Grünwald, "Exact anytime-valid confidence
    intervals for contingency tables and beyond" (2023), where the projection is the reverse information projection. See
    ADR 0042.
    """

    def __init__(self, limit: float) -> None:
        self._fail = RestartingMixture((1 / len(_SHIFTS),) * len(_SHIFTS))
        self._pass = Mixture((0.5, 0.5))
        self.d = limit
        self.gain = 0.0  # ln of the last block's likelihood ratio for the smallest alternative increase above the limit
        self._base_n, self._base_errors = 100.0, 50.0 * limit  # a first guess, with the weight of a hundred requests

    @property
    def log_fail(self) -> float:
        return self._fail.log_e

    @property
    def log_pass(self) -> float:
        return self._pass.log_e

    def update(self, c_errors: int, c_n: int, b_errors: int, b_n: int) -> None:
        """Add one block, in which both sides must have requests."""
        base = _clamped(self._base_errors / self._base_n)
        odds = math.log((base + self.d) / max(1e-9, 1 - base - self.d))
        worse = [_clamped(1 / (1 + math.exp(-(odds + s)))) for s in _SHIFTS]
        block = (c_errors, c_n, b_errors, b_n)
        ratios = [self._ratio(theta, base, block) if theta > base + self.d else 0.0 for theta in worse]
        self.gain = ratios[0]
        self._fail.update(ratios)
        self._pass.update([self._ratio(theta, base, block) for theta in (base, _clamped(base + self.d / 3))])
        keep = 2000 / (2000 + b_n)  # older requests lose weight, so the estimate follows the baseline's rate
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

    @property
    def state(self) -> IncreaseTestState:
        return IncreaseTestState(self._base_n, self._base_errors, self._fail.state, self._pass.state)

    def restore(self, state: IncreaseTestState) -> None:
        self._base_n, self._base_errors = state.base_n, state.base_errors
        self._fail.restore(state.fail)
        self._pass.restore(state.passed)


def _clamped(rate: float) -> float:
    return min(max(rate, _NEVER_CERTAIN), 1 - _NEVER_CERTAIN)


def project(theta_c: float, theta_b: float, c_n: int, b_n: int, d: float) -> float:
    """Return the baseline rate u that minimises c_n·KL(θ_c ‖ u + d) + b_n·KL(θ_b ‖ u): the root of the derivative in u.

    The derivative increases in u. Multiplied by u(1-u)v(1-v), with v = u + d, it is a cubic with the same sign. The
    root of the cubic is found by Newton's method within a bracket; a step that would leave the bracket is replaced by a
    bisection.
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


class RatioGuard(RestartingMixture):
    """Test whether the candidate causes too many of both sides' errors. An outage of both sides does not affect it.

    There is one update for each flush with errors. P(an error is the candidate's) = w r / (w r + 1 - w), where w is the
    candidate's share of the requests and r is the candidate's error rate divided by the baseline's. The null is
    r ≤ r0 = ``max_ratio``. Successes do not enter the test, so at a large share w a single error is weak evidence;
    CatastropheGuard covers that case.
    """

    _FACTORS = (1.5, 2.5, 5.0, 15.0, 100.0)

    def __init__(self, max_ratio: float) -> None:
        super().__init__((0.2,) * len(self._FACTORS))
        self.max_ratio = max_ratio
        self.gain = 0.0  # ln of the last flush's likelihood ratio for the nearest alternative ratio above the limit

    def add(self, c_errors: int, b_errors: int, share: float) -> None:
        """Add the errors of a flush. ``share``: the candidate's share of requests, estimated before these errors."""
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


class CatastropheGuard(RestartingMixture):
    """Test whether at least about half of the candidate's requests fail.

    The null: the candidate's error rate is at most the larger of ``floor`` and a multiple of the baseline's recent
    error rate. The alternatives are rates from 55 % up. The test also works at 100 %, where the baseline gets no
    traffic. The limit of each update is fixed by earlier requests, so this is an e-process for the null "never above
    the limit".
    """

    _RATES = (0.97, 0.8, 0.55)
    _WEIGHTS = (0.5, 0.25, 0.25)
    _TOO_CLOSE = 0.45  # a limit above this is too close to the alternatives, so there is no update

    def __init__(self, floor: float) -> None:
        super().__init__(self._WEIGHTS)
        self._floor = floor
        self.gain = 0.0  # ln of the last flush's likelihood ratio between the lowest alternative rate and the limit
        self._grids: dict[float, RateGrid] = {}

    def add(self, errors: int, n: int, tolerated: float) -> None:
        """Add the candidate's requests of a flush.

        ``tolerated``: the candidate's error rate that is excused by the baseline's recent error rate.
        """
        self.gain = 0.0
        limit = max(self._floor, math.ceil(tolerated * 50) / 50)
        if n == 0 or limit > self._TOO_CLOSE:
            return
        grid = self._grids.get(limit)
        if grid is None:
            grid = self._grids[limit] = RateGrid.at(limit, self._RATES, self._WEIGHTS)
        ratios = grid.ratios(errors, n)
        self.gain = ratios[-1]
        self.update(ratios)


class BelowHalfProof(Mixture):
    """The evidence that fewer than half of the requests are bad. A fast guard passes only with this proof."""

    def __init__(self) -> None:
        self._grid = RateGrid.at(0.5, (0.02, 0.1, 0.25))
        super().__init__(self._grid.weights)

    def add(self, hits: int, n: int) -> None:
        self.update(self._grid.ratios(hits, n))

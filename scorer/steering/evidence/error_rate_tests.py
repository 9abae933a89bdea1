"""The statistical tests of error rates: against a fixed limit, against the baseline's rate, and for the fast guards.

All tests take counts, so a flush of a thousand requests costs no more time than a flush of one request. The recent
error rates that the fast guards need are estimated in recent_rates.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import log

from scorer.steering.evidence.mixture import RateGrid, RestartingMixture, TwoSidedTest, log_sum

_SHIFTS = (0.1, 0.25, 0.5, 0.9, 1.5, 2.3, 3.5, 5.0)
_DOWN_SHIFTS = (0.3, 0.7, 1.2, 2.0, 3.0)
# A projection ends after the first step of at most this relative size, because the remaining error is about its square;
# or after this many steps.
_LAST_STEP, _STEPS = 1e-7, 60
# No alternative is closer to 0 or 1 than this: its logarithm must exist, and a first error must remain possible.
_NEVER_CERTAIN = 1e-6


class RateTest(TwoSidedTest):
    """Test whether a rate, such as the candidate's error rate, is above or below a fixed limit between 0 and 1.

    ``log_fail``: ln of the e-value for a rate above the limit. ``log_pass``: ln of the e-value for a rate below it.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._above = RateGrid.around(limit, _SHIFTS, above=True)
        self._below = RateGrid.around(limit, _DOWN_SHIFTS, above=False)
        super().__init__(self._above.weights, self._below.weights)

    def update(self, errors: float, n: int) -> None:
        self.add(self._above.ratios(errors, n), self._below.ratios(errors, n))

    def with_clusters(self, most: int) -> RateTest:
        """Return a test that is valid although up to ``most`` requests depend on each other (burst_tests.py).

        Its evidence in the candidate's favour includes the requests of this test.
        """
        other = RateTest(self._limit)
        other.temper(self, 1 / most)
        return other


Block = tuple[float, int, float, int]  # the candidate's errors and requests, and the baseline's


@dataclass(frozen=True, slots=True)
class Against:
    """The data of one block for the evidence against the candidate.

    ``block``: without requests of the baseline, nothing is added. ``base``: the baseline's error rate, estimated from
    earlier blocks; None: as ``IncreaseTest`` estimates it.
    """

    block: Block
    base: float | None = None


class IncreaseTest(TwoSidedTest):
    """Test whether p_c - p_b, the increase of the candidate's error rate over the baseline's, is above the limit d.

    The data comes in blocks. A block has n_c requests of the candidate and n_b requests of the baseline from one short
    time, so changes that both sides share cancel. The error rates p_c and p_b may differ from block to block.

    Let θ = (θ_c, θ_b) be an alternative that is fixed before the block. Let θ° = (θ°_c, θ°_b) be the point of the null
    {p_c - p_b ≤ d} that is nearest to θ, in the divergence D = n_c·KL(θ_c ‖ θ°_c) + n_b·KL(θ_b ‖ θ°_b). Then the
    likelihood ratio of θ to θ° is an e-value for the whole null.

    Proof: the logarithm of the expected ratio is n_c ln(1 + (p_c-θ°_c)(θ_c-θ°_c)/(θ°_c(1-θ°_c))) plus the same term for
    b. It is concave in (p_c, p_b), and it is 0 at θ°. Its gradient at θ° is minus the gradient of D. Because the null
    is convex, that gradient points out of the null. So the logarithm is at most 0 in the whole null.

    Source: Turner & Grünwald, "Exact anytime-valid confidence intervals for contingency tables and beyond" (2023). They
    call θ° the reverse information projection of θ. See ADR 0042.

    ``_base_n``, ``_base_errors``: the numbers of the baseline's requests and errors, from which its error rate is
    estimated. Older requests have less weight.
    """

    _base_n: float
    _base_errors: float

    def __init__(self, limit: float) -> None:
        super().__init__((1 / len(_SHIFTS),) * len(_SHIFTS), (0.5, 0.5))
        self.d = limit
        self._base_n, self._base_errors = 100.0, 50.0 * limit  # a first guess, with the weight of a hundred requests

    def update(self, c_errors: float, c_n: int, b_errors: float, b_n: int, against: Against | None = None) -> None:
        """Add the errors and requests of one block. Both sides must have requests.

        A request may count as a fraction of an error, from 0 to 1 (see feedback_gate.py).

        ``against``: the data for the evidence against the candidate, if this is not the block
        """
        base, block = _clamped(self._base_errors / self._base_n), (c_errors, c_n, b_errors, b_n)
        if against is None:
            ratios = self._worse(block, base)
        elif against.block[3]:
            ratios = self._worse(against.block, base if against.base is None else _clamped(against.base))
        else:
            ratios = [0.0] * len(_SHIFTS)
        self.add(ratios, [self._ratio(theta, base, block) for theta in (base, _clamped(base + self.d / 3))])
        keep = 2000 / (2000 + b_n)  # older requests lose weight, so the estimate follows the baseline's rate
        self._base_n, self._base_errors = self._base_n * keep + b_n, self._base_errors * keep + b_errors

    def _worse(self, block: Block, base: float) -> list[float]:
        """Return ln of the likelihood ratio of each worse candidate. ``base``: the baseline's estimated error rate."""
        odds = math.log((base + self.d) / max(1e-9, 1 - base - self.d))
        worse = [_clamped(1 / (1 + math.exp(-(odds + s)))) for s in _SHIFTS]
        return [self._ratio(theta, base, block) if theta > base + self.d else 0.0 for theta in worse]

    def with_clusters(self, most: int) -> IncreaseTest:
        """Return a test that is valid although up to ``most`` requests depend on each other (burst_tests.py).

        Its evidence in the candidate's favour includes the blocks of this test.
        """
        other = IncreaseTest(self.d)
        other._base_n, other._base_errors = self._base_n, self._base_errors
        other.temper(self, 1 / most)
        return other

    def _ratio(self, theta_c: float, theta_b: float, block: Block) -> float:
        c_errors, c_n, b_errors, b_n = block
        null_b = project(theta_c, theta_b, c_n, b_n, self.d)
        null_c = null_b + self.d
        return (
            c_errors * math.log(theta_c / null_c)
            + (c_n - c_errors) * (math.log1p(-theta_c) - math.log1p(-null_c))
            + b_errors * math.log(theta_b / null_b)
            + (b_n - b_errors) * (math.log1p(-theta_b) - math.log1p(-null_b))
        )


def _clamped(rate: float) -> float:
    return min(max(rate, _NEVER_CERTAIN), 1 - _NEVER_CERTAIN)


def project(theta_c: float, theta_b: float, c_n: int, b_n: int, d: float) -> float:
    """Return the baseline rate u that minimises the divergence c_n·KL(θ_c ‖ u + d) + b_n·KL(θ_b ‖ u).

    u is the root of the divergence's derivative, which increases in u. Multiplied by u(1-u)v(1-v), with v = u + d, the
    derivative becomes a cubic with the same sign. Newton's method finds the root of the cubic within a bracket. A step
    that would leave the bracket is replaced by a bisection.
    """
    low, high = sorted((theta_b, theta_c - d))
    low, high = max(low, 1e-12), min(max(high, 1e-12), 1 - d - 1e-12)
    u = min(max((c_n * (theta_c - d) + b_n * theta_b) / (c_n + b_n), low), high)
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
        u, before = u - step if low <= u - step <= high else 0.5 * (low + high), u
        if abs(u - before) <= _LAST_STEP * u:
            break
    return u


class RatioGuard(RestartingMixture):
    """Test whether r, the candidate's error rate divided by the baseline's, exceeds ``max_ratio``.

    The null is r ≤ ``max_ratio``. Each flush with errors is one update. If w is the candidate's share of the requests,
    an error is the candidate's with probability w r / (w r + 1 - w). So an outage of both sides is not evidence. Only
    errors enter the test, so a single error is weak evidence if w is large. CatastropheGuard covers this case.
    """

    _FACTORS = (1.5, 2.5, 5.0, 15.0, 100.0)

    def __init__(self, max_ratio: float) -> None:
        super().__init__((0.2,) * len(self._FACTORS))
        self.max_ratio = max_ratio
        self.gain = 0.0  # ln of the last flush's likelihood ratio for the nearest alternative ratio above the limit

    def add(self, c_errors: float, b_errors: int, share: float) -> None:
        """Add the errors of a flush. ``share``: the candidate's share of the requests, estimated before this flush."""
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

    The null: in every update, the candidate's error rate is at most the limit. The limit is ``floor`` or the rate
    ``tolerated`` (see ``add``), whichever is larger. It may change from update to update, but it depends only on
    earlier requests, so the test is an e-process. The alternatives are error rates from 55 % up. The test also works
    if the candidate's share is 100 %, where the baseline gets no traffic.
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

        ``tolerated``: the highest error rate of the candidate that is acceptable at the baseline's recent error rate.
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


_BELOW_HALF = RateGrid.at(0.5, (0.02, 0.1, 0.25))


def log_e_below_half(bad: int, n: int) -> float:
    """Return ln of the e-value for the claim that fewer than half of all requests are bad. It lets a fast guard pass.

    ``bad``, ``n``: the numbers of bad requests and of all requests in the step so far. Their order does not matter,
    because the mixture never restarts.
    """
    ratios, weights = _BELOW_HALF.ratios(bad, n), _BELOW_HALF.weights
    return log_sum([ratio + log(weight) for ratio, weight in zip(ratios, weights, strict=True)])

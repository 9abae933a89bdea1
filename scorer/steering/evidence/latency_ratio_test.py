"""Test the ratio of both sides' latency quantiles, with log-bucketed histograms.

Q_c and Q_b are the q-quantiles of the candidate's and the baseline's latencies, and ρ is the limit of Q_c / Q_b. The
null of the test that fails the candidate is Q_c ≤ ρ Q_b. Under this null, two statements are true at x = Q_c: P_c(> x)
≤ 1 - q, and P_b(> x/ρ) ≥ 1 - q. So the product of the e-values against both statements is an e-value. The minimum of
this product over all x is at most the product at Q_c. So the minimum is an e-value too, and Q_c need not be known. The
test that passes the candidate has all inequalities reversed. Source: Howard & Ramdas, "Sequential estimation of
quantiles with applications to A/B testing and best-arm identification" (2022).

x runs over the edges of the buckets, which are 1.09 % apart. The baseline's count above x/ρ, which is within a bucket,
is interpolated. So the limit holds to within two buckets if all latencies of a bucket are at one of its ends, and
almost exactly if they are spread over it.

Each side's e-value averages over alternatives. A part of its weight, the reserve, is on the limit itself, so this part
stays constant. The side with fewer requests determines the evidence, so its reserve is smaller (see ``_reserves``).

Changes that both sides share cancel if each moment has the same weight on both sides; see balanced_sampling.py.

See ADR 0111, ADR 0115, ADR 0251 and ADR 0451.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from glidepath.histogram import SCALE
from scorer.steering.evidence.confidence import Interval, quantile_places, ratio_interval
from scorer.steering.evidence.dense_histogram import SIZE, DenseHistogram, Slots, Sums
from scorer.steering.evidence.mixture import FloatArray, RateGrid, RateGrids, Restarts
from scorer.steering.evidence.state_codec import Stored

# The alternatives, as shifts of the log-odds of exceeding x, and their weights. For latencies with σ from 0.25 to 1, a
# healthy candidate is about 1 below its limit of 1.2 at the p99.
_MORE, _MORE_WEIGHTS = (0.3, 0.65, 1.2, 2.0, 3.2), (0.16, 0.16, 0.26, 0.26, 0.16)
_FEWER, _FEWER_WEIGHTS = (0.2, 0.4, 0.7, 1.15, 2.3), (0.1, 0.16, 0.2, 0.27, 0.27)
# For the baseline in the test that fails the candidate: it has most requests, so small differences decide.
_FEWER_OF_BASELINE, _MOST_KEPT = (0.15, 0.3, 0.25, 0.2, 0.1), 0.42
_STRIDE = 16  # at first, only every 16th edge is tried as x
_BETWEEN = np.arange(1, _STRIDE)
_BEYOND = 2  # edges beyond the range of both sides that are tried too; nothing changes there
LEAST_GROWTH = 1.01  # the growth of the candidate's count before the next evaluation; skipping evaluations is valid


def _reserves(share: float) -> tuple[float, float]:
    """Return, for the candidate and for the baseline, the part of the e-value that is never staked: the reserve.

    ``share``: the candidate's expected share of the requests. If the baseline has most requests, its quantile is almost
    known, and a large reserve keeps its e-value near 1. Without a reserve, its e-value would fall and cancel the
    candidate's evidence.
    """
    return 0.05 + 0.8 * share, 0.85 - 0.8 * share


class QuantileRatio:
    """Compute e-values that test the ratio of two histograms' q-quantiles against the limit ``max_ratio``."""

    def __init__(self, q: float, max_ratio: float, share: float = 0.5) -> None:
        """Prepare the test. ``share``: the candidate's expected share of the requests. Any value is valid."""
        more = RateGrid.around(1 - q, _MORE, above=True, weights=_MORE_WEIGHTS)
        fewer = RateGrid.around(1 - q, _FEWER, above=False, weights=_FEWER_WEIGHTS)
        own, base = _reserves(share)
        fewer_base = RateGrid.around(1 - q, _FEWER, above=False, weights=_FEWER_OF_BASELINE)
        # The test that fails the candidate keeps at most _MOST_KEPT of the baseline's e-value in reserve (ADR 0451).
        fail, passed = ((more, own), (fewer_base, min(base, _MOST_KEPT))), ((fewer, own), (more, base))
        self._both, self._three = RateGrids(*fail, *passed), RateGrids(*fail, *passed, *fail)
        buckets = math.log2(max_ratio) * 2**SCALE
        self._shift = min(max(math.ceil(buckets - 1e-9), -SIZE), SIZE)
        self._part = max(0.0, self._shift - buckets)  # the fraction of a bucket by which x/ρ is above an edge

    def log_e(self, candidate: Sums, baseline: Sums) -> tuple[float, float]:
        """Return ln of two e-values: one against the candidate, and one in its favour. Both are 0 if a side is empty.

        ``candidate`` and ``baseline`` are cumulative counts, see ``DenseHistogram.sums``.
        """
        if not candidate[-1] or not baseline[-1]:
            return (0.0, 0.0)
        sides = (candidate, self._shifted(baseline))
        fail, passed = _least_sums(self._both, sides * 2, self._slots(*sides))
        return (float(fail), float(passed))

    def log_e_since(
        self, candidate: Sums, baseline: Sums, recent_c: Sums, recent_b: Sums
    ) -> tuple[float, float, float]:
        """Return the two results of ``log_e``, and ln of the e-value against the candidate from recent requests alone.

        ``recent_c`` and ``recent_b`` are the cumulative counts of the recent requests.
        """
        if not recent_c[-1] or not recent_b[-1]:
            return (*self.log_e(candidate, baseline), 0.0)
        sides = (candidate, self._shifted(baseline))
        slots = self._slots(*sides)
        fail, passed, recent = _least_sums(self._three, (*sides * 2, recent_c, self._shifted(recent_b)), slots)
        return (float(fail), float(passed), float(recent))

    def _shifted(self, baseline: Sums) -> Sums:
        """Return the baseline's cumulative counts at x/ρ for each edge x: shifted, and interpolated within a bucket."""
        between = baseline[:-1] + self._part * np.diff(baseline) if self._part else baseline[:-1]
        n, shift = len(baseline), self._shift
        shifted = np.empty(n)
        if shift >= 0:
            shifted[:shift], shifted[shift:-1], shifted[-1] = 0.0, between[: n - 1 - shift], baseline[-1]
        else:
            shifted[: n - 1 + shift], shifted[n - 1 + shift :] = between[-shift:], baseline[-1]
        return shifted

    @staticmethod
    def _slots(candidate: Sums, baseline: Sums) -> Slots:
        """Return every ``_STRIDE``-th slot of the range in which either side has counts, plus a margin at both ends."""
        first = min(side.searchsorted(0, side="right") for side in (candidate, baseline)) - _BEYOND
        last = max(side.searchsorted(side[-1]) for side in (candidate, baseline)) + _BEYOND
        return np.arange(first, last + _STRIDE, _STRIDE)


def _least_sums(grids: RateGrids, sides: Sequence[Sums], slots: Slots) -> FloatArray:
    """Return, for each pair of sides, the minimum over x of ln of the product of both sides' e-values.

    ``sides`` holds the pairs one after the other: candidate, baseline, candidate, baseline and so on. ``slots`` are the
    values of x that are tried first.

    As x grows, the logarithm of one side's e-value only falls, and that of the other side's only rises. So between two
    neighbouring slots, the sum of both is at least the sum of their smaller end values. The slots in between are tried
    only if this bound is below the least sum found so far. See ADR 0111.
    """
    values = _log_e_at(grids, sides, slots)
    least: FloatArray = (values[0::2] + values[1::2]).min(axis=1)
    bounds = np.minimum(values[:, :-1], values[:, 1:])
    open_ = np.flatnonzero((bounds[0::2] + bounds[1::2] < least[:, None]).any(axis=0))
    if len(open_):
        values = _log_e_at(grids, sides, (slots[open_, None] + _BETWEEN).ravel())
        np.minimum(least, (values[0::2] + values[1::2]).min(axis=1), out=least)
    return least


def _log_e_at(grids: RateGrids, sides: Sequence[Sums], slots: Slots) -> FloatArray:
    """Return ln of the e-value of each side at the upper edge of each of ``slots``. Shape: [side, slot]."""
    n = np.array([side[-1] for side in sides], dtype=np.float64)
    below = np.array([side.take(slots + 1, mode="clip") for side in sides])
    return grids.log_e(n[:, None] - below, n)


def worse_quantiles(candidate: DenseHistogram, baseline: DenseHistogram, q: float) -> tuple[float | None, float | None]:
    """Return the q-quantiles of the candidate and of the baseline, computed with the weights or without them.

    The computation with the larger ratio is used, because that is worse for the candidate. So the weights cannot hide
    slow requests that clients experienced, and a changing split cannot hide a slow candidate. A quantile is None if the
    side has no values.
    """
    own, base = candidate.weighed_quantile(q), baseline.weighed_quantile(q)
    if not (candidate.uneven or baseline.uneven):
        return own, base
    all_own, all_base = candidate.quantile(q), baseline.quantile(q)
    if own is None or not base or (all_own is not None and all_base and all_own * base > own * all_base):
        return all_own, all_base
    return own, base


def _quantile_interval(histogram: DenseHistogram, q: float, alpha: float) -> Interval:
    """Return the confidence sequence of the q-quantile, from all values that are in the evidence."""
    n = int(histogram.weighed[-1])
    if not n:
        return Interval(None, None)
    low, high = quantile_places(n, q, alpha)
    return Interval(histogram.weighed_quantile(low), None if high is None else histogram.weighed_quantile(high))


class LatencyTest(Stored):
    """Test the ratio of both sides' latency quantiles over a step.

    Half of the evidence against the candidate restarts from time to time, so that a late fault is detected. The
    evidence in favour of the candidate covers the whole step.

    - ``looked_at``: the candidate's number of latencies at the last look
    - ``quantiles``: the candidate's and the baseline's quantile at the last look, in milliseconds
    - ``interval``: the confidence sequence of the ratio of these quantiles at the last look
    - ``log_fail``, ``log_pass``: ln of the e-values against the candidate and in its favour
    - ``_start_c``, ``_start_b``: each side's histogram at the last start of the restarting part
    """

    looked_at: int
    quantiles: tuple[float | None, ...]
    interval: Interval | None
    log_fail: float
    log_pass: float
    _restarts: Restarts
    _start_c: DenseHistogram
    _start_b: DenseHistogram

    def __init__(self, q: float, max_ratio: float, share: float = 0.5) -> None:
        """Start without data. ``share``: the candidate's expected share of the requests."""
        self.q = q
        self._quantiles = QuantileRatio(q, max_ratio, share)
        self._window_least = math.ceil(4 / (1 - q))
        self._start_c, self._start_b = DenseHistogram(), DenseHistogram()
        self._restarts = Restarts()
        self.looked_at, self.quantiles, self.interval = 0, (None, None), None
        self.log_fail = self.log_pass = 0.0

    def due(self, candidate: DenseHistogram, growth: float = LEAST_GROWTH) -> bool:
        return candidate.total >= max(self.looked_at + 1, self.looked_at * growth)

    def look(self, candidate: DenseHistogram, baseline: DenseHistogram, alpha: float | None = None) -> None:
        """Compute the evidence again, and the confidence sequence at the level 1 - ``alpha`` if that is given.

        ``candidate`` and ``baseline``: the latencies of the step so far.
        """
        self.looked_at = candidate.total
        if alpha is not None:
            own_interval, base_interval = (_quantile_interval(s, self.q, alpha / 2) for s in (candidate, baseline))
            self.interval = ratio_interval(own_interval, base_interval)
        self.quantiles = worse_quantiles(candidate, baseline, self.q)
        steady, self.log_pass, recent = self._evidence(candidate.weighed, baseline.weighed)
        self.log_fail = self._restarts.log_e(steady, recent)
        if recent < 0 and candidate.total - self._start_c.total >= self._window_least:
            self._restarts.restart()
            self._start_c, self._start_b = candidate.copy(), baseline.copy()

    def unweighted_log_pass(self, candidate: DenseHistogram, baseline: DenseHistogram) -> float:
        """Return ``log_pass`` computed from all requests, including those that are left out of the evidence."""
        return self._quantiles.log_e(candidate.sums, baseline.sums)[1]

    def _evidence(self, candidate: Sums, baseline: Sums) -> tuple[float, float, float]:
        if self._restarts.starts == 1:
            steady, passed = self._quantiles.log_e(candidate, baseline)
            return steady, passed, steady
        recent = (candidate - self._start_c.weighed, baseline - self._start_b.weighed)
        return self._quantiles.log_e_since(candidate, baseline, *recent)

    def since(self, candidate: DenseHistogram, baseline: DenseHistogram) -> tuple[DenseHistogram, DenseHistogram]:
        """Return the latencies of each side that were added since the restarting evidence last started."""
        return candidate.less(self._start_c), baseline.less(self._start_b)

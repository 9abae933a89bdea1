"""The ratio of a quantile between two sides, over log-bucketed histograms.

Null of the test that fails the candidate: its quantile is at most ρ times the baseline's, Q_c ≤ ρ Q_b. At x = Q_c both
"P_c(> x) ≤ 1 - q" and "P_b(> x/ρ) ≥ 1 - q" are true, so the product of their e-values is one, and so is the minimum of
that product over all x, without knowing Q_c. Promoting swaps the signs. Source: Howard & Ramdas, "Sequential estimation
of quantiles with applications to A/B testing and best-arm identification" (2022).

x runs over the edges of the buckets (1.09 % apart). ρ is moved to a whole number of buckets, up to fail and down to
pass, and where a true x lies within a bucket the neighbouring edge that gives *less* evidence is taken: so the
verdict is right for the latencies themselves, and costs at most two buckets of sharpness.

What both sides share at a time cancels as long as both weigh that time alike: see balance.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from glidepath.histogram import SCALE
from scorer.steering.evidence.dense_histogram import Slots, Sums, Tally
from scorer.steering.evidence.formatting import signal_words
from scorer.steering.evidence.gate_base import Cause, Gate, Part, Signal
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.mixture import LN2, FloatArray, Grids, RateGrid, log_sum, spend

_SHIFTS = (0.12, 0.25, 0.45, 0.75, 1.2, 1.9, 3.0)
_NOTHING_LEFT = 1e-12
_STRIDE = 16  # x is tried this many edges apart at first
_BETWEEN = np.arange(1, _STRIDE)
LEAST_GROWTH = 1.01  # the candidate's count must have grown by this factor before the next look: fewer looks are valid


class QuantileRatio:
    """e-values of two histograms for one quantile and one limit."""

    def __init__(self, q: float, max_ratio: float) -> None:
        tail = 1 - q
        more, fewer = (RateGrid.around(tail, _SHIFTS, above=above) for above in (True, False))
        self._both, self._three = Grids(more, fewer, fewer, more), Grids(more, fewer, fewer, more, more, fewer)
        buckets = math.log2(max_ratio) * 2**SCALE
        self._shift_up, self._shift_down = math.ceil(buckets - 1e-9), math.floor(buckets + 1e-9)
        self._margin = max(abs(self._shift_up), abs(self._shift_down)) + 2

        # Fail. For x in (edge i-1, edge i]: the candidate's exceedances are at least those of edge i, the baseline's of
        # x/ρ at most those of the edge a shift and one below.
        fail = (0, self._shift_up + 1)
        # Pass. For x in (edge i-1, edge i]: the candidate's exceedances are at most those of edge i-1, the baseline's
        # of x/ρ at least those of the edge a shift below.
        self._shifts = (*fail, 1, self._shift_down, *fail)

    def log_e(self, candidate: Sums, baseline: Sums) -> tuple[float, float]:
        """(against "not slower", against "slower"); (0, 0) while either side is empty. Takes both sides' sums."""
        if not candidate[-1] or not baseline[-1]:
            return (0.0, 0.0)
        places = self._places(candidate, baseline)
        fail, passed = _least_sums(self._both, (candidate, baseline) * 2, self._shifts[:4], places)
        return (float(fail), float(passed))

    def log_e_since(
        self, candidate: Sums, baseline: Sums, recent_c: Sums, recent_b: Sums
    ) -> tuple[float, float, float]:
        """``log_e`` of both sides, and against "not slower" of a part of what they hold."""
        if not recent_c[-1] or not recent_b[-1]:
            return (*self.log_e(candidate, baseline), 0.0)
        sides, places = (*(candidate, baseline) * 2, recent_c, recent_b), self._places(candidate, baseline)
        fail, passed, recent = _least_sums(self._three, sides, self._shifts, places)
        return (float(fail), float(passed), float(recent))

    def _places(self, candidate: Sums, baseline: Sums) -> Slots:
        """Slots some way apart, from before the first to behind the last at which either side's counts change."""
        first = min(side.searchsorted(0, side="right") for side in (candidate, baseline)) - self._margin
        last = max(candidate.searchsorted(candidate[-1]), baseline.searchsorted(baseline[-1])) + self._margin
        return np.arange(first, last + _STRIDE, _STRIDE)


def _least_sums(grids: Grids, sides: Sequence[Sums], shifts: Sequence[int], places: Slots) -> FloatArray:
    """For every two sides, the least over x of their logarithms together; each side's x lies ``shifts`` slots lower.

    Along x one of the two only falls and the other only rises. So between two places their sum is at least the one's at
    the one end plus the other's at the other, and where that is no less than what was found already, nobody need look.
    """
    values = _at(grids, sides, shifts, places)
    least: FloatArray = (values[0::2] + values[1::2]).min(axis=1)
    bounds = np.minimum(values[:, :-1], values[:, 1:])
    open_ = np.flatnonzero((bounds[0::2] + bounds[1::2] < least[:, None]).any(axis=0))
    if len(open_):
        values = _at(grids, sides, shifts, (places[open_, None] + _BETWEEN).ravel())
        np.minimum(least, (values[0::2] + values[1::2]).min(axis=1), out=least)
    return least


def _at(grids: Grids, sides: Sequence[Sums], shifts: Sequence[int], slots: Slots) -> FloatArray:
    """Each side's logarithm with x at the upper edges of ``slots``. Shape: [side, slot]."""
    n = np.array([side[-1] for side in sides])
    below = [side.take(slots + (1 - shift), mode="clip") for side, shift in zip(sides, shifts, strict=True)]
    return grids.log_e(n[:, None] - np.array(below), n)


def worse_quantiles(candidate: Tally, baseline: Tally, q: float) -> tuple[float | None, float | None]:
    """Of what is not left out of the evidence and of all: those where the candidate does worse. What clients have had
    so far must not be hidden by weights, nor a slow candidate by a split that flatters it."""
    own, base = candidate.weighed_quantile(q), baseline.weighed_quantile(q)
    if not (candidate.uneven or baseline.uneven):
        return own, base
    all_own, all_base = candidate.quantile(q), baseline.quantile(q)
    if own is None or not base or (all_own is not None and all_base and all_own * base > own * all_base):
        return all_own, all_base
    return own, base


class LatencyTest:
    """Quantile ratio over a step, with restarts for the direction that fails; looked at on a schedule."""

    def __init__(self, q: float, max_ratio: float) -> None:
        self.q = q
        self._quantiles = QuantileRatio(q, max_ratio)
        self._window_least = math.ceil(4 / (1 - q))
        self._mark_c, self._mark_b = Tally(), Tally()
        self._starts = 1
        self._cash = 0.5 * (1 - spend(1))
        self._looked_at = 0
        self.ratio: float | None = None  # of the two quantiles at the last look
        self.log_fail = self.log_pass = 0.0

    def due(self, candidate: Tally, growth: float = LEAST_GROWTH) -> bool:
        return candidate.total >= max(self._looked_at + 1, self._looked_at * growth)

    def look(self, candidate: Tally, baseline: Tally) -> None:
        """Evaluate; ``candidate`` and ``baseline`` hold the step so far."""
        self._looked_at = candidate.total
        own, base = worse_quantiles(candidate, baseline, self.q)
        self.ratio = own / base if own is not None and base else None
        steady, self.log_pass, recent = self._evidence(candidate.weighed, baseline.weighed)
        bet = math.log(spend(self._starts)) - LN2 + recent
        self.log_fail = log_sum([steady - LN2, bet, math.log(max(self._cash, _NOTHING_LEFT))])
        if recent < 0 and candidate.total - self._mark_c.total >= self._window_least:
            self._begin_anew(candidate, baseline)

    def plain_pass(self, candidate: Tally, baseline: Tally) -> float:
        """``log_pass`` of all that was counted, nothing left out."""
        return self._quantiles.log_e(candidate.sums, baseline.sums)[1]

    def _evidence(self, candidate: Sums, baseline: Sums) -> tuple[float, float, float]:
        if self._starts == 1:
            steady, passed = self._quantiles.log_e(candidate, baseline)
            return steady, passed, steady
        recent = (candidate - self._mark_c.weighed, baseline - self._mark_b.weighed)
        return self._quantiles.log_e_since(candidate, baseline, *recent)

    def since(self, candidate: Tally, baseline: Tally) -> tuple[Tally, Tally]:
        """What came since the last restart, of the candidate and of the baseline."""
        return candidate.less(self._mark_c), baseline.less(self._mark_b)

    def _begin_anew(self, candidate: Tally, baseline: Tally) -> None:
        self._starts += 1
        self._cash -= 0.5 * spend(self._starts)
        self._mark_c, self._mark_b = candidate.copy(), baseline.copy()

    def to_json(self) -> list[Any]:
        numbers = [self._starts, self._cash, self._looked_at, self.log_fail, self.log_pass]
        return [*numbers, self.ratio, self._mark_c.to_json(), self._mark_b.to_json()]

    def load(self, raw: Sequence[Any]) -> None:
        self._starts, self._cash, self._looked_at = int(raw[0]), float(raw[1]), int(raw[2])
        self.log_fail, self.log_pass = float(raw[3]), float(raw[4])
        self.ratio = raw[5]
        self._mark_c.load(raw[6])
        self._mark_b.load(raw[7])


class LatencyGate(Gate):
    """A quantile of one signal, as a ratio to the baseline's."""

    def __init__(self, spec: GateSpec, q: float, signal: Signal) -> None:
        super().__init__(spec)
        self._signal = signal
        signal.judged = True
        self._shown: tuple[tuple[int, int], tuple[float | None, float | None]] = ((0, 0), (None, None))
        self._test = LatencyTest(q, spec.limit)

    def look(self, *, everything: bool = False) -> None:
        growth = 1.0 if everything else LEAST_GROWTH
        if self._signal.baseline.total and self._test.due(self._signal.candidate, growth):
            self._test.look(self._signal.candidate, self._signal.baseline)
            self.note(self._test.log_fail, self._passed())

    def _passed(self) -> float:
        """Also over all that was counted: what ends in one moment after a standstill is left out in part, and must not
        be overlooked in a proof of speed."""
        weighed, signal = self._test.log_pass, self._signal
        if weighed < self.spec.pass_at or self.proven or not signal.uneven:
            return weighed
        return min(weighed, self._test.plain_pass(signal.candidate, signal.baseline))

    @property
    def n(self) -> int:
        return self._signal.candidate.total

    @property
    def within(self) -> bool:
        ratio = self._test.ratio  # as of the last look: quantiles cost something
        return ratio is not None and ratio <= self.spec.limit

    @property
    def value(self) -> float | None:
        own, base = self._quantiles()
        return own / base if own is not None and base else None

    def _quantiles(self) -> tuple[float | None, float | None]:
        own, base = self._signal.candidate, self._signal.baseline
        if self._shown[0] != (own.total, base.total):
            self._shown = ((own.total, base.total), worse_quantiles(own, base, self._test.q))
        return self._shown[1]

    def late(self) -> Cause | None:
        sides = self._test.since(self._signal.candidate, self._signal.baseline)
        own, base = (side.weighed_quantile(self._test.q) for side in sides)
        if own is None or not base:
            return None
        n = sides[0].total
        step = "" if self.value is None else f" ({self.value:.2f} × over all {self.n})"
        return Cause(own / base, n, f"{self._compared(own, base, f' over the last {n} requests')}{step}")

    def words(self) -> str:
        own, base = self._quantiles()
        if own is None or not base:
            return f"{self.n} samples of the candidate, {self._signal.baseline.total} of the baseline"
        return self._compared(own, base, "")

    def _compared(self, own: float, base: float, over: str) -> str:
        ratio = f"{own / base:.2f} × the baseline's {base:.3g} ms"
        return f"{signal_words(self.spec.name)} {own:.3g} ms{over} is {ratio}, limit {self.spec.limit:.2f}"

    def test(self) -> Sequence[Part]:
        return (self._test,)

"""Test the ratio of two latency quantiles on pairs: both sides' latencies of one request.

Q_c and Q_b are the q-quantiles of the candidate's and the baseline's latencies of the same requests, and ρ is the limit
of Q_c / Q_b. For a threshold x, a pair is discordant if only one answer is late. Only the candidate's is late if C > ρx
and B ≤ x, only the baseline's if C ≤ ρx and B > x. Under the null Q_c ≤ ρ Q_b and at x = Q_b, the first kind of
discordant pair is at most as likely as the second kind (as in the test of McNemar 1947). A common cause of a slow
answer, such as the user, the length of the answer or the load of the hour, makes pairs concordant, so it does not count
against a side.

Q_b is unknown. So each x has its own e-process, which bets that P(B > x) differs from 1 - q (so that x is not Q_b), or
that the two kinds of discordant pairs are not equally likely, or both. The smallest of these e-values over all x is at
most the e-value at Q_b, so it is an e-value too (the argument of Howard & Ramdas, "Sequential estimation of quantiles",
2022). The test in favour of the candidate has the null Q_c ≥ ρ Q_b.

The evidence depends on counts only, so pairs can be added in any order, and it is valid at any time. x runs over the
edges of the histogram's buckets. ρ and both latencies are rounded to whole buckets so that each direction gets *less*
evidence: this changes the limit by at most two buckets (2.2 %).

A latency may be known only as "longer than t", because the copy was given up. Each direction then uses the bound that
gives it less evidence. See ADR 0260.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from glidepath.histogram import MIN_INDEX, SCALE, midpoint
from scorer.steering.evidence.dense_histogram import SIZE, array_form
from scorer.steering.evidence.mixture import FloatArray, Restarts
from scorer.steering.evidence.state_codec import Stored

UNBOUNDED = SIZE - 1  # the slot of a latency if only a lower bound is known
LEAST_GROWTH = 1.01  # the growth of the number of pairs before the next evaluation; skipping evaluations is valid
Slots = NDArray[Any]
_COUNT = np.int32  # a gate has about twenty such arrays, and a scorer may have hundreds of workloads
Counts = Annotated[Slots, array_form(SIZE, _COUNT, least=0)]
Differences = Annotated[Slots, array_form(SIZE + 1, _COUNT)]
# The log-odds on which α bets, as differences from the log-odds of 1 - q, and their weights.
_LOCATIONS = ((-1.6, 1.0), (-0.5, 1.0), (0.0, 2.0), (0.5, 1.0))
_BET_SIZES = ((0.0, 0.5), (0.3, 1.0), (0.7, 1.0))  # the part of the largest possible β, and its weight
_NO_BET = 0.5  # the weight of no bet


class _Bets:
    """A mixture of bets on one threshold x, computed from the numbers of pairs in four cells.

    Let t = 1 - q. U is 1 if C > ρx, and W is 1 if B is late. Late means B ≥ x in the test against the candidate, and B
    > x in the test in its favour. If x is Q_b and the null is true, E[U] ≤ t ≤ E[W] in the test against the candidate,
    and E[U] ≥ t ≥ E[W] in the test in its favour. So these bets have an expectation of at most 1 for each pair, with α
    ≥ 0 and β ≥ 0:

    - against: 1 + α (U - t) + β (U - W), and 1 + α (t - W) + β (U - W)
    - in favour: 1 + α (t - U) + β (W - U), and 1 + α (W - t) + β (W - U)
    """

    def __init__(self, tail: float, *, in_favour: bool) -> None:
        """Make the bets. ``tail``: the probability t."""
        rows = [(1.0, 1.0, 1.0, 1.0, _NO_BET)]  # a large loss at one x must not hide the others
        for shift, weight in _LOCATIONS:
            low, high = _odds(tail, shift)
            on_u = (shift > 0) != in_favour  # whether α is about U
            for part, share in _BET_SIZES:
                beta = part * min(low, high) * (-1 if in_favour else 1)
                only_u, only_w = (high, low) if on_u else (low, high)
                rows.append((low, only_u + beta, only_w - beta, high, weight * share))
        pays = np.array(rows).T[:, :, None]
        self._pays, self._weight = np.log(pays[:4]), np.log(pays[4] / pays[4].sum())

    def log_e(self, cells: Sequence[Slots]) -> FloatArray:
        """Return ln of the e-value at each threshold.

        ``cells``: for each threshold, the numbers of pairs with neither U nor W, only U, only W, and both.
        Shapes: [x] → [x].
        """
        exponents = self._weight + sum(pay * cell for pay, cell in zip(self._pays, cells, strict=True))
        top = exponents.max(axis=0)
        mixture: FloatArray = top + np.log(np.exp(exponents - top).sum(axis=0))
        return mixture


def _odds(tail: float, shift: float) -> tuple[float, float]:
    """Return the two factors of a bet: for an answer in time, and for a late answer.

    The bet assumes a probability of a late answer whose log-odds exceed those of ``tail`` by ``shift``.
    """
    rate = 1 / (1 + math.exp(-(math.log(tail / (1 - tail)) + shift)))
    return (1 - rate) / (1 - tail), rate / tail


@dataclass(slots=True)
class DiscordantPairs(Stored):
    """The numbers of discordant pairs at every threshold, for one direction of the test.

    ``candidate_late`` and ``baseline_late``: slot j holds the number of such pairs at threshold j minus that at
    threshold j - 1. Shape: [SIZE + 1].
    """

    candidate_late: Differences
    baseline_late: Differences

    @classmethod
    def none(cls) -> DiscordantPairs:
        return cls(*(np.zeros(SIZE + 1, dtype=_COUNT) for _ in range(2)))

    def add(self, candidate: int, baseline: int) -> None:
        """Add a pair.

        ``candidate``, ``baseline``: the index of the lowest threshold at which the side's answer is not late.
        """
        candidate, baseline = min(max(candidate, 0), SIZE), min(max(baseline, 0), SIZE)
        late = self.candidate_late if candidate > baseline else self.baseline_late
        if candidate != baseline:
            late[min(candidate, baseline)] += 1
            late[max(candidate, baseline)] -= 1

    def copy(self) -> DiscordantPairs:
        return DiscordantPairs(self.candidate_late.copy(), self.baseline_late.copy())

    def less(self, earlier: DiscordantPairs) -> DiscordantPairs:
        return DiscordantPairs(
            self.candidate_late - earlier.candidate_late,
            self.baseline_late - earlier.baseline_late,
        )


class PairedQuantileTest(Stored):
    """Test the ratio of both sides' latency quantiles on pairs.

    Half of the evidence against the candidate restarts from time to time, so that a late fault is detected.

    - ``n``: the number of pairs; ``_candidate``, ``_baseline``: the latencies of each side
    - ``_against``, ``_in_favour``: the discordant pairs of each direction
    - ``log_fail``, ``log_pass``: ln of the e-values at the last evaluation
    - ``_looked_at``: the number of pairs at the last evaluation
    - ``_began_n``, ``_began_baseline``, ``_began``: the number of pairs, the baseline's latencies and the discordant
      pairs against the candidate, at the last start of the restarting part
    """

    n: int
    log_fail: float
    log_pass: float
    _candidate: Counts
    _baseline: Counts
    _against: DiscordantPairs
    _in_favour: DiscordantPairs
    _restarts: Restarts
    _looked_at: int
    _began_n: int
    _began_baseline: Counts
    _began: DiscordantPairs

    def __init__(self, q: float, max_ratio: float) -> None:
        """Start without pairs. ``q``: which quantile. ``max_ratio``: the limit ρ of the ratio."""
        tail = 1 - q
        self.q = q
        self._bets = (_Bets(tail, in_favour=False), _Bets(tail, in_favour=True))
        buckets = math.log2(max_ratio) * 2**SCALE
        self._up, self._down = math.ceil(buckets - 1e-9), math.floor(buckets + 1e-9)
        self._window_least = math.ceil(4 / tail)
        self.n = 0
        self._candidate, self._baseline, self._began_baseline = (np.zeros(SIZE, dtype=_COUNT) for _ in range(3))
        self._against, self._in_favour, self._began = (DiscordantPairs.none() for _ in range(3))
        self._restarts = Restarts()
        self._looked_at = self._began_n = 0
        self.log_fail = self.log_pass = 0.0
        self._stored: list[Any] | None = None  # the encoded state, because encoding takes time; None after a change

    def add(
        self, candidate: int, baseline: int, *, candidate_longer: bool = False, baseline_longer: bool = False
    ) -> None:
        """Add a pair of latencies, given by their slots (``dense_histogram.slot_of``).

        ``candidate_longer``, ``baseline_longer``: whether the true latency is longer than the given one.
        """
        self.n += 1
        self._stored = None
        highest_c = UNBOUNDED if candidate_longer else candidate
        highest_b = UNBOUNDED if baseline_longer else baseline
        self._candidate[highest_c] += 1
        self._baseline[highest_b] += 1
        # Against: U at edge j is C > ρ · edge j (rounded up), and W is B > edge j - 1.
        self._against.add(candidate - self._up, highest_b + 1)
        # In favour: U is C > ρ · edge j - 1 (rounded down), and W is B > edge j.
        late_c = SIZE if candidate_longer else candidate - self._down + 1
        if baseline_longer:  # above its lower bound, the pair counts as concordant
            self._in_favour.add(min(late_c, baseline), baseline)
            self._in_favour.add(SIZE, UNBOUNDED)
        else:
            self._in_favour.add(late_c, baseline)

    def look(self, *, everything: bool = False) -> bool:
        """Compute the evidence again if there are enough new pairs; if ``everything``, one new pair is enough.

        Return whether it was computed.
        """
        if self.n < max(self._looked_at + 1, self._looked_at * (1.0 if everything else LEAST_GROWTH)):
            return False
        self._looked_at = self.n
        self._stored = None
        steady = self._least(self._baseline, self.n, self._against, in_favour=False)
        self.log_pass = self._least(self._baseline, self.n, self._in_favour, in_favour=True)
        since, recent = self.n - self._began_n, steady
        if self._restarts.starts > 1:
            pairs = self._against.less(self._began)
            recent = self._least(self._baseline - self._began_baseline, since, pairs, in_favour=False)
        self.log_fail = self._restarts.log_e(steady, recent)
        if recent < 0 and since >= self._window_least:
            self._restarts.restart()
            self._began_n, self._began_baseline, self._began = self.n, self._baseline.copy(), self._against.copy()
        return True

    def _least(self, baseline: Slots, n: int, pairs: DiscordantPairs, *, in_favour: bool) -> float:
        """Return ln of the smallest e-value over all thresholds.

        The e-value is computed only at the thresholds where the numbers of pairs change.
        """
        if not n:
            return 0.0
        in_time = np.zeros(SIZE + 1, dtype=_COUNT)  # by how much the number of answers in time grows at each threshold
        in_time[:SIZE] = baseline if in_favour else np.concatenate(([0], baseline[:-1]))
        changed = np.flatnonzero((in_time != 0) | (pairs.candidate_late != 0) | (pairs.baseline_late != 0))
        slots = np.concatenate(([max(0, changed[0] - 1)], changed))
        late_b = n - in_time.cumsum()[slots]
        only_c, only_b = pairs.candidate_late.cumsum()[slots], pairs.baseline_late.cumsum()[slots]
        cells = (n - late_b - only_c, only_c, only_b, late_b - only_b)
        return float(self._bets[in_favour].log_e(cells).min())

    def quantiles(self) -> tuple[float | None, float | None]:
        """Return the q-quantiles of the candidate and of the baseline; None without pairs or without an upper bound."""
        return _quantile(self._candidate, self.n, self.q), _quantile(self._baseline, self.n, self.q)

    @property
    def ratio(self) -> float | None:
        """The candidate's quantile divided by the baseline's.

        It is None without pairs, and if the baseline's quantile is 0 or has no bound. It is infinite if only the
        candidate's quantile has no bound.
        """
        own, base = self.quantiles()
        if not self.n or not base:
            return None
        return math.inf if own is None else own / base

    @property
    def state(self) -> list[Any]:
        if self._stored is None:
            self._stored = super().state
        return self._stored

    def _restored(self) -> None:
        self._stored = None


def _quantile(counts: Slots, n: int, q: float) -> float | None:
    if not n:
        return None
    slot = int(counts.cumsum().searchsorted(max(1, math.ceil(q * n))))
    return None if slot >= UNBOUNDED else 0.0 if slot <= 0 else midpoint(slot - 1 + MIN_INDEX)

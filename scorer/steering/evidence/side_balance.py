"""Give every moment the same weight on both sides, so that common drift and a changing split cancel.

Say both sides become slower while the candidate's share rises. Pooled over the step, the candidate then has more of
the slow hours than the baseline and looks slow (Simpson's paradox). So the candidate's count and the baseline's are
kept in the proportion that they had at first: what exceeds it by more than a few requests is left out of the evidence,
by a weight below one for all values of that flush. The proportion depends on counts only, never on a latency. A
likelihood ratio to a power w ≤ 1 is still an e-value: p (1 + a)^w + (1 - p)(1 - b)^w ≤ 1 + w (p a - (1 - p) b). So the
condition under which the test is valid now has to hold on average over the weighted requests instead of all of them.

In a standstill of the candidate, the baseline's requests are left out first. Later the candidate's requests all end at
once and would be left out too, although they are its slowest. So where the second excess makes up for the first and
the split is then what it was before, both come back into the evidence, as though they had ended at that moment. A
standstill and its end thus have the same weight on both sides. After a lasting change of the split nothing comes back.

See ADR 0115.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

UNITS = 256  # weights are whole numbers of this part, so that sums are exact
# All counts of requests below are in requests of the rarer side.
_SLACK = 4.0  # excess that is not left out
_FIRST, _LAST = 8, 4096  # from the first count on the proportion is estimated; after the last it is final
_ROUGH = 64  # an estimate from fewer is replaced by any better one: it may stem from a standstill
_FIRM = math.log(1.25)  # a better estimate may always differ by this factor
_DOUBT = 2.5  # or by this many standard deviations of the earlier estimate; beyond that the split has changed
_MEMORY, _MEMORY_PART = 1024, 1 / 4  # what is left out may come back for so long: a count, plus a part of the step's
_TOO_MUCH, _NOISE = 2.0, 16  # a burst larger than the gap by this factor and count is not the end of a standstill
_GROWTH = 1.25  # a burst that grew by this factor within the latest requests (as many as gap or burst) is not over


@dataclass(frozen=True, slots=True)
class Returns:
    """What comes back into the evidence now.

    ``kept``: the part of what was left out that may still come back; ``candidate`` and ``baseline``: the parts of each
    side's share of it that come back now.
    """

    kept: float = 1.0
    candidate: float = 0.0
    baseline: float = 0.0


_NOTHING_RETURNS = Returns()


@dataclass(frozen=True, slots=True)
class StandstillState:
    """The state of a ``Standstill``.

    ``gap``: left out of the baseline; ``burst``: left out of the candidate; ``burst_grown``: the burst when it last
    grew; ``since_growth``: requests since then.
    """

    gap: float
    burst: float
    burst_grown: float
    since_growth: float


class Standstill:
    """What was left out of either side lately, in requests of the rarer side: is the burst the end of the gap?

    A mutable builder, because every flush with latencies updates it. Its stored form is ``state``.
    """

    __slots__ = ("_burst", "_burst_grown", "_gap", "_since_growth", "returns")

    def __init__(self) -> None:
        self._gap = self._burst = 0.0
        self._burst_grown = self._since_growth = 0.0
        self.returns = _NOTHING_RETURNS

    def add(self, left_candidate: float, left_baseline: float, base: float, memory: float) -> None:
        """Add what was left out of a flush with ``base`` baseline requests; it fades within about ``memory``."""
        self.returns = self._returns(base, memory)
        self._gap += left_baseline
        self._burst += left_candidate
        if self._burst > _GROWTH * self._burst_grown:
            self._burst_grown, self._since_growth = self._burst, 0.0

    def _returns(self, base: float, memory: float) -> Returns:
        kept = math.exp(-base / memory)
        self._gap *= kept
        self._burst *= kept
        self._burst_grown *= kept
        self._since_growth += base
        if self._burst > _TOO_MUCH * self._gap + _NOISE:
            self._gap = self._burst = self._burst_grown = self._since_growth = 0.0
            return Returns(0.0)
        back = min(self._gap, self._burst)
        if back < 1 or self._since_growth < max(self._gap, self._burst):
            return Returns(kept)
        returns = Returns(kept, back / self._burst, back / self._gap)
        self._gap -= back
        self._burst -= back
        self._burst_grown, self._since_growth = self._burst, 0.0
        return returns

    @property
    def state(self) -> StandstillState:
        return StandstillState(self._gap, self._burst, self._burst_grown, self._since_growth)

    def restore(self, state: StandstillState) -> None:
        self._gap, self._burst = state.gap, state.burst
        self._burst_grown, self._since_growth = state.burst_grown, state.since_growth
        self.returns = _NOTHING_RETURNS


@dataclass(frozen=True, slots=True)
class BalanceState:
    """The state of a ``SideBalance``.

    ``odds``: requests of the candidate for one of the baseline, 0 while unknown; ``known_by``: the count of the rarer
    side that they were estimated from; ``next_at``: the count for the next estimate; ``debt``: the candidate's excess.
    """

    candidate: int
    baseline: int
    odds: float
    known_by: int
    next_at: int
    debt: float
    standstill: StandstillState


class SideBalance:
    """Decide from the counts of both sides how much of a flush to leave out.

    A mutable builder, because every flush with latencies updates it. Its stored form is ``state``.
    """

    __slots__ = ("_baseline", "_candidate", "_debt", "_known_by", "_next_at", "_odds", "_standstill")

    def __init__(self) -> None:
        self._candidate = self._baseline = 0
        self._odds = 0.0
        self._known_by = 0
        self._next_at = _FIRST
        self._debt = 0.0
        self._standstill = Standstill()

    def leave_out(self, candidate: int, baseline: int) -> tuple[int, int]:
        """Return what to leave out of a flush with these counts: parts of UNITS, the candidate's and the baseline's."""
        self._candidate += candidate
        self._baseline += baseline
        if self._next_at <= _LAST and min(self._candidate, self._baseline) >= self._next_at:
            self._estimate_odds()
        if not self._odds:
            return (0, 0)
        scaled_c, scaled_b = candidate / max(1.0, self._odds), baseline * min(1.0, self._odds)
        self._debt += scaled_c - scaled_b
        left_c = _part(self._debt - _SLACK, scaled_c)
        left_b = _part(-_SLACK - self._debt, scaled_b)
        self._debt += (left_b * scaled_b - left_c * scaled_c) / UNITS
        memory = _MEMORY + _MEMORY_PART * min(self._candidate, self._baseline)
        self._standstill.add(left_c * scaled_c / UNITS, left_b * scaled_b / UNITS, scaled_b, memory)
        return (left_c, left_b)

    @property
    def returns(self) -> Returns:
        """What to take back before the last flush's own part is left out; take it once after each ``leave_out``."""
        return self._standstill.returns

    def _estimate_odds(self) -> None:
        odds, rarer = self._candidate / self._baseline, min(self._candidate, self._baseline)
        if self._known_by < _ROUGH or abs(math.log(odds / self._odds)) <= self._tolerated_change:
            self._odds, self._known_by, self._debt = odds, rarer, 0.0
        while self._next_at <= rarer:
            self._next_at *= 2

    @property
    def _tolerated_change(self) -> float:
        """The largest change of the logarithm of the odds that counts as a better estimate."""
        return max(_FIRM, _DOUBT / math.sqrt(self._known_by))

    @property
    def state(self) -> BalanceState:
        return BalanceState(
            candidate=self._candidate,
            baseline=self._baseline,
            odds=self._odds,
            known_by=self._known_by,
            next_at=self._next_at,
            debt=self._debt,
            standstill=self._standstill.state,
        )

    def restore(self, state: BalanceState) -> None:
        self._candidate, self._baseline, self._odds = state.candidate, state.baseline, state.odds
        self._known_by, self._next_at, self._debt = state.known_by, state.next_at, state.debt
        self._standstill.restore(state.standstill)


def _part(excess: float, n: float) -> int:
    """Return ``excess`` of ``n`` in parts of UNITS."""
    return 0 if excess <= 0 or n <= 0 else min(UNITS, round(UNITS * excess / n))

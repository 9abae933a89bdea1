"""Both sides of a comparison must weigh every time alike, or common drift and a changing split look like a difference.

Say both become slower while the candidate's share rises: pooled, it has more of the slow hours than the baseline, and
looks slow (Simpson's paradox). So the candidate's count and the baseline's are kept in the proportion that they had at
first: what goes beyond it by more than a few requests is left out of the evidence, by a weight below one for all values
of that flush. The proportion is of counts alone; no latency is looked at. A likelihood ratio to a power w ≤ 1 is still
an e-value, and p (1 + a)^w + (1 - p)(1 - b)^w ≤ 1 + w (p a - (1 - p) b): what must hold on average over all requests
for the test to keep its promise must now hold on average over the weighted ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

UNITS = 256  # weights are whole numbers of this part, so that sums are exact
_SLACK = 4.0  # requests of the rarer side
_FIRST, _LAST = 8, 4096  # requests of the rarer side: from when on the proportion is known, and when it is so for good
_FIRM = math.log(1.25)  # a better guess may always be this much another
_DOUBT = 2.5  # and as many standard deviations of the guess before; beyond that the split has changed


class Balance:
    """Counts of both sides in, how much of either flush to leave out."""

    __slots__ = ("_baseline", "_candidate", "_debt", "_known", "_next", "_odds")

    def __init__(self) -> None:
        self._candidate = self._baseline = 0
        self._odds = 0.0  # candidate to baseline; 0 while not known
        self._known = 0  # by how many requests of the rarer side
        self._next = _FIRST
        self._debt = 0.0  # in requests of the rarer side: what the candidate has too many of

    def leave_out(self, candidate: int, baseline: int) -> tuple[int, int]:
        """What to leave out of a flush of so many values, in parts of UNITS: of the candidate's, of the baseline's."""
        self._candidate += candidate
        self._baseline += baseline
        if self._next <= _LAST and min(self._candidate, self._baseline) >= self._next:
            self._learn()
        if not self._odds:
            return (0, 0)
        own, base = candidate / max(1.0, self._odds), baseline * min(1.0, self._odds)
        self._debt += own - base
        left_own = _part(self._debt - _SLACK, own)
        left_base = _part(-_SLACK - self._debt, base)
        self._debt += (left_base * base - left_own * own) / UNITS
        return (left_own, left_base)

    def _learn(self) -> None:
        seen, rarer = self._candidate / self._baseline, min(self._candidate, self._baseline)
        if not self._odds or abs(math.log(seen / self._odds)) <= max(_FIRM, _DOUBT / math.sqrt(self._known)):
            self._odds, self._known, self._debt = seen, rarer, 0.0
        while self._next <= rarer:
            self._next *= 2

    def to_json(self) -> list[Any]:
        return [self._candidate, self._baseline, self._odds, self._known, self._next, self._debt]

    def load(self, raw: Sequence[Any]) -> None:
        self._candidate, self._baseline, self._known, self._next = (int(raw[i]) for i in (0, 1, 3, 4))
        self._odds, self._debt = float(raw[2]), float(raw[5])


def _part(excess: float, n: float) -> int:
    """``excess`` of ``n`` in parts of UNITS."""
    return 0 if excess <= 0 or n <= 0 else min(UNITS, round(UNITS * excess / n))

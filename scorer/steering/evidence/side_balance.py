"""Both sides of a comparison must weigh every time alike, or common drift and a changing split look like a difference.

Say both become slower while the candidate's share rises: pooled, it has more of the slow hours than the baseline, and
looks slow (Simpson's paradox). So the candidate's count and the baseline's are kept in the proportion that they had at
first: what goes beyond it by more than a few requests is left out of the evidence, by a weight below one for all values
of that flush. The proportion is of counts alone; no latency is looked at. A likelihood ratio to a power w ≤ 1 is still
an e-value, and p (1 + a)^w + (1 - p)(1 - b)^w ≤ 1 + w (p a - (1 - p) b): what must hold on average over all requests
for the test to keep its promise must now hold on average over the weighted ones.

In a standstill of the candidate the baseline's requests are left out first, and later the candidate's that all end at
once. As they are its worst, they must not be: where the one makes up for the other and the split is then what it was,
both come back into the evidence, as though they had ended then; so both weigh a standstill and its end alike too. A
split that has changed goes on being another, and what was left out stays out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

UNITS = 256  # weights are whole numbers of this part, so that sums are exact
_SLACK = 4.0  # requests of the rarer side
_FIRST, _LAST = 8, 4096  # requests of the rarer side: from when on the proportion is known, and when it is so for good
_ROUGH = 64  # a guess by fewer is given up for any better one: it may have been made in a standstill
_FIRM = math.log(1.25)  # a better guess may always be this much another
_DOUBT = 2.5  # and as many standard deviations of the guess before; beyond that the split has changed
_LATELY, _LATELY_PART = 1024, 1 / 4  # requests of the rarer side, and part of the step's, until a standstill fades
_TOO_MUCH, _NOISE = 2.0, 16  # beyond this factor, and so many requests, a burst is no end of a standstill
_GROWTH = 1.25  # a burst that still grows by this factor, within as many requests as it or the gap has, is not over


class Returns(NamedTuple):
    """What comes back into the evidence of what was left out: ``kept`` is the part of it that still may at all, and of
    that the candidate's and the baseline's parts that do so now."""

    kept: float = 1.0
    own: float = 0.0
    base: float = 0.0


class Standstill:
    """What was left out of either side lately, in requests of the rarer side: is the one the end of the other?"""

    __slots__ = ("_burst", "_grown", "_missing", "_since", "returns")

    def __init__(self) -> None:
        self._missing = 0.0  # of the candidate: what was left out of the baseline
        self._burst = 0.0  # what was left out of the candidate
        self._grown = self._since = 0.0  # the burst when it last grew, and how much came since
        self.returns = Returns()

    def see(self, left_own: float, left_base: float, base: float, memory: float) -> None:
        """Left out of one flush, of which so much of the baseline's; fades by half or so within ``memory``."""
        self.returns = self._returns(base, memory)
        self._missing += left_base
        self._burst += left_own
        if self._burst > _GROWTH * self._grown:
            self._grown, self._since = self._burst, 0.0

    def _returns(self, base: float, memory: float) -> Returns:
        kept = math.exp(-base / memory)
        self._missing *= kept
        self._burst *= kept
        self._grown *= kept
        self._since += base
        if self._burst > _TOO_MUCH * self._missing + _NOISE:
            self._missing = self._burst = self._grown = self._since = 0.0
            return Returns(0.0)
        back = min(self._missing, self._burst)
        if back < 1 or self._since < max(self._missing, self._burst):
            return Returns(kept)
        returns = Returns(kept, back / self._burst, back / self._missing)
        self._missing -= back
        self._burst -= back
        self._grown, self._since = self._burst, 0.0
        return returns

    def to_json(self) -> list[float]:
        return [self._missing, self._burst, self._grown, self._since]

    def load(self, raw: Sequence[Any]) -> None:
        self._missing, self._burst, self._grown, self._since = (float(v) for v in raw)


class Balance:
    """Counts of both sides in, how much of either flush to leave out."""

    __slots__ = ("_baseline", "_candidate", "_debt", "_known", "_next", "_odds", "_standstill")

    def __init__(self) -> None:
        self._candidate = self._baseline = 0
        self._odds = 0.0  # candidate to baseline; 0 while not known
        self._known = 0  # by how many requests of the rarer side
        self._next = _FIRST
        self._debt = 0.0  # in requests of the rarer side: what the candidate has too many of
        self._standstill = Standstill()

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
        memory = _LATELY + _LATELY_PART * min(self._candidate, self._baseline)
        self._standstill.see(left_own * own / UNITS, left_base * base / UNITS, base, memory)
        return (left_own, left_base)

    @property
    def returns(self) -> Returns:
        """What to take back in, before the last flush's own is left out. To be taken once after every ``leave_out``."""
        return self._standstill.returns

    def _learn(self) -> None:
        seen, rarer = self._candidate / self._baseline, min(self._candidate, self._baseline)
        if self._known < _ROUGH or abs(math.log(seen / self._odds)) <= max(_FIRM, _DOUBT / math.sqrt(self._known)):
            self._odds, self._known, self._debt = seen, rarer, 0.0
        while self._next <= rarer:
            self._next *= 2

    def to_json(self) -> list[Any]:
        return [
            self._candidate,
            self._baseline,
            self._odds,
            self._known,
            self._next,
            self._debt,
            self._standstill.to_json(),
        ]

    def load(self, raw: Sequence[Any]) -> None:
        self._candidate, self._baseline, self._known, self._next = (int(raw[i]) for i in (0, 1, 3, 4))
        self._odds, self._debt = float(raw[2]), float(raw[5])
        if len(raw) > 6:  # an earlier version knew nothing of standstills
            self._standstill.load(raw[6])


def _part(excess: float, n: float) -> int:
    """``excess`` of ``n`` in parts of UNITS."""
    return 0 if excess <= 0 or n <= 0 else min(UNITS, round(UNITS * excess / n))

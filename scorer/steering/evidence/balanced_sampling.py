"""Weight the latencies so that each moment has the same weight on both sides. Drift of both sides then cancels.

Suppose that both sides become slower while the candidate's share rises. Over the whole step, a larger part of the
candidate's requests than of the baseline's is then from the slow hours, so the candidate looks slow (Simpson's
paradox). To avoid this, the counts of both sides are kept in the proportion that they had at first. If one side exceeds
this proportion by more than a few requests, the excess is left out of the evidence. All values of this side in the
flush then get a weight below one. The proportion depends only on counts, never on a latency.

The tests stay valid, because a likelihood ratio to a power w ≤ 1 is still an e-value:
p (1 + a)^w + (1 - p)(1 - b)^w ≤ 1 + w (p a - (1 - p) b). Here p is the probability of an event, and 1 + a and 1 - b are
the likelihood ratios of an event and of a non-event. So the null must now be true on average over the weighted
requests, instead of over all requests.

A standstill needs an exception: for a while, the candidate answers nothing. During the standstill, only requests of the
baseline end, so they are left out (the gap). Afterwards, the candidate's delayed requests all end at once (the burst).
They would be left out too, although they are its slowest requests. So if the burst makes up for the gap, and the split
is then the same as before, the requests of both return to the evidence as if they had ended at that moment. A
standstill and its end thus have the same weight on both sides. After a lasting change of the split, no request returns.
A request that was left out more than a few minutes ago does not return either. Otherwise, a share that rises and falls
with the day would look like a standstill of hours.

See ADR 0115 and ADR 0252.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scorer.steering.evidence.state_codec import Stored

UNITS = 256  # weights are whole multiples of 1/UNITS, so that sums are exact
# In the constants below, counts of requests are counts of the rarer side.
_SLACK = 4.0  # an excess up to this is not left out
_FIRST, _LAST = 8, 4096  # the proportion is first estimated at the first count, and is final after the last count
_ROUGH = 64  # a standstill may distort an estimate from fewer requests, so any better estimate replaces it
# A better estimate replaces an earlier one if both differ by at most this factor, or by at most this many standard
# deviations of the earlier estimate. If they differ more, the split has changed.
_FIRM = math.log(1.25)
_DOUBT = 2.5
WINDOW_MS = 180_000  # left-out requests may return until the end of the window after their own
_TOO_MUCH, _NOISE = 2.0, 16  # a burst that exceeds the gap by this factor plus this count does not end a standstill
_GROWTH = 1.25  # a burst is over when max(gap, burst) baseline requests pass without it growing by this factor


@dataclass(frozen=True, slots=True)
class Returns:
    """The fractions of earlier left-out requests that return to the evidence now.

    - ``candidate``: of the candidate's requests that may still return, the fraction that returns now
    - ``baseline``: of the baseline's requests that may still return, the fraction that returns now
    - ``windows_ended``: how many windows ended with this flush, at most 2. End these first: a request may return only
      if it was left out in the present window or in the one before
    """

    candidate: float = 0.0
    baseline: float = 0.0
    windows_ended: int = 0


_NOTHING_RETURNS = Returns()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The numbers of requests that were left out in one window, scaled to the rarer side.

    ``gap``: the baseline's requests; ``burst``: the candidate's.
    """

    gap: float = 0.0
    burst: float = 0.0


_NOTHING = LeftOut()


class Standstill(Stored):
    """Detect the end of a candidate's standstill: a burst of its delayed requests that makes up for an earlier gap.

    The gap is the number of the baseline's requests that were recently left out of the evidence. The burst is the
    number of the candidate's requests that were recently left out. All numbers are scaled to the rarer side.

    - ``_window``: the index of the present window, a period of WINDOW_MS
    - ``_earlier``, ``_present``: the requests that were left out in the window before the present one, and in the
      present one
    - ``_burst_grown``: the size of the burst when it last grew
    - ``_since_growth``: the baseline's requests since the burst last grew
    """

    _window: int
    _earlier: LeftOut
    _present: LeftOut
    _burst_grown: float
    _since_growth: float
    __slots__ = ("_burst_grown", "_earlier", "_present", "_since_growth", "_window", "returns")

    def __init__(self) -> None:
        self._window = 0
        self._earlier = self._present = _NOTHING
        self._burst_grown = self._since_growth = 0.0
        self.returns = _NOTHING_RETURNS

    def add(self, left_candidate: float, left_baseline: float, base: float, at_ms: int) -> None:
        """Add the left-out requests of a flush. All parameters but the last are numbers scaled to the rarer side.

        - ``left_candidate``, ``left_baseline``: the left-out requests of each side
        - ``base``: all baseline requests of the flush
        - ``at_ms``: when the flush ended; 0 if the time is unknown, so that no window ends
        """
        self.returns = self._returns(base, self._end_windows(at_ms // WINDOW_MS))
        if not left_candidate and not left_baseline:
            return
        self._present = LeftOut(self._present.gap + left_baseline, self._present.burst + left_candidate)
        burst = self._earlier.burst + self._present.burst
        if burst > _GROWTH * self._burst_grown:
            self._burst_grown, self._since_growth = burst, 0.0

    def _end_windows(self, window: int) -> int:
        """Begin the window with the index ``window`` if it is later. Return how many windows have ended, at most 2."""
        ended = min(max(window - self._window, 0), 2)
        if ended:
            self._window = window
            self._earlier, self._present = self._present if ended == 1 else _NOTHING, _NOTHING
            self._burst_grown = min(self._burst_grown, self._earlier.burst)
        return ended

    def _returns(self, base: float, ended: int) -> Returns:
        earlier, present = self._earlier, self._present
        gap, burst = earlier.gap + present.gap, earlier.burst + present.burst
        self._since_growth += base
        if burst > _TOO_MUCH * gap + _NOISE:
            self._earlier = self._present = _NOTHING
            self._burst_grown = self._since_growth = 0.0
            return Returns(windows_ended=2)
        back = min(gap, burst)
        if back < 1 or self._since_growth < max(gap, burst):
            return Returns(windows_ended=ended) if ended else _NOTHING_RETURNS
        returns = Returns(back / burst, back / gap, ended)
        of_gap, of_burst = 1 - returns.baseline, 1 - returns.candidate
        self._earlier = LeftOut(earlier.gap * of_gap, earlier.burst * of_burst)
        self._present = LeftOut(present.gap * of_gap, present.burst * of_burst)
        self._burst_grown, self._since_growth = burst - back, 0.0
        return returns

    def _restored(self) -> None:
        self.returns = _NOTHING_RETURNS


class SideBalance(Stored):
    """Decide which fraction of each flush to leave out of the evidence, from both sides' numbers of requests.

    - ``_candidate``, ``_baseline``: the numbers of requests of each side so far
    - ``odds``: the number of candidate requests for each baseline request; 0 while unknown
    - ``_known_by``: the rarer side's number of requests when ``odds`` was estimated
    - ``_next_at``: the rarer side's number of requests at which the odds are estimated again
    - ``excess``: the number of requests, scaled to the rarer side, by which the candidate exceeds the proportion
      ``odds``
    """

    _candidate: int
    _baseline: int
    odds: float
    _known_by: int
    _next_at: int
    excess: float
    _standstill: Standstill
    __slots__ = ("_baseline", "_candidate", "_known_by", "_next_at", "_standstill", "excess", "odds")

    def __init__(self) -> None:
        self._candidate = self._baseline = 0
        self.odds = 0.0
        self._known_by = 0
        self._next_at = _FIRST
        self.excess = 0.0
        self._standstill = Standstill()

    def leave_out(self, candidate: int, baseline: int, at_ms: int = 0) -> tuple[int, int]:
        """Return the fractions (candidate, baseline) of a flush to leave out of the evidence, in units of 1/UNITS.

        ``candidate`` and ``baseline`` are the numbers of requests of each side in the flush, which ended at ``at_ms``.
        """
        self._candidate += candidate
        self._baseline += baseline
        if self._next_at <= _LAST and min(self._candidate, self._baseline) >= self._next_at:
            self._estimate_odds()
        if not self.odds:
            return (0, 0)
        scaled_c, scaled_b = candidate / max(1.0, self.odds), baseline * min(1.0, self.odds)
        self.excess += scaled_c - scaled_b
        left_c = _part(self.excess - _SLACK, scaled_c)
        left_b = _part(-_SLACK - self.excess, scaled_b)
        self.excess += (left_b * scaled_b - left_c * scaled_c) / UNITS
        self._standstill.add(left_c * scaled_c / UNITS, left_b * scaled_b / UNITS, scaled_b, at_ms)
        return (left_c, left_b)

    @property
    def returns(self) -> Returns:
        """The fractions of earlier left-out requests that return to the evidence with the latest flush.

        After each call of ``leave_out``, first apply these fractions once to the requests that earlier calls left out.
        Then record the requests that the latest call left out.
        """
        return self._standstill.returns

    def _estimate_odds(self) -> None:
        odds, rarer = self._candidate / self._baseline, min(self._candidate, self._baseline)
        if self._known_by < _ROUGH or abs(math.log(odds / self.odds)) <= self._tolerated_change:
            self.odds, self._known_by, self.excess = odds, rarer, 0.0
        while self._next_at <= rarer:
            self._next_at *= 2

    @property
    def _tolerated_change(self) -> float:
        """The largest change of ln(odds) that more samples of the same split explain.

        A larger change means that the split itself has changed.
        """
        return max(_FIRM, _DOUBT / math.sqrt(self._known_by))


def _part(excess: float, n: float) -> int:
    """Return ``excess`` / ``n``, limited to 0…1, in units of 1/UNITS."""
    return 0 if excess <= 0 or n <= 0 else min(UNITS, round(UNITS * excess / n))

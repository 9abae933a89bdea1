"""Distinguish an outage of both sides from a broken candidate, by the baseline's results in the bad period.

See ADR 0116 and ADR 0129.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from scorer.steering.evidence.changepoint import BadPeriod
from scorer.steering.evidence.gate_observations import RequestCounts

# A guard waits for at most 10 bad answers if nearly all requests fail, and for at most 30 if fewer requests fail.
_MOST_BAD, _MOST_BAD_PARTLY = 10, 30
_NEARLY_ALL = 0.7
_SURPRISING = 0.1 + 1e-9  # the second term absorbs rounding errors
_RECENT = 40  # candidate requests after which the baseline's last failure no longer counts


@dataclass(frozen=True, slots=True)
class OutageWatch:
    """The counts by which a fast guard decides whether to wait for more results of the baseline.

    Without the baseline's results, a broken candidate cannot be distinguished from an outage of both sides. So a guard
    waits for them for a short time. Rescues count as requests of the baseline.

    - ``bad``: the number of the candidate's failures since its requests began to fail, or since the baseline last
      failed too
    - ``rescued``: the rescues that the baseline has answered since the candidate's requests began to fail
    - ``rescues_failed``: the rescues that the baseline has failed to answer since then
    """

    bad: int = 0
    rescued: int = 0
    rescues_failed: int = 0

    def after_rescues(self, since: BadPeriod, counts: RequestCounts) -> OutageWatch:
        """Return the watch after adding the rescues in ``counts``. Outside a bad period, the rescues are reset to 0.

        ``since``: the current bad period, which already includes ``counts``.
        """
        if not since.c_n:
            return replace(self, rescued=0, rescues_failed=0) if self.rescued or self.rescues_failed else self
        if not counts.rescues:
            return self
        rescued, failed = self.rescued + counts.rescued, self.rescues_failed + counts.rescues_failed
        return OutageWatch(self.bad, rescued, failed)

    def after_errors(self, since: BadPeriod, c_errors: int, *, baseline_fails: bool) -> OutageWatch:
        """Return the watch with ``c_errors`` new failures of the candidate added.

        If the baseline fails too, or outside a bad period, the count of failures starts again at 0. ``since``: the
        current bad period.
        """
        bad = self.bad + c_errors if since.c_errors and not baseline_fails else 0
        return self if bad == self.bad else OutageWatch(bad, self.rescued, self.rescues_failed)

    def baseline_fails_alike(self, since: BadPeriod, max_ratio: float, silent: int) -> bool:
        """Return whether the baseline's error rate in the bad period is about as high as the candidate's.

        This is so if the candidate's rate is at most ``max_ratio`` times the baseline's, and the baseline has at least
        two failures and a recent request. ``silent``: the number of candidate requests since the baseline's last one.
        """
        b_errors, b_n = self._baseline(since)
        alike = since.c_errors * b_n <= max_ratio * b_errors * since.c_n
        return b_errors >= 2 and alike and silent <= _RECENT

    def _baseline(self, since: BadPeriod) -> tuple[int, int]:
        """Return the numbers of the baseline's failures and requests in the bad period, including rescues."""
        return int(since.b_errors) + self.rescues_failed, since.b_n + self.rescued + self.rescues_failed

    def is_conclusive(self, since: BadPeriod) -> bool:
        """Return whether the guard can decide without more results of the baseline.

        The guard can decide if the baseline is known to fail less often than the candidate, if the guard has waited
        long enough, or outside a bad period.
        """
        if not since.c_errors:
            return True  # outside a bad period, the ratio of both sides' errors decides
        rate = since.c_errors / since.c_n
        if self.bad >= (_MOST_BAD if rate >= _NEARLY_ALL else _MOST_BAD_PARTLY):
            return True
        b_errors, n = self._baseline(since)
        return n > 0 and at_most(b_errors, n, min(rate, 0.95)) <= _SURPRISING


NO_OUTAGE = OutageWatch()

_TERMS = 1000
_EXACT = 1e-12


def at_most(k: int, n: int, p: float) -> float:
    """Return the probability that at most k of n requests fail, if each fails with probability p, 0 < p < 1.

    If k is at least the expected number n·p, the result is 1, as an upper bound. The exact value is then at least one
    half, because the median is within one of the mean. Otherwise, the result is exact for up to some million requests.
    For more requests, it is an upper bound: a thousand terms are summed, and a geometric series replaces the others.
    """
    if k >= n * p:
        return 1.0
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    term = math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))
    total = term
    for i in range(k, max(0, k - _TERMS), -1):
        if term <= _EXACT * total:
            return total
        term *= i * (1 - p) / ((n - i + 1) * p)
        total += term
    left = k - _TERMS
    if left <= 0:
        return total
    fall = left * (1 - p) / ((n - left + 1) * p)
    return total + term * fall / (1 - fall)

"""Distinguish an outage of both sides from a broken candidate, by the baseline's results while the candidate fails.

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
    """The baseline's results since the candidate's requests began to fail. Rescues count as requests of the baseline.

    Without these results, a broken candidate cannot be distinguished from an outage of both sides. So a guard waits for
    them for a short time. ``bad``: the number of the candidate's failures since its requests began to fail, or since
    the baseline last failed too.
    """

    bad: int = 0
    rescued: int = 0
    rescues_failed: int = 0

    def after_rescues(self, since: BadPeriod, counts: RequestCounts) -> OutageWatch:
        """Return the watch with the rescues of ``counts`` added. ``since``: the bad period, including ``counts``."""
        if not since.c_n:
            return replace(self, rescued=0, rescues_failed=0) if self.rescued or self.rescues_failed else self
        if not counts.rescues:
            return self
        rescued, failed = self.rescued + counts.rescued, self.rescues_failed + counts.rescues_failed
        return OutageWatch(self.bad, rescued, failed)

    def after_errors(self, since: BadPeriod, c_errors: int, *, baseline_fails: bool) -> OutageWatch:
        """Return the watch with ``c_errors`` new failures of the candidate added.

        ``baseline_fails``: the baseline fails too, so the count of failures begins again.
        """
        bad = self.bad + c_errors if since.c_errors and not baseline_fails else 0
        return self if bad == self.bad else OutageWatch(bad, self.rescued, self.rescues_failed)

    def baseline_fails_alike(self, since: BadPeriod, max_ratio: float, silent: int) -> bool:
        """Return whether the baseline's error rate in the bad period is about as high as the candidate's.

        ``max_ratio``: the candidate's rate may be this many times the baseline's. ``silent``: the number of candidate
        requests since the baseline's last request.
        """
        b_errors, b_n = self._baseline(since)
        alike = since.c_errors * b_n <= max_ratio * b_errors * since.c_n
        return b_errors >= 2 and alike and silent <= _RECENT

    def _baseline(self, since: BadPeriod) -> tuple[int, int]:
        """Return the numbers of the baseline's failures and requests in the bad period, including rescues."""
        return since.b_errors + self.rescues_failed, since.b_n + self.rescued + self.rescues_failed

    def is_conclusive(self, since: BadPeriod) -> bool:
        """Return whether the baseline is known to fail less often, or the guard has waited long enough for it."""
        if not since.c_errors:
            return True  # outside a bad period, the ratio of both sides' errors decides
        rate = since.c_errors / since.c_n
        if self.bad >= (_MOST_BAD if rate >= _NEARLY_ALL else _MOST_BAD_PARTLY):
            return True
        b_errors, n = self._baseline(since)
        return n > 0 and at_most(b_errors, n, min(rate, 0.95)) <= _SURPRISING


_TERMS = 1000
_EXACT = 1e-12


def at_most(k: int, n: int, p: float) -> float:
    """Return the probability that at most k of n requests fail, each with probability 0 < p < 1.

    If k is at least the expected number, return 1 as an upper bound: the exact value is then at least one half, because
    the median is within one of the mean. Otherwise the result is exact for up to some million requests. For more
    requests, a thousand terms are not enough, and the result is an upper bound, in which a geometric series replaces
    the remaining terms.
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

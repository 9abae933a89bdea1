"""Test whether the rate of failures rose with a step: requests before the step against requests since the step.

The null: the rate q₁ since the step is at most ``RATIO`` × q₀ + ``EXTRA``, where q₀ is the unknown rate before it. The
e-value is a mixture of likelihoods over the largest likelihood of the null (universal inference: Wasserman, Ramdas &
Balakrishnan, 2020). It needs no prior knowledge of q₀ and is valid at every look. Under the null, the denominator is at
least the likelihood of the true rates, and the mixtures divided by that likelihood are a martingale. Without requests
before the step, q₀ may be 1, and the e-value is at most 1. See ADR 0165.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

RATIO, EXTRA = 2.0, 0.05
_STEPS = 80  # of the search for the maximum; each leaves 2/3 of the bracket
_BLOCK_MS = 60_000
_BLOCK_REQUESTS = 500


@dataclass(frozen=True, slots=True)
class FailureCounts:
    """The number of requests (``n``), and how many of them failed."""

    failed: int = 0
    n: int = 0

    def after(self, failed: int, n: int) -> FailureCounts:
        return FailureCounts(self.failed + failed, self.n + n)


NO_FAILURE_COUNTS = FailureCounts()


@dataclass(frozen=True, slots=True)
class FailureHistory:
    """The failures of the last minutes, in two blocks: the last complete block and the present block.

    A complete block covers at least a minute and 500 requests.
    """

    complete: FailureCounts = NO_FAILURE_COUNTS
    present: FailureCounts = NO_FAILURE_COUNTS
    began_ms: int = 0

    def after(self, failed: int, n: int, at_ms: int) -> FailureHistory:
        if self.present.n >= _BLOCK_REQUESTS and at_ms - self.began_ms >= _BLOCK_MS:
            return FailureHistory(self.present, FailureCounts(failed, n), at_ms)
        return FailureHistory(self.complete, self.present.after(failed, n), self.began_ms or at_ms)

    @property
    def counts(self) -> FailureCounts:
        return self.complete.after(self.present.failed, self.present.n)


NO_FAILURE_HISTORY = FailureHistory()


def log_e_of_rise(before: FailureCounts, since: FailureCounts) -> float:
    """Return ln of the e-value against the null that the rate rose by no more than ``RATIO`` and ``EXTRA`` allow."""
    if not since.n or not before.n:
        return 0.0
    return _log_mixture(before) + _log_mixture(since) - _log_null(before, since)


def _log_mixture(counts: FailureCounts) -> float:
    """Return ln of the mean likelihood over rates with the prior Beta(½, ½)."""
    good = counts.n - counts.failed
    return math.lgamma(counts.failed + 0.5) + math.lgamma(good + 0.5) - math.lgamma(counts.n + 1) - math.log(math.pi)


def _log_likelihood(rate: float, counts: FailureCounts) -> float:
    good = counts.n - counts.failed
    if (counts.failed and rate <= 0) or (good and rate >= 1):
        return -math.inf
    return (counts.failed * math.log(rate) if counts.failed else 0.0) + (good * math.log1p(-rate) if good else 0.0)


def _most(rate_before: float) -> float:
    return min(1.0, RATIO * rate_before + EXTRA)


def _log_null(before: FailureCounts, since: FailureCounts) -> float:
    """Return ln of the largest likelihood of both counts under the null.

    If the measured rates violate the null, the maximum is on its border. There it is concave in q₀.
    """
    rate_before, rate_since = before.failed / before.n, since.failed / since.n
    if rate_since <= _most(rate_before):
        return _log_likelihood(rate_before, before) + _log_likelihood(rate_since, since)
    low, high = rate_before, (rate_since - EXTRA) / RATIO

    def at(rate: float) -> float:
        return _log_likelihood(rate, before) + _log_likelihood(_most(rate), since)

    for _ in range(_STEPS):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if at(left) < at(right):
            low = left
        else:
            high = right
    return max(at(low), at((low + high) / 2), at(high))

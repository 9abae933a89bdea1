"""What the baseline has to say while the candidate fails: is it an outage of both?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from scorer.steering.evidence.changepoint import Onset


class Rescues(NamedTuple):
    """Requests that the candidate failed and the baseline was then asked: answered, or failed there too."""

    answered: int = 0
    failed: int = 0

    @property
    def n(self) -> int:
        return self.answered + self.failed


NO_RESCUES = Rescues()


class Witness:
    """What the baseline has to say since the candidate's requests began to fail, in its own requests and in rescues:
    without it nobody can tell a broken candidate from an outage of both. It is waited for, but not for long."""

    _MOST, _MOST_PARTLY = 10, 30  # bad answers: where all fail, and where it is not that bad
    _ALL = 0.7
    _SURPRISING = 0.1 + 1e-9  # rounding counts for nothing
    _NEWS = 40  # requests of the candidate for which the baseline's failures are news

    def __init__(self) -> None:
        self.bad = 0  # the candidate's bad answers meanwhile, or since the baseline's last failure
        self.rescues = NO_RESCUES  # meanwhile

    def hear(self, since: Onset, rescues: Rescues) -> None:
        """``since``: the candidate's bad time, what ended just now included."""
        told = self.rescues
        self.rescues = (
            Rescues(told.answered + rescues.answered, told.failed + rescues.failed) if since.c_n else NO_RESCUES
        )

    def count(self, since: Onset, c_errors: int, *, fails: bool) -> None:
        """``c_errors``: the candidate's, just now; ``fails``: the baseline, just now."""
        self.bad = self.bad + c_errors if since.c_errors and not fails else 0

    def suffers_too(self, since: Onset, max_ratio: float, silent: int) -> bool:
        """Whether about as many of the baseline's failed, its last one ``silent`` requests of the candidate ago."""
        b_errors, b_n = self._told(since)
        alike = since.c_errors * b_n <= max_ratio * b_errors * since.c_n
        return b_errors >= 2 and alike and silent <= self._NEWS

    def _told(self, since: Onset) -> tuple[int, int]:
        """Failures of the baseline meanwhile, of so many requests."""
        return since.b_errors + self.rescues.failed, since.b_n + self.rescues.n

    def is_heard(self, since: Onset) -> bool:
        """Whether the baseline is known to be better off, or has been waited for long enough."""
        if not since.c_errors:
            return True  # not that bad a time: whose the errors are is then told by the baseline's themselves
        rate = since.c_errors / since.c_n
        if self.bad >= (self._MOST if rate >= self._ALL else self._MOST_PARTLY):
            return True
        b_errors, n = self._told(since)
        return n > 0 and at_most(b_errors, n, min(rate, 0.95)) <= self._SURPRISING

    def to_json(self) -> list[Any]:
        return [self.bad, *self.rescues]

    def load(self, raw: Sequence[Any]) -> None:
        self.bad, self.rescues = int(raw[0]), Rescues(*(int(v) for v in raw[1:3]))


_TERMS = 1000
_EXACT = 1e-12


def at_most(k: int, n: int, p: float) -> float:
    """The probability that at most k of n fail, each with probability 0 < p < 1; 1 where k is no fewer than expected
    (it is at least one half then, as the median is within one of the mean). Exact up to some million requests; beyond,
    where a thousand terms do not do, never too small: the rest is at most a geometric series."""
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

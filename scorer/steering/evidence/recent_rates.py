"""Estimate rates from recent requests: the candidate's share of the requests, and the baseline's error rate.

The older a request, the lower its weight: the weight halves with each half-life, which is a number of requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from scorer.steering.evidence.gate_observations import RequestCounts


@dataclass(frozen=True, slots=True)
class FadingRate:
    """The rate of an event among recent requests. The older a request, the less it weighs."""

    events: float
    n: float

    @property
    def value(self) -> float:
        return self.events / self.n

    def after(self, events: int, n: int, half_life: float) -> FadingRate:
        """Return the rate after ``n`` more requests. ``events``: how many of them had the event."""
        keep, weight = _weights(n, half_life)
        return FadingRate(self.events * keep + events * weight, self.n * keep + n * weight)


NO_FAILURES = FadingRate(0.0, 3.0)  # before the first request, with the weight of three requests


@lru_cache(maxsize=4096)
def _weights(n: int, half_life: float) -> tuple[float, float]:
    """Return the weight of the request that came n requests before the newest, and the mean weight of the newest n.

    The newest request has the weight 1.

    ``half_life``: after this many further requests, a request has half of its weight.
    """
    keep = 0.5 ** (n / half_life)
    return keep, 1.0 if n <= 1 else (1 - keep) / (n * (1 - 0.5 ** (1 / half_life)))


@dataclass(frozen=True, slots=True)
class CandidateShare:
    """The candidate's share of the requests, estimated from the requests so far.

    There are two estimates: ``quick`` follows a change of the share quickly, ``slow`` follows it slowly. The larger of
    the two is used. If the estimate were too low, as when it lags behind a rising share, the candidate's errors would
    look more surprising than they are, and a guard could raise a false alarm.
    """

    quick: FadingRate
    slow: FadingRate

    @classmethod
    def from_prior(cls, share: float, weight: float) -> CandidateShare:
        """Return the estimate before the first request: ``share``, with the weight of ``weight`` requests."""
        return cls(FadingRate(share * weight, weight), FadingRate(share * weight, weight))

    @property
    def value(self) -> float:
        return min(max(self.quick.value, self.slow.value, 1e-3), 0.999)

    def after(self, c_n: int, b_n: int) -> CandidateShare:
        n = c_n + b_n
        return CandidateShare(self.quick.after(c_n, n, 30.0), self.slow.after(c_n, n, 1000.0))


_RECENT = 24  # candidate requests after which the baseline's last failure no longer counts


@dataclass(frozen=True, slots=True)
class BaselineRate:
    """The baseline's recent error rate.

    ``value`` is the larger of two rates: ``quick`` covers about the last ten requests of the baseline, and ``slow`` the
    last few hundred. One error in ``quick`` is ignored, because a single error is not an outage and must not delay the
    guards against the candidate.
    """

    quick: FadingRate = NO_FAILURES
    slow: FadingRate = NO_FAILURES
    failing: bool = False  # at least half of the baseline's latest requests failed
    silent: int = 0  # candidate requests since the baseline's last request

    @property
    def value(self) -> float:
        return max((self.quick.events - 1) / self.quick.n, self.slow.value)

    def after(self, counts: RequestCounts) -> BaselineRate:
        """Return the rate with the requests of ``counts`` included.

        A rescue is a request that failed at the candidate and was then sent to the baseline. Rescues do not enter the
        rate, because they are not a random sample. If ``counts`` has no request of the baseline, ``failing`` becomes
        False in two cases: for more than _RECENT candidate requests, the baseline got neither a request nor a rescue;
        or the baseline answered most of the rescues in ``counts``. Otherwise, one old failure of a baseline with very
        few requests would excuse the candidate.
        """
        if not counts.b_n:
            silent = 0 if counts.rescues else self.silent + counts.c_n
            failing = self.failing and silent <= _RECENT and counts.rescued <= counts.rescues_failed
            return BaselineRate(self.quick, self.slow, failing, silent)
        errors, n = counts.b_errors, counts.b_n
        return BaselineRate(self.quick.after(errors, n, 10.0), self.slow.after(errors, n, 300.0), 2 * errors >= n)

"""Estimate rates from recent requests. The weight of a request falls by half with each half-life."""

from __future__ import annotations

from dataclasses import dataclass

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
        """Return the rate after ``n`` more requests, ``events`` of them with the event. ``half_life``: in requests."""
        keep, weight = 0.5 ** (n / half_life), _mean_weight(n, half_life)
        return FadingRate(self.events * keep + events * weight, self.n * keep + n * weight)


def _mean_weight(n: int, half_life: float) -> float:
    """Return the mean weight of n successive requests, each one request older than the next.

    ``half_life``: the age, in requests, at which a request has half of the weight.
    """
    return 1.0 if n <= 1 else (1 - 0.5 ** (n / half_life)) / (n * (1 - 0.5 ** (1 / half_life)))


@dataclass(frozen=True, slots=True)
class CandidateShare:
    """The candidate's share of the requests, estimated *before* the next requests.

    The estimate is the larger of two: one follows a change of the share quickly, the other slowly. An estimate that
    lags behind a rising share would make the candidate's errors look more surprising than they are. The larger estimate
    avoids false alarms.
    """

    quick: FadingRate
    slow: FadingRate

    @classmethod
    def from_prior(cls, share: float, weight: float) -> CandidateShare:
        """Return the estimate before the first request. ``weight``: the weight of the prior as a number of requests."""
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
    """The baseline's recent error rate: the larger of the rates over its last ten and its last few hundred requests.

    One error among the last ten requests is ignored, because a single error is no outage and must not delay the
    candidate's guard.
    """

    quick: FadingRate = FadingRate(0.0, 3.0)
    slow: FadingRate = FadingRate(0.0, 3.0)
    failing: bool = False  # at least half of the baseline's latest requests failed
    silent: int = 0  # candidate requests since the baseline's last request

    @property
    def value(self) -> float:
        return max((self.quick.events - 1) / self.quick.n, self.slow.value)

    def after(self, counts: RequestCounts) -> BaselineRate:
        """Return the rate with the requests of ``counts`` included.

        If the baseline gets hardly any requests, one old failure must not excuse the candidate, so ``failing`` ends
        after some candidate requests. Rescues also show the baseline's health: ``failing`` ends when most rescues are
        answered. Rescues do not enter the rate, because they are a selection of requests that the candidate could not
        answer.
        """
        if not counts.b_n:
            silent = 0 if counts.rescues else self.silent + counts.c_n
            failing = self.failing and silent <= _RECENT and counts.rescued <= counts.rescues_failed
            return BaselineRate(self.quick, self.slow, failing, silent)
        errors, n = counts.b_errors, counts.b_n
        return BaselineRate(self.quick.after(errors, n, 10.0), self.slow.after(errors, n, 300.0), 2 * errors >= n)

"""The burst discount: errors of one side that come together are one cause, and count as few.

When a connection breaks, the requests on it fail together: three to five errors in a second, of one cause. Counted one
by one, they are more evidence than they are, and an equal candidate is rolled back. So in one second, no more errors of
a side count than chance would explain at the recent error rate of both sides. The others are left out, as if these
requests had not been made.

All errors count if this is no burst: if the side's latest six requests all failed, or twelve and at least half of its
requests in this second, or if it had too many errors in each of its last two seconds with requests. In the first two
cases, what was left out of the run of failures, or of this second, counts after all. So an outage counts in full from
its sixth request on.

Whether an error counts depends on counts only, alike for both sides. What is left out still counts in a second test,
which holds for bursts too (burst_tests.py). See ADR 0273.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from scorer.steering.evidence.gate_observations import RequestCounts
from scorer.steering.evidence.recent_rates import FadingRate

OUTAGE_ERRORS = 6  # a burst of one cause has three to five errors
_SEVERAL = 12  # so many errors of a second are not two bursts
_LASTING = 2  # so many seconds with too many errors are no burst
_HALF_LIFE = 1000.0  # requests
_PRIOR = FadingRate(0.1, 100.0)
_CHANCE = 0.99  # what chance explains: this quantile of a Poisson distribution


@dataclass(frozen=True, slots=True)
class SideBurst:
    """What is known about one side's present second, and about its present run of failures.

    - ``n``, ``errors``, ``counted``: its requests and errors in this second, and how many of the errors have counted
    - ``run``: the number of its latest requests, one after the other, that all failed
    - ``held``: how many errors of this run have been left out
    - ``lasting``: in how many seconds with requests, one after the other, it had too many errors before this one
    """

    n: int = 0
    errors: int = 0
    counted: int = 0
    run: int = 0
    held: int = 0
    lasting: int = 0

    def next_second(self, rate: float) -> SideBurst:
        if not self.n:
            return self
        lasting = self.lasting + 1 if self.errors > most_by_chance(self.n * rate) else 0
        return SideBurst(run=self.run, held=self.held, lasting=lasting)

    def after(self, n: int, errors: int, rate: float) -> tuple[SideBurst, int]:
        """Return what is known after ``n`` more requests, and how many errors count now. ``rate``: of recent errors."""
        if not n:
            return self, 0
        fails = errors == n
        run, held = (self.run + errors, self.held) if fails else (0, 0)
        n, errors, new = self.n + n, self.errors + errors, errors
        if run >= OUTAGE_ERRORS:
            counts, held = new + held, 0
        elif errors >= _SEVERAL and 2 * errors >= n:
            counts, held = max(new, errors - self.counted), 0
        elif self.lasting >= _LASTING:
            counts = new
        else:
            counts = min(new, max(0, most_by_chance(n * rate) - self.counted))
            held = held + new - counts if fails else 0
        return SideBurst(n, errors, self.counted + counts, run, held, self.lasting), counts


@dataclass(frozen=True, slots=True)
class BurstState:
    """The state of a ``BurstDiscount``.

    - ``second``: the present second
    - ``rate``: the error rate of both sides' recent requests before this second
    - ``candidate``, ``baseline``: see ``SideBurst``
    """

    second: int = 0
    rate: FadingRate = _PRIOR
    candidate: SideBurst = field(default_factory=SideBurst)
    baseline: SideBurst = field(default_factory=SideBurst)

    def after(self, second: int, counts: RequestCounts) -> tuple[BurstState, RequestCounts]:
        """Return the state after the requests ``counts``, which ended in ``second``, and what of them counts."""
        rate, own, base = self.rate.value, self.candidate, self.baseline
        pooled = self.rate
        if second != self.second:
            pooled = pooled.after(own.errors + base.errors, own.n + base.n, _HALF_LIFE)
            own, base, rate = own.next_second(rate), base.next_second(rate), pooled.value
        own, c_errors = own.after(counts.c_n, counts.c_errors, rate)
        base, b_errors = base.after(counts.b_n, counts.b_errors, rate)
        c_left, b_left = counts.c_errors - c_errors, counts.b_errors - b_errors
        state = BurstState(second, pooled, own, base)
        if not (c_left or b_left):
            return state, counts
        unreachable = round(counts.c_unreachable * c_errors / counts.c_errors) if counts.c_errors else 0
        counted = replace(
            counts,
            c_n=counts.c_n - c_left,
            c_errors=c_errors,
            c_unreachable=min(unreachable, c_errors),
            b_n=counts.b_n - b_left,
            b_errors=b_errors,
        )
        return state, counted


def most_by_chance(mean: float) -> int:
    """Return how many errors chance explains where ``mean`` are expected; at least one."""
    if mean > 50:
        return math.ceil(mean + 2.33 * math.sqrt(mean)) + 1
    term = total = math.exp(-mean)
    k = 0
    while total < _CHANCE:
        k += 1
        term *= mean / k
        total += term
    return max(1, k)

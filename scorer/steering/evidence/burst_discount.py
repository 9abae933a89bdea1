"""The burst discount: errors of one side in the same second often have one cause, so only a few of them count.

When a connection breaks, the requests on it fail together: three to five errors in a second with one cause. If each of
them counted, a candidate that is as good as the baseline could be rolled back. So in one second, no more errors of a
side count than chance would explain at the recent error rate of both sides. The others are left out, as if these
requests had not been made.

Three patterns are not bursts, so all errors of a side count:

- The side's latest six requests all failed. Those of these errors that were left out count after all.
- In this second, at least twelve of the side's requests failed, and at least half of all its requests. The errors of
  this second that were left out count after all.
- The side had too many errors in each of its last two seconds with requests.

So an outage counts in full once it has lasted six requests.

Whether an error counts depends only on counts, by the same rule for both sides. The left-out errors still count in a
second test, which is valid for bursts too (burst_tests.py). See ADR 0273.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from scorer.steering.evidence.gate_observations import RequestCounts
from scorer.steering.evidence.recent_rates import FadingRate

OUTAGE_ERRORS = 6  # a burst of one cause has three to five errors
_SEVERAL = 12  # this many errors in a second are not just two bursts
_LASTING = 2  # too many errors in this many seconds are not a burst
_HALF_LIFE = 1000.0  # requests
_PRIOR = FadingRate(0.1, 100.0)
_CHANCE = 0.99  # chance explains errors up to this quantile of the Poisson distribution


@dataclass(frozen=True, slots=True)
class SideBurst:
    """One side's counts in the present second, and in its present run of failures.

    - ``n``, ``errors``, ``counted``: the side's requests and errors in this second, and how many of the errors have
      counted
    - ``run``: how many of the side's latest requests failed without a success between them
    - ``held``: how many errors of this run have been left out
    - ``lasting``: how many consecutive seconds with requests, before this one, had too many errors
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
        """Add ``n`` requests. Return the new counts, and how many errors count now. ``rate``: the recent error rate."""
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
        """Add requests that ended in ``second``. Return the new state, and ``counts`` without left-out errors."""
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
    """Return how many errors chance explains if ``mean`` errors are expected; at least one."""
    if mean > 50:
        return math.ceil(mean + 2.33 * math.sqrt(mean)) + 1
    term = total = math.exp(-mean)
    k = 0
    while total < _CHANCE:
        k += 1
        term *= mean / k
        total += term
    return max(1, k)

"""Test how much more often the candidate's answers fail than the baseline's, on pairs of answers to the same request.

The sample of a pair is D = 1 if only the candidate's answer failed, -1 if only the baseline's did, and 0 otherwise. So
a failure of both answers, as in an outage of both sides, does not change the evidence.

δ is the limit of the difference between the two rates of failure. There are two tests. The null of the test that fails
the candidate is E[D] ≤ δ for each pair, given the pairs before it. The null of the test that passes the candidate is
E[D] ≥ δ. In the first test, a bet of λ pays 1 + λ (D - δ) for each pair; in the second, it pays 1 + λ (δ - D). Under
the null, the payment has an expectation of at most 1, so the product over all pairs is an e-process. Each test is a
mixture of fixed bets. Source: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting" (2023).
See ADR 0260.
"""

from __future__ import annotations

import math

from scorer.steering.evidence.mixture import Mixture, TwoSidedTest
from scorer.steering.evidence.state_codec import Stored

# The sizes of the bets, as fractions of the largest bet, and their weights. In the candidate's favour, large bets have
# most of the weight: if failures are rare, most pairs have D = 0, and only a large bet gains much from such pairs.
_AGAINST = ((0.1, 0.25), (0.3, 0.25), (0.6, 0.25), (0.9, 0.25))
_IN_FAVOUR = ((0.1, 0.1), (0.3, 0.15), (0.6, 0.25), (0.95, 0.5))


class PairedIncreaseTest(TwoSidedTest):
    """Tests how much more often the candidate's answer fails than the baseline's, on the same requests.

    - ``candidate_only``, ``baseline_only``: the number of pairs in which only this side's answer failed
    - ``both``, ``neither``: the number of pairs in which both answers failed, or none
    """

    candidate_only: int
    baseline_only: int
    both: int
    neither: int

    def __init__(self, limit: float) -> None:
        """Start without pairs. ``limit``: the limit δ of the difference of both rates, with 0 < δ < 1."""
        self.candidate_only = self.baseline_only = self.both = self.neither = 0
        super().__init__([weight for _, weight in _AGAINST], [weight for _, weight in _IN_FAVOUR])
        self._gains_against = {d: [math.log1p(part * (d - limit) / (1 + limit)) for part, _ in _AGAINST] for d in _D}
        self._gains_favour = {d: [math.log1p(part * (limit - d) / (1 - limit)) for part, _ in _IN_FAVOUR] for d in _D}

    def update(self, *, candidate: bool, baseline: bool) -> None:
        """Add a pair. ``candidate``, ``baseline``: whether the side's answer failed."""
        d = candidate - baseline
        self.candidate_only += d == 1
        self.baseline_only += d == -1
        self.both += candidate and baseline
        self.neither += not candidate and not baseline
        self.add(self._gains_against[d], self._gains_favour[d])

    @property
    def n(self) -> int:
        return self.candidate_only + self.baseline_only + self.both + self.neither

    @property
    def difference(self) -> float | None:
        """The candidate's rate of failures minus the baseline's; None without pairs."""
        return (self.candidate_only - self.baseline_only) / self.n if self.n else None


class RateBelowTest(Stored):
    """Gather evidence that a rate of failures is below a limit, with the bets of ``PairedIncreaseTest``.

    ``n``, ``failed``: the numbers of all events and of the failures.
    """

    n: int
    failed: int
    _in_favour: Mixture

    def __init__(self, limit: float) -> None:
        self.n = self.failed = 0
        self._in_favour = Mixture([weight for _, weight in _IN_FAVOUR])
        self._gains = [[math.log1p(part * (limit - d) / (1 - limit)) for part, _ in _IN_FAVOUR] for d in (0, 1)]

    def add(self, *, failed: bool) -> None:
        self.n += 1
        self.failed += failed
        self._in_favour.update(self._gains[failed])

    @property
    def log_pass(self) -> float:
        """ln of the e-value for a rate below the limit."""
        return self._in_favour.log_e


_D = (-1, 0, 1)

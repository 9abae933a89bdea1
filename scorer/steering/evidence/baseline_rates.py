"""Decide with which results of the baseline the candidate's errors are compared, if the sides serve different users.

If many requests of one user fail at both sides, the side that serves this user has more errors, although it is no
worse. The baseline's copies of the candidate's requests show this. So if the baseline fails them clearly more often
than its own clients' requests, the candidate's errors are compared with the failures of these copies: both sides then
have the same users. See ADR 0545.

The decision is cautious. It needs more than two failed copies, and takes the lower bound of their rate. If copies fail
because they are copies, the baseline's copies of its own clients' requests (``shadow.same_side``) fail too, and nothing
changes. If there are almost no such copies, nothing changes either. All rates cover the same time: what was counted
loses half of its weight while the candidate gets HALF_LIFE requests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scorer.steering.evidence.gate_observations import BaselineCopies, ByCopies, RequestCounts

HALF_LIFE = 2000  # requests of the candidate
_FEW = 2.0  # so many failed copies change nothing
_LEAST_OWN = 10  # with fewer own copies, nothing shows whether copies fail because they are copies
_Z = 2.5  # so the lower bound is at most the exact one at the level 5 %, also after three failures


@dataclass(frozen=True, slots=True)
class FadingCount:
    """A number of requests, and how many of them failed. Older requests weigh less."""

    n: float = 0.0
    failed: float = 0.0

    def after(self, keep: float, n: int, failed: int) -> FadingCount:
        """Return the count with ``n`` requests added. ``keep``: the part of its weight that each earlier one keeps."""
        return FadingCount(self.n * keep + n, self.failed * keep + failed)

    @property
    def rate(self) -> float:
        return self.failed / self.n if self.n else 0.0

    @property
    def least(self) -> float:
        """The lower bound of the error rate (Wilson, 1927)."""
        spread = max(0.0, self.failed * (1 - self.rate)) + _Z**2 / 4
        return max(0.0, (self.failed + _Z**2 / 2 - _Z * math.sqrt(spread)) / (self.n + _Z**2))


@dataclass(frozen=True, slots=True)
class BaselineRates:
    """Recent results.

    - ``clients``: the baseline's clients' requests
    - ``candidates_copies``: the baseline's copies of requests that the candidate answered
    - ``own_copies``: the baseline's copies of requests that it answered itself
    - ``candidate_n``: the number of the candidate's requests
    """

    clients: FadingCount = FadingCount()
    candidates_copies: FadingCount = FadingCount()
    own_copies: FadingCount = FadingCount()
    candidate_n: float = 0.0

    def after(self, counts: RequestCounts, copies: BaselineCopies) -> BaselineRates:
        """Return the rates with these requests and copies added."""
        keep = 0.5 ** (counts.c_n / HALF_LIFE)
        return BaselineRates(
            self.clients.after(keep, counts.b_n, counts.b_errors),
            self.candidates_copies.after(keep, copies.candidates_n, copies.candidates_failed),
            self.own_copies.after(keep, copies.own_n, copies.own_failed),
            self.candidate_n * keep + counts.c_n,
        )

    @property
    def by_copies(self) -> ByCopies | None:
        """How the next requests are compared; None: with the baseline's clients' requests."""
        copies, clients = self.candidates_copies, self.clients
        if copies.failed <= _FEW:
            return None
        if self.own_copies.n < _LEAST_OWN:
            return None
        # Half an error is added, because a rate of 0 is not proven by any number of requests.
        usual = max(clients.rate, (clients.failed + 0.5) / (clients.n + 1), self.own_copies.rate)
        if copies.least <= usual:
            return None
        return ByCopies(self.candidate_n / (self.candidate_n + copies.n), copies.rate)

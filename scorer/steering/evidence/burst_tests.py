"""Test error rates where errors may come in bursts: two tests, one of which is also valid if a burst has one cause.

The first test assumes that errors are independent. It does not get the errors that the burst discount leaves out
(burst_discount.py), so a burst counts about as one error there: bursts alone cannot fail a candidate.

The second test gets all requests, and divides all evidence by CLUSTER. It is valid if each cause hits at most CLUSTER
requests. Proof: let L be the likelihood ratio of one request, and let the s ≤ CLUSTER requests of a cause depend on
each other in any way. By Hölder's inequality, E[Π L^(1/CLUSTER)] ≤ Π E[L^(s/CLUSTER)]^(1/s), and by Jensen's inequality
this is at most Π E[L]^(1/CLUSTER). So the expected product over all causes is at most the CLUSTER-th root of the
product for independent requests, which is at most 1.

The second test begins when the burst discount first leaves out an error. Against the candidate, it has a quarter of the
weight: the mean of two e-values with fixed weights is an e-value. In the candidate's favour, only the second test
counts while a fifth or more of all errors are left out. It then also includes the requests before it began. If errors
are independent, less than a tenth of them is left out, because chance explains all errors in 99 of 100 seconds. See ADR
0257.
"""

from __future__ import annotations

import math
from typing import Any, Generic, TypeVar

from scorer.steering.evidence.error_rate_tests import IncreaseTest, RateTest
from scorer.steering.evidence.mixture import log_add
from scorer.steering.evidence.state_codec import Stored

CLUSTER = 5  # the most errors of one cause: six failures in a row are an outage, which counts in full
_LOG_FIRST, _LOG_SECOND = math.log(0.75), math.log(0.25)
_FEW, _MANY = 3, 0.2  # errors come in bursts if at least this many, and at least this share of all, are left out


def come_in_bursts(left_out: int, errors: int) -> bool:
    """Return whether errors come in bursts: the burst discount left out many (``left_out``) of all ``errors``."""
    return left_out >= _FEW and left_out >= _MANY * errors


T = TypeVar("T", IncreaseTest, RateTest)


class BurstTests(Stored, Generic[T]):
    """Two tests of the same error rate: one without the errors of bursts, and one that is valid in bursts.

    - ``first``: the test without the errors that the burst discount leaves out
    - ``_second``: the test of all errors; None until the burst discount leaves out an error
    """

    first: T
    _second: T | None

    def __init__(self, first: T) -> None:
        """Start without data. ``first``: a test to which no data was added yet."""
        self.first, self._second = first, None

    def update(self, counted: tuple[Any, ...], everything: tuple[Any, ...]) -> None:
        """Add requests.

        - ``counted``: the arguments for ``update`` of the first test, without the errors that the burst discount leaves
          out
        - ``everything``: the arguments for ``update`` of the second test, with all errors
        """
        if self._second is not None:
            self._second.update(*everything)
        elif counted != everything:
            self._second = self.first.with_clusters(CLUSTER)
            self._second.update(*everything)
            self._second.forget_against()  # this burst started the test, so it must not count as evidence
        self.first.update(*counted)

    def forget_gains(self) -> None:
        """Discard the gains of the evidence against the candidate."""
        for test in (self.first, self._second):
            if test is not None:
                test.forget_gains()

    @property
    def gain(self) -> float:
        gain: float = self.first.gain
        return gain

    @property
    def log_fail(self) -> float:
        """ln of the e-value against the candidate."""
        second = 0.0 if self._second is None else self._second.log_fail
        return log_add(_LOG_FIRST + self.first.log_fail, _LOG_SECOND + second)

    def log_pass(self, *, in_bursts: bool) -> float:
        """Return ln of the e-value in favour of the candidate. ``in_bursts``: whether errors come in bursts."""
        return self._second.log_pass if in_bursts and self._second is not None else self.first.log_pass

    def restore(self, raw: Any) -> None:
        self._second = self.first.with_clusters(CLUSTER)
        super().restore(raw)

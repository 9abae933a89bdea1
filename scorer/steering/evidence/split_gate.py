"""The split guard: test whether the router gives the candidate the configured share of the requests.

The test is the multinomial test of a sample-ratio mismatch with a mixture prior, for two categories (Lindon & Malek,
"Anytime-valid inference for multinomial count data", 2022). It allows a tolerance, because counts may differ from the
configured split without a fault of the router. Requests are counted when they end, so a slower side is counted later,
and a retried connection may count twice.

See ADR 0117.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scorer.steering.evidence.confidence import Interval, rate_interval
from scorer.steering.evidence.formatting import share_text
from scorer.steering.evidence.gate_base import Gate, Handler
from scorer.steering.evidence.gate_observations import LookDue, RequestsEnded
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.mixture import LN2, RateGrid, TwoSidedTest, log_add, spend
from scorer.steering.evidence.state_codec import Stored

TOLERANCE = 1.25  # the odds may differ from the configured odds by this factor in either direction
PROVEN = 1.6  # a split passes when its odds are proven to be within this factor of the configured odds
_SHIFTS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
_RESTART_AT = -2.0  # when the evidence for a right split (ln of an e-value) is below this, the recovery test restarts


class SplitTest(Stored):
    """Test whether the candidate gets its configured ``share`` of the requests.

    The odds are the candidate's requests for each baseline request. ``log_e`` is evidence against the null that they
    differ from share / (1 - share) by at most the factor TOLERANCE. The evidence may begin at any time in the step,
    because a side that vanishes late in a long step must be noticed too (ADR 0041).

    ``_more``, ``_less``: the tests for too many and for too few requests. The evidence against the candidate uses the
    factor TOLERANCE, the evidence in its favour the factor PROVEN.
    """

    _more: TwoSidedTest
    _less: TwoSidedTest

    def __init__(self, share: float) -> None:
        around = RateGrid.around
        self._high = around(_with_odds_times(share, TOLERANCE), _SHIFTS, above=True)
        self._low = around(_with_odds_times(share, 1 / TOLERANCE), _SHIFTS, above=False)
        self._under = around(_with_odds_times(share, PROVEN), _SHIFTS, above=False)
        self._over = around(_with_odds_times(share, 1 / PROVEN), _SHIFTS, above=True)
        self._more = TwoSidedTest(self._high.weights, self._under.weights)
        self._less = TwoSidedTest(self._low.weights, self._over.weights)

    def update(self, c_n: int, b_n: int) -> None:
        n = c_n + b_n
        self._more.add(self._high.ratios(c_n, n), self._under.ratios(c_n, n))
        self._less.add(self._low.ratios(c_n, n), self._over.ratios(c_n, n))

    @property
    def log_e(self) -> float:
        return log_add(self._more.log_fail, self._less.log_fail) - LN2

    @property
    def log_pass(self) -> float:
        """The evidence that the odds are within the factor PROVEN of the configured odds, as ln of an e-value.

        It is the smaller of two values: the evidence that the odds are not too high, and that they are not too low.
        """
        return min(self._more.log_pass, self._less.log_pass)


def _with_odds_times(share: float, factor: float) -> float:
    odds = share / (1 - share) * factor
    return odds / (1 + odds)


def odds_ratio(c_n: int, b_n: int, share: float) -> float | None:
    """Return the actual odds of the candidate divided by the configured odds; None if a side has no requests."""
    if not c_n or not b_n:
        return None
    return math.exp(math.log(c_n / b_n) - math.log(share / (1 - share)))


@dataclass(frozen=True, slots=True)
class SplitCounts:
    candidate: int = 0
    baseline: int = 0

    @property
    def n(self) -> int:
        return self.candidate + self.baseline

    def after(self, c_n: int, b_n: int) -> SplitCounts:
        return SplitCounts(self.candidate + c_n, self.baseline + b_n)


NO_COUNTS = SplitCounts()


class SplitRecovery(Stored):
    """Tests, after the split gate has failed (the alarm), whether the split is right again.

    The test uses only requests since the alarm. It restarts whenever these requests indicate a wrong split. With each
    restart, it needs more evidence. So the probability is at most α that the test ever accepts a split whose odds
    differ from the configured odds by more than the factor PROVEN.
    """

    _starts: int
    counts: SplitCounts
    test: SplitTest

    def __init__(self, share: float) -> None:
        self._share = share
        self.test = SplitTest(share)
        self._starts = 1
        self.counts = NO_COUNTS

    def update(self, c_n: int, b_n: int) -> None:
        self.test.update(c_n, b_n)
        self.counts = self.counts.after(c_n, b_n)
        if self.test.log_pass < _RESTART_AT:
            self.test, self.counts = SplitTest(self._share), NO_COUNTS
            self._starts += 1

    @property
    def log_pass(self) -> float:
        return self.test.log_pass + math.log(spend(self._starts))


class SplitGate(Gate):
    """The gate that compares the candidate's actual share of the requests with the configured share.

    It counts the requests since the step began, and tests them at each look. That is often enough, because a wrong
    split harms nobody within a second. An alarm begins when the gate fails, and ends when the split is proven to be
    right again. From then on, the gate counts only requests since the alarm began.

    ``_counts``: the requests that count. ``_waiting``: the requests since the last look.
    """

    _test: SplitTest
    _counts: SplitCounts
    _waiting: SplitCounts
    _recovery: SplitRecovery

    def __init__(self, spec: GateSpec) -> None:
        super().__init__(spec)
        self._test, self._recovery = SplitTest(spec.limit), SplitRecovery(spec.limit)
        self._counts = self._waiting = NO_COUNTS

    def handlers(self) -> Mapping[type, Handler]:
        return {RequestsEnded: self.fold_requests, LookDue: self.look}

    def fold_requests(self, ended: RequestsEnded) -> None:
        self._waiting = self._waiting.after(ended.counts.c_n, ended.counts.b_n)

    def look(self, due: LookDue) -> None:
        waiting, self._waiting = self._waiting, NO_COUNTS
        if waiting.n:
            self.add(waiting.candidate, waiting.baseline)

    @property
    def _all(self) -> SplitCounts:
        return self._counts.after(self._waiting.candidate, self._waiting.baseline)

    def add(self, c_n: int, b_n: int) -> None:
        self._counts = self._counts.after(c_n, b_n)
        if not self.failed:
            self._test.update(c_n, b_n)
            self.note(self._test.log_e, self._test.log_pass)
            return
        self._recovery.update(c_n, b_n)
        if self._recovery.log_pass >= self.spec.pass_at:
            self._recover()

    def _recover(self) -> None:
        """End the alarm, and from now on count only requests since the alarm began.

        If all requests of the step still counted, the alarm would last too long.
        """
        recovered, self._recovery = self._recovery, SplitRecovery(self.spec.limit)
        self._test, self._counts = recovered.test, recovered.counts
        self.fail_peak = self.pass_peak = 0.0
        self.cause, self.pairs = None, ()
        self.note(0.0, self._test.log_pass)

    @property
    def n(self) -> int:
        return self._counts.n + self._waiting.n

    @property
    def within(self) -> bool:
        odds = self._odds()
        return odds is not None and 1 / PROVEN <= odds <= PROVEN

    @property
    def step_explains_failure(self) -> bool:
        return True  # the test has no restarts, and the message shows both shares

    @property
    def value(self) -> float | None:
        return self._all.candidate / self.n if self.n else None

    @property
    def interval(self) -> Interval | None:
        return rate_interval(self._all.candidate, self.n, self.spec.alpha)

    def _odds(self) -> float | None:
        return odds_ratio(self._all.candidate, self._all.baseline, self.spec.limit)

    def message(self) -> str:
        odds = self._odds()
        off = "" if odds is None else f" (odds {odds:.2f} × what they should be)"
        share, limit = share_text(self.value), share_text(self.spec.limit)
        text = f"the candidate got {share} of {self.n} requests, {limit} is set{off}"
        since = self._recovery.counts
        if not self.failed or not since.n:
            return text
        return f"{text}; it got {share_text(since.candidate / since.n)} of the last {since.n}"

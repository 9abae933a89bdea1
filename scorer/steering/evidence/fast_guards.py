"""Two fast guards: ``FastGate`` against failing requests, and ``UnreachableGate`` against an unreachable candidate.

When a fast guard fails, the candidate's share becomes 0 % at once. So both guards first wait for the baseline's
results, which can show an outage of both sides (shared_outage.py).

See ADR 0043 and ADR 0116.
"""

from __future__ import annotations

from collections.abc import Mapping

from scorer.steering.evidence.changepoint import NO_BAD_PERIOD, BadPeriod
from scorer.steering.evidence.confidence import Interval, rate_interval
from scorer.steering.evidence.error_gates import RequestGate
from scorer.steering.evidence.error_rate_tests import CatastropheGuard, RatioGuard, log_e_below_half
from scorer.steering.evidence.gate_base import FailureCause, Handler, StepRequests
from scorer.steering.evidence.gate_observations import NO_REQUESTS, RequestCounts, RequestsEnded
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.mixture import LN2, log_add
from scorer.steering.evidence.recent_rates import NO_FAILURES, BaselineRate, CandidateShare, FadingRate
from scorer.steering.evidence.shared_outage import NO_OUTAGE, OutageWatch

MIN_FAST_ERRORS = 5  # a rollback to 0 % needs this many failed requests, however surprising a single failure is
_LATEST, _HALF = 7.0, 0.5  # the half-life in requests, and the rate from which a side counts as failing
NO_BASELINE_SHARE = 0.98  # at this share or above, the baseline gets too few requests to wait for them
UNREACHABLE_KINDS = frozenset(
    {"connect", "refused", "reset", "no_healthy_upstream", "dns", "no_cluster", "upstream_died"}
)


class GuardGate(RequestGate):
    """Base class of the fast guards.

    A fast guard passes when it is proven that fewer than half of the candidate's requests are bad.
    """

    def _prove(self, bad: int) -> None:
        """Record the evidence that fewer than half of the step's requests are bad. ``bad``: how many are bad."""
        if not self.proven:
            self.note(0.0, log_e_below_half(bad, self.counts.c_n))

    @property
    def within(self) -> bool:
        return True

    @property
    def step_explains_failure(self) -> bool:
        return False  # a catastrophe concerns only the last few requests of the step


class FastGate(GuardGate):
    """The fast guard that fails if far too many of the candidate's requests fail. See ADR 0043.

    Its e-value is the average of two e-values: RatioGuard's and CatastropheGuard's. Under its null, the nulls of both
    guards are true.

    - ``_share``: the estimate of the candidate's share of the requests
    - ``_baseline``: the estimate of the baseline's recent error rate
    - ``_since_ratio``, ``_since``: the present bad period, found with RatioGuard and with CatastropheGuard
    - ``_outage``: the counts by which the guard decides whether to wait for the baseline's results
    - ``_candidate``: the error rate of about the last ten requests of the candidate
    - ``_good``: the latest requests, none of which failed; the estimates do not include them yet
    - ``_by_copies``: whether RatioGuard compared the latest requests with copies (baseline_rates.py)
    """

    _share: CandidateShare
    _baseline: BaselineRate
    _ratio: RatioGuard
    _catastrophe: CatastropheGuard
    _since_ratio: BadPeriod
    _since: BadPeriod
    _outage: OutageWatch
    _candidate: FadingRate
    _good: RequestCounts
    _by_copies: bool

    def __init__(
        self, spec: GateSpec, step: StepRequests, floor: float, prior: CandidateShare, *, other_users: bool = False
    ) -> None:
        """Start without requests.

        - ``step``: the request counts of the step, which the gates share
        - ``floor``: an error rate of the candidate up to this value is not a catastrophe
        - ``prior``: the estimate of the candidate's share before the first request
        - ``other_users``: whether the two sides serve different users
        """
        super().__init__(spec, step)
        self._other_users, self._by_copies = other_users, False
        self._share, self._baseline = prior, BaselineRate()
        self._ratio, self._catastrophe = RatioGuard(spec.limit), CatastropheGuard(floor)
        self._since_ratio = self._since = NO_BAD_PERIOD
        self._outage = NO_OUTAGE
        self._candidate = NO_FAILURES
        self._good = NO_REQUESTS

    def handlers(self) -> Mapping[type, Handler]:
        return {RequestsEnded: self.fold_requests}

    def fold_requests(self, ended: RequestsEnded) -> None:
        counts = ended.counts
        if counts.b_n and not counts.c_errors + counts.b_errors and self._quiet:
            self._catastrophe.add(0, counts.c_n, self.spec.limit * self._baseline.value)
            self._good += counts
            self._compare(ended)
        else:
            good, self._good = self._good, NO_REQUESTS
            if good.b_n:
                self._learn(good)
            self._compare(ended)
            self._fold(counts)
        self._prove(self.counts.c_errors)
        self._decide()

    @property
    def _quiet(self) -> bool:
        """Whether neither side has failed recently. Requests without a failure are then collected.

        The tests get these requests at once. Only the estimates get them later, because nothing uses the estimates
        before the next failure.
        """
        bad_period = self._since.score or self._since_ratio.score
        return not bad_period and not self._baseline.failing and self._outage == NO_OUTAGE

    def _learn(self, counts: RequestCounts) -> None:
        """Update the estimates of the candidate's share and of both sides' recent error rates."""
        self._share = self._share.after(counts.c_n, counts.b_n)
        self._baseline = self._baseline.after(counts)
        self._candidate = self._candidate.after(counts.c_errors, counts.c_n, _LATEST) if counts.c_n else self._candidate

    def _compare(self, ended: RequestsEnded) -> None:
        """Add both sides' errors to RatioGuard. The baseline's are those of its clients, or those of its copies."""
        by_copies = self._step.by_copies
        if by_copies is not None and not self._by_copies:
            self._ratio.forget()  # the gains came from other users
        self._by_copies = by_copies is not None
        own = ended.own_errors if self._other_users else ended.counts.c_errors
        if by_copies is None:
            self._ratio.add(own, ended.counts.b_errors, self._share.value)
        else:
            self._ratio.add(own, ended.copies.candidates_failed, min(by_copies.share, 0.999))

    def _fold(self, counts: RequestCounts) -> None:
        c_errors, c_n, b_errors, _ = four = (counts.c_errors, counts.c_n, counts.b_errors, counts.b_n)
        self._catastrophe.add(c_errors, c_n, self.spec.limit * self._baseline.value)
        self._since_ratio = self._since_ratio.after(self._ratio.gain, *four)
        self._since = self._since.after(self._catastrophe.gain, *four)
        self._learn(counts)
        self._outage = self._outage.after_rescues(self._since, counts)
        fails = b_errors + counts.rescues_failed > 0 and self.baseline_fails
        self._outage = self._outage.after_errors(self._since, c_errors, baseline_fails=fails)

    def _decide(self) -> None:
        log_e = self._log_e
        if log_e >= self.spec.fail_at and self.baseline_fails:
            self._catastrophe.forget()  # an outage of both sides must not fail the candidate
        elif self.counts.c_errors >= MIN_FAST_ERRORS and self.baseline_known:
            self.note(log_e)

    @property
    def _log_e(self) -> float:
        return log_add(self._ratio.log_e, self._catastrophe.log_e) - LN2

    @property
    def baseline_fails(self) -> bool:
        """Whether the baseline fails too, so that this is an outage of both sides.

        The baseline fails too if at least half of its latest requests failed, or if its error rate since the candidate
        began to fail is about as high as the candidate's.
        """
        baseline = self._baseline
        return baseline.failing or self._outage.baseline_fails_alike(self._since, self.spec.limit, baseline.silent)

    @property
    def blocks_step(self) -> bool:
        """Whether at least half of each side's latest requests failed. Such an outage of both sides proves nothing."""
        return self._baseline.failing and self._candidate.value >= _HALF

    @property
    def within(self) -> bool:
        return not self.blocks_step

    @property
    def baseline_known(self) -> bool:
        """Whether the guard has stopped waiting for results of the baseline, and so may fail the candidate.

        The guard stops if the baseline is known to fail less often than the candidate, if it has waited long enough, or
        if the baseline gets almost no requests.
        """
        return self._share.value >= NO_BASELINE_SHARE or self._outage.is_conclusive(self._since)

    @property
    def value(self) -> float | None:
        c = self.counts
        return (c.c_errors / c.c_n) / (c.b_errors / c.b_n) if c.c_n and c.b_errors else None

    def recent_cause(self) -> FailureCause | None:
        by_ratio = self._ratio.log_e > self._catastrophe.log_e
        since = self._since_ratio if by_ratio else self._since
        if not since.c_n:
            return None
        base = f", {since.b_errors} of the baseline's {since.b_n} meanwhile" if since.b_n else ""
        step = f"({self.counts.c_errors} of {self.counts.c_n} in this step)"
        text = f"{since.c_errors} of the candidate's last {since.c_n} requests failed{base} {step}"
        value = (since.c_errors / since.c_n) / (since.b_errors / since.b_n) if since.b_errors else None
        return FailureCause(value, since.c_n, text)

    def message(self) -> str:
        c = self.counts
        text = f"{c.c_errors} of the candidate's {c.c_n} requests failed, {c.b_errors} of the baseline's {c.b_n}"
        text += self._step.burst_note + self._step.copies_note
        if self._other_users and c.failed_at_both:
            text += f"; {c.failed_at_both} of the candidate's failed at the baseline too"
        return f"{text}; both sides fail at present, so no step is taken" if self.blocks_step else text


class UnreachableGate(GuardGate):
    """The fast guard that fails if the candidate is unreachable. It counts only the errors of UNREACHABLE_KINDS.

    It asks the other fast guard (``baseline``) whether the baseline fails too. Therefore the other guard must get every
    observation first.
    """

    _guard: CatastropheGuard
    _since: BadPeriod

    def __init__(self, spec: GateSpec, step: StepRequests, baseline: FastGate) -> None:
        super().__init__(spec, step)
        self._baseline = baseline
        self._guard = CatastropheGuard(spec.limit)
        self._since = NO_BAD_PERIOD

    def handlers(self) -> Mapping[type, Handler]:
        return {RequestsEnded: self.fold_requests}

    def fold_requests(self, ended: RequestsEnded) -> None:
        unreachable, n = ended.counts.c_unreachable, ended.counts.c_n
        if not n:
            return
        self._guard.add(unreachable, n, 0.0)
        self._since = self._since.after(self._guard.gain, unreachable, n, 0, 0)
        self._prove(self.counts.c_unreachable)
        if self._guard.log_e >= self.spec.fail_at and self._baseline.baseline_fails:
            self._guard.forget()
        elif self.counts.c_unreachable >= MIN_FAST_ERRORS and self._baseline.baseline_known:
            self.note(self._guard.log_e)

    @property
    def value(self) -> float | None:
        return self.counts.c_unreachable / self.n if self.n else None

    @property
    def interval(self) -> Interval | None:
        return rate_interval(self.counts.c_unreachable, self.n, self.spec.alpha)

    def recent_cause(self) -> FailureCause | None:
        since = self._since
        if not since.c_n:
            return None
        step = f"({self.counts.c_unreachable} of {self.n} in this step)"
        text = f"{since.c_errors} of the candidate's last {since.c_n} requests found it unreachable {step}"
        return FailureCause(since.c_errors / since.c_n, since.c_n, text)

    def message(self) -> str:
        return f"{self.counts.c_unreachable} of the candidate's {self.n} requests found it unreachable"

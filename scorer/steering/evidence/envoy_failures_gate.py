"""The fast guard on requests that Envoy itself failed, which are not errors of a side.

It fails for one of two reasons:

- Envoy fails the candidate's requests far more often than the baseline's at the same time. A fault of Envoy would
  affect both sides, so the candidate is the cause.
- Envoy fails far more requests in the first minute of a step than in the minutes before it.

If failures begin later and affect both sides alike, they have another cause. They are shown, and no step is taken while
at least half of the requests fail. See ADR 0165.
"""

from __future__ import annotations

from collections.abc import Mapping

from scorer.steering.evidence.confidence import Interval, rate_interval
from scorer.steering.evidence.error_rate_tests import RatioGuard, log_e_below_half
from scorer.steering.evidence.formatting import share_text
from scorer.steering.evidence.gate_base import FailureCause, Gate, Handler
from scorer.steering.evidence.gate_observations import EnvoyFailures
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.mixture import LN2, log_add
from scorer.steering.evidence.rate_change import NO_FAILURE_COUNTS, FailureCounts, log_e_of_rise
from scorer.steering.evidence.recent_rates import NO_FAILURES, CandidateShare, FadingRate

ONSET_MS = 60_000  # failures that begin within this time after the step's start are attributed to the step
MIN_FAILED = 5  # as for the other fast guards
_LATEST, _HALF = 20.0, 0.5  # the half-life in requests, and the rate at which no step is taken


class EnvoyFailuresGate(Gate):
    """The guard that fails if Envoy's own failures came with the candidate or with the step.

    - ``_share``: the estimate of the candidate's share of the clients' requests
    - ``_before``, ``_onset``, ``_step``: the counts before the step, in its first minute, and in the step so far
    - ``_candidate``: the counts of the requests that the split gave to the candidate
    - ``_rise``: ln of the largest e-value so far for a rise of the failure rate at the start of the step
    - ``_latest``: the failure rate of about the last twenty requests
    """

    _share: CandidateShare
    _ratio: RatioGuard
    _before: FailureCounts
    _onset: FailureCounts
    _step: FailureCounts
    _candidate: FailureCounts
    _rise: float
    _latest: FadingRate

    def __init__(self, spec: GateSpec, prior: CandidateShare, before: FailureCounts) -> None:
        """Start without requests.

        ``prior``: the estimate of the candidate's share of the clients' requests before the first one. ``before``: the
        requests before the step, and how many of them Envoy itself failed.
        """
        super().__init__(spec)
        self._share, self._before = prior, before
        self._ratio = RatioGuard(spec.limit)
        self._onset = self._step = self._candidate = NO_FAILURE_COUNTS
        self._rise = 0.0
        self._latest = NO_FAILURES

    def handlers(self) -> Mapping[type, Handler]:
        return {EnvoyFailures: self.fold}

    def fold(self, seen: EnvoyFailures) -> None:
        self._step = self._step.after(seen.failed, seen.n)
        self._candidate = self._candidate.after(seen.c_failed, seen.c_n)
        self._latest = self._latest.after(seen.failed, seen.n, _LATEST) if seen.n else self._latest
        if seen.c_failed + seen.b_failed:
            self._ratio.add(seen.c_failed, seen.b_failed, self._share.value)
        self._share = self._share.after(seen.c_n, seen.b_n)
        if seen.since_step_ms <= ONSET_MS:
            self._onset = self._onset.after(seen.failed, seen.n)
            if seen.failed:
                self._rise = max(self._rise, log_e_of_rise(self._before, self._onset))
        against = log_add(self._ratio.log_e, self._rise) - LN2 if self._step.failed >= MIN_FAILED else 0.0
        self.note(against, 0.0 if self.proven else log_e_below_half(self._step.failed, self._step.n))

    @property
    def n(self) -> int:
        return self._step.n

    @property
    def value(self) -> float | None:
        return self._step.failed / self._step.n if self._step.n else None

    @property
    def interval(self) -> Interval | None:
        return rate_interval(self._step.failed, self._step.n, self.spec.alpha)

    @property
    def within(self) -> bool:
        return not self.blocks_step

    @property
    def blocks_step(self) -> bool:
        return self._latest.value >= _HALF

    @property
    def step_explains_failure(self) -> bool:
        return False

    def recent_cause(self) -> FailureCause:
        if self._rise > self._ratio.log_e:
            rate, counts = self._onset.failed / self._onset.n, self._onset
            before = f"{self._before.failed} of {self._before.n} before it"
            text = f"Envoy itself failed {counts.failed} of the step's first {counts.n} requests, {before}"
        else:
            rate, counts = self._candidate.failed / max(self._candidate.n, 1), self._candidate
            others = self._step.n - counts.n
            base = f"{self._step.failed - counts.failed} of the other {others}"
            text = f"Envoy itself failed {counts.failed} of the candidate's {counts.n} requests, and {base}"
        return FailureCause(rate, counts.n, text)

    def message(self) -> str:
        text = f"Envoy itself failed {self._step.failed} of {self._step.n} requests ({share_text(self.value)})"
        return f"{text}; at present it fails most requests, so no step is taken" if self.blocks_step else text

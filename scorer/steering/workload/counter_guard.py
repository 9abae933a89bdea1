"""The counter guard: a guard on Envoy's own counters, for the time in which no outcome arrives. Pure.

The guard is an e-detector (Shin, Ramdas, Rinaldo, "E-detectors", 2023) of the CUSUM form: the evidence is multiplied by
the likelihood ratio of each request, and never falls below 1. While the candidate's failure rate is at most ``ALLOWED``
or at most twice the baseline's, a false alarm takes at least 1 / ``ALPHA`` requests on average. The e-detector needs no
fixed beginning, so it is as fast after an hour of blindness as after a second. See ADR 0281.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from glidepath.status_and_decisions import GateOutcome, Verdict
from scorer.steering.envoy.envoy_counters import NONE, SideCounts
from scorer.steering.ramp.states import RampState
from scorer.steering.workload.missing_outcomes import CounterReport

GATE = "counter_guard"
ALLOWED = 0.1  # a failure rate up to this is left to the ordinary gates, which judge it once outcomes arrive again
ALPHA = 1e-6
FAILED_AT = math.log(1 / ALPHA)
FEWEST = 5  # failures, as for the fast guards (evidence/fast_guards.py)
_HALF_LIFE = 100.0  # after this many further requests of the baseline, a request counts half


@dataclass(frozen=True, slots=True)
class CounterGuardState:
    """The evidence against the candidate since outcomes last arrived.

    - ``log_e``: ln of the e-detector
    - ``seen``: the candidate's requests and failures since the e-detector was last at 1
    - ``baseline_requests``, ``baseline_failures``: the baseline's latest requests and failures, where older ones count
      less
    """

    log_e: float = 0.0
    seen: SideCounts = NONE
    baseline_requests: float = 0.0
    baseline_failures: float = 0.0

    @property
    def fails_candidate(self) -> bool:
        return self.log_e >= FAILED_AT and self.seen.failures >= FEWEST

    @property
    def baseline_rate(self) -> float:
        return self.baseline_failures / self.baseline_requests if self.baseline_requests else 0.0

    def after(self, candidate: SideCounts, baseline: SideCounts) -> CounterGuardState:
        """Return the state after these further requests."""
        keep = 0.5 ** (baseline.requests / _HALF_LIFE)
        requests = self.baseline_requests * keep + baseline.requests
        failures = self.baseline_failures * keep + baseline.failures
        allowed = max(ALLOWED, 2 * failures / requests if requests else 0.0)
        log_e = max(self.log_e + _gain(candidate, allowed), 0.0)
        seen = self.seen + candidate if log_e > 0 else NONE
        return CounterGuardState(log_e, seen, requests, failures)

    def after_arrival(self) -> CounterGuardState:
        """Return the state after outcomes have arrived. From then on, the ordinary guards judge."""
        if not self.log_e:
            return self
        return CounterGuardState(0.0, NONE, self.baseline_requests, self.baseline_failures)

    def describe(self) -> str:
        seen = self.seen
        return f"{seen.failures} of {seen.requests} requests at the candidate failed by Envoy's own counters"


def _gain(counts: SideCounts, allowed: float) -> float:
    """Return ln of the likelihood ratio of these requests, for a failure rate halfway between ``allowed`` and 1."""
    if allowed >= 1 or not counts.requests:
        return 0.0
    worse = (1 + allowed) / 2
    failures, successes = counts.failures, counts.requests - counts.failures
    return failures * math.log(worse / allowed) + successes * math.log((1 - worse) / (1 - allowed))


def counter_guard_verdict(report: CounterReport, ramp: RampState) -> tuple[Verdict, ...]:
    """Return the verdict of the counter guard if it fails a candidate with a share; else nothing."""
    if not report.failure or (ramp.percent <= 0 and not ramp.share_unknown):
        return ()
    return (
        Verdict(
            gate=GATE,
            outcome=GateOutcome.FAIL.value,
            value=report.failures / report.requests,
            limit=ALLOWED,
            unit="of requests",
            n=report.requests,
            evidence=1.0,
            guard=True,
            fast=True,
            message=report.failure,
        ),
    )

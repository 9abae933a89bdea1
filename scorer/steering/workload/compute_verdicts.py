"""Compute a workload's verdicts when they are due, and restart a step's evidence once every Envoy runs its share."""

from __future__ import annotations

from dataclasses import replace

from scorer.steering.ramp.verdict_effects import failed_guards
from scorer.steering.staggering import period_index
from scorer.steering.workload.unexpected_traffic import SETTLE_MS
from scorer.steering.workload.workload_state import JudgedVerdicts, WorkloadState, with_fresh_evidence

JUDGE_MS = 500  # verdicts are computed this often, and at once after the candidate failed a request


def judge(state: WorkloadState, now_ms: int) -> WorkloadState:
    """Compute new verdicts if they are due or if the candidate has failed a request. Return the workload's state."""
    last, recent = state.judged, state.recent
    if not recent.candidate_failed and _same_period(state.name, now_ms, last.at_ms, JUDGE_MS):
        return state
    if recent.candidate_failed:
        recent = replace(recent, candidate_failed=False)
    return replace(state, judged=JudgedVerdicts(state.evidence.verdicts(now_ms), now_ms), recent=recent)


def _same_period(name: str, now_ms: int, last_ms: int, every_ms: int) -> bool:
    return period_index(name, now_ms, every_ms) == period_index(name, last_ms, every_ms)


def settle(state: WorkloadState, now_ms: int) -> WorkloadState:
    """Begin a step's evidence again once every Envoy runs the step's share. Return the workload's state.

    Earlier requests were split by the old weights. Until the evidence begins again, the guards use the evidence
    collected so far. This evidence is kept if an Envoy confirms the share after more than SETTLE_MS, during a drill, or
    if a guard fails.
    """
    ramp = state.ramp
    if state.settled_epoch == ramp.epoch or not state.fleet.all_confirmed:
        return state
    state = replace(state, settled_epoch=ramp.epoch)
    late = now_ms - ramp.since_ms > SETTLE_MS
    if late or ramp.drill is not None or failed_guards(state.judged.verdicts):
        return state
    totals = state.totals.with_left_out(state.evidence.requests())
    return with_fresh_evidence(replace(state, totals=totals), replace(ramp, since_ms=now_ms), now_ms)

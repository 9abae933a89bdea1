"""Compute a workload's verdicts when they are due, and restart a step's evidence once every Envoy runs its share."""

from __future__ import annotations

from dataclasses import replace

from scorer.steering.ramp.verdict_effects import failed_guards
from scorer.steering.staggering import period_began
from scorer.steering.workload.unexpected_traffic import SETTLE_MS
from scorer.steering.workload.workload_state import STATUS_MS, JudgedVerdicts, WorkloadState, with_fresh_evidence

JUDGE_MS = 500  # the gates are evaluated this often, and at once after the candidate failed a request


def judge(state: WorkloadState, last_ms: int, now_ms: int) -> WorkloadState:
    """Evaluate the gates if this is due or if the candidate has failed a request. Return the workload's state.

    The verdicts, with their texts and intervals, are built again only if a gate's decision has changed, and for each
    regular status. ``last_ms``: when the last tick was. See ADR 0255.
    """
    last, failed, name = state.judged, state.recent.candidate_failed, state.name
    if last.verdicts and not failed and not period_began(name, last_ms, now_ms, JUDGE_MS):
        return state
    if failed:
        state = replace(state, recent=replace(state.recent, candidate_failed=False))
    current = last.verdicts and not period_began(name, last.at_ms, now_ms, STATUS_MS)
    if current and state.evidence.still_decides(last.verdicts):
        return state
    return replace(state, judged=JudgedVerdicts(state.evidence.verdicts(now_ms), now_ms))


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

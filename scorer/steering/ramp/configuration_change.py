"""The stage of a tick that applies a changed configuration. Evidence about a replaced backend no longer counts."""

from __future__ import annotations

from dataclasses import replace

from glidepath.status_and_decisions import Phase
from scorer.steering.ramp.ramp_policy import RampPolicy
from scorer.steering.ramp.states import RampState, transition
from scorer.steering.ramp.tick_inputs import StageResult, TickInputs, new_decision
from scorer.steering.ramp.transition_table import RampEvent


def apply_configuration(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    """Restart the ramp or the evidence of its present step if the workload's configuration changed.

    The ramp restarts at 0 % if the baseline or the candidate was replaced. After any other change, only the evidence
    restarts.
    """
    replaced = _replaced_sides(state, inputs)
    if replaced:
        return _start_over(state, inputs, policy, now_ms, replaced)
    sides = (inputs.baseline or state.baseline, inputs.candidate or state.candidate)
    if sides != (state.baseline, state.candidate):
        state = replace(state, baseline=sides[0], candidate=sides[1])
    if inputs.config_digest == state.config_digest:
        return state, ()
    if not state.config_digest:
        return replace(state, config_digest=inputs.config_digest), ()
    extended = state.phase is Phase.COMPLETED and state.percent < policy.last
    event = RampEvent.EXTEND if extended else RampEvent.RECONFIGURE
    after = replace(transition(state, event, now_ms, last=policy.last), config_digest=inputs.config_digest)
    reason = "the configuration changed; the evidence of this step starts again"
    details = _digests(state, inputs)
    return after, (new_decision(event.value, state, after, inputs, now_ms, reason, "configuration", details=details),)


def _replaced_sides(state: RampState, inputs: TickInputs) -> str:
    """Return text that lists each side whose configured backend is not the backend that the evidence is about.

    A side is left out if one of these two backends is unknown.
    """
    sides = (("candidate", state.candidate, inputs.candidate), ("baseline", state.baseline, inputs.baseline))
    return ", ".join(f"{side} {old} → {new}" for side, old, new in sides if old and new and old != new)


def _start_over(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int, replaced: str) -> StageResult:
    """Restart the ramp at 0 %, even while the autopilot is off: there is no evidence about the new backend."""
    event = RampEvent.REPLACE_BACKEND
    after = replace(
        transition(state, event, now_ms, last=policy.last, percent=0.0),
        config_digest=inputs.config_digest,
        baseline=inputs.baseline,
        candidate=inputs.candidate,
        drilled=False,
        retries=0,
    )
    reason = f"the model or the backend was replaced: {replaced}; the ramp starts again at 0 %"
    details = _digests(state, inputs)
    return after, (new_decision(event.value, state, after, inputs, now_ms, reason, "configuration", details=details),)


def _digests(state: RampState, inputs: TickInputs) -> dict[str, str]:
    return {"from_digest": state.config_digest, "to_digest": inputs.config_digest}

"""The stages of a tick that adopt the autopilot switch and the weights that a person set at an Envoy.

An invalid value that a person set for the autopilot or the shadow share is only logged.
"""

from __future__ import annotations

from dataclasses import replace

from glidepath.status_and_decisions import Phase
from scorer.steering.envoy.manual_override import ALLOWED_WEIGHTS
from scorer.steering.ramp import commands
from scorer.steering.ramp.ramp_policy import RampPolicy
from scorer.steering.ramp.states import RETREATING, RampState, transition
from scorer.steering.ramp.tick_inputs import StageResult, TickInputs, manual_override_decision, new_decision
from scorer.steering.ramp.transition_table import RampEvent


def set_autopilot(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    """Adopt the value of the key ``glidepath.<workload>.autopilot`` that a person set at an Envoy.

    If the value turns the autopilot on, it also ends a hold that began with a manual override of the weights.
    """
    if inputs.autopilot is None or (inputs.autopilot == state.autopilot and state.held_by != "manual_override"):
        return state, ()
    after = replace(state, autopilot=inputs.autopilot, guard_overridden=False, invalid_override="")
    event, reason = "autopilot_on", "a person set autopilot to 1 at an Envoy"
    if not inputs.autopilot:
        event = "autopilot_off"
        reason = "a person set autopilot to 0 at an Envoy: no automatic step or rollback until it is 1 again"
    elif after.phase is Phase.HELD and after.held_by == "manual_override":
        after = commands.resume_ramp(after, inputs, policy, now_ms)
    return after, (new_decision(event, state, after, inputs, now_ms, reason, "autopilot", actor="manual_override"),)


def adopt_weights(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    """Adopt the share that a person set at an Envoy, and hold the workload at this share."""
    if inputs.adopted is not None and inputs.ambiguous_weights:
        return _adopt_ambiguous_weights(state, inputs, policy, now_ms)
    if inputs.adopted is None or inputs.adopted == state.serving:
        return state, ()
    event = RampEvent.ADOPT_WEIGHTS
    after = transition(state, event, now_ms, last=policy.last, percent=inputs.adopted)
    where = inputs.adopted_at or "an Envoy"
    why = f"a person set the weights at {where} to {inputs.adopted:g} %"
    if state.first_start:
        why = (
            f"{where} serves {inputs.adopted:g} %, and Redis has no state of this workload: the state was lost, or a "
            "person set the weights"
        )
    after = replace(after, held_by="manual_override", held_reason=why)
    reason = f"{why}; the workload is held there. To continue: {_how_to_resume(inputs)}"
    if inputs.adopted > policy.last:
        reason = f"{reason} (at {policy.last:g} %, the last step)"
    return after, (manual_override_decision(event.value, state, after, inputs, now_ms, reason),)


def _adopt_ambiguous_weights(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    """Hold the workload because a person set ambiguous weights at an Envoy, and so presumably wanted to intervene.

    Ambiguous weights may lower the candidate's share but never raise it (ADR 0118).
    """
    share = min(inputs.adopted or 0.0, state.percent)
    why = f"a person set weights that are not clear ({inputs.ambiguous_weights}); allowed are {ALLOWED_WEIGHTS}"
    if share == state.percent and (state.phase is Phase.HELD or state.phase in RETREATING):
        after = replace(state, invalid_override=why, drill=None)
        phase = state.phase.value.replace("_", " ")
        reason = f"{why}; the share stays at {share:g} %, and the workload is still {phase}"
        return after, (manual_override_decision("invalid_override", state, after, inputs, now_ms, reason),)
    event = RampEvent.HOLD if share == state.percent else RampEvent.ADOPT_WEIGHTS
    after = transition(state, event, now_ms, last=policy.last, percent=share)
    after = replace(after, held_by="manual_override", held_reason=f"{why}; the share is {share:g} %")
    reason = f"{after.held_reason}, and the workload is held. To continue: {_how_to_resume(inputs)}"
    return after, (manual_override_decision(event.value, state, after, inputs, now_ms, reason),)


def _how_to_resume(inputs: TickInputs) -> str:
    return f"`glidepath resume {inputs.workload}`, or set {inputs.autopilot_key}=1 at that Envoy"


def log_invalid_override(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    """Log once that a person set an invalid value for the autopilot or the shadow share. The value changes nothing."""
    if not inputs.invalid_override or inputs.invalid_override == state.invalid_override:
        return state, ()
    after = replace(state, invalid_override=inputs.invalid_override)
    reason = f"{inputs.invalid_override}: this changes nothing"
    return after, (manual_override_decision("invalid_override", state, after, inputs, now_ms, reason),)

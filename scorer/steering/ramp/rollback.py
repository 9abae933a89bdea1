"""The stages of a tick that roll back after a guard has failed, and that confirm the rollback.

A rollback is confirmed once every Envoy runs the lowered share.
"""

from __future__ import annotations

from dataclasses import replace

from glidepath.pluralization import number_of
from glidepath.status_and_decisions import Phase, Verdict
from scorer.steering.ramp.ramp_policy import RampPolicy
from scorer.steering.ramp.states import RampState, transition
from scorer.steering.ramp.tick_inputs import StageResult, TickInputs, new_decision
from scorer.steering.ramp.transition_table import RampEvent
from scorer.steering.ramp.verdict_effects import describe_failure, failed_guards


def confirm_rollback(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    """Start the cool-down once every Envoy runs the lowered share.

    If a hold was ordered during the rollback, the workload is held instead.
    """
    if state.phase is not Phase.ROLLING_BACK or not inputs.all_confirmed:
        return state, ()
    event = RampEvent.ROLLBACK_CONFIRMED
    after = transition(state, event, now_ms, last=policy.last)
    after = replace(after, cool_until_ms=now_ms + policy.cool_down_ms)
    if state.held_by:  # a hold was ordered during the rollback
        after = transition(after, RampEvent.HOLD, now_ms, last=policy.last)
        after = replace(after, held_by=state.held_by, held_reason=state.held_reason)
    took_ms = now_ms - state.entered_ms
    envoys = number_of(inputs.envoys, "Envoy")
    reason = f"{state.percent:g} % confirmed by {inputs.confirmed} of {envoys} after {took_ms / 1000:.1f} s"
    details = {"confirmed_after_ms": took_ms}
    return after, (new_decision(event.value, state, after, inputs, now_ms, reason, "confirmation", details=details),)


def adopt_retreat(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    """Adopt a retreat: roll back to the share that a scorer sent to the Envoys before it was stored. See ADR 0282."""
    share = inputs.retreat_percent
    if share is None or (share >= state.serving and not state.share_unknown):
        return state, ()
    event = RampEvent.ROLLBACK
    after = _with_a_persons_hold(state, transition(state, event, now_ms, last=policy.last, percent=share))
    reason = f"sent to Envoy before it was stored: {inputs.retreat_reason}"
    return after, (new_decision(event.value, state, after, inputs, now_ms, reason, "retreat"),)


def _with_a_persons_hold(before: RampState, after: RampState) -> RampState:
    if before.phase is Phase.HELD and before.held_by not in ("", "glidepath"):
        return replace(after, held_by=before.held_by, held_reason=before.held_reason)
    return after


def roll_back_on_failed_guard(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    """Roll back if a guard fails. If the autopilot is off, only log the failure.

    A rollback lowers the share by one step, or to 0 % if a fast guard fails or the actual share is unknown.
    """
    failed = failed_guards(inputs.verdicts)
    if not failed or (state.percent <= 0 and not state.share_unknown):
        return state, ()
    catastrophe = next((v for v in failed if v.fast), None)
    worst = catastrophe or failed[0]
    target = 0.0 if catastrophe or state.share_unknown else policy.previous_step(state.percent)
    if not state.autopilot:
        return _log_overridden_guard(state, inputs, worst, target, now_ms)
    event = RampEvent.ROLLBACK
    after = _with_a_persons_hold(state, transition(state, event, now_ms, last=policy.last, percent=target))
    kind = "catastrophe" if catastrophe else "regression"
    reason = f"{kind}: {describe_failure(worst, inputs)}"
    return after, (new_decision(event.value, state, after, inputs, now_ms, reason, worst.gate),)


def _log_overridden_guard(
    state: RampState, inputs: TickInputs, worst: Verdict, target: float, now_ms: int
) -> StageResult:
    """Log once that a guard failed while the autopilot was off."""
    if state.guard_overridden:
        return state, ()
    after = replace(state, guard_overridden=True)
    reason = f"would roll back to {target:g} %, but autopilot is 0: {describe_failure(worst, inputs)}"
    return after, (new_decision("guard_overridden", state, after, inputs, now_ms, reason, worst.gate),)

"""The last stage of a tick: the ramp's automatic actions.

An automatic action takes a step, ends a validation, starts the cool-down of a failed shadow step, or retries.
"""

from __future__ import annotations

from dataclasses import replace

from glidepath.duration_text import duration_text
from glidepath.pluralization import number_of
from glidepath.status_and_decisions import GateOutcome, Phase
from scorer.steering.ramp.ramp_policy import RampPolicy
from scorer.steering.ramp.states import RampState, transition
from scorer.steering.ramp.tick_inputs import StageResult, TickInputs, new_decision
from scorer.steering.ramp.transition_table import RampEvent
from scorer.steering.ramp.verdict_effects import (
    describe,
    failed_guards,
    holding_gates,
    pending_gates,
    stopping_gates,
)

STEPPING = (Phase.SHADOW, Phase.BAKING)


def move_automatically(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    """Carry out the automatic action of the current state, if its conditions are met.

    The action is to take the next step, to end a validation, to start the cool-down after a failed shadow step, or to
    retry. Nothing is done while the autopilot is off or a drill runs.
    """
    if not state.autopilot or state.drill is not None:
        return state, ()
    if state.phase is Phase.COOLING_DOWN:
        return _retry(state, inputs, policy, now_ms)
    if state.phase is Phase.VALIDATING:
        return _complete(state, inputs, policy, now_ms)
    if state.percent <= 0 and state.phase in (Phase.SHADOW, Phase.AWAITING_APPROVAL) and failed_guards(inputs.verdicts):
        return _fail_shadow(state, inputs, policy, now_ms)
    if state.phase in STEPPING and not obstacle(state, inputs, policy, now_ms):
        return _step_up(state, inputs, policy, now_ms)
    return state, ()


def obstacle(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> str:
    """Return why the next step is not taken yet, as text; "" if all conditions are met and the candidate is warm."""
    return unmet_condition(state, inputs, policy, now_ms) or _warms_up(state, inputs, policy, now_ms)


def unmet_condition(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> str:
    """Return the first unmet condition for the next step, as text; "" if all conditions are met."""
    if policy.next_step(state.percent) is None:
        return "at the last step"
    return (
        (f"waits for {inputs.waiting_for}" if inputs.waiting_for and state.percent <= 0 else "")
        or inputs.frozen
        or ("ramp.require_drill: run `glidepath drill` first" if policy.require_drill and not state.drilled else "")
        or _time_left(state.since_ms + policy.bake_ms(state.percent) - now_ms)
        or ("" if inputs.all_confirmed else f"the present weights are confirmed by {_confirmed(inputs)}")
        or _missing_samples(state, inputs, policy)
        or _missing_passes(inputs)
        or _idle(inputs, policy, now_ms)
        or _capacity(inputs)
        or inputs.quota
        or ("" if inputs.quota_known else "quota: the requests a minute are not known yet")
    )


def warm_up_share(state: RampState, policy: RampPolicy) -> float | None:
    """Return the percentage of requests to copy before the next step; None if that step has no warm-up.

    A step has no warm-up if a person takes it, because such a step is taken at once, or if a person set the percentage
    of copies.
    """
    if state.shadow_override is not None or policy.next_step(state.percent) in policy.approvals | policy.unjudged:
        return None
    return policy.warm_up_share(state.percent)


def _idle(inputs: TickInputs, policy: RampPolicy, now_ms: int) -> str:
    quiet_ms = inputs.activity.idle_for(now_ms, policy.idle_ms)
    return f"the candidate has been idle for {duration_text(quiet_ms / 1000)} and may be cold" if quiet_ms else ""


def _warms_up(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> str:
    """Return why the candidate's warm-up is not complete, as text; "" if it is.

    Copies warm the candidate up (``warm_up_copies.py``). Without copies, its ordinary requests do so after an idle
    time.
    """
    lasts_ms, resumed_ms = policy.warm_up_ms(state.percent), inputs.activity.since_ms
    if warm_up_share(state, policy) is None:
        left_ms = resumed_ms + lasts_ms - now_ms if resumed_ms else 0
        return f"the candidate was idle and warms up for another {duration_text(left_ms / 1000)}" if left_ms > 0 else ""
    if state.warm_up is None:
        left_ms = state.next_warm_up_ms - now_ms
        return f"warms up again in {duration_text(left_ms / 1000)}" if left_ms > 0 else "copies warm it up first"
    left_ms = max(state.warm_up.since_ms, resumed_ms) + lasts_ms - now_ms
    copies = f"copies of {state.warm_up.share:g} % of the requests"
    return f"warms up for another {duration_text(left_ms / 1000)} with {copies}" if left_ms > 0 else ""


def _time_left(left_ms: int) -> str:
    return f"bakes for another {duration_text(left_ms / 1000)}" if left_ms > 0 else ""


def _confirmed(inputs: TickInputs) -> str:
    return f"{inputs.confirmed} of {number_of(inputs.envoys, 'Envoy')}"


def _missing_samples(state: RampState, inputs: TickInputs, policy: RampPolicy) -> str:
    least = policy.samples_for(state.percent)
    return f"{inputs.samples} of {least} samples" if inputs.samples < least else ""


def _missing_passes(inputs: TickInputs) -> str:
    """Return text that lists the gates that must still pass before the next step; "" if there is none.

    If the split gate fails, the text adds that the gate passes some time after the split is corrected (ADR 0117). If
    another gate holds the ramp, the text adds what a person can do, because later evidence cannot end this hold (ADR
    0230).
    """
    pending, name = pending_gates(inputs.verdicts), inputs.workload
    if "split fail" in pending:
        return (
            f"{pending}; when the split is corrected, this ends by itself after some time, "
            f"or at once with `glidepath retry {name}`"
        )
    if any(not verdict.guard for verdict in holding_gates(inputs.verdicts)):
        return f"{pending}; look at its pairs, then `glidepath promote {name} --force` or `glidepath rollback {name}`"
    return pending


def _capacity(inputs: TickInputs) -> str:
    verdict = inputs.capacity
    if verdict is None or not verdict.gating or verdict.outcome == GateOutcome.PASS.value:
        return ""
    return f"capacity: {verdict.message or verdict.outcome}"


def _step_up(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    target = policy.next_step(state.percent)
    if target is None:
        return state, ()
    if target in policy.approvals or target in policy.unjudged:
        after = transition(state, RampEvent.AWAIT_APPROVAL, now_ms, last=policy.last)
        why = "no gate judges the answers, so " if target in policy.unjudged else ""
        reason = (
            f"the evidence for {target:g} % is complete; {why}a person must run `glidepath approve {inputs.workload}`"
        )
        return after, (new_decision("await_approval", state, after, inputs, now_ms, reason, "approval"),)
    after = transition(state, RampEvent.PROMOTE, now_ms, last=policy.last, percent=target)
    reason = f"all gates pass at {state.percent:g} %"
    return after, (new_decision("promote", state, after, inputs, now_ms, reason, "gates"),)


def validation_obstacle(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> str:
    """Return why the validation cannot end yet, as text; "" if it can end.

    It can end after the configured time, once the candidate has enough samples. It cannot end while a deciding gate
    fails or while both sides fail.
    """
    left_ms = state.since_ms + policy.validation_ms - now_ms
    waiting = f"validating for another {duration_text(left_ms / 1000)}" if left_ms > 0 else ""
    return waiting or _missing_samples(state, inputs, policy) or stopping_gates(inputs.verdicts)


def _complete(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    if validation_obstacle(state, inputs, policy, now_ms):
        return state, ()
    after = replace(transition(state, RampEvent.COMPLETE, now_ms, last=policy.last), retries=0)
    reason = f"validated at {state.percent:g} %"
    return after, (new_decision("complete", state, after, inputs, now_ms, reason, "validation"),)


def _fail_shadow(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    """Start the cool-down if a gate fails on the evidence from copies, before the candidate gets traffic (ADR 0056)."""
    worst = failed_guards(inputs.verdicts)[0]
    after = transition(state, RampEvent.SHADOW_FAILED, now_ms, last=policy.last)
    after = replace(after, cool_until_ms=now_ms + policy.cool_down_ms)
    reason = f"not ready for traffic: {describe(worst)}"
    return after, (new_decision("shadow_failed", state, after, inputs, now_ms, reason, worst.gate),)


def _retry(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    if not policy.auto_retry or state.retries >= policy.max_retries or now_ms < state.cool_until_ms:
        return state, ()
    after = transition(state, RampEvent.RETRY, now_ms, last=policy.last)
    after = replace(after, retries=state.retries + 1)
    reason = f"cooled down; retry {after.retries} of {policy.max_retries} with fresh evidence"
    return after, (new_decision("retry", state, after, inputs, now_ms, reason, "cool_down"),)

"""The stage of a tick that warms the candidate up: before a step, copies raise its load to that of the next step.

A candidate that gets more requests than before may have to start more replicas and fill caches. If copies cause this,
no client waits for it. There is no warm-up if all requests are copied, because the candidate then gets every request at
each share. See ADR 0425.
"""

from __future__ import annotations

from dataclasses import replace

from glidepath.duration_text import duration_text
from glidepath.status_and_decisions import Decision, GateOutcome
from scorer.steering.ramp.automatic_steps import STEPPING, unmet_condition, warm_up_share
from scorer.steering.ramp.ramp_policy import RampPolicy
from scorer.steering.ramp.states import RampState, WarmUp
from scorer.steering.ramp.tick_inputs import StageResult, TickInputs, new_decision
from scorer.steering.ramp.verdict_effects import stopping_gates

BEGUN, STOPPED = "warm_up", "warm_up_stopped"  # decision events


def warm_up(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    """Begin a warm-up once all other conditions for the next step are met, and stop it if there is a reason to stop.

    Every transition, such as the next step, also ends a warm-up.
    """
    if state.warm_up is not None:
        why = _reason_to_stop(state, state.warm_up, inputs, policy, now_ms)
        if not why:
            return state, ()
        after = replace(state, warm_up=None, next_warm_up_ms=now_ms + policy.warm_up_ms(state.percent))
        return after, (_decision(STOPPED, state, after, inputs, now_ms, f"no more copies to warm up: {why}"),)
    share = warm_up_share(state, policy)
    if share is None or not _may_begin(state, inputs, policy, now_ms):
        return state, ()
    after = replace(state, warm_up=WarmUp(share, now_ms))
    lasts, target = duration_text(policy.warm_up_ms(state.percent) / 1000), policy.next_step(state.percent)
    reason = f"copies of {share:g} % of the requests for {lasts}, as much load as at {target:g} %"
    return after, (_decision(BEGUN, state, after, inputs, now_ms, reason),)


def _may_begin(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> bool:
    return (
        state.phase in STEPPING
        and state.autopilot
        and state.drill is None
        and now_ms >= state.next_warm_up_ms
        and not unmet_condition(state, inputs, policy, now_ms)
    )


def _reason_to_stop(state: RampState, begun: WarmUp, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> str:
    """Return why the copies must stop, as text; "" if they may continue.

    Copies cost money, so they also stop if the step is still not possible after twice the warm-up's duration.
    """
    capacity = inputs.capacity
    full = capacity is not None and capacity.gating and capacity.outcome == GateOutcome.FAIL.value
    over = now_ms - begun.since_ms >= 2 * policy.warm_up_ms(state.percent)
    return (
        ("a drill runs" if state.drill is not None else "")
        or ("" if state.autopilot else "the autopilot is off")
        or inputs.copies_failing
        or stopping_gates(inputs.verdicts)
        or (f"capacity: {capacity.message}" if full and capacity is not None else "")
        or inputs.quota
        or inputs.frozen
        or (unmet_condition(state, inputs, policy, now_ms) if over else "")
    )


def _decision(event: str, old: RampState, new: RampState, inputs: TickInputs, now_ms: int, reason: str) -> Decision:
    details = {} if new.warm_up is None else {"shadow_percent": new.warm_up.share}
    return new_decision(event, old, new, inputs, now_ms, reason, "warm_up", details=details)

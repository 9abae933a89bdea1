"""Adopt and describe a person's override of the shadow share, the percentage of requests that are copied.

This module handles overrides at an Envoy; commands.py handles the `shadow` command.
"""

from __future__ import annotations

from dataclasses import replace

from scorer.steering.envoy.observation import Observation
from scorer.steering.ramp.states import RampState
from scorer.steering.ramp.tick_inputs import StageResult, TickInputs, manual_override_decision

AFTER_A_PERSON_MS = 3_600_000  # after a person has ended a warm-up, no other begins for this long


def adopt_shadow_share(
    state: RampState, inputs: TickInputs, observation: Observation, sample: float, now_ms: int
) -> StageResult:
    """Adopt the shadow share that a person set at an Envoy.

    If the person set the configured share, ``sample``, no override is stored. So a later change of the configuration
    takes effect. In both cases, the copies of a warm-up end.
    """
    if state.shadow_override == sample:
        state = replace(state, shadow_override=None)
    share = sample if observation.shadow_reset else observation.shadow
    override = None if share == sample else share
    if share is None or (override == state.shadow_override and state.warm_up is None):
        return state, ()
    reason = f"a person set the shadow share to {share:g} % at an Envoy; adopted"
    if override is None:
        reason = f"a person reset the shadow share at an Envoy: {share:g} %, as configured"
    after = end_warm_up(replace(state, shadow_override=override), now_ms)
    details = {"shadow_percent": share}
    return after, (manual_override_decision("adopt_shadow", state, after, inputs, now_ms, reason, details=details),)


def end_warm_up(state: RampState, now_ms: int) -> RampState:
    """Return the state without the copies of a warm-up, because a person set the shadow share."""
    if state.warm_up is None:
        return state
    return replace(state, warm_up=None, next_warm_up_ms=now_ms + AFTER_A_PERSON_MS)


def describe_override(name: str, key: str, override: float | None, sample: float) -> str:
    """Return the text for ``status`` about a manual override of the shadow share; "" if no override applies."""
    if override is None or override == sample:
        return ""
    return (
        f"a person set the shadow share to {override:g} % (configured: {sample:g} %); "
        f"`glidepath shadow {name} auto` or {key}={sample:g} at an Envoy resets it"
    )

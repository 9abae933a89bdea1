"""The share of requests that is copied, where a person sets it: by curl at an Envoy, or by command (commands.py)."""

from __future__ import annotations

from dataclasses import replace

from glidepath.records import Decision
from scorer.steering.envoy.reconcile import Observation
from scorer.steering.ramp.states import RampState
from scorer.steering.ramp.tick_inputs import TickInputs, note


def by_hand(
    state: RampState, facts: TickInputs, seen: Observation, sample: float, now_ms: int
) -> tuple[RampState, tuple[Decision, ...]]:
    """Adopt what a person curled. The configured ``sample`` is no share by hand: it may change in the file."""
    if state.shadow == sample:
        state = replace(state, shadow=None)
    share = sample if seen.released else seen.shadow
    wanted = None if share == sample else share
    if share is None or wanted == state.shadow:
        return state, ()
    reason = f"a person set the shadow share to {share:g} % at an Envoy; adopted"
    if wanted is None:
        reason = f"a person gave the shadow share back at an Envoy: {share:g} %, as configured"
    after = replace(state, shadow=wanted)
    details = {"shadow_percent": share}
    event = note(
        "adopt_shadow", state, after, facts, now_ms, reason, "manual_override", actor="manual_override", details=details
    )
    return after, (event,)


def words(name: str, key: str, shadow: float | None, sample: float) -> str:
    """What ``status`` says of a share that was set by hand; "" where none is."""
    if shadow is None or shadow == sample:
        return ""
    return (
        f"shadow share set by hand to {shadow:g} % (configured: {sample:g} %); "
        f"`glidepath shadow {name} auto` or curl {key}={sample:g} takes that away"
    )

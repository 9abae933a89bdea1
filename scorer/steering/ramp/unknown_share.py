"""The stages of a tick for a workload whose actual share is unknown. The workload is then held.

The share is unknown if the stored state is lost, or if unexpected traffic reaches the candidate. The guards still judge
the candidate's answers (ADR 0120).
"""

from __future__ import annotations

from dataclasses import replace

from glidepath.pluralization import number_of
from glidepath.status_and_decisions import Phase
from scorer.steering.ramp.ramp_policy import RampPolicy
from scorer.steering.ramp.states import RETREATING, RampState, transition
from scorer.steering.ramp.tick_inputs import StageResult, TickInputs, new_decision
from scorer.steering.ramp.transition_table import RampEvent


def hold_if_state_lost(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    """Hold a workload whose state is new although its Envoys already run weights, or whose stored state is unreadable.

    In the first case, Redis was probably emptied, so the Envoys' weights must not be overwritten. In the second case,
    ``held_reason`` is set and says why the state could not be read.
    """
    if not state.first_start or not (inputs.unknown_envoys or state.held_reason):
        return state, ()
    envoys = ", ".join(inputs.unknown_envoys[:3])
    why = state.held_reason or f"{envoys} run weights that this state never set (was Redis emptied?)"
    after = replace(
        state,
        phase=Phase.HELD,
        held_from=state.phase,
        held_by="glidepath",
        held_reason=f"{why}; nothing is written to the Envoys while it is held",
        entered_ms=now_ms,
        first_start=False,
        state_lost=True,
        epoch=state.epoch + 1,
        since_ms=now_ms,
    )
    name = inputs.workload
    reason = (
        f"{after.held_reason}; a failing guard still rolls back to 0 %. Look at GET /runtime of an Envoy; then "
        f"`glidepath promote {name} --percent STEP` sets the share of a step, `glidepath rollback {name}` sets 0 %, "
        f"and `glidepath resume {name}` starts at {state.percent:g} %"
    )
    return after, (new_decision(RampEvent.HOLD.value, state, after, inputs, now_ms, reason, "state_lost"),)


def hold_on_unexpected_traffic(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    """Hold a workload whose candidate gets clients' requests although its share is 0."""
    if not inputs.unexpected_traffic or state.share_unknown or state.percent > 0 or state.drill is not None:
        return state, ()
    after, event = state, "unexpected_traffic"
    if state.phase not in (*RETREATING, Phase.COOLING_DOWN, Phase.HELD):
        after, event = transition(state, RampEvent.HOLD, now_ms, last=policy.last), RampEvent.HOLD.value
    why = (
        f"{number_of(inputs.unexpected_traffic, 'request')} of clients reached the candidate although its share is 0 %"
    )
    if after.phase is Phase.HELD and not after.held_by:
        after = replace(after, held_by="glidepath", held_reason=why)
    after = replace(after, unexpected_traffic=True, epoch=state.epoch + 1, since_ms=now_ms)
    reason = (
        f"{why}: its actual share is unknown. Look at GET /runtime of every Envoy for weights in the admin layer, and "
        f"for Envoys that are not in envoy.admin; `glidepath resume {inputs.workload}` when this is fixed"
    )
    return after, (new_decision(event, state, after, inputs, now_ms, reason, "unexpected_traffic"),)

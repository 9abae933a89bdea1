"""The stage of a tick that logs that a gate permits no further step.

A gate whose action is ``hold`` does not lower the share when it fails, so no other decision is logged. The entry tells
people that they must look at the answers, because later evidence cannot end this hold. See ADR 0230.
"""

from __future__ import annotations

from dataclasses import replace

from scorer.steering.ramp.ramp_policy import RampPolicy
from scorer.steering.ramp.states import RETREATING, RampState
from scorer.steering.ramp.tick_inputs import StageResult, TickInputs, new_decision
from scorer.steering.ramp.verdict_effects import describe, holding_gates

_SPLIT = "split"


def log_holding_gates(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    """Log each gate that has just begun to prevent the next step. A gate that recovers and fails again is logged again.

    Ticks without verdicts change nothing. The gate ``split`` is not logged before every Envoy runs the present share:
    until then, a different split is expected.
    """
    if not inputs.verdicts or state.phase in RETREATING:
        return state, ()
    judges_split = inputs.all_confirmed or _SPLIT in state.holding_gates
    failing = tuple(one for one in holding_gates(inputs.verdicts) if one.gate != _SPLIT or judges_split)
    names = tuple(verdict.gate for verdict in failing)
    if names == state.holding_gates:
        return state, ()
    after = replace(state, holding_gates=names)
    return after, tuple(
        new_decision("gate_holds", state, after, inputs, now_ms, f"no further step: {describe(verdict)}", verdict.gate)
        for verdict in failing
        if verdict.gate not in state.holding_gates
    )

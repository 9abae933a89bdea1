"""The stage of a tick that logs that a gate permits no further step.

A gate whose action is to hold lowers no share. Without an entry in the log, nobody would be told that a person must
look at the answers, and that no evidence to come ends the wait. See ADR 0230.
"""

from __future__ import annotations

from dataclasses import replace

from scorer.steering.ramp.ramp_policy import RampPolicy
from scorer.steering.ramp.states import RETREATING, RampState
from scorer.steering.ramp.tick_inputs import StageResult, TickInputs, new_decision
from scorer.steering.ramp.verdict_effects import describe, holding_gates


def log_holding_gates(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    """Log each gate that has begun to permit no further step. A gate that recovers is logged again if it fails again.

    Ticks without verdicts change nothing.
    """
    if not inputs.verdicts or state.phase in RETREATING:
        return state, ()
    failing = holding_gates(inputs.verdicts)
    names = tuple(verdict.gate for verdict in failing)
    if names == state.holding_gates:
        return state, ()
    after = replace(state, holding_gates=names)
    return after, tuple(
        new_decision("gate_holds", state, after, inputs, now_ms, f"no further step: {describe(verdict)}", verdict.gate)
        for verdict in failing
        if verdict.gate not in state.holding_gates
    )

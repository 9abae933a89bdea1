"""One tick of the ramp: ``advance(state, inputs, policy, now_ms)`` returns the next state and the decisions made.

Pure: no clock and no I/O. The stages run in order of importance: the configuration, manual overrides at an Envoy, a
person's commands, the guards, then the automatic steps. A guard acts in every state with candidate traffic. The only
exception is ``glidepath.<workload>.autopilot=0``: a failed guard is then only logged (ADR 0050).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from glidepath.status_and_decisions import Decision
from scorer.steering.ramp import (
    adopt_overrides,
    commands,
    configuration_change,
    drill,
    rollback,
    unknown_share,
    warm_up_copies,
)
from scorer.steering.ramp.automatic_steps import move_automatically
from scorer.steering.ramp.log_holding_gates import log_holding_gates
from scorer.steering.ramp.ramp_policy import RampPolicy
from scorer.steering.ramp.states import RampState
from scorer.steering.ramp.tick_inputs import StageResult, TickInputs

Stage = Callable[[RampState, TickInputs, RampPolicy, int], StageResult]

STAGES: tuple[Stage, ...] = (
    configuration_change.apply_configuration,
    unknown_share.hold_if_state_lost,
    rollback.adopt_retreat,
    adopt_overrides.set_autopilot,
    adopt_overrides.adopt_weights,
    adopt_overrides.log_invalid_override,
    commands.apply_commands,
    unknown_share.hold_on_unexpected_traffic,
    rollback.confirm_rollback,
    rollback.roll_back_on_failed_guard,
    log_holding_gates,
    drill.continue_drill,
    warm_up_copies.warm_up,
    move_automatically,
)


def advance(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    """Run all stages of one tick in order, and return the ramp's new state and the decisions made.

    ``inputs.verdicts`` must be based on the evidence of ``state.epoch``. If a stage changes the epoch or the share, the
    later stages get no verdicts, samples or confirmations, because these belong to the old share.
    """
    decisions: list[Decision] = []
    for stage in STAGES:
        before = state
        state, decided = stage(state, inputs, policy, now_ms)
        decisions += decided
        if state is not before and (state.epoch != before.epoch or state.serving != before.serving):
            # Measurements and confirmations of the old share must not decide about the new one.
            inputs = replace(inputs, verdicts=(), samples=0, confirmed=0)
    return state, tuple(decisions)

"""Apply a person's commands to the ramp's state. A command that is refused changes nothing and gets a reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from glidepath.duration_text import duration_text
from glidepath.errors import CommandRefusedError
from glidepath.status_and_decisions import Command, CommandKind, Decision, Phase
from scorer.steering.ramp.automatic_steps import validation_obstacle
from scorer.steering.ramp.drill import start_drill
from scorer.steering.ramp.ramp_policy import RampPolicy
from scorer.steering.ramp.shadow_share import end_warm_up
from scorer.steering.ramp.states import RETREATING, IllegalTransitionError, RampState, transition
from scorer.steering.ramp.tick_inputs import StageResult, TickInputs, new_decision
from scorer.steering.ramp.transition_table import RampEvent
from scorer.steering.ramp.verdict_effects import failed_gates

# Commands that stop the ramp or lower the share.
SAFETY_COMMANDS = frozenset({CommandKind.HOLD, CommandKind.ROLLBACK, CommandKind.ABORT})

Change = Callable[[RampState, Command, TickInputs, RampPolicy, int], RampState]


def apply_commands(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    """Apply this tick's commands in order. A command that is impossible now becomes a ``refused`` decision.

    ``hold``, ``rollback`` and ``abort`` are possible in every state, so that a person can give them without looking up
    the state. Every other command is refused if it was given before the present state began, because it was meant for a
    state that has been lost.
    """
    decisions: list[Decision] = []
    for command in inputs.commands:
        try:
            after = apply_command(state, command, inputs, policy, now_ms)
        except CommandRefusedError as error:
            decisions.append(_command_decision("refused", state, state, command, inputs, now_ms, str(error)))
            continue
        event = _event(command, state, after)
        decisions.append(_command_decision(event, state, after, command, inputs, now_ms, _reason(command)))
        state = after
    return state, tuple(decisions)


def apply_command(state: RampState, command: Command, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    """Return the ramp's state after the command.

    Raises CommandRefusedError if the command is refused, or its subclass IllegalTransitionError if the table of
    transitions does not allow the command in this state.
    """
    old = inputs.old_commands_to and entry_number(command.id) <= entry_number(inputs.old_commands_to)
    if old and command.kind not in SAFETY_COMMANDS:
        raise CommandRefusedError("the command was given before the present state began; give it again")
    return _CHANGES[command.kind](state, command, inputs, policy, now_ms)


def entry_number(entry_id: str) -> tuple[int, int]:
    """Return a stream entry's id as numbers; (-1, -1) for a text that is not an id.

    The ids of a stream ascend even if Redis' clock is set back.
    """
    ms, _, number = entry_id.partition("-")
    return (int(ms), int(number)) if (ms + number).isascii() and ms.isdigit() and number.isdigit() else (-1, -1)


def _event(command: Command, before: RampState, after: RampState) -> str:
    if command.kind is CommandKind.DRILL:
        return "drill_started"
    if before.phase is Phase.VALIDATING and after.phase is Phase.COMPLETED:
        return RampEvent.COMPLETE.value  # `promote` ended the validation
    return command.kind.value


def _reason(command: Command) -> str:
    reason = command.reason or "no reason given"
    if command.kind is not CommandKind.SHADOW:
        return reason
    share = "the configured share" if command.percent is None else f"{command.percent:g} %"
    return f"copies {share} of the requests: {reason}"


def _command_decision(
    event: str, old: RampState, new: RampState, command: Command, inputs: TickInputs, now_ms: int, reason: str
) -> Decision:
    details: dict[str, Any] = {"command": command.kind.value, "command_id": command.id}
    if command.target:
        details["target"] = command.target
    if command.kind is CommandKind.SHADOW and command.percent is not None:
        details["shadow_percent"] = command.percent
    if command.force:
        details["forced"] = "true"
    if command.lost:
        details["lost"] = "true"
    trigger = f"command:{command.kind.value}"
    return new_decision(event, old, new, inputs, now_ms, reason, trigger, actor=command.actor, details=details)


def _hold(state: RampState, command: Command, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    if state.state_lost:
        return replace(state, held_by=command.actor)  # still held, and still nothing is written
    if state.phase in RETREATING:  # the hold begins when the rollback is confirmed; an aborted workload stays aborted
        return replace(state, held_by=command.actor, held_reason=command.reason)
    after = transition(state, RampEvent.HOLD, now_ms, last=policy.last)
    return replace(after, held_by=command.actor, held_reason=command.reason)


def _resume(state: RampState, command: Command, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    if not state.autopilot and state.phase is not Phase.HELD:
        return replace(state, autopilot=True, guard_overridden=False)
    if state.phase is Phase.COOLING_DOWN:
        raise CommandRefusedError(f"resume is not possible while cooling down; {_retry_hint(inputs.workload)}")
    return replace(resume_ramp(state, inputs, policy, now_ms), autopilot=True, guard_overridden=False)


def resume_ramp(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    """End a hold, and return the ramp's new state. Its share is at most the ramp's last step.

    If the split gate fails, the evidence starts again, because a person who resumes has presumably corrected the split.
    """
    after = transition(state, RampEvent.RESUME, now_ms, last=policy.last, percent=min(state.percent, policy.last))
    if after.epoch == state.epoch and any(v.gate == "split" for v in failed_gates(inputs)):
        after = replace(after, epoch=after.epoch + 1, since_ms=now_ms)
    return after


def _promote(state: RampState, command: Command, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    if command.end_validation or state.phase is Phase.VALIDATING:
        return _end_validation(state, command, inputs, policy, now_ms)
    if state.phase is Phase.COOLING_DOWN:  # before the gates, whose message names a --force that would not help
        raise CommandRefusedError(f"promote is not possible while cooling down; {_retry_hint(inputs.workload)}")
    target = policy.next_step(state.percent)
    if state.state_lost and command.percent in policy.steps:
        target = command.percent  # the command names the step that the Envoys already run
    if target is None:
        raise IllegalTransitionError(f"{state.percent:g} % is the last step")
    if command.percent is not None and command.percent != target:
        raise CommandRefusedError(f"promote goes one step, to {target:g} %, not to {command.percent:g} %")
    _check_approved(state, target, command, inputs, policy)
    _check_not_frozen(inputs, command)
    _check_gates(inputs, command)
    return transition(state, RampEvent.PROMOTE, now_ms, last=policy.last, percent=target)


def _end_validation(
    state: RampState, command: Command, inputs: TickInputs, policy: RampPolicy, now_ms: int
) -> RampState:
    """Complete the workload. The command must have ``end_validation``, because the validation guards the last step."""
    name = inputs.workload
    if state.phase is not Phase.VALIDATING:
        raise IllegalTransitionError(f"there is no validation to end; the workload is {_phase_text(state.phase)}")
    if not command.end_validation:
        left = validation_obstacle(state, inputs, policy, now_ms)
        raise CommandRefusedError(
            f"{state.percent:g} % is the last step{f', {left}' if left else ''}; "
            f"`glidepath promote {name} --end-validation` ends the validation now"
        )
    if command.percent is not None:
        raise CommandRefusedError("the end of a validation takes no step: leave out --percent")
    _check_gates(inputs, command)
    return replace(transition(state, RampEvent.COMPLETE, now_ms, last=policy.last), retries=0)


def _approve(state: RampState, command: Command, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    target = policy.next_step(state.percent)
    if state.phase is not Phase.AWAITING_APPROVAL or target is None:
        raise IllegalTransitionError(f"no step waits for approval; the workload is {_phase_text(state.phase)}")
    if command.percent is not None and command.percent != target:  # a person confirmed a page that had become old
        raise CommandRefusedError(f"the step to {target:g} % waits for approval, not one to {command.percent:g} %")
    _check_not_frozen(inputs, command)
    _check_gates(inputs, command)
    return transition(state, RampEvent.PROMOTE, now_ms, last=policy.last, percent=target)


def _rollback(state: RampState, command: Command, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    target = command.percent or 0.0
    if not 0 <= target <= 100:
        raise CommandRefusedError(f"rollback needs a share from 0 to 100 %, not {target:g} %")
    if target > 0 and state.state_lost:
        raise CommandRefusedError("the present share is unknown: without --percent, the rollback goes to 0 %")
    if target > 0 and target >= state.percent:
        raise CommandRefusedError(f"rollback needs a share below the present {state.percent:g} %, not {target:g} %")
    return transition(state, RampEvent.ROLLBACK, now_ms, last=policy.last, percent=round(target, 2))


def _retry(state: RampState, command: Command, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    left_ms = state.cool_until_ms - now_ms
    if state.phase is Phase.COOLING_DOWN and left_ms > 0 and not command.force:
        raise CommandRefusedError(f"cools down for another {duration_text(left_ms / 1000)}; --force retries now")
    return replace(transition(state, RampEvent.RETRY, now_ms, last=policy.last), retries=0, cool_until_ms=0)


def _abort(state: RampState, command: Command, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    return transition(state, RampEvent.ABORT, now_ms, last=policy.last, percent=0.0)


def _drill(state: RampState, command: Command, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    return start_drill(state, command, inputs, policy, now_ms)


def _shadow(state: RampState, command: Command, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    share = command.percent
    if share is not None and not 0 <= share <= 100:
        raise CommandRefusedError(f"shadow needs a share from 0 to 100 %, not {share:g} %")
    if state.state_lost:
        raise CommandRefusedError("nothing is written while the candidate's share is unknown; see `glidepath status`")
    after = replace(state, shadow_override=None if share is None else round(share, 4))
    return end_warm_up(after, now_ms)


def _annotate(state: RampState, command: Command, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    return state


_CHANGES: Mapping[CommandKind, Change] = {
    CommandKind.HOLD: _hold,
    CommandKind.RESUME: _resume,
    CommandKind.PROMOTE: _promote,
    CommandKind.APPROVE: _approve,
    CommandKind.ROLLBACK: _rollback,
    CommandKind.RETRY: _retry,
    CommandKind.ABORT: _abort,
    CommandKind.DRILL: _drill,
    CommandKind.SHADOW: _shadow,
    CommandKind.ANNOTATE: _annotate,
}


def _check_approved(state: RampState, target: float, command: Command, inputs: TickInputs, policy: RampPolicy) -> None:
    """Raise CommandRefusedError if a person must approve the step to ``target``.

    After a lost state, no approval is needed.
    """
    if target not in policy.approvals or command.force or state.state_lost:
        return
    if state.phase is Phase.AWAITING_APPROVAL:
        raise CommandRefusedError(f"the step to {target:g} % needs approval: `glidepath approve {inputs.workload}`")
    raise CommandRefusedError(
        f"the step to {target:g} % needs approval, for which the ramp asks when the evidence is complete; "
        "--force takes the step now"
    )


def _check_gates(inputs: TickInputs, command: Command) -> None:
    failed = failed_gates(inputs)
    if failed and not command.force:
        names = ", ".join(f"{v.gate} ({v.message})" if v.message else v.gate for v in failed)
        raise CommandRefusedError(f"failing gates: {names}; --force continues anyway")
    if inputs.quota and not command.force:
        raise CommandRefusedError(f"{inputs.quota}; --force continues anyway")


def _check_not_frozen(inputs: TickInputs, command: Command) -> None:
    if inputs.frozen and not command.force:
        raise CommandRefusedError(f"{inputs.frozen}; --force continues anyway")


def _retry_hint(workload: str) -> str:
    return f"`glidepath retry {workload} --force` ends the cool-down and starts again"


def _phase_text(phase: Phase) -> str:
    return phase.value.replace("_", " ")

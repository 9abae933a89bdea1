"""What a person asks for: each command moves the ramp, or is refused with the reason and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from glidepath.errors import CommandRefusedError
from glidepath.records import Command, CommandKind, Decision, Phase
from scorer.steer import drill
from scorer.steer.facts import Facts, failing, note
from scorer.steer.machine import Event, IllegalTransitionError, RampState, transition
from scorer.steer.policy import RampPolicy

Change = Callable[[RampState, Command, Facts, RampPolicy, int], RampState]


def obey(state: RampState, facts: Facts, policy: RampPolicy, now_ms: int) -> tuple[RampState, tuple[Decision, ...]]:
    """All commands of this tick, in order. A command that cannot be is a ``refused`` decision."""
    decisions: list[Decision] = []
    for command in facts.commands:
        try:
            after = apply(state, command, facts, policy, now_ms)
        except CommandRefusedError as error:
            decisions.append(_said("refused", state, state, command, facts, now_ms, str(error)))
            continue
        event = "drill_started" if command.kind is CommandKind.DRILL else command.kind.value
        decisions.append(_said(event, state, after, command, facts, now_ms, command.reason or "by command"))
        state = after
    return state, tuple(decisions)


def apply(state: RampState, command: Command, facts: Facts, policy: RampPolicy, now_ms: int) -> RampState:
    """The state that the command leads to. Raises CommandRefusedError (IllegalTransitionError by the table)."""
    return _CHANGES[command.kind](state, command, facts, policy, now_ms)


def _said(
    event: str, old: RampState, new: RampState, command: Command, facts: Facts, now_ms: int, reason: str
) -> Decision:
    details = {"command": command.kind.value, "command_id": command.id}
    if command.target:
        details["target"] = command.target
    if command.force:
        details["forced"] = "true"
    trigger = f"command:{command.kind.value}"
    return note(event, old, new, facts, now_ms, reason, trigger, actor=command.actor, details=details)


def _hold(state: RampState, command: Command, facts: Facts, policy: RampPolicy, now_ms: int) -> RampState:
    if state.phase is Phase.HELD:
        raise CommandRefusedError(f"already held by {state.held_by or 'somebody'}: {state.held_reason}")
    after = transition(state, Event.HOLD, now_ms, last=policy.last)
    return replace(after, held_by=command.actor, held_reason=command.reason or "by command")


def _resume(state: RampState, command: Command, facts: Facts, policy: RampPolicy, now_ms: int) -> RampState:
    if not state.autopilot and state.phase is not Phase.HELD:
        return replace(state, autopilot=True, overridden=False)
    if state.phase is Phase.COOLING_DOWN:
        raise CommandRefusedError("resume is not possible while cooling down; use `retry`")
    return replace(transition(state, Event.RESUME, now_ms, last=policy.last), autopilot=True, overridden=False)


def _promote(state: RampState, command: Command, facts: Facts, policy: RampPolicy, now_ms: int) -> RampState:
    if state.phase is Phase.VALIDATING:
        _check_gates(facts, command)
        return replace(transition(state, Event.VALIDATED, now_ms, last=policy.last), retries=0)
    target = policy.next_step(state.percent)
    if state.lost and command.percent in policy.steps:
        target = command.percent  # what the Envoys run already, says a person
    if target is None:
        raise IllegalTransitionError(f"{state.percent:g} % is the last step")
    if command.percent is not None and command.percent != target:
        raise CommandRefusedError(f"promote goes one step, to {target:g} %, not to {command.percent:g} %")
    _check_open(facts, command)
    _check_gates(facts, command)
    return transition(state, Event.STEP, now_ms, last=policy.last, percent=target)


def _approve(state: RampState, command: Command, facts: Facts, policy: RampPolicy, now_ms: int) -> RampState:
    target = policy.next_step(state.percent)
    if state.phase is not Phase.AWAITING_APPROVAL or target is None:
        raise IllegalTransitionError(f"nothing waits for an approval; the workload is {_words(state.phase)}")
    _check_open(facts, command)
    _check_gates(facts, command)
    return transition(state, Event.STEP, now_ms, last=policy.last, percent=target)


def _rollback(state: RampState, command: Command, facts: Facts, policy: RampPolicy, now_ms: int) -> RampState:
    target = command.percent or 0.0
    if state.drill is not None and state.percent <= 0:
        return replace(state, drill=None)
    if not 0 <= target < state.percent:
        raise CommandRefusedError(f"rollback needs a share below the present {state.percent:g} %, not {target:g} %")
    return transition(state, Event.ROLL_BACK, now_ms, last=policy.last, percent=round(target, 2))


def _retry(state: RampState, command: Command, facts: Facts, policy: RampPolicy, now_ms: int) -> RampState:
    left_ms = state.cool_until_ms - now_ms
    if state.phase is Phase.COOLING_DOWN and left_ms > 0 and not command.force:
        raise CommandRefusedError(f"cools down for another {left_ms / 1000:.0f} s; --force does not wait")
    return replace(transition(state, Event.RETRY, now_ms, last=policy.last), retries=0, cool_until_ms=0)


def _abort(state: RampState, command: Command, facts: Facts, policy: RampPolicy, now_ms: int) -> RampState:
    return transition(state, Event.ABORT, now_ms, last=policy.last, percent=0.0)


def _drill(state: RampState, command: Command, facts: Facts, policy: RampPolicy, now_ms: int) -> RampState:
    return drill.begin(state, command, facts, policy, now_ms)


def _annotate(state: RampState, command: Command, facts: Facts, policy: RampPolicy, now_ms: int) -> RampState:
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
    CommandKind.ANNOTATE: _annotate,
}


def _check_gates(facts: Facts, command: Command) -> None:
    failed = failing(facts.verdicts)
    if failed and not command.force:
        names = ", ".join(v.gate for v in failed)
        raise CommandRefusedError(f"fails: {names}; --force goes on all the same")


def _check_open(facts: Facts, command: Command) -> None:
    if facts.frozen and not command.force:
        raise CommandRefusedError(f"{facts.frozen}; --force goes on all the same")


def _words(phase: Phase) -> str:
    return phase.value.replace("_", " ")

"""What a person asks for: each command moves the ramp, or is refused with the reason and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from glidepath.errors import CommandRefusedError
from glidepath.records import Command, CommandKind, Decision, Phase
from scorer.steering.ramp import drill
from scorer.steering.ramp.ramp_policy import RampPolicy
from scorer.steering.ramp.states import RETREATING, Event, IllegalTransitionError, RampState, transition
from scorer.steering.ramp.tick_inputs import TickInputs, against, note

BACK = frozenset({CommandKind.HOLD, CommandKind.ROLLBACK, CommandKind.ABORT})  # stop, or lower the share

Change = Callable[[RampState, Command, TickInputs, RampPolicy, int], RampState]


def obey(
    state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int
) -> tuple[RampState, tuple[Decision, ...]]:
    """All commands of this tick, in order. A command that cannot be is a ``refused`` decision.

    Those that stop or take back, ``hold``, ``rollback`` and ``abort``, are possible in every state: who says so need
    not know in which one the workload is. Only they are obeyed where they were said before the state began: the others
    were meant for one that is no longer known.
    """
    decisions: list[Decision] = []
    for command in facts.commands:
        try:
            after = apply(state, command, facts, policy, now_ms)
        except CommandRefusedError as error:
            decisions.append(_said("refused", state, state, command, facts, now_ms, str(error)))
            continue
        event = _event(command, state, after)
        decisions.append(_said(event, state, after, command, facts, now_ms, _why(command)))
        state = after
    return state, tuple(decisions)


def apply(state: RampState, command: Command, facts: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    """The state that the command leads to. Raises CommandRefusedError (IllegalTransitionError by the table)."""
    if command.kind not in BACK and said_ms(command) < facts.began_ms:
        raise CommandRefusedError("said before this state began, and so of another one; say it again")
    return _CHANGES[command.kind](state, command, facts, policy, now_ms)


def said_ms(command: Command) -> int:
    """When Redis took the command in, by its own clock."""
    head = command.id.partition("-")[0]
    return int(head) if head.isascii() and head.isdigit() else 0


def _event(command: Command, before: RampState, after: RampState) -> str:
    if command.kind is CommandKind.DRILL:
        return "drill_started"
    if before.phase is Phase.VALIDATING and after.phase is Phase.COMPLETED:
        return Event.VALIDATED.value  # whoever ends a validation, it is the end
    return command.kind.value


def _why(command: Command) -> str:
    reason = command.reason or "by command"
    if command.kind is not CommandKind.SHADOW:
        return reason
    share = "as many requests as configured" if command.percent is None else f"{command.percent:g} % of the requests"
    return f"{share} are copied: {reason}"


def _said(
    event: str, old: RampState, new: RampState, command: Command, facts: TickInputs, now_ms: int, reason: str
) -> Decision:
    details: dict[str, Any] = {"command": command.kind.value, "command_id": command.id}
    if command.target:
        details["target"] = command.target
    if command.kind is CommandKind.SHADOW and command.percent is not None:
        details["shadow_percent"] = command.percent
    if command.force:
        details["forced"] = "true"
    trigger = f"command:{command.kind.value}"
    return note(event, old, new, facts, now_ms, reason, trigger, actor=command.actor, details=details)


def _hold(state: RampState, command: Command, facts: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    if state.state_lost:
        return replace(state, held_by=command.actor)  # and nothing is written, as before
    if state.phase in RETREATING:  # the way back ends first, and is held then; what is aborted stays so
        return replace(state, held_by=command.actor, held_reason=command.reason or "by command")
    after = transition(state, Event.HOLD, now_ms, last=policy.last)
    return replace(after, held_by=command.actor, held_reason=command.reason or "by command")


def _resume(state: RampState, command: Command, facts: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    if not state.autopilot and state.phase is not Phase.HELD:
        return replace(state, autopilot=True, overridden=False)
    if state.phase is Phase.COOLING_DOWN:
        raise CommandRefusedError("resume is not possible while cooling down; use `retry`")
    return replace(resumed(state, facts, policy, now_ms), autopilot=True, overridden=False)


def resumed(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    """The ramp's own way from where it was held: at most to its last step. Who resumes although the split is not as set
    says that it was put right: it is judged afresh."""
    after = transition(state, Event.RESUME, now_ms, last=policy.last, percent=min(state.percent, policy.last))
    if after.epoch == state.epoch and any(v.gate == "split" for v in against(facts)):
        after = replace(after, epoch=after.epoch + 1, since_ms=now_ms)
    return after


def _promote(state: RampState, command: Command, facts: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    if state.phase is Phase.VALIDATING:
        _check_gates(facts, command)
        return replace(transition(state, Event.VALIDATED, now_ms, last=policy.last), retries=0)
    target = policy.next_step(state.percent)
    if state.state_lost and command.percent in policy.steps:
        target = command.percent  # what the Envoys run already, says a person
    if target is None:
        raise IllegalTransitionError(f"{state.percent:g} % is the last step")
    if command.percent is not None and command.percent != target:
        raise CommandRefusedError(f"promote goes one step, to {target:g} %, not to {command.percent:g} %")
    _check_open(facts, command)
    _check_gates(facts, command)
    return transition(state, Event.STEP, now_ms, last=policy.last, percent=target)


def _approve(state: RampState, command: Command, facts: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    target = policy.next_step(state.percent)
    if state.phase is not Phase.AWAITING_APPROVAL or target is None:
        raise IllegalTransitionError(f"nothing waits for an approval; the workload is {_words(state.phase)}")
    _check_open(facts, command)
    _check_gates(facts, command)
    return transition(state, Event.STEP, now_ms, last=policy.last, percent=target)


def _rollback(state: RampState, command: Command, facts: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    target = command.percent or 0.0
    if not 0 <= target <= 100:
        raise CommandRefusedError(f"rollback needs a share from 0 to 100 %, not {target:g} %")
    if target > 0 and state.state_lost:
        raise CommandRefusedError("the present share is not known: without --percent it goes to 0 %")
    if target > 0 and target >= state.percent:
        raise CommandRefusedError(f"rollback needs a share below the present {state.percent:g} %, not {target:g} %")
    return transition(state, Event.ROLL_BACK, now_ms, last=policy.last, percent=round(target, 2))


def _retry(state: RampState, command: Command, facts: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    left_ms = state.cool_until_ms - now_ms
    if state.phase is Phase.COOLING_DOWN and left_ms > 0 and not command.force:
        raise CommandRefusedError(f"cools down for another {left_ms / 1000:.0f} s; --force does not wait")
    return replace(transition(state, Event.RETRY, now_ms, last=policy.last), retries=0, cool_until_ms=0)


def _abort(state: RampState, command: Command, facts: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    return transition(state, Event.ABORT, now_ms, last=policy.last, percent=0.0)


def _drill(state: RampState, command: Command, facts: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    return drill.begin(state, command, facts, policy, now_ms)


def _shadow(state: RampState, command: Command, facts: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    share = command.percent
    if share is not None and not 0 <= share <= 100:
        raise CommandRefusedError(f"shadow needs a share from 0 to 100 %, not {share:g} %")
    if state.state_lost:
        raise CommandRefusedError("nothing is written while the candidate's share is not known; see `glidepath status`")
    return replace(state, shadow=None if share is None else round(share, 4))


def _annotate(state: RampState, command: Command, facts: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
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


def _check_gates(facts: TickInputs, command: Command) -> None:
    failed = against(facts)
    if failed and not command.force:
        names = ", ".join(f"{v.gate} ({v.message})" if v.message else v.gate for v in failed)
        raise CommandRefusedError(f"fails: {names}; --force goes on all the same")


def _check_open(facts: TickInputs, command: Command) -> None:
    if facts.frozen and not command.force:
        raise CommandRefusedError(f"{facts.frozen}; --force goes on all the same")


def _words(phase: Phase) -> str:
    return phase.value.replace("_", " ")

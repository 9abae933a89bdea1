"""The drill, a rehearsal of a rollback or of the loss of all scorers. See ADR 0056 and ADR 0291.

A drill sets the candidate's weight to 0 until every Envoy has confirmed this weight and no more requests reach the
candidate. It changes only the share that Envoy serves; the ramp's ``percent`` stays unchanged. So if a drill ends early
(because of a guard, an abort or the loss of the leader), Envoy returns to the ramp's share. If the ramp is at 0 %, the
drill first gives the candidate a small weight.

A drill of the loss of all scorers (``lost``) does not change the weights. It lets the lease of the split expire by
Envoy's own clock, checks that no more requests reach the candidate, and then renews the lease again.
"""

from __future__ import annotations

from dataclasses import replace

from glidepath.errors import CommandRefusedError
from glidepath.pluralization import number_of
from glidepath.status_and_decisions import Command, Phase
from scorer.steering.ramp.ramp_policy import DRILL_QUIET_MS, DRILL_RAISE_MS, MAX_DRILL_MS, RampPolicy
from scorer.steering.ramp.states import RETREATING, Drill, DrillStage, IllegalTransitionError, RampState
from scorer.steering.ramp.tick_inputs import StageResult, TickInputs, new_decision
from scorer.steering.ramp.verdict_effects import failed_guards

MAX_PERCENT = 10.0  # the largest share at which a drill may start without --force
MAX_ERRORS = 5  # after this many failed requests at the drill's own small weight, the drill ends


def start_drill(state: RampState, command: Command, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    """Return the state with a new drill.

    Raises CommandRefusedError if a drill would prove nothing or would endanger users.
    """
    if state.phase in RETREATING or state.phase is Phase.COOLING_DOWN:
        raise IllegalTransitionError(f"drill is not possible while {state.phase.value.replace('_', ' ')}")
    if state.share_unknown:
        raise CommandRefusedError("the present share is unknown: run `glidepath rollback` or `resume` first")
    if state.drill is not None:
        raise CommandRefusedError("a drill is already running")
    if command.lost:
        _check_lease(inputs)
    if state.percent > MAX_PERCENT and not command.force:
        raise CommandRefusedError(f"a drill at {state.percent:g} % moves a lot of traffic; --force starts it anyway")
    if state.percent > 0:
        if command.percent is not None:
            raise CommandRefusedError(
                f"--percent is only for a candidate at 0 %, and this one has {state.percent:g} % already"
            )
        withdrawing = Drill(DrillStage.WITHDRAWING, state.percent, command.actor, now_ms, withdrawn_ms=now_ms)
        return replace(state, drill=replace(withdrawing, lost=command.lost))
    if failed_guards(inputs.verdicts) and not command.force:
        raise CommandRefusedError("gates fail on the shadow evidence; --force starts the drill anyway")
    most = policy.steps[0] if command.force else min(policy.steps[0], MAX_PERCENT)  # the first step may be 100 %
    share = most if command.percent is None else command.percent
    if not 0 < share <= most:
        raise CommandRefusedError(f"a drill from 0 % needs a share above 0 %, at most {most:g} %, not {share:g} %")
    return replace(state, drill=Drill(DrillStage.RAISING, share, command.actor, now_ms, lost=command.lost))


def _check_lease(inputs: TickInputs) -> None:
    """Raise CommandRefusedError unless the loss of all scorers would end the split at every Envoy."""
    if not inputs.lost_after_ms:
        raise CommandRefusedError(
            "the split stays if all scorers are lost (if_lost: hold), so there is nothing to rehearse"
        )
    if inputs.lease_set_at:
        where = ", ".join(inputs.lease_set_at[:3])
        raise CommandRefusedError(f"a person set the lease at {where}, so it would not end: remove the key there first")
    if not inputs.all_leased:
        held = f"{inputs.leases_held} of {number_of(inputs.lease_envoys, 'Envoy')}"
        raise CommandRefusedError(f"the lease is in force in {held}: run `glidepath doctor`")


def continue_drill(state: RampState, inputs: TickInputs, policy: RampPolicy, now_ms: int) -> StageResult:
    """Move a running drill to its next stage when the present stage is done.

    If a stage takes longer than MAX_DRILL_MS, the drill fails. With ``--lost``, the time after which the split's lease
    ends is added to this limit. Only the last stage, ``RESTORING``, does not fail the drill: after the limit, the drill
    ends.
    """
    drill = state.drill
    if drill is None:
        return state, ()
    in_stage = abs(now_ms - drill.stage_ms)  # abs: a clock that was set back must not prolong a stage
    most_ms = MAX_DRILL_MS + (inputs.lost_after_ms if drill.lost else 0)
    if in_stage > most_ms and drill.stage is not DrillStage.RESTORING:
        missing = f"{_progress(drill, inputs)}, requests may still reach the candidate"
        return _restore(state, drill, f"{drill.stage.value} took over {most_ms // 1000} s: {missing}", now_ms)
    if drill.stage is DrillStage.RAISING:
        return _raise_weight(state, drill, inputs, now_ms)
    if drill.stage is DrillStage.WITHDRAWING and _is_withdrawn(drill, inputs):
        after = replace(drill, stage=DrillStage.DRAINING, stage_ms=now_ms, confirmed_ms=now_ms)
        return replace(state, drill=after), ()
    if drill.stage is DrillStage.DRAINING and now_ms - max(inputs.live_ms, drill.confirmed_ms) >= DRILL_QUIET_MS:
        return _restore(state, replace(drill, last_request_ms=inputs.live_ms), "", now_ms)
    restored = inputs.all_confirmed and (inputs.all_leased or not drill.lost)
    if drill.stage is DrillStage.RESTORING and (restored or in_stage > most_ms):
        return _finish(state, drill, inputs, now_ms)
    return state, ()


def _is_withdrawn(drill: Drill, inputs: TickInputs) -> bool:
    """Return whether no Envoy gives the candidate a share."""
    return inputs.lease_envoys > 0 and inputs.leases_held == 0 if drill.lost else inputs.all_confirmed


def _progress(drill: Drill, inputs: TickInputs) -> str:
    if drill.lost:
        return f"the lease is in force in {inputs.leases_held} of {number_of(inputs.lease_envoys, 'Envoy')}"
    return f"confirmed by {inputs.confirmed} of {number_of(inputs.envoys, 'Envoy')}"


def _raise_weight(state: RampState, drill: Drill, inputs: TickInputs, now_ms: int) -> StageResult:
    if inputs.live_errors >= MAX_ERRORS:
        return _restore(state, drill, f"{inputs.live_errors} requests failed at the drill's weight", now_ms)
    if not inputs.all_confirmed or now_ms - drill.stage_ms < DRILL_RAISE_MS:
        return state, ()
    return replace(state, drill=replace(drill, stage=DrillStage.WITHDRAWING, stage_ms=now_ms, withdrawn_ms=now_ms)), ()


def _restore(state: RampState, drill: Drill, failure: str, now_ms: int) -> StageResult:
    return replace(state, drill=replace(drill, stage=DrillStage.RESTORING, stage_ms=now_ms, failure=failure)), ()


def _finish(state: RampState, drill: Drill, inputs: TickInputs, now_ms: int) -> StageResult:
    drilled = state.drilled or not (drill.failure or drill.lost)
    after = replace(state, drill=None, drilled=drilled)
    confirmed_ms = max(drill.confirmed_ms - drill.withdrawn_ms, 0)
    drained_ms = max(drill.last_request_ms - drill.withdrawn_ms, 0) if drill.last_request_ms else 0
    details = {
        "drill_percent": drill.percent,
        "confirmed_after_ms": confirmed_ms,
        "last_request_after_ms": drained_ms,
        "restored_after_ms": now_ms - drill.stage_ms,
        "envoys": inputs.envoys,
        "passed": not drill.failure,
        **({"lost_after_ms": inputs.lost_after_ms} if drill.lost else {}),
    }
    reason = drill.failure or (_lost_text if drill.lost else _rollback_text)(drill, inputs, confirmed_ms, drained_ms)
    return after, (
        new_decision(
            "drill_finished", state, after, inputs, now_ms, reason, "drill", actor=drill.actor, details=details
        ),
    )


def _rollback_text(drill: Drill, inputs: TickInputs, confirmed_ms: int, drained_ms: int) -> str:
    return (
        f"rollback from {drill.percent:g} %: {number_of(inputs.envoys, 'Envoy')} confirmed after {confirmed_ms} ms, "
        f"the last request ended {drained_ms} ms after the write; restored"
    )


def _lost_text(drill: Drill, inputs: TickInputs, ended_ms: int, drained_ms: int) -> str:
    return (
        f"no scorer renewed the lease of {drill.percent:g} %: it ended at {number_of(inputs.lease_envoys, 'Envoy')} "
        f"after {ended_ms} ms (lost_after: {inputs.lost_after_ms / 1000:g}s), the candidate's last request after "
        f"{drained_ms} ms; leased again"
    )

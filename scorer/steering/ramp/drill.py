"""The rehearsal of the way back: weights to 0 until every Envoy confirms and no request reaches the candidate.

Only what Envoy serves changes, not the ramp's percent, so a drill that is cut short by a guard, an abort or the loss of
the leader ends where the ramp stands. From 0 % it first gives the candidate a small weight.
"""

from __future__ import annotations

from dataclasses import replace

from glidepath.errors import CommandRefusedError
from glidepath.records import Command, Decision, Phase
from scorer.steering.ramp.ramp_policy import DRILL_QUIET_MS, DRILL_RAISE_MS, MAX_DRILL_MS, RampPolicy
from scorer.steering.ramp.states import RETREATING, Drill, DrillStage, IllegalTransitionError, RampState
from scorer.steering.ramp.tick_inputs import TickInputs, failing, note

MAX_PERCENT = 10.0  # "at a small weight"; --force drills at any
MAX_ERRORS = 5  # of requests at a weight that only the drill set
Move = tuple[RampState, tuple[Decision, ...]]


def begin(state: RampState, command: Command, facts: TickInputs, policy: RampPolicy, now_ms: int) -> RampState:
    """Raises CommandRefusedError where a drill would prove nothing or put users at risk."""
    if state.phase in RETREATING or state.phase is Phase.COOLING_DOWN:
        raise IllegalTransitionError(f"drill is not possible while {state.phase.value.replace('_', ' ')}")
    if state.share_unknown:
        raise CommandRefusedError("the present share is not known: `glidepath rollback` or `resume` first")
    if state.drill is not None:
        raise CommandRefusedError("a drill is under way")
    if state.percent > MAX_PERCENT and not command.force:
        raise CommandRefusedError(f"a drill at {state.percent:g} % moves much traffic; --force does it all the same")
    if state.percent > 0:
        return replace(state, drill=Drill(DrillStage.LEAVING, state.percent, command.actor, now_ms, left_ms=now_ms))
    if failing(facts.verdicts) and not command.force:
        raise CommandRefusedError("the shadow evidence fails; --force drills all the same")
    share = min(command.percent or policy.steps[0], policy.steps[0])
    if not command.force:
        share = min(share, MAX_PERCENT)  # the first step of a ramp may be all of it
    return replace(state, drill=Drill(DrillStage.RAISING, share, command.actor, now_ms))


def rehearse(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> Move:
    """The running drill, one stage on if its aim is reached. A stage that takes too long ends the drill as failed."""
    drill = state.drill
    if drill is None:
        return state, ()
    in_stage = abs(now_ms - drill.stage_ms)  # a clock that was set back must not make a small weight last for hours
    confirmed = 0 < facts.envoys <= facts.confirmed
    if in_stage > MAX_DRILL_MS and drill.stage is not DrillStage.RESTORING:
        missing = f"{facts.confirmed} of {facts.envoys} Envoys confirmed, requests may still reach the candidate"
        return _restore(state, drill, f"{drill.stage.value} took over {MAX_DRILL_MS // 1000} s: {missing}", now_ms)
    if drill.stage is DrillStage.RAISING:
        return _raising(state, drill, facts, confirmed, now_ms)
    if drill.stage is DrillStage.LEAVING and confirmed:
        after = replace(drill, stage=DrillStage.DRAINING, stage_ms=now_ms, confirmed_ms=now_ms)
        return replace(state, drill=after), ()
    if drill.stage is DrillStage.DRAINING and now_ms - max(facts.live_ms, drill.confirmed_ms) >= DRILL_QUIET_MS:
        return _restore(state, replace(drill, last_request_ms=facts.live_ms), "", now_ms)
    if drill.stage is DrillStage.RESTORING and (confirmed or in_stage > MAX_DRILL_MS):
        return _finish(state, drill, facts, now_ms)
    return state, ()


def _raising(state: RampState, drill: Drill, facts: TickInputs, confirmed: bool, now_ms: int) -> Move:
    if facts.live_errors >= MAX_ERRORS:
        return _restore(state, drill, f"{facts.live_errors} requests failed at the drill's weight", now_ms)
    if not confirmed or now_ms - drill.stage_ms < DRILL_RAISE_MS:
        return state, ()
    return replace(state, drill=replace(drill, stage=DrillStage.LEAVING, stage_ms=now_ms, left_ms=now_ms)), ()


def _restore(state: RampState, drill: Drill, failure: str, now_ms: int) -> Move:
    return replace(state, drill=replace(drill, stage=DrillStage.RESTORING, stage_ms=now_ms, failure=failure)), ()


def _finish(state: RampState, drill: Drill, facts: TickInputs, now_ms: int) -> Move:
    after = replace(state, drill=None, drilled=state.drilled or not drill.failure)
    confirmed_ms = max(drill.confirmed_ms - drill.left_ms, 0)
    drained_ms = max(drill.last_request_ms - drill.left_ms, 0) if drill.last_request_ms else 0
    details = {
        "drill_percent": drill.percent,
        "confirmed_after_ms": confirmed_ms,
        "last_request_after_ms": drained_ms,
        "restored_after_ms": now_ms - drill.stage_ms,
        "envoys": facts.envoys,
        "passed": not drill.failure,
    }
    reason = drill.failure or (
        f"way back from {drill.percent:g} %: {facts.envoys} Envoys confirmed after {confirmed_ms} ms, "
        f"the last request ended {drained_ms} ms after the order; restored"
    )
    return after, (note("drill", state, after, facts, now_ms, reason, "drill", actor=drill.actor, details=details),)

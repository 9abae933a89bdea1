"""From a track to the status that people and tools read."""

from __future__ import annotations

from dataclasses import replace

from glidepath.records import Phase, WorkloadStatus
from scorer.steering.ramp import shadow_share
from scorer.steering.ramp.automatic_steps import obstacle, validation_obstacle
from scorer.steering.ramp.ramp_policy import RampPolicy
from scorer.steering.ramp.states import Drill, RampState
from scorer.steering.workload.clock_offsets import skew_warning
from scorer.steering.workload.workload import Track


def status_of(track: Track, leader: str, now_ms: int) -> WorkloadStatus:
    state, evidence = track.state, track.evidence
    baseline, candidate = track.sides()
    timed = state.phase in (Phase.SHADOW, Phase.BAKING)
    until = state.since_ms + track.policy.hold_for(state.percent) if timed else None
    return replace(
        standing(track, leader, now_ms),
        hold_until_ms=until,
        message="; ".join(filter(None, (*said(track, now_ms), skew_warning(track.skew)))),
        confirmed=len(track.observation.confirmed),
        envoys=track.envoys,
        verdicts=track.verdicts + ((track.facts.capacity,) if track.facts.capacity else ()),
        baseline=baseline,
        candidate=candidate,
        agreement=evidence.agreement(),
        noise=evidence.noise(),
        pairs_scored=track.totals.pairs_scored,
        pairs_unscored=track.totals.pairs_unscored,
        coverage=track.totals.coverage,
        min_samples=track.policy.samples_for(state.percent) if timed or state.phase is Phase.VALIDATING else 0,
    )


def standing(track: Track, leader: str, now_ms: int) -> WorkloadStatus:
    """Where a workload stands, without anything that judges: evidence, facts, obstacles."""
    state, desired = track.state, track.desired
    return WorkloadStatus(
        workload=track.name,
        phase=state.phase.value,
        percent=state.serving,
        step=track.policy.step_of(state.percent),
        steps=track.policy.steps,
        since_ms=state.since_ms,
        updated_at_ms=now_ms,
        held_by=state.held_by,
        autopilot=state.autopilot,
        weights={
            track.names.candidate.rpartition(".")[2]: desired.candidate,
            track.names.baseline.rpartition(".")[2]: desired.baseline,
        },
        leader=leader,
        config_digest=track.digest,
        share_known=not state.share_unknown,
    )


def said(track: Track, now_ms: int) -> tuple[str, ...]:
    """What is wrong, what happens next, and what a person has set by hand that stays until they take it away."""
    state, envoys = track.state, track.observation.hiding_layers
    shadow = shadow_share.describe_override(
        track.name, track.names.shadow, state.shadow_override, track.workload.shadow.sample
    )
    hidden = f"weights in the admin layer of {', '.join(envoys[:3])} hide what was pushed" if envoys else ""
    unknown = "the share is not known" if state.share_unknown else ""
    return (track.problem, unknown, hidden, message(track, now_ms), shadow, state.invalid_override)


def message(track: Track, now_ms: int) -> str:
    """What happens next, in words."""
    state, policy, facts = track.state, track.policy, track.facts
    if state.drill is not None:
        return _drilling(state.drill)
    if not state.autopilot:
        return f"autopilot is 0: nothing moves by itself; `glidepath resume {track.name}` or curl it to 1"
    if state.phase in (Phase.SHADOW, Phase.BAKING):
        target = policy.next_step(state.percent)
        why = obstacle(state, facts, policy, now_ms)
        return f"to {target:g} %: {why or 'now'}" if target is not None else why
    if state.phase is Phase.VALIDATING:
        return f"at the last step: {validation_obstacle(state, facts, policy, now_ms) or 'complete'}"
    return _resting(state, policy, track.name, len(track.observation.confirmed), track.envoys, now_ms)


def _resting(state: RampState, policy: RampPolicy, name: str, confirmed: int, envoys: int, now_ms: int) -> str:
    if state.phase is Phase.AWAITING_APPROVAL:
        return f"waits for `glidepath approve {name}` to go to {policy.next_step(state.percent):g} %"
    if state.phase is Phase.HELD:
        return f"held by {state.held_by}: {state.held_reason}; `glidepath resume {name}` to go on"
    if state.phase is Phase.ROLLING_BACK:
        return f"to {state.percent:g} %: {confirmed} of {envoys} Envoys confirm"
    if state.phase is Phase.COOLING_DOWN:
        return _cooling(state, policy, name, now_ms)
    if state.phase is Phase.COMPLETED:
        return f"done at {state.percent:g} %; still guarded"
    return f"aborted; `glidepath retry {name}` to start again"


def _cooling(state: RampState, policy: RampPolicy, name: str, now_ms: int) -> str:
    left = (state.cool_until_ms - now_ms) / 1000
    auto = policy.auto_retry and state.retries < policy.max_retries
    how = "retries by itself" if auto else f"then `glidepath retry {name}`"
    return f"cools down for another {left:.0f} s, {how}" if left > 0 else how.removeprefix("then ").capitalize()


def _drilling(drill: Drill) -> str:
    return f"drill by {drill.actor}: {drill.stage.value}"

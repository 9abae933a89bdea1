"""Build the status of a workload from its state, for people and for tools."""

from __future__ import annotations

from typing import Any

from glidepath.duration_text import duration_text
from glidepath.movable_share import movable_share
from glidepath.pluralization import number_of
from glidepath.status_and_decisions import Phase, SideRefusal, WorkloadStatus
from scorer.steering.ramp import shadow_share
from scorer.steering.ramp.automatic_steps import obstacle, validation_obstacle
from scorer.steering.ramp.ramp_policy import RampPolicy
from scorer.steering.ramp.states import RampState
from scorer.steering.workload.clock_offsets import skew_warning
from scorer.steering.workload.refusing_sides import refusal_text
from scorer.steering.workload.workload_state import WorkloadState


def status_of(state: WorkloadState, leader: str) -> WorkloadStatus:
    """Return the full status of a workload, including the results of its evidence. Its times are Unix times."""
    ramp, policy, evidence, capacity = state.ramp, state.spec.policy, state.evidence, state.inputs.capacity
    baseline, candidate = evidence.sides()
    with_calls, exact_calls = evidence.tool_calls()
    timed = ramp.phase in (Phase.SHADOW, Phase.BAKING)
    movable = movable_share(state.totals.coverage, state.totals.error_kinds, state.totals.live_answers)
    return status_of_ramp(
        state,
        leader,
        bake_until_ms=state.now.unix_ms(ramp.since_ms + policy.bake_ms(ramp.percent)) if timed else None,
        message="; ".join(filter(None, (*_messages(state, state.now.ms), skew_warning(state.skew)))),
        confirmed=len(state.fleet.observation.confirmed),
        envoys=state.fleet.envoys,
        verdicts=state.judged.verdicts + ((capacity,) if capacity else ()),
        baseline=baseline,
        candidate=candidate,
        agreement=evidence.agreement(),
        noise=evidence.noise(),
        pairs_with_calls=with_calls,
        exact_calls=exact_calls,
        pairs_scored=state.totals.pairs_scored,
        pairs_apart=state.totals.pairs_apart,
        pairs_unscored=state.totals.pairs_unscored,
        coverage=state.totals.coverage,
        local_replies=state.totals.local_replies,
        error_kinds=state.totals.error_kinds,
        refusals=_refusals(state),
        instruments=state.totals.instruments,
        feedback=state.totals.feedback,
        live_answers=state.totals.live_answers,
        movable_share=movable.share if movable else None,
        other_configuration=state.totals.other_configuration,
        languages=state.totals.languages,
        contract=state.totals.contract,
        min_samples=policy.samples_for(ramp.percent) if timed or ramp.phase is Phase.VALIDATING else 0,
    )


def status_of_ramp(state: WorkloadState, leader: str, **others: Any) -> WorkloadStatus:
    """Return the part of a workload's status that needs neither evidence nor decisions, with the fields ``others``.

    Safe mode shows only this part.
    """
    ramp, policy, names, desired = state.ramp, state.spec.policy, state.spec.names, state.desired
    return WorkloadStatus(
        workload=state.name,
        phase=ramp.phase.value,
        percent=ramp.serving,
        step=policy.step_of(ramp.percent),
        steps=policy.steps,
        since_ms=state.now.unix_ms(ramp.since_ms),
        updated_at_ms=state.now.clocks.redis_ms,
        held_by=ramp.held_by,
        autopilot=ramp.autopilot,
        weights={
            names.candidate.rpartition(".")[2]: desired.candidate,
            names.baseline.rpartition(".")[2]: desired.baseline,
        },
        leader=leader,
        config_digest=state.spec.digest,
        share_known=not ramp.share_unknown,
        if_lost=state.spec.workload.if_lost,
        lost_after_s=state.spec.workload.lost_after if state.spec.workload.if_lost == "baseline" else None,
        leases_held=state.inputs.leases_held,
        lease_envoys=state.inputs.lease_envoys,
        lease_set_at=state.inputs.lease_set_at,
        blind=state.blindness.reason,
        blind_envoys=state.blindness.envoys,
        counter_guard=state.blindness.counters_show,
        no_counter_guard=state.blindness.no_counters,
        **others,
    )


def _messages(state: WorkloadState, now_ms: int) -> tuple[str, ...]:
    """Return messages about problems, about the next step, and about manual overrides that still apply."""
    ramp, spec, layers = state.ramp, state.spec, state.fleet.observation.hiding_layers
    shadow = shadow_share.describe_override(
        spec.name, spec.names.shadow, ramp.shadow_override, spec.workload.shadow.sample
    )
    hidden = f"weights in the admin layer of {', '.join(layers[:3])} hide the pushed weights" if layers else ""
    unknown = "the share is not known" if ramp.share_unknown else ""
    discarded = state.restart.reason if state.restart is not None else ""
    refused = "; ".join(map(refusal_text, _refusals(state)))
    envoy = state.recent.envoy
    failing = envoy.describe() if envoy.named else ""
    served = state.recent.served
    other = served.describe(spec.name, spec.served) if served.lasts(now_ms) else ""
    return (
        state.blindness.describe(),
        discarded,
        refused,
        failing,
        other,
        unknown,
        hidden,
        _without_lease(state),
        next_step(state, now_ms),
        _limited_copies(state),
        shadow,
        ramp.invalid_override,
    )


def _limited_copies(state: WorkloadState) -> str:
    """Return a text that says that a quota reduces the number of copied requests; "" if no copies are missing."""
    return state.quota.copies_note if state.copied < state.wanted_copies else ""


def _refusals(state: WorkloadState) -> tuple[SideRefusal, ...]:
    """Return the sides that refuse most requests, and the baseline if its share of refusals rose after a retreat."""
    recent, workload = state.recent, state.spec.workload
    retreat = (recent.retreat.refusal(workload),) if recent.retreat.named else ()
    return (*recent.refusals.refusals(workload), *retreat)


def _without_lease(state: WorkloadState) -> str:
    """Return a text about the Envoys that serve only the baseline because they have no lease of the split, or ""."""
    ramp, inputs = state.ramp, state.inputs
    missing = inputs.lease_envoys - inputs.leases_held
    if not inputs.lost_after_ms or ramp.serving <= 0 or ramp.drill is not None:
        return ""
    if inputs.lease_envoys == 0:
        return "no Envoy has a lease of the split, so the baseline serves all: `glidepath doctor`"
    envoys = f"{missing} of {number_of(inputs.lease_envoys, 'Envoy')}"
    return f"the lease of the split is missing in {envoys}, which serve the baseline only" if missing > 0 else ""


def next_step(state: WorkloadState, now_ms: int) -> str:
    """Describe for people what happens next to the ramp."""
    ramp, policy, inputs = state.ramp, state.spec.policy, state.inputs
    if ramp.drill is not None:
        kind = "drill of the loss of all scorers" if ramp.drill.lost else "drill"
        return f"{kind} by {ramp.drill.actor}: {ramp.drill.stage.value}"
    if not ramp.autopilot:
        return f"autopilot is 0: nothing moves by itself; `glidepath resume {state.name}`, or set it to 1 by curl"
    if ramp.phase in (Phase.SHADOW, Phase.BAKING):
        target = policy.next_step(ramp.percent)
        why = obstacle(ramp, inputs, policy, now_ms)
        return f"to {target:g} %: {why or 'now'}" if target is not None else why
    if ramp.phase is Phase.VALIDATING:
        return f"at the last step: {validation_obstacle(ramp, inputs, policy, now_ms) or 'complete'}"
    return _resting(state, now_ms)


def _resting(state: WorkloadState, now_ms: int) -> str:
    """Describe what happens next in a phase that waits for a person, for the Envoys, or for time to pass."""
    ramp, policy, name = state.ramp, state.spec.policy, state.name
    if ramp.phase is Phase.AWAITING_APPROVAL:
        return f"waits for `glidepath approve {name}` to go to {policy.next_step(ramp.percent):g} %"
    if ramp.phase is Phase.HELD:
        why = f": {ramp.held_reason}" if ramp.held_reason else ""
        back = f"; rolled back to {ramp.percent:g} %" if ramp.held_from is Phase.COOLING_DOWN else ""
        return f"held by {ramp.held_by}{why}{back}; `glidepath resume {name}` to continue"
    if ramp.phase is Phase.ROLLING_BACK:
        confirmed = len(state.fleet.observation.confirmed)
        return f"to {ramp.percent:g} %: confirmed by {confirmed} of {number_of(state.fleet.envoys, 'Envoy')}"
    if ramp.phase is Phase.COOLING_DOWN:
        return _cooling(ramp, policy, name, now_ms)
    if ramp.phase is Phase.COMPLETED:
        return f"done at {ramp.percent:g} %; the guards still run"
    return f"aborted; `glidepath retry {name}` to start again"


def _cooling(ramp: RampState, policy: RampPolicy, name: str, now_ms: int) -> str:
    left_s = (ramp.cool_until_ms - now_ms) / 1000
    automatic = policy.auto_retry and ramp.retries < policy.max_retries
    retry = f"`glidepath retry {name}`"
    if left_s <= 0:
        return "cooled down; retries automatically" if automatic else f"cooled down; {retry} to start again"
    then = "then retries automatically" if automatic else f"then {retry} to start again"
    return f"cools down for another {duration_text(left_s)}, {then}"

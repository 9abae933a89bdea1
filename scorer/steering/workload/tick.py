"""One tick of one workload: ``tick(state, news, readings, context, now)`` returns the next state and the writes.

The function uses no clock and no I/O. The given state is not changed, so if a tick raises an exception, the caller
still has the old state and continues with safe_mode.py. Only the evidence may be changed in place, so safe mode begins
it again. See ADR 0133.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from glidepath.status_and_decisions import Decision, to_json
from scorer.steering.envoy.actuator import LeaseReading
from scorer.steering.envoy.runtime_values import RuntimeEntries, RuntimeValues
from scorer.steering.ramp import shadow_share
from scorer.steering.ramp.decide import advance
from scorer.steering.ramp.ramp_policy import frozen_by
from scorer.steering.ramp.states import RampState
from scorer.steering.ramp.tick_inputs import TickInputs, new_decision
from scorer.steering.staggering import period_index
from scorer.steering.store_protocol import News, Record
from scorer.steering.workload.compute_verdicts import judge, settle
from scorer.steering.workload.counter_guard import counter_guard_verdict
from scorer.steering.workload.envoy_fleet import Readings, look, next_writes, unknown_envoys
from scorer.steering.workload.failing_copies import CopiesBefore
from scorer.steering.workload.fold_stream_entries import fold
from scorer.steering.workload.refusals_after_retreat import EVENT
from scorer.steering.workload.refusing_sides import refusal_text
from scorer.steering.workload.steady_time import SteadyTime
from scorer.steering.workload.tick_context import TickContext
from scorer.steering.workload.workload_state import (
    STATUS_MS,
    BaselineRestart,
    WorkloadState,
    WritePeriods,
    restart_evidence,
    with_fresh_evidence,
)
from scorer.steering.workload.workload_state_codec import encode
from scorer.steering.workload.workload_status import status_of

# Evidence is stored this often, and with every decision. After a restart, later entries are read again from the stream.
# See ADR 0055.
CHECKPOINT_MS = 5_000


@dataclass(frozen=True, slots=True)
class Tick:
    """The result of one tick.

    ``record`` must be stored before ``writes`` (Envoy → runtime entries) are sent. Then ``state`` replaces the old one.
    """

    state: WorkloadState
    writes: Mapping[str, RuntimeEntries] = field(default_factory=dict)
    record: Record = field(default_factory=Record)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        return self.record.decisions


def tick(before: WorkloadState, news: News, readings: Readings, context: TickContext, now: SteadyTime) -> Tick:
    """Add the news to the evidence, compute verdicts, compare the Envoys' values, decide, and plan the writes."""
    now_ms = now.ms
    state = judge(_same_configuration_again(before, fold(before, news, now)), before.now.ms, now_ms)
    unknown = unknown_envoys(state, context.unknown_weights) if state.ramp.first_start else ()
    state = settle(look(state, readings, context), now_ms)
    if state.blindness is not context.report.blindness:
        state = replace(state, blindness=context.report.blindness)
    inputs = tick_inputs(state, context, unknown)
    wanted = state.desired
    if state.quota is not context.quota:
        state = replace(state, quota=context.quota)
    ramp, decisions = _decide(state, inputs, now_ms)
    state = _after_decision(state, ramp, inputs, context, now_ms, wanted)
    state, writes = next_writes(state, readings, context.admin_layers)
    decisions = (
        *_discarded(before, inputs, now_ms),
        *decisions,
        *_restarted_envoys(state, now_ms),
        *_refusing_sides(before, state, now_ms),
        *_refusing_baseline(before, state, now_ms),
        *_failing_envoy(before, state, now_ms),
        *_other_configuration(before, state, now_ms),
        *_blind(before, state, now_ms),
    )
    return _with_record(before, state, writes, decisions, context.leader)


def tick_inputs(state: WorkloadState, context: TickContext, unknown: tuple[str, ...]) -> TickInputs:
    """Return the inputs of the ramp's decision in this tick."""
    spec, view, recent = state.spec, state.fleet, state.recent
    seen, lease = view.observation, context.lease or LeaseReading()
    leased = spec.workload.if_lost == "baseline"
    return TickInputs(
        workload=spec.name,
        verdicts=state.judged.verdicts + counter_guard_verdict(context.report, state.ramp),
        samples=state.evidence.requests(),
        commands=state.streams.commands,
        old_commands_to=state.streams.old_commands_to,
        confirmed=len(seen.confirmed),
        envoys=view.envoys,
        adopted=seen.adopted,
        adopted_at=seen.adopted_at,
        ambiguous_weights=seen.ambiguous_weights,
        invalid_override=seen.invalid_override,
        autopilot=seen.autopilot,
        frozen=_frozen(state) or _served_otherwise(state) or _blind_text(state),
        waiting_for=context.waiting_for,
        capacity=context.capacity,
        quota=context.quota.obstacle,
        quota_known=context.quota.known,
        copies_failing="" if state.ramp.warm_up is None else recent.copies.failing(state.totals),
        config_digest=spec.digest,
        baseline=spec.baseline,
        candidate=spec.candidate,
        unknown_envoys=unknown,
        live_ms=state.totals.live_ms,
        activity=state.totals.activity,
        live_errors=recent.drill_errors,
        error_kinds=state.totals.error_kinds,
        errors_before=recent.errors_before,
        # Until every Envoy has confirmed a share of 0, requests at the candidate are expected.
        unexpected_traffic=recent.unexpected_traffic if view.all_confirmed else 0,
        leases_held=lease.held,
        lease_envoys=lease.envoys,
        lost_after_ms=round(spec.workload.lost_after * 1000) if leased else 0,
        lease_set_at=lease.set_at,
        **retreat_inputs(state, context),
    )


def retreat_inputs(state: WorkloadState, context: TickContext) -> dict[str, Any]:
    """Return the decision's inputs about a retreat: a share that a scorer sent to the Envoys before it was stored.

    A retreat from before the ramp's present phase is ignored, because it was stored.
    """
    entered_ms = state.now.unix_ms(state.ramp.entered_ms)
    found = (context.retreat, state.fleet.observation.retreat)
    current = [one for one in found if one is not None and one.at_ms >= entered_ms]
    lowest = min(current, key=lambda one: one.percent, default=None)
    return {} if lowest is None else {"retreat_percent": lowest.percent, "retreat_reason": lowest.reason}


def _served_otherwise(state: WorkloadState) -> str:
    lasts = state.recent.served.lasts(state.now.ms)
    return "an Envoy serves another configuration of this workload" if lasts else ""


def _blind_text(state: WorkloadState) -> str:
    return "no step while outcomes do not arrive" if state.blindness else ""


def _ended(before: WorkloadState, state: WorkloadState) -> bool:
    """Return whether an Envoy served a configuration other than the file's at the last tick, and none does now."""
    return before.recent.served.lasts(before.now.ms) and not state.recent.served.lasts(state.now.ms)


def _same_configuration_again(before: WorkloadState, state: WorkloadState) -> WorkloadState:
    """Restart evidence that counted requests of a configuration other than the file's, once no Envoy serves it."""
    return restart_evidence(state, state.now.ms) if _ended(before, state) else state


def _frozen(state: WorkloadState) -> str:
    """Return a text about a freeze window that is open by Redis' clock or by this scorer's clock; "" if there is none.

    The window ends only when both clocks are past it, so a clock that was set forward does not end it.
    """
    windows, clocks = state.spec.workload.ramp.freeze, state.now.clocks
    return frozen_by(windows, clocks.redis_ms) or frozen_by(windows, clocks.wall_ms)


def _decide(state: WorkloadState, inputs: TickInputs, now_ms: int) -> tuple[RampState, tuple[Decision, ...]]:
    spec = state.spec
    ramp, decisions = advance(state.ramp, inputs, spec.policy, now_ms)
    sample = spec.workload.shadow.sample
    ramp, adopted = shadow_share.adopt_shadow_share(ramp, inputs, state.fleet.observation, sample, now_ms)
    return ramp, (*decisions, *adopted)


def _after_decision(
    state: WorkloadState,
    ramp: RampState,
    inputs: TickInputs,
    context: TickContext,
    now_ms: int,
    wanted: RuntimeValues,
) -> WorkloadState:
    """Return the workload's state after the ramp's decisions.

    If the desired values are no longer ``wanted``, no Envoy counts as confirmed, because the Envoys confirmed the old
    values.
    """
    was, recent = state.ramp, state.recent
    if ramp.drill is None or was.drill is None:
        recent = replace(recent, drill_errors=0) if recent.drill_errors else recent
    retreat = recent.retreat.after_tick(state.totals.live_answers, was.percent, ramp.percent, now_ms)
    if retreat is not recent.retreat:
        recent = replace(recent, retreat=retreat)
    if ramp.warm_up is not None and was.warm_up is None:
        recent = replace(recent, copies=CopiesBefore.of(state.totals))
    if ramp.epoch != was.epoch:
        state = with_fresh_evidence(replace(state, recent=recent), ramp, now_ms)
        recent = replace(state.recent, unexpected_traffic=0)
    state = replace(
        state,
        ramp=ramp,
        recent=recent,
        inputs=inputs,
        streams=replace(state.streams, commands=()) if state.streams.commands else state.streams,
        problem="",
        restart=_announced(state.restart) if ramp.percent <= 0 else None,
        written=_periods(state.name, now_ms),
    )
    if state.desired == wanted:
        return state
    unconfirmed = replace(state.fleet.observation, confirmed=frozenset())
    return replace(state, fleet=replace(state.fleet, observation=unconfirmed))


def _announced(restart: BaselineRestart | None) -> BaselineRestart | None:
    return restart if restart is None or restart.announced else replace(restart, announced=True)


def _discarded(before: WorkloadState, inputs: TickInputs, now_ms: int) -> tuple[Decision, ...]:
    """Return the decision that the stored state was discarded, unless it has been announced; else nothing."""
    if before.restart is None or before.restart.announced:
        return ()
    return (
        new_decision(
            "state_discarded", before.ramp, before.ramp, inputs, now_ms, before.restart.reason, "state_schema"
        ),
    )


def _restarted_envoys(state: WorkloadState, now_ms: int) -> tuple[Decision, ...]:
    names = state.fleet.observation.restarted
    if not names:
        return ()
    ramp, details = state.ramp, {"envoys": list(names)}
    reason = f"{', '.join(names)}: restarted and lost the weights, which are written again"
    return (new_decision("restore_weights", ramp, ramp, state.inputs, now_ms, reason, "restart", details=details),)


def _refusing_sides(before: WorkloadState, state: WorkloadState, now_ms: int) -> tuple[Decision, ...]:
    """Return one decision for each side that has begun to refuse most requests for one cause."""
    watch, ramp, spec = state.recent.refusals, state.ramp, state.spec
    return tuple(
        new_decision(
            refusal.value,
            ramp,
            ramp,
            state.inputs,
            now_ms,
            refusal_text(watch.describe(refusal, side, spec.workload)),
            refusal.value,
        )
        for refusal, side in sorted(watch.named - before.recent.refusals.named)
    )


def _refusing_baseline(before: WorkloadState, state: WorkloadState, now_ms: int) -> tuple[Decision, ...]:
    """Return the decision that the baseline's share of refusals has risen after a retreat; else nothing."""
    watch, ramp = state.recent.retreat, state.ramp
    if not watch.named or before.recent.retreat.named:
        return ()
    reason = refusal_text(watch.refusal(state.spec.workload))
    return (new_decision(EVENT, ramp, ramp, state.inputs, now_ms, reason, EVENT),)


def _other_configuration(before: WorkloadState, state: WorkloadState, now_ms: int) -> tuple[Decision, ...]:
    """Return the decision that an Envoy began, or ceased, to serve a configuration other than the file's, if any."""
    watch, ramp, name = state.recent.served, state.ramp, "other_configuration"
    began = watch.lasts(now_ms) and not before.recent.served.lasts(before.now.ms)
    if not began and not _ended(before, state):
        return ()
    again = "every Envoy serves the configuration of this scorer's file again; the evidence starts again"
    reason = watch.describe(state.name, state.spec.served) if began else again
    return (new_decision(name, ramp, ramp, state.inputs, now_ms, reason, name),)


def _failing_envoy(before: WorkloadState, state: WorkloadState, now_ms: int) -> tuple[Decision, ...]:
    """Return the decision that Envoy itself has begun to fail requests; else nothing."""
    watch, ramp = state.recent.envoy, state.ramp
    if not watch.named or before.recent.envoy.named:
        return ()
    return (new_decision("envoy_failing", ramp, ramp, state.inputs, now_ms, watch.describe(), "envoy_failing"),)


def _blind(before: WorkloadState, state: WorkloadState, now_ms: int) -> tuple[Decision, ...]:
    """Return the decision that blindness has begun or ended while the candidate has a share; else nothing."""
    ramp, seeing = state.ramp, not state.blindness
    if bool(before.blindness) is bool(state.blindness) or (ramp.percent <= 0 and not ramp.share_unknown):
        return ()
    event = "sees_again" if seeing else "blind"
    reason = "outcomes arrive again" if seeing else state.blindness.describe()
    return (new_decision(event, ramp, ramp, state.inputs, now_ms, reason, event),)


def _for_the_log(state: WorkloadState, decision: Decision) -> Decision:
    """Return the decision with its time as Unix time, and with the versions of the models."""
    scorer = {"scorer": state.totals.scorer} if state.totals.scorer else {}
    at_ms = state.now.unix_ms(decision.at_ms)
    return replace(decision, at_ms=at_ms, model_versions={**state.spec.models, **scorer})


def _with_record(
    before: WorkloadState,
    state: WorkloadState,
    writes: Mapping[str, RuntimeEntries],
    decisions: tuple[Decision, ...],
    leader: str,
) -> Tick:
    """Return the result of the tick, with the record to store in Redis.

    The record contains the decisions. It contains the state and the status only if they have changed or if their
    periodic storing is due.
    """
    changed = bool(decisions or before.problem) or _must_be_stored(before, state)
    confirmed_changed = state.fleet.observation.confirmed != before.fleet.observation.confirmed
    stored = shown = None
    if changed or state.written.checkpoint != before.written.checkpoint:
        stored = encode(state)
    if changed or confirmed_changed or state.written.status != before.written.status:
        shown = to_json(status_of(state, leader))
    record = Record(stored, shown, tuple(_for_the_log(state, decision) for decision in decisions))
    return Tick(state, writes, record)


def _periods(name: str, now_ms: int) -> WritePeriods:
    return WritePeriods(period_index(name, now_ms, CHECKPOINT_MS), period_index(name, now_ms, STATUS_MS))


def _must_be_stored(before: WorkloadState, after: WorkloadState) -> bool:
    """Return whether the state has changes that must be stored now. New evidence and cursors wait for a checkpoint."""
    ramps_differ = after.ramp is not before.ramp and after.ramp != before.ramp
    return ramps_differ or after.restart != before.restart or after.fleet.last_written != before.fleet.last_written

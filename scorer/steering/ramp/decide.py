"""The ramp's decisions: ``advance(state, facts, policy, now_ms)`` → the next state and what was decided.

Pure: no clock, no I/O. The order within a tick is the order of importance: what a person did at an Envoy, what a
person commanded, the guards, then the automation's own steps. A guard acts in every state with candidate traffic;
the one exception is ``glidepath.<workload>.autopilot=0``: a person has taken the wheel, and guards only speak.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from glidepath.domain import Outcome
from glidepath.records import Decision, Phase, Verdict
from scorer.steering.envoy import manual_override
from scorer.steering.ramp import commands, drill
from scorer.steering.ramp.ramp_policy import RampPolicy
from scorer.steering.ramp.states import RETREATING, Event, RampState, transition
from scorer.steering.ramp.tick_inputs import ADVISORY, TickInputs, failing, missing_passes, note

Move = tuple[RampState, tuple[Decision, ...]]
_AUTOMATIC = (Phase.SHADOW, Phase.BAKING)


def advance(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> Move:
    """One tick. ``facts.verdicts`` must belong to ``state.epoch``; after a move they are not used again."""
    decisions: list[Decision] = []
    stages: tuple[Callable[[RampState, TickInputs, RampPolicy, int], Move], ...] = (
        _reconfigure,
        _hold_if_state_lost,
        _autopilot,
        _adopt,
        _invalid_override,
        commands.obey,
        _unexpected_traffic,
        _confirm,
        _guard,
        drill.rehearse,
        _automatic,
    )
    for stage in stages:
        before = state
        state, decided = stage(state, facts, policy, now_ms)
        decisions += decided
        if state.epoch != before.epoch or state.serving != before.serving:
            # What was measured and confirmed belongs to the old share: it decides nothing about the new one.
            facts = replace(facts, verdicts=(), samples=0, confirmed=0)
    return state, tuple(decisions)


def _reconfigure(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> Move:
    replaced = _replaced(state, facts)
    if replaced:
        return _start_over(state, facts, policy, now_ms, replaced)
    sides = (facts.baseline or state.baseline, facts.candidate or state.candidate)
    if sides != (state.baseline, state.candidate):
        state = replace(state, baseline=sides[0], candidate=sides[1])
    if facts.config_digest == state.config_digest:
        return state, ()
    if not state.config_digest:
        return replace(state, config_digest=facts.config_digest), ()
    extended = state.phase is Phase.COMPLETED and state.percent < policy.last
    event = Event.EXTEND if extended else Event.RECONFIGURE
    after = replace(transition(state, event, now_ms, last=policy.last), config_digest=facts.config_digest)
    reason = "the configuration changed; evidence of this step begins afresh"
    details = {"from_digest": state.config_digest, "to_digest": facts.config_digest}
    return after, (note(event.value, state, after, facts, now_ms, reason, "configuration", details=details),)


def _replaced(state: RampState, facts: TickInputs) -> str:
    """Which side is another one than the evidence was about, in words; "" where none is, or it is not known."""
    sides = (("candidate", state.candidate, facts.candidate), ("baseline", state.baseline, facts.baseline))
    return ", ".join(f"{side} {old} → {new}" for side, old, new in sides if old and new and old != new)


def _start_over(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int, replaced: str) -> Move:
    """What was proven was proven of others: a new model begins in the shadow, whoever holds the wheel."""
    after = transition(state, Event.REPLACE, now_ms, last=policy.last, percent=0.0)
    after = replace(
        after,
        config_digest=facts.config_digest,
        baseline=facts.baseline,
        candidate=facts.candidate,
        drilled=False,
        retries=0,
    )
    reason = f"another model behind the name, or another backend: {replaced}; begins again at 0 %"
    details = {"from_digest": state.config_digest, "to_digest": facts.config_digest}
    return after, (note(Event.REPLACE.value, state, after, facts, now_ms, reason, "configuration", details=details),)


def _hold_if_state_lost(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> Move:
    """All of Redis was lost, not the Envoys: what they serve must not be replaced by a state that was born today.

    The same where the stored state could not be read: ``held_reason`` says why.
    """
    if not state.first_start or not (facts.unknown_envoys or state.held_reason):
        return state, ()
    after = replace(state, phase=Phase.HELD, before=state.phase, entered_ms=now_ms, first_start=False, state_lost=True)
    after = replace(after, epoch=state.epoch + 1, since_ms=now_ms)  # judged by what clients get, whatever the share
    why = f"{', '.join(facts.unknown_envoys[:3])} came with weights that this state never set (was Redis emptied?)"
    why = state.held_reason or why
    name = facts.workload
    after = replace(after, held_by="glidepath", held_reason=f"{why}; nothing is written meanwhile")
    reason = (
        f"{after.held_reason}; a guard still takes everything back. Look at GET /runtime of an Envoy; "
        f"`glidepath promote {name} --percent STEP` sets a step's share, `glidepath rollback {name}` 0 %, "
        f"`glidepath resume {name}` begins at {state.percent:g} %"
    )
    return after, (note(Event.HOLD.value, state, after, facts, now_ms, reason, "state_lost"),)


def _autopilot(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> Move:
    """A person's curl of ``glidepath.<workload>.autopilot``; 1 also ends a hold that a curl began."""
    if facts.autopilot is None or (facts.autopilot == state.autopilot and state.held_by != "manual_override"):
        return state, ()
    after = replace(state, autopilot=facts.autopilot, overridden=False, invalid_override="")
    if not facts.autopilot:
        reason = "a person set autopilot to 0 at an Envoy: nothing moves by itself until it is 1 again"
        return after, (
            note("autopilot_off", state, after, facts, now_ms, reason, "autopilot", actor="manual_override"),
        )
    if after.phase is Phase.HELD and after.held_by == "manual_override":
        after = commands.resumed(after, facts, policy, now_ms)
    reason = "a person set autopilot to 1 at an Envoy"
    return after, (note("autopilot_on", state, after, facts, now_ms, reason, "autopilot", actor="manual_override"),)


def _adopt(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> Move:
    if facts.adopted is not None and facts.ambiguous_weights:
        return _half_understood(state, facts, policy, now_ms)
    if facts.adopted is None or facts.adopted == state.serving:
        return state, ()
    after = transition(state, Event.ADOPT, now_ms, last=policy.last, percent=facts.adopted)
    why = f"weights at {facts.adopted_at or 'an Envoy'} were changed by hand to {facts.adopted:g} %"
    after = replace(after, held_by="manual_override", held_reason=why)
    reason = f"{why}; adopted and held. To go on: {_resume(facts)}"
    if facts.adopted > policy.last:
        reason = f"{reason} (at {policy.last:g} %, the last step)"
    return after, (
        note(Event.ADOPT.value, state, after, facts, now_ms, reason, "manual_override", actor="manual_override"),
    )


def _resume(facts: TickInputs) -> str:
    return f"`glidepath resume {facts.workload}`, or set {facts.autopilot_key}=1 at that Envoy"


def _half_understood(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> Move:
    """A person meant to intervene, but the weights are none: held, at the present share or below, never above."""
    share = min(facts.adopted or 0.0, state.percent)
    why = f"weights set by hand are not clear ({facts.ambiguous_weights}); allowed are {manual_override.ALLOWED}"
    if share == state.percent and (state.phase is Phase.HELD or state.phase in RETREATING):
        after = replace(state, invalid_override=why, drill=None)
        reason = f"{why}; {share:g} % stays, {state.phase.value.replace('_', ' ')} as before"
        return after, (
            note("invalid_override", state, after, facts, now_ms, reason, "manual_override", actor="manual_override"),
        )
    event = Event.HOLD if share == state.percent else Event.ADOPT
    after = transition(state, event, now_ms, last=policy.last, percent=share)
    after = replace(after, held_by="manual_override", held_reason=f"{why}; the share is {share:g} %")
    reason = f"{after.held_reason}, and held. To go on: {_resume(facts)}"
    return after, (note(event.value, state, after, facts, now_ms, reason, "manual_override", actor="manual_override"),)


def _invalid_override(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> Move:
    """Other values that say nothing change nothing, and are said once."""
    if not facts.invalid_override or facts.invalid_override == state.invalid_override:
        return state, ()
    after = replace(state, invalid_override=facts.invalid_override)
    reason = f"{facts.invalid_override}: changes nothing"
    return after, (
        note("invalid_override", state, after, facts, now_ms, reason, "manual_override", actor="manual_override"),
    )


def _unexpected_traffic(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> Move:
    """Clients reach the candidate though its share is 0: the guards watch what they get, and nothing goes up."""
    if not facts.unexpected_traffic or state.share_unknown or state.percent > 0 or state.drill is not None:
        return state, ()
    after, event = state, "unexpected_traffic"
    if state.phase not in (*RETREATING, Phase.COOLING_DOWN, Phase.HELD):
        after, event = transition(state, Event.HOLD, now_ms, last=policy.last), Event.HOLD.value
    why = f"{facts.unexpected_traffic} clients' requests reached the candidate though its share is 0 %"
    if after.phase is Phase.HELD and not after.held_by:
        after = replace(after, held_by="glidepath", held_reason=why)
    after = replace(after, unexpected_traffic=True, epoch=state.epoch + 1, since_ms=now_ms)
    reason = (
        f"{why}: its share is not known. Look at GET /runtime of every Envoy for weights in the admin layer, and for "
        f"Envoys that are not in envoy.admin; `glidepath resume {facts.workload}` when it is put right"
    )
    return after, (note(event, state, after, facts, now_ms, reason, "unexpected_traffic"),)


def _confirm(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> Move:
    if state.phase is not Phase.ROLLING_BACK or not _confirmed(facts):
        return state, ()
    after = transition(state, Event.CONFIRM, now_ms, last=policy.last)
    after = replace(after, cool_until_ms=now_ms + policy.cool_down_ms)
    if state.held_by:  # somebody said hold while it was on its way
        after = transition(after, Event.HOLD, now_ms, last=policy.last)
        after = replace(after, held_by=state.held_by, held_reason=state.held_reason)
    took = (now_ms - state.entered_ms) / 1000
    reason = f"{facts.confirmed} of {facts.envoys} Envoys run {state.percent:g} % after {took:.1f} s"
    details = {"confirmed_after_ms": now_ms - state.entered_ms}
    return after, (note(Event.CONFIRM.value, state, after, facts, now_ms, reason, "confirmation", details=details),)


def _guard(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> Move:
    failed = failing(facts.verdicts)
    if not failed or (state.percent <= 0 and not state.share_unknown):
        return state, ()
    catastrophe = next((v for v in failed if v.fast), None)
    worst = catastrophe or failed[0]
    target = 0.0 if catastrophe or state.share_unknown else policy.previous_step(state.percent)
    if not state.autopilot:
        return _say_overridden(state, facts, worst, target, now_ms)
    after = transition(state, Event.ROLL_BACK, now_ms, last=policy.last, percent=target)
    if state.phase is Phase.HELD and state.held_by not in (
        "",
        "glidepath",
    ):  # a person's hold outlasts a guard's way back
        after = replace(after, held_by=state.held_by, held_reason=state.held_reason)
    kind = "catastrophe" if catastrophe else "regression"
    reason = f"{kind}: {describe(worst)}"
    return after, (note(Event.ROLL_BACK.value, state, after, facts, now_ms, reason, worst.gate),)


def _say_overridden(state: RampState, facts: TickInputs, worst: Verdict, target: float, now_ms: int) -> Move:
    if state.overridden:
        return state, ()
    after = replace(state, overridden=True)
    reason = f"would go to {target:g} %, but autopilot is 0: {describe(worst)}"
    return after, (note("guard_overridden", state, after, facts, now_ms, reason, worst.gate),)


def _automatic(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> Move:
    """What happens without a person: the next step, the end of a validation, a retry."""
    if not state.autopilot or state.drill is not None:
        return state, ()
    if state.phase is Phase.COOLING_DOWN:
        return _auto_retry(state, facts, policy, now_ms)
    if state.phase is Phase.VALIDATING:
        return _validated(state, facts, policy, now_ms)
    if state.percent <= 0 and state.phase in (Phase.SHADOW, Phase.AWAITING_APPROVAL) and failing(facts.verdicts):
        return _fail_shadow(state, facts, policy, now_ms)
    if state.phase in _AUTOMATIC and not obstacle(state, facts, policy, now_ms):
        return _step_up(state, facts, policy, now_ms)
    return state, ()


def obstacle(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> str:
    """What keeps the next step waiting, in words; "" when nothing does."""
    target = policy.next_step(state.percent)
    if target is None:
        return "at the last step"
    for reason in (
        f"waits for {facts.waiting_for}" if facts.waiting_for and state.percent <= 0 else "",
        facts.frozen,
        "ramp.require_drill: run `glidepath drill` first" if policy.require_drill and not state.drilled else "",
        _time_left(state.since_ms + policy.hold_for(state.percent) - now_ms),
        f"{facts.confirmed} of {facts.envoys} Envoys run the present weights" if not _confirmed(facts) else "",
        _few(state, facts, policy),
        _afresh(missing_passes(facts.verdicts), facts),
    ):
        if reason:
            return reason
    capacity = facts.capacity
    if capacity is not None and capacity.gating and capacity.outcome != Outcome.PASS.value:
        return f"capacity: {capacity.message or capacity.outcome}"
    return ""


def _afresh(missing: str, facts: TickInputs) -> str:
    """A split that failed takes its time to prove that it was put right."""
    how = f"; once it is put right this ends by itself, by `glidepath retry {facts.workload}` at once"
    return missing + (how if "split fail" in missing else "")


def _confirmed(facts: TickInputs) -> bool:
    return 0 < facts.envoys <= facts.confirmed


def _few(state: RampState, facts: TickInputs, policy: RampPolicy) -> str:
    least = policy.samples_for(state.percent)
    return f"{facts.samples} of {least} samples" if facts.samples < least else ""


def _time_left(left_ms: int) -> str:
    return f"holds for another {left_ms / 1000:.0f} s" if left_ms > 0 else ""


def _step_up(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> Move:
    target = policy.next_step(state.percent)
    if target is None:
        return state, ()
    if target in policy.approvals:
        after = transition(state, Event.ASK, now_ms, last=policy.last)
        reason = f"the evidence for {target:g} % is there; a person must say yes: `glidepath approve {facts.workload}`"
        return after, (note(Event.ASK.value, state, after, facts, now_ms, reason, "approval"),)
    after = transition(state, Event.STEP, now_ms, last=policy.last, percent=target)
    reason = f"all gates pass at {state.percent:g} %"
    return after, (note(Event.STEP.value, state, after, facts, now_ms, reason, "gates"),)


def unvalidated(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> str:
    """What keeps a validation from its end, in words: time alone proves nothing. "" when nothing does."""
    left_ms = state.since_ms + policy.validation_ms - now_ms
    failed = ", ".join(f"{v.gate} {v.outcome}" for v in facts.verdicts if v.gating and v.outcome == Outcome.FAIL.value)
    compared = f"compared for another {left_ms / 1000:.0f} s" if left_ms > 0 else ""
    return compared or _few(state, facts, policy) or failed


def _validated(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> Move:
    if unvalidated(state, facts, policy, now_ms):
        return state, ()
    after = replace(transition(state, Event.VALIDATED, now_ms, last=policy.last), retries=0)
    reason = f"validated at {state.percent:g} %"
    return after, (note(Event.VALIDATED.value, state, after, facts, now_ms, reason, "validation"),)


def _fail_shadow(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> Move:
    worst = failing(facts.verdicts)[0]
    after = transition(state, Event.FAIL_SHADOW, now_ms, last=policy.last)
    after = replace(after, cool_until_ms=now_ms + policy.cool_down_ms)
    reason = f"not ready for traffic: {describe(worst)}"
    return after, (note(Event.FAIL_SHADOW.value, state, after, facts, now_ms, reason, worst.gate),)


def _auto_retry(state: RampState, facts: TickInputs, policy: RampPolicy, now_ms: int) -> Move:
    if not policy.auto_retry or state.retries >= policy.max_retries or now_ms < state.cool_until_ms:
        return state, ()
    after = transition(state, Event.RETRY, now_ms, last=policy.last)
    after = replace(after, retries=state.retries + 1)
    reason = f"cooled down; retry {after.retries} of {policy.max_retries} with fresh evidence"
    return after, (note(Event.RETRY.value, state, after, facts, now_ms, reason, "cool_down"),)


def describe(verdict: Verdict) -> str:
    """The number against its limit, as a person wants to read it."""
    if verdict.message:
        return f"{verdict.gate}: {verdict.message}"
    value = "?" if verdict.value is None else f"{verdict.value:.4g}"
    limit = "?" if verdict.limit is None else f"{verdict.limit:.4g}"
    return f"{verdict.gate} {value} {verdict.unit} against {limit} (n={verdict.n})"


__all__ = ["ADVISORY", "TickInputs", "advance", "describe", "obstacle", "unvalidated"]

"""The ramp, tick by tick: steps on proof, retreats at once, never past what a person said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glidepath.config.ramp import RampSection
from glidepath.domain import Outcome
from glidepath.records import CommandKind, Phase, Verdict
from scorer.steering.ramp.automatic_steps import obstacle, validation_obstacle
from scorer.steering.ramp.decide import advance
from scorer.steering.ramp.ramp_policy import policy_of
from scorer.steering.ramp.states import initial
from scorer.steering.ramp.tick_inputs import TickInputs
from scorer.steering.ramp.verdict_checks import describe
from tests.support.ramp import (
    CATASTROPHE,
    GOOD,
    LATE,
    PASSING,
    POLICY,
    RAMP,
    REGRESSION,
    UNDECIDED,
    at,
    obeyed,
    order,
    tick,
)
from tests.support.steering import verdict

# Steps.


def test_proof_and_time_take_it_one_step_on() -> None:
    after, events = tick(at(Phase.SHADOW, 0))
    assert (after.phase, after.percent, events) == (Phase.BAKING, 1, ["promote"])


def test_each_step_asks_for_what_is_set_for_it() -> None:
    rules = {"0": {"hold": 2}, "10": {"hold": 3, "min_samples": 500}, "100": {"min_samples": 800}}
    policy = policy_of(RampSection.model_validate({**RAMP.model_dump(), "at": rules}))

    def why(percent: float, samples: int, now_ms: int, phase: Phase = Phase.BAKING) -> str:
        return obstacle(at(phase, percent), replace(GOOD, samples=samples), policy, now_ms)

    assert why(0, 10, 1999, Phase.SHADOW) == "holds for another 0 s"
    assert why(0, 10, 2000, Phase.SHADOW) == ""
    assert (why(1, 9, 1000), why(1, 10, 1000)) == ("9 of 10 samples", "")
    assert (why(10, 499, 2000), why(10, 499, 3000)) == ("holds for another 1 s", "499 of 500 samples")
    assert why(10, 500, 3000) == ""
    assert why(50, 10, 1000) == ""
    done = at(Phase.VALIDATING, 100)
    assert validation_obstacle(done, replace(GOOD, samples=799), policy, 9000) == "799 of 800 samples"
    assert validation_obstacle(done, replace(GOOD, samples=800), policy, 9000) == ""


def test_a_share_set_by_hand_keeps_the_rules_of_the_step_that_it_has_reached() -> None:
    rules = {"1": {"min_samples": 20}, "10": {"min_samples": 500}}
    policy = policy_of(RampSection.model_validate({**RAMP.model_dump(), "at": rules}))
    few = replace(GOOD, samples=1)
    shown = [obstacle(at(Phase.BAKING, p), few, policy, LATE) for p in (0.5, 9.99, 10, 30, 60)]
    assert shown == [f"1 of {n} samples" for n in (20, 20, 500, 500, 10)]


def test_the_whole_way_up_ends_validated() -> None:
    state, seen = initial(0, 100, 0, "d"), []
    for now in range(0, 40_000, 500):
        state, events = tick(state, now_ms=now)
        seen += [(state.percent, e) for e in events]
    assert seen == [(1, "promote"), (10, "promote"), (50, "promote"), (100, "promote"), (100, "complete")]
    assert state.phase is Phase.COMPLETED


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (replace(GOOD, samples=0, verdicts=UNDECIDED), "0 of 10 samples"),
        (replace(GOOD, verdicts=(*PASSING, verdict("split", Outcome.FAIL))), "split fail"),
    ],
)
def test_time_alone_validates_nothing(facts: TickInputs, words: str) -> None:
    state = at(Phase.VALIDATING, 100)
    assert tick(state, facts) == (state, [])
    assert words in validation_obstacle(state, facts, POLICY, LATE)
    assert tick(state)[1] == ["complete"]


def test_a_ramp_may_end_below_100_for_good() -> None:
    policy = policy_of(RAMP.model_copy(update={"steps": (1, 60)}))
    after, _ = tick(at(Phase.BAKING, 1), policy=policy)
    assert (after.phase, after.percent) == (Phase.VALIDATING, 60)
    assert tick(after, policy=policy, now_ms=LATE + 10_000)[0].phase is Phase.COMPLETED


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (replace(GOOD, verdicts=UNDECIDED), "quality inconclusive"),
        (replace(GOOD, samples=9), "9 of 10 samples"),
        (replace(GOOD, frozen="freeze window until 8:00"), "freeze window until 8:00"),
        (replace(GOOD, confirmed=1), "1 of 2 Envoys"),
        (replace(GOOD, confirmed=0, envoys=0), "0 of 0 Envoys"),
        (replace(GOOD, waiting_for="batch"), "waits for batch"),
        (replace(GOOD, capacity=verdict("capacity", Outcome.FAIL)), "capacity"),
        (replace(GOOD, capacity=verdict("capacity", Outcome.INCONCLUSIVE)), "capacity"),
        (replace(GOOD, verdicts=(*PASSING, verdict("split", Outcome.FAIL))), "split fail"),
    ],
)
def test_a_step_waits_and_says_what_for(facts: TickInputs, words: str) -> None:
    state = at(Phase.SHADOW, 0)
    assert tick(state, facts) == (state, [])
    assert words in obstacle(state, facts, POLICY, LATE)


def test_a_step_waits_for_its_hold_to_the_millisecond() -> None:
    state = at(Phase.BAKING, 1)
    assert tick(state, now_ms=999)[1] == []
    assert tick(state, now_ms=1000)[1] == ["promote"]


def test_an_informational_gate_and_an_advisory_capacity_stop_nothing() -> None:
    facts = replace(
        GOOD,
        verdicts=(*PASSING, verdict("latency_p99", Outcome.FAIL, gating=False)),
        capacity=verdict("capacity", Outcome.FAIL, gating=False),
    )
    assert tick(at(Phase.BAKING, 10), facts)[0].percent == 50


def test_a_workload_waits_for_others_only_before_its_first_step() -> None:
    assert tick(at(Phase.BAKING, 1), replace(GOOD, waiting_for="batch"))[0].percent == 10


def test_no_data_is_no_pass() -> None:
    facts = replace(GOOD, verdicts=UNDECIDED, samples=0)
    assert tick(at(Phase.SHADOW, 0), facts)[1] == []


def test_a_step_with_approval_waits_for_a_person() -> None:
    policy = replace(POLICY, approvals=frozenset({10.0}))
    waiting, events = tick(at(Phase.BAKING, 1), policy=policy)
    assert (waiting.phase, waiting.percent, events) == (Phase.AWAITING_APPROVAL, 1, ["await_approval"])
    assert tick(waiting, policy=policy)[1] == []
    after, _ = advance(waiting, replace(GOOD, commands=(order(CommandKind.APPROVE),)), policy, LATE)
    assert (after.phase, after.percent) == (Phase.BAKING, 10)


def test_the_first_step_waits_for_a_drill_if_one_is_required() -> None:
    policy = replace(POLICY, require_drill=True)
    assert tick(at(Phase.SHADOW, 0), policy=policy)[1] == []
    assert tick(at(Phase.SHADOW, 0, drilled=True), policy=policy)[1] == ["promote"]


# Guards.

WITH_TRAFFIC = [
    Phase.BAKING,
    Phase.AWAITING_APPROVAL,
    Phase.HELD,
    Phase.ROLLING_BACK,
    Phase.COOLING_DOWN,
    Phase.VALIDATING,
    Phase.COMPLETED,
]


@pytest.mark.parametrize("phase", WITH_TRAFFIC)
def test_a_regression_goes_one_step_back_from_every_state_with_traffic(phase: Phase) -> None:
    facts = replace(GOOD, verdicts=REGRESSION, confirmed=0)
    after, events = tick(at(phase, 50), facts)
    assert (after.phase, after.percent) == (Phase.ROLLING_BACK, 10)
    assert "rollback" in events


@pytest.mark.parametrize("phase", WITH_TRAFFIC)
def test_a_catastrophe_goes_to_0_from_every_state_with_traffic(phase: Phase) -> None:
    after, _ = tick(at(phase, 50), replace(GOOD, verdicts=CATASTROPHE, confirmed=0))
    assert (after.phase, after.percent) == (Phase.ROLLING_BACK, 0)


def test_a_regression_between_steps_goes_to_the_step_below() -> None:
    assert tick(at(Phase.HELD, 30), replace(GOOD, verdicts=REGRESSION))[0].percent == 10
    assert tick(at(Phase.BAKING, 1), replace(GOOD, verdicts=REGRESSION))[0].percent == 0


def test_a_rollback_ignores_freeze_windows_and_missing_samples() -> None:
    facts = replace(GOOD, verdicts=CATASTROPHE, frozen="freeze", samples=0)
    assert tick(at(Phase.BAKING, 50), facts)[0].percent == 0


@pytest.mark.parametrize("gate", ["split", "capacity"])
def test_an_advisory_gate_takes_nothing_back(gate: str) -> None:
    facts = replace(GOOD, verdicts=(verdict(gate, Outcome.FAIL),))
    assert tick(at(Phase.HELD, 50), facts)[1] == []


def test_the_verdicts_of_a_share_do_not_judge_the_next_one() -> None:
    after, events = tick(at(Phase.BAKING, 50), replace(GOOD, verdicts=REGRESSION))
    assert events == ["rollback"]
    assert after.percent == 10


def test_a_rollback_is_over_only_when_every_envoy_confirms() -> None:
    back = at(Phase.ROLLING_BACK, 0)
    assert tick(back, replace(GOOD, verdicts=(), confirmed=1))[0].phase is Phase.ROLLING_BACK
    after, events = tick(back, replace(GOOD, verdicts=()))
    assert (after.phase, after.cool_until_ms, events) == (Phase.COOLING_DOWN, LATE + 5000, ["rollback_confirmed"])


def test_after_a_cool_down_a_person_must_say_retry_by_default() -> None:
    cooling = at(Phase.COOLING_DOWN, 1, cool_until_ms=5000)
    assert tick(cooling)[1] == []


def test_configured_retries_begin_with_fresh_evidence_and_come_to_an_end() -> None:
    policy = replace(POLICY, auto_retry=True, max_retries=2)
    cooling = at(Phase.COOLING_DOWN, 1, cool_until_ms=5000, retries=1)
    assert tick(cooling, policy=policy, now_ms=4999)[1] == []
    after, events = tick(cooling, policy=policy, now_ms=5000)
    assert (after.phase, after.percent, after.epoch, after.retries, events) == (Phase.BAKING, 1, 1, 2, ["retry"])
    assert tick(replace(cooling, retries=2), policy=policy)[1] == []


def test_shadow_evidence_that_fails_stops_before_any_traffic() -> None:
    after, events = tick(at(Phase.SHADOW, 0), replace(GOOD, verdicts=REGRESSION))
    assert (after.phase, after.percent, events) == (Phase.COOLING_DOWN, 0, ["shadow_failed"])


# A person's hand.


def test_a_curl_is_adopted_held_and_explained() -> None:
    facts = replace(GOOD, adopted=30.0, adopted_at="envoy-1")
    after, decisions = advance(at(Phase.BAKING, 10), facts, POLICY, LATE)
    assert (after.phase, after.percent, after.held_by) == (Phase.HELD, 30, "manual_override")
    assert "glidepath resume chat" in decisions[0].reason
    assert "glidepath.chat.autopilot=1" in decisions[0].reason


def test_a_hold_by_curl_ends_by_curl_and_one_by_command_does_not() -> None:
    on = replace(GOOD, verdicts=UNDECIDED, autopilot=True)
    assert tick(at(Phase.HELD, 30, held_by="manual_override"), on)[0].phase is Phase.BAKING
    assert tick(at(Phase.HELD, 30, held_by="ann"), on)[0].phase is Phase.HELD


def test_without_autopilot_nothing_moves_by_itself_and_guards_speak_once() -> None:
    off, events = tick(at(Phase.BAKING, 50), replace(GOOD, autopilot=False))
    assert (off.autopilot, off.percent, events) == (False, 50, ["autopilot_off"])
    warned, events = tick(off, replace(GOOD, verdicts=CATASTROPHE))
    assert (warned.percent, events) == (50, ["guard_overridden"])
    assert tick(warned, replace(GOOD, verdicts=CATASTROPHE))[1] == []
    on, events = tick(warned, replace(GOOD, verdicts=CATASTROPHE, autopilot=True))
    assert (on.percent, events) == (0, ["autopilot_on", "rollback"])


def test_commands_act_without_autopilot() -> None:
    after, _ = obeyed(at(Phase.BAKING, 50, autopilot=False), order(CommandKind.ROLLBACK))
    assert (after.phase, after.percent) == (Phase.ROLLING_BACK, 0)


def test_a_changed_configuration_begins_the_steps_evidence_afresh_and_is_logged() -> None:
    after, decisions = advance(at(Phase.BAKING, 10), replace(GOOD, config_digest="e"), POLICY, LATE)
    assert (after.epoch, after.since_ms, after.percent, after.config_digest) == (1, LATE, 10, "e")
    assert [d.event for d in decisions] == ["reconfigure"]
    assert decisions[0].details == {"from_digest": "d", "to_digest": "e"}


@pytest.mark.parametrize("changed", [{"candidate": "new (1)"}, {"baseline": "new (1)"}])
@pytest.mark.parametrize(
    ("phase", "after"),
    [
        (Phase.BAKING, Phase.SHADOW),
        (Phase.AWAITING_APPROVAL, Phase.SHADOW),
        (Phase.VALIDATING, Phase.SHADOW),
        (Phase.COMPLETED, Phase.SHADOW),
        (Phase.COOLING_DOWN, Phase.SHADOW),
        (Phase.HELD, Phase.HELD),
        (Phase.ROLLING_BACK, Phase.ROLLING_BACK),
    ],
)
def test_another_candidate_or_baseline_begins_again_at_nothing(
    changed: dict[str, str], phase: Phase, after: Phase
) -> None:
    known = {"candidate": "onprem (0)", "baseline": "cloud (0)"}
    facts = replace(GOOD, config_digest="e", **{**known, **changed})
    state, decisions = advance(at(phase, 50, drilled=True, held_from=Phase.BAKING, **known), facts, POLICY, LATE)
    assert (state.phase, state.percent, state.epoch, state.since_ms) == (after, 0, 1, LATE)
    assert (state.held_from is Phase.BAKING, state.drilled) == (phase is not Phase.HELD, False)
    assert [d.event for d in decisions][:1] == ["replace_backend"]
    assert (decisions[0].from_percent, decisions[0].to_percent, decisions[0].trigger) == (50, 0, "configuration")
    assert "new (1)" in decisions[0].reason


def test_a_state_of_before_sides_were_remembered_learns_them_and_stays() -> None:
    facts = replace(GOOD, candidate="onprem (0)", baseline="cloud (0)", verdicts=UNDECIDED)
    state, decisions = advance(at(Phase.BAKING, 50), facts, POLICY, LATE)
    assert (state.percent, state.candidate, decisions) == (50, "onprem (0)", ())


def test_a_state_that_was_born_beside_serving_envoys_is_held_and_says_how_to_go_on() -> None:
    facts = replace(GOOD, unknown_envoys=("envoy-0",), confirmed=0)
    held, decisions = advance(at(Phase.SHADOW, 0, first_start=True), facts, POLICY, LATE)
    assert (held.phase, held.percent, held.held_by, held.state_lost) == (Phase.HELD, 0, "glidepath", True)
    assert [(d.event, d.trigger, d.actor) for d in decisions] == [("hold", "state_lost", "glidepath")]
    assert "envoy-0" in decisions[0].reason
    assert "glidepath resume chat" in decisions[0].reason
    assert tick(held, facts) == (held, [])
    resumed, _ = obeyed(held, order(CommandKind.RESUME), facts)
    assert (resumed.phase, resumed.state_lost) == (Phase.SHADOW, False)
    kept, _ = obeyed(held, order(CommandKind.PROMOTE, 50), facts)
    assert (kept.phase, kept.percent, kept.state_lost) == (Phase.HELD, 50, False)


def test_strangers_are_nothing_to_a_state_that_has_decided_before() -> None:
    facts = replace(GOOD, unknown_envoys=("envoy-0",), verdicts=UNDECIDED)
    assert tick(at(Phase.BAKING, 10), facts)[1] == []


def test_new_steps_beyond_the_last_reopen_a_completed_workload() -> None:
    facts = replace(GOOD, config_digest="e")
    assert tick(at(Phase.COMPLETED, 50), facts)[0].phase is Phase.BAKING
    assert tick(at(Phase.COMPLETED, 100), facts)[0].phase is Phase.COMPLETED


def test_a_decision_carries_the_evidence_the_actor_and_the_digest() -> None:
    _, decisions = advance(at(Phase.BAKING, 50), replace(GOOD, verdicts=CATASTROPHE), POLICY, LATE)
    decision = decisions[0]
    assert (decision.trigger, decision.actor, decision.config_digest) == ("errors_fast", "glidepath", "d")
    assert (decision.from_percent, decision.to_percent, decision.at_ms) == (50, 0, LATE)
    assert [v.gate for v in decision.verdicts] == ["quality", "errors_fast"]


def test_a_verdicts_message_says_number_against_limit() -> None:
    assert describe(Verdict("errors", "fail", 0.125, 0.02, "share", 40)) == "errors 0.125 share against 0.02 (n=40)"

"""The automatic steps: when the next step is taken, when a validation ends, when a cool-down is followed by a retry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glidepath.config.ramp import RampSection
from glidepath.status_and_decisions import CommandKind, GateOutcome, Phase
from scorer.steering.ramp.automatic_steps import obstacle, validation_obstacle
from scorer.steering.ramp.decide import advance
from scorer.steering.ramp.ramp_policy import policy_of
from scorer.steering.ramp.states import RampState, initial
from scorer.steering.ramp.tick_inputs import TickInputs
from tests.support.ramp_ticks import GOOD, LATE, PASSING, POLICY, RAMP, REGRESSION, UNDECIDED, at, command, tick
from tests.support.scripted_evidence import verdict


def test_passing_gates_and_enough_time_lead_to_the_next_step() -> None:
    after, events = tick(at(Phase.SHADOW, 0))
    assert (after.phase, after.percent, events) == (Phase.BAKING, 1, ["promote"])


def test_each_step_has_its_own_configured_rules() -> None:
    rules = {"0": {"hold": "2s"}, "10": {"hold": "3s", "min_samples": 500}, "100": {"min_samples": 800}}
    policy = policy_of(RampSection.model_validate({**RAMP.model_dump(mode="json"), "at": rules}))

    def obstacle_at(percent: float, samples: int, now_ms: int, phase: Phase = Phase.BAKING) -> str:
        return obstacle(at(phase, percent), replace(GOOD, samples=samples), policy, now_ms)

    assert obstacle_at(0, 10, 1999, Phase.SHADOW) == "bakes for another 1 s"
    assert obstacle_at(0, 10, -172_798_000, Phase.SHADOW) == "bakes for another 2 d"
    assert obstacle_at(0, 10, 2000, Phase.SHADOW) == ""
    assert (obstacle_at(1, 9, 1000), obstacle_at(1, 10, 1000)) == ("9 of 10 samples", "")
    assert (obstacle_at(10, 499, 2000), obstacle_at(10, 499, 3000)) == ("bakes for another 1 s", "499 of 500 samples")
    assert obstacle_at(10, 500, 3000) == ""
    assert obstacle_at(50, 10, 1000) == ""
    done = at(Phase.VALIDATING, 100)
    assert validation_obstacle(done, replace(GOOD, samples=799), policy, 9000) == "799 of 800 samples"
    assert validation_obstacle(done, replace(GOOD, samples=800), policy, 9000) == ""


def test_a_gate_that_holds_the_ramp_says_what_a_person_can_do() -> None:
    held = replace(
        GOOD, workload="chat", verdicts=(*PASSING, verdict("sameness_margin", GateOutcome.FAIL, action="hold"))
    )
    assert obstacle(at(Phase.BAKING, 10), held, POLICY, LATE) == (
        "sameness_margin fail; look at its pairs, then `glidepath promote chat --force` or `glidepath rollback chat`"
    )


def test_a_share_between_two_steps_has_the_rules_of_the_step_that_it_has_reached() -> None:
    rules = {"1": {"min_samples": 20}, "10": {"min_samples": 500}}
    policy = policy_of(RampSection.model_validate({**RAMP.model_dump(mode="json"), "at": rules}))
    few = replace(GOOD, samples=1)
    obstacles = [obstacle(at(Phase.BAKING, p), few, policy, LATE) for p in (0.5, 9.99, 10, 30, 60)]
    assert obstacles == [f"1 of {n} samples" for n in (20, 20, 500, 500, 10)]


def test_a_ramp_with_passing_gates_takes_every_step_and_completes() -> None:
    state, seen = initial(0, 100, 0, "d"), []
    for now in range(0, 40_000, 500):
        state, events = tick(state, now_ms=now)
        seen += [(state.percent, e) for e in events]
    assert seen == [(1, "promote"), (10, "promote"), (50, "promote"), (100, "promote"), (100, "complete")]
    assert state.phase is Phase.COMPLETED


def moved(state: RampState, inputs: TickInputs) -> tuple[RampState, list[str]]:
    """Run a tick. Return the new state and the events, except the event of a gate that holds."""
    after, events = tick(state, inputs)
    return replace(after, holding_gates=()), [event for event in events if event != "gate_holds"]


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        (replace(GOOD, samples=0, verdicts=UNDECIDED), "0 of 10 samples"),
        (replace(GOOD, verdicts=(*PASSING, verdict("split", GateOutcome.FAIL))), "split fail"),
    ],
)
def test_a_validation_needs_samples_and_no_failing_gate_besides_time(inputs: TickInputs, text: str) -> None:
    state = at(Phase.VALIDATING, 100)
    assert moved(state, inputs) == (state, [])
    assert text in validation_obstacle(state, inputs, POLICY, LATE)
    assert tick(state)[1] == ["complete"]


def test_a_ramp_whose_last_step_is_below_100_completes_there() -> None:
    policy = policy_of(RAMP.model_copy(update={"steps": (1, 60)}))
    after, _ = tick(at(Phase.BAKING, 1), policy=policy)
    assert (after.phase, after.percent) == (Phase.VALIDATING, 60)
    assert tick(after, policy=policy, now_ms=LATE + 10_000)[0].phase is Phase.COMPLETED


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        (replace(GOOD, verdicts=UNDECIDED), "sameness inconclusive"),
        (replace(GOOD, samples=9), "9 of 10 samples"),
        (replace(GOOD, frozen="freeze window until 8:00"), "freeze window until 8:00"),
        (replace(GOOD, confirmed=1), "1 of 2 Envoys"),
        (replace(GOOD, confirmed=0, envoys=0), "0 of 0 Envoys"),
        (replace(GOOD, waiting_for="batch"), "waits for batch"),
        (replace(GOOD, capacity=verdict("capacity", GateOutcome.FAIL)), "capacity"),
        (replace(GOOD, capacity=verdict("capacity", GateOutcome.INCONCLUSIVE)), "capacity"),
        (replace(GOOD, verdicts=(*PASSING, verdict("split", GateOutcome.FAIL))), "split fail"),
    ],
)
def test_an_unmet_condition_delays_the_step_and_is_the_stated_obstacle(inputs: TickInputs, text: str) -> None:
    state = at(Phase.SHADOW, 0)
    assert moved(state, inputs) == (state, [])
    assert text in obstacle(state, inputs, POLICY, LATE)


def test_a_step_waits_for_its_hold_to_the_millisecond() -> None:
    state = at(Phase.BAKING, 1)
    assert tick(state, now_ms=999)[1] == []
    assert tick(state, now_ms=1000)[1] == ["promote"]


def test_gates_that_are_not_gating_do_not_stop_a_step() -> None:
    inputs = replace(
        GOOD,
        verdicts=(*PASSING, verdict("latency_p99", GateOutcome.FAIL, action="inform")),
        capacity=verdict("capacity", GateOutcome.FAIL, action="inform"),
    )
    assert tick(at(Phase.BAKING, 10), inputs)[0].percent == 50


def test_a_workload_waits_for_others_only_before_its_first_step() -> None:
    assert tick(at(Phase.BAKING, 1), replace(GOOD, waiting_for="batch"))[0].percent == 10


def test_no_step_is_taken_without_data() -> None:
    inputs = replace(GOOD, verdicts=UNDECIDED, samples=0)
    assert tick(at(Phase.SHADOW, 0), inputs)[1] == []


def test_a_step_with_approval_waits_for_the_approve_command() -> None:
    policy = replace(POLICY, approvals=frozenset({10.0}))
    waiting, events = tick(at(Phase.BAKING, 1), policy=policy)
    assert (waiting.phase, waiting.percent, events) == (Phase.AWAITING_APPROVAL, 1, ["await_approval"])
    assert tick(waiting, policy=policy)[1] == []
    after, _ = advance(waiting, replace(GOOD, commands=(command(CommandKind.APPROVE),)), policy, LATE)
    assert (after.phase, after.percent) == (Phase.BAKING, 10)


def test_the_first_step_waits_for_a_drill_if_one_is_required() -> None:
    policy = replace(POLICY, require_drill=True)
    assert tick(at(Phase.SHADOW, 0), policy=policy)[1] == []
    assert tick(at(Phase.SHADOW, 0, drilled=True), policy=policy)[1] == ["promote"]


def test_by_default_a_cool_down_is_not_followed_by_a_retry() -> None:
    cooling = at(Phase.COOLING_DOWN, 1, cool_until_ms=5000)
    assert tick(cooling)[1] == []


def test_automatic_retries_start_with_fresh_evidence_and_are_limited() -> None:
    policy = replace(POLICY, auto_retry=True, max_retries=2)
    cooling = at(Phase.COOLING_DOWN, 1, cool_until_ms=5000, retries=1)
    assert tick(cooling, policy=policy, now_ms=4999)[1] == []
    after, events = tick(cooling, policy=policy, now_ms=5000)
    assert (after.phase, after.percent, after.epoch, after.retries, events) == (Phase.BAKING, 1, 1, 2, ["retry"])
    assert tick(replace(cooling, retries=2), policy=policy)[1] == []


def test_a_failing_gate_at_0_percent_cools_down_before_any_traffic() -> None:
    after, events = tick(at(Phase.SHADOW, 0), replace(GOOD, verdicts=REGRESSION))
    assert (after.phase, after.percent, events) == (Phase.COOLING_DOWN, 0, ["shadow_failed"])


def test_no_step_is_taken_and_no_validation_ends_while_both_sides_fail() -> None:
    outage = replace(verdict("errors_fast", GateOutcome.INCONCLUSIVE, fast=True), blocks_step=True)
    during = replace(GOOD, verdicts=(*PASSING, outage))
    assert obstacle(at(Phase.BAKING, 10), during, POLICY, LATE) == "errors_fast: both sides fail"
    assert advance(at(Phase.BAKING, 10), during, POLICY, LATE)[0].percent == 10
    assert advance(at(Phase.VALIDATING, 100), during, POLICY, LATE)[0].phase is Phase.VALIDATING
    after = replace(GOOD, verdicts=(*PASSING, verdict("errors_fast", GateOutcome.PASS, fast=True)))
    assert advance(at(Phase.BAKING, 10), after, POLICY, LATE)[0].percent == 50


def test_the_reason_for_an_approval_says_that_no_gate_judges_the_answers() -> None:
    for judged, text in (
        (True, "complete; a person must"),
        (False, "complete; no gate judges the answers, so a person"),
    ):
        ramp = RAMP.model_copy(update={"steps": (1, 50, 100), "approval": (50,) if judged else False})
        decided = advance(at(Phase.BAKING, 1), GOOD, policy_of(ramp, judged=judged), LATE)[1]
        assert [d.event for d in decided] == ["await_approval"]
        assert text in decided[0].reason


def test_a_person_may_promote_a_step_that_no_gate_judges() -> None:
    policy = policy_of(RAMP.model_copy(update={"steps": (1, 50, 100)}), judged=False)
    asked = replace(GOOD, commands=(command(CommandKind.PROMOTE),))
    assert advance(at(Phase.BAKING, 1), asked, policy, LATE)[0].percent == 50

"""Drills: the stages of a rehearsed rollback, and when a drill is refused or fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glidepath.config.ramp import RampSection
from glidepath.status_and_decisions import Command, CommandKind, GateOutcome, Phase
from scorer.steering.ramp.decide import advance
from scorer.steering.ramp.drill import MAX_ERRORS
from scorer.steering.ramp.ramp_policy import DRILL_QUIET_MS, DRILL_RAISE_MS, MAX_DRILL_MS, policy_of
from scorer.steering.ramp.states import DrillStage
from scorer.steering.ramp.tick_inputs import TickInputs
from tests.support.ramp_ticks import at
from tests.support.scripted_evidence import verdict

RAMP = RampSection(steps=(1, 10, 100), hold="10d", min_samples=10, cool_down=0, validation=0)
POLICY = policy_of(RAMP)
ALL = TickInputs(workload="chat", confirmed=2, envoys=2, config_digest="d")
SOME = replace(ALL, confirmed=1)
COMMAND = replace(ALL, commands=(Command(CommandKind.DRILL, "ann", id="1-0"),))


def test_a_drill_withdraws_the_traffic_waits_for_confirmation_and_draining_and_restores_the_traffic() -> None:
    state, decisions = advance(at(Phase.BAKING, 10), COMMAND, POLICY, 1000)
    assert (state.serving, state.percent, decisions[0].event) == (0, 10, "drill_started")
    state, _ = advance(state, SOME, POLICY, 1100)
    assert state.drill is not None
    assert state.drill.stage is DrillStage.WITHDRAWING
    state, _ = advance(state, ALL, POLICY, 1200)
    assert state.drill is not None
    assert state.drill.stage is DrillStage.DRAINING
    state, _ = advance(state, replace(ALL, live_ms=1500), POLICY, 1200 + DRILL_QUIET_MS)
    assert state.serving == 0
    state, _ = advance(state, replace(ALL, live_ms=1500), POLICY, 1500 + DRILL_QUIET_MS)
    assert state.serving == 10
    state, decisions = advance(state, ALL, POLICY, 4000)
    assert (state.drill, state.drilled, state.phase, state.percent) == (None, True, Phase.BAKING, 10)
    details = decisions[0].details
    assert (details["confirmed_after_ms"], details["last_request_after_ms"], details["passed"]) == (200, 500, True)
    assert decisions[0].actor == "ann"


def test_a_drill_at_0_percent_first_gives_a_small_weight() -> None:
    state, _ = advance(at(Phase.SHADOW, 0), COMMAND, POLICY, 1000)
    assert (state.serving, state.percent) == (1, 0)
    state, _ = advance(state, ALL, POLICY, 1000 + DRILL_RAISE_MS)
    assert state.serving == 0
    assert state.drill is not None
    assert state.drill.withdrawn_ms == 1000 + DRILL_RAISE_MS


def test_the_weight_of_a_drill_is_at_most_10_percent_unless_forced() -> None:
    whole = policy_of(RAMP.model_copy(update={"steps": (100,)}))
    state, _ = advance(at(Phase.SHADOW, 0), COMMAND, whole, 1000)
    assert state.serving == 10
    forced = replace(COMMAND, commands=(replace(COMMAND.commands[0], force=True),))
    state, _ = advance(at(Phase.SHADOW, 0), forced, whole, 1000)
    assert state.serving == 100


@pytest.mark.parametrize(
    ("share", "given", "force", "words"),
    [
        (0, 0.0, False, "above 0 %, at most 1 %"),
        (0, 5.0, False, "at most 1 %, not 5 %"),
        (0, 5.0, True, "at most 1 %, not 5 %"),
        (10, 5.0, False, "only for a candidate at 0 %, and this one has 10 % already"),
    ],
)
def test_a_share_that_a_drill_would_not_use_is_refused(share: float, given: float, force: bool, words: str) -> None:
    state = at(Phase.BAKING if share else Phase.SHADOW, share)
    drill = replace(COMMAND.commands[0], percent=given, force=force)
    after, decisions = advance(state, replace(COMMAND, commands=(drill,)), POLICY, 1000)
    assert (after, [d.event for d in decisions]) == (state, ["refused"])
    assert words in decisions[0].reason


def test_a_drill_that_starts_at_0_percent_fails_on_errors_of_the_candidate() -> None:
    state, _ = advance(at(Phase.SHADOW, 0), COMMAND, POLICY, 1000)
    state, _ = advance(state, replace(ALL, live_errors=MAX_ERRORS), POLICY, 1250)
    assert state.serving == 0
    state, decisions = advance(state, ALL, POLICY, 1500)
    assert (state.drilled, decisions[0].details["passed"]) == (False, False)


def test_an_envoy_that_never_confirms_fails_the_drill_and_the_traffic_is_restored() -> None:
    state, _ = advance(at(Phase.BAKING, 10), COMMAND, POLICY, 0)
    state, _ = advance(state, SOME, POLICY, MAX_DRILL_MS + 1)
    assert state.serving == 10
    state, decisions = advance(state, SOME, POLICY, 2 * MAX_DRILL_MS + 2)
    assert (state.drill, state.drilled) == (None, False)
    assert "1 of 2 Envoys" in decisions[0].reason


def test_a_clock_that_is_set_back_does_not_prolong_a_drills_weight() -> None:
    hour_ms = 3_600_000
    state, _ = advance(at(Phase.SHADOW, 0), COMMAND, POLICY, 2 * hour_ms)
    assert state.serving == 1
    state, _ = advance(state, ALL, POLICY, hour_ms)
    assert state.serving == 0


@pytest.mark.parametrize("phase", [Phase.ABORTED, Phase.ROLLING_BACK, Phase.COOLING_DOWN])
def test_a_drill_is_refused_during_and_after_a_rollback(phase: Phase) -> None:
    state = at(phase, 0)
    after, decisions = advance(state, replace(COMMAND, confirmed=0), POLICY, 0)
    assert (after, decisions[0].event) == (state, "refused")


def test_a_drill_with_much_traffic_or_failing_evidence_is_refused_unless_forced() -> None:
    forced = replace(COMMAND, commands=(replace(COMMAND.commands[0], force=True),))
    assert advance(at(Phase.VALIDATING, 100), COMMAND, POLICY, 0)[1][0].event == "refused"
    assert advance(at(Phase.VALIDATING, 100), forced, POLICY, 0)[0].serving == 0
    failing = replace(COMMAND, verdicts=(verdict("sameness", GateOutcome.FAIL),))
    state, decisions = advance(at(Phase.SHADOW, 0), failing, POLICY, 0)
    assert (state.serving, decisions[0].event) == (0, "refused")


def test_a_failing_guard_ends_a_drill_with_a_real_rollback() -> None:
    state, _ = advance(at(Phase.BAKING, 10), COMMAND, POLICY, 0)
    state, _ = advance(
        state, replace(ALL, verdicts=(verdict("errors_fast", GateOutcome.FAIL, fast=True),)), POLICY, 250
    )
    assert (state.drill, state.phase, state.serving) == (None, Phase.ROLLING_BACK, 0)


def test_no_step_is_taken_during_a_drill() -> None:
    policy = policy_of(RAMP.model_copy(update={"hold": 0, "min_samples": 1}))
    passing = replace(ALL, verdicts=(verdict("sameness", GateOutcome.PASS),), samples=10)
    state, _ = advance(at(Phase.BAKING, 10), replace(passing, commands=COMMAND.commands), policy, 0)
    assert state.percent == 10


LOST = Command(CommandKind.DRILL, "ann", id="1-0", lost=True)
LEASED = replace(ALL, lease_envoys=2, leases_held=2, lost_after_ms=10_000)
ENDED = replace(LEASED, leases_held=0)


def test_a_drill_of_lost_scorers_withholds_the_lease_and_leaves_the_weights() -> None:
    state, decisions = advance(at(Phase.BAKING, 10), replace(LEASED, commands=(LOST,)), POLICY, 1000)
    assert (state.serving, state.withholds_lease, decisions[0].event) == (10, True, "drill_started")
    assert decisions[0].details["lost"] == "true"
    state, _ = advance(state, replace(LEASED, leases_held=1), POLICY, 9000)
    assert state.drill is not None
    assert state.drill.stage is DrillStage.WITHDRAWING
    state, _ = advance(state, replace(ENDED, live_ms=10_900), POLICY, 11_000)
    assert state.drill is not None
    assert state.drill.stage is DrillStage.DRAINING
    assert state.withholds_lease
    state, _ = advance(state, replace(ENDED, live_ms=11_500), POLICY, 11_500 + DRILL_QUIET_MS)
    assert not state.withholds_lease
    state, decisions = advance(state, ENDED, POLICY, 13_600)
    assert not decisions  # until every Envoy has its lease again
    state, decisions = advance(state, LEASED, POLICY, 14_000)
    done = decisions[0]
    assert (state.drill, done.event, done.details["passed"]) == (None, "drill_finished", True)
    assert (done.details["confirmed_after_ms"], done.details["last_request_after_ms"]) == (10_000, 10_500)
    assert not state.drilled  # it rehearsed no rollback


def test_a_drill_of_lost_scorers_fails_if_the_lease_does_not_end() -> None:
    state, _ = advance(at(Phase.BAKING, 10), replace(LEASED, commands=(LOST,)), POLICY, 0)
    late = MAX_DRILL_MS + LEASED.lost_after_ms
    state, _ = advance(state, LEASED, POLICY, late)
    assert state.withholds_lease
    state, _ = advance(state, LEASED, POLICY, late + 1)
    assert not state.withholds_lease
    _, decisions = advance(state, LEASED, POLICY, late + 2)
    assert decisions[0].details["passed"] is False
    assert "in force in 2 of 2 Envoys" in decisions[0].reason


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        (ALL, "if_lost: hold"),
        (replace(LEASED, leases_held=1), "in force in 1 of 2 Envoys"),
        (replace(LEASED, lease_envoys=0, leases_held=0), "in force in 0 of 0 Envoys"),
        (replace(LEASED, lease_set_at=("http://a",)), "a person set the lease at http://a"),
    ],
)
def test_a_drill_of_lost_scorers_is_refused_where_it_would_prove_nothing(inputs: TickInputs, reason: str) -> None:
    state, decisions = advance(at(Phase.BAKING, 10), replace(inputs, commands=(LOST,)), POLICY, 0)
    assert (state.drill, decisions[0].event) == (None, "refused")
    assert reason in decisions[0].reason


def test_a_guard_that_fails_ends_the_drill_and_the_lease_is_renewed() -> None:
    state, _ = advance(at(Phase.BAKING, 10), replace(LEASED, commands=(LOST,)), POLICY, 0)
    state, _ = advance(state, replace(LEASED, verdicts=(verdict("errors", GateOutcome.FAIL),)), POLICY, 100)
    assert (state.phase, state.withholds_lease) == (Phase.ROLLING_BACK, False)

"""Manual overrides at an Envoy: adopted, held and explained."""

from __future__ import annotations

from dataclasses import replace

from glidepath.status_and_decisions import Phase
from scorer.steering.ramp.decide import advance
from tests.support.ramp_ticks import GOOD, LATE, POLICY, UNDECIDED, at, tick


def test_weights_that_a_person_set_are_adopted_and_held_and_the_log_says_how_to_continue() -> None:
    inputs = replace(GOOD, adopted=30.0, adopted_at="envoy-1")
    after, decisions = advance(at(Phase.BAKING, 10), inputs, POLICY, LATE)
    assert (after.phase, after.percent, after.held_by) == (Phase.HELD, 30, "manual_override")
    assert "glidepath resume chat" in decisions[0].reason
    assert "glidepath.chat.autopilot=1" in decisions[0].reason


def test_nobody_is_blamed_for_weights_whose_state_redis_may_have_lost() -> None:
    inputs = replace(GOOD, adopted=50.0, adopted_at="envoy-1")
    after, decisions = advance(at(Phase.SHADOW, 0, first_start=True), inputs, POLICY, LATE)
    assert (after.phase, after.percent) == (Phase.HELD, 50)
    assert after.held_reason.startswith("envoy-1 serves 50 %, and Redis has no state of this workload")
    assert decisions[0].reason.startswith(after.held_reason)


def test_autopilot_1_ends_a_hold_after_a_manual_override_but_not_a_hold_by_command() -> None:
    on = replace(GOOD, verdicts=UNDECIDED, autopilot=True)
    assert tick(at(Phase.HELD, 30, held_by="manual_override"), on)[0].phase is Phase.BAKING
    assert tick(at(Phase.HELD, 30, held_by="ann"), on)[0].phase is Phase.HELD

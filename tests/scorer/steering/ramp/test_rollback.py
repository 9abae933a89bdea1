"""The guards: from which states and to which share a failing gate rolls back, and when a rollback is confirmed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glidepath.status_and_decisions import GateOutcome, Phase
from tests.support.ramp_ticks import CATASTROPHE, GOOD, LATE, REGRESSION, at, tick
from tests.support.scripted_evidence import verdict

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
def test_a_regression_rolls_back_one_step_from_every_state_with_traffic(phase: Phase) -> None:
    inputs = replace(GOOD, verdicts=REGRESSION, confirmed=0)
    after, events = tick(at(phase, 50), inputs)
    assert (after.phase, after.percent) == (Phase.ROLLING_BACK, 10)
    assert "rollback" in events


@pytest.mark.parametrize("phase", WITH_TRAFFIC)
def test_a_catastrophe_rolls_back_to_0_from_every_state_with_traffic(phase: Phase) -> None:
    after, _ = tick(at(phase, 50), replace(GOOD, verdicts=CATASTROPHE, confirmed=0))
    assert (after.phase, after.percent) == (Phase.ROLLING_BACK, 0)


def test_a_regression_between_two_steps_rolls_back_to_the_step_below() -> None:
    assert tick(at(Phase.HELD, 30), replace(GOOD, verdicts=REGRESSION))[0].percent == 10
    assert tick(at(Phase.BAKING, 1), replace(GOOD, verdicts=REGRESSION))[0].percent == 0


def test_a_rollback_ignores_freeze_windows_and_missing_samples() -> None:
    inputs = replace(GOOD, verdicts=CATASTROPHE, frozen="freeze", samples=0)
    assert tick(at(Phase.BAKING, 50), inputs)[0].percent == 0


@pytest.mark.parametrize("action", ["hold", "inform"])
@pytest.mark.parametrize("phase", [Phase.HELD, Phase.BAKING, Phase.VALIDATING])
def test_a_gate_rolls_back_only_if_that_is_its_action(action: str, phase: Phase) -> None:
    inputs = replace(GOOD, verdicts=(verdict("sameness", GateOutcome.FAIL, action=action),), samples=0)
    assert tick(at(phase, 50), inputs)[1] == (["gate_holds"] if action == "hold" else [])
    inputs = replace(GOOD, verdicts=(verdict("sameness", GateOutcome.FAIL, action="rollback"),), samples=0)
    assert tick(at(phase, 50), inputs)[1] == ["rollback"]


def test_verdicts_about_the_old_share_cause_no_second_rollback() -> None:
    after, events = tick(at(Phase.BAKING, 50), replace(GOOD, verdicts=REGRESSION))
    assert events == ["rollback"]
    assert after.percent == 10


def test_a_rollback_is_confirmed_once_every_envoy_runs_its_share() -> None:
    rolling_back = at(Phase.ROLLING_BACK, 0)
    assert tick(rolling_back, replace(GOOD, verdicts=(), confirmed=1))[0].phase is Phase.ROLLING_BACK
    after, events = tick(rolling_back, replace(GOOD, verdicts=()))
    assert (after.phase, after.cool_until_ms, events) == (Phase.COOLING_DOWN, LATE + 5000, ["rollback_confirmed"])


def test_without_autopilot_a_failing_guard_is_logged_once_and_does_not_roll_back() -> None:
    off, events = tick(at(Phase.BAKING, 50), replace(GOOD, autopilot=False))
    assert (off.autopilot, off.percent, events) == (False, 50, ["autopilot_off"])
    overridden, events = tick(off, replace(GOOD, verdicts=CATASTROPHE))
    assert (overridden.percent, events) == (50, ["guard_overridden"])
    assert tick(overridden, replace(GOOD, verdicts=CATASTROPHE))[1] == []
    on, events = tick(overridden, replace(GOOD, verdicts=CATASTROPHE, autopilot=True))
    assert (on.percent, events) == (0, ["autopilot_on", "rollback"])

"""A gate whose action is to hold is logged once when it fails, and again if it fails again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glidepath.status_and_decisions import GateAction, GateOutcome, Phase, WeighedPair
from scorer.steering.ramp.decide import advance
from scorer.steering.ramp.states import state_from_json
from tests.support.ramp_ticks import CATASTROPHE, GOOD, LATE, POLICY, at, tick
from tests.support.scripted_evidence import verdict

HOLDS = verdict("sameness", GateOutcome.FAIL, action=GateAction.HOLD.value)
SPLIT = replace(verdict("split", GateOutcome.FAIL, action=GateAction.HOLD.value), guard=True)
PASSES = verdict("sameness", GateOutcome.PASS, action=GateAction.HOLD.value)
PAIRS = (WeighedPair("p1", "1-0", 1.0),)


@pytest.mark.parametrize("phase", [Phase.SHADOW, Phase.BAKING, Phase.VALIDATING, Phase.HELD, Phase.AWAITING_APPROVAL])
def test_a_gate_that_holds_is_logged_once_with_its_cause_and_its_pairs(phase: Phase) -> None:
    inputs = replace(GOOD, verdicts=(replace(HOLDS, pairs=PAIRS),))
    after, decisions = advance(at(phase, 0 if phase is Phase.SHADOW else 50), inputs, POLICY, LATE)
    held = [one for one in decisions if one.event == "gate_holds"]
    assert [(one.trigger, one.weighed_pairs, one.to_percent) for one in held] == [
        ("sameness", PAIRS, one.from_percent) for one in held
    ]
    assert len(held) == 1
    assert "sameness" in held[0].reason
    assert "gate_holds" not in tick(after, inputs)[1]


def test_each_gate_is_logged_by_itself() -> None:
    after, _ = tick(at(Phase.BAKING, 50), replace(GOOD, verdicts=(HOLDS,)))
    again, events = tick(after, replace(GOOD, verdicts=(HOLDS, SPLIT)))
    assert events == ["gate_holds"]
    assert again.holding_gates == ("sameness", "split")


def test_a_gate_that_recovers_is_logged_again_when_it_fails_again() -> None:
    held, _ = tick(at(Phase.BAKING, 50), replace(GOOD, verdicts=(SPLIT,), samples=0))
    fine, events = tick(held, replace(GOOD, verdicts=(PASSES,), samples=0))
    assert (fine.holding_gates, events) == ((), [])
    assert tick(fine, replace(GOOD, verdicts=(SPLIT,), samples=0))[1] == ["gate_holds"]


def test_a_tick_without_verdicts_keeps_the_logged_gates() -> None:
    held, _ = tick(at(Phase.BAKING, 50), replace(GOOD, verdicts=(HOLDS,)))
    assert tick(held, replace(GOOD, verdicts=(), samples=0))[0].holding_gates == ("sameness",)


def test_fresh_evidence_clears_the_logged_gates() -> None:
    held, _ = tick(at(Phase.BAKING, 50), replace(GOOD, verdicts=(HOLDS,)))
    assert tick(held, replace(GOOD, verdicts=CATASTROPHE))[0].holding_gates == ()


def test_a_rollback_in_the_same_tick_is_all_that_is_logged() -> None:
    _, events = tick(at(Phase.BAKING, 50), replace(GOOD, verdicts=(HOLDS, *CATASTROPHE)))
    assert events == ["rollback"]


@pytest.mark.parametrize("phase", [Phase.ROLLING_BACK, Phase.ABORTED])
def test_nothing_is_logged_during_a_rollback(phase: Phase) -> None:
    assert "gate_holds" not in tick(at(phase, 0), replace(GOOD, verdicts=(HOLDS,), confirmed=0))[1]


def test_the_logged_gates_survive_the_storing_of_the_state() -> None:
    state = at(Phase.BAKING, 50, holding_gates=("sameness", "split"))
    stored = {**state.to_json(), "holding_gates": list(state.holding_gates)}
    assert state_from_json(stored) == state


def test_a_different_split_is_logged_only_once_every_envoy_runs_the_share() -> None:
    inputs = replace(GOOD, verdicts=(SPLIT,), samples=0, confirmed=1)
    waiting, events = tick(at(Phase.BAKING, 50), inputs)
    assert (waiting.holding_gates, events) == ((), [])
    held, events = tick(waiting, replace(inputs, confirmed=2))
    assert (held.holding_gates, events) == (("split",), ["gate_holds"])
    assert tick(held, inputs)[0].holding_gates == ("split",)  # an Envoy that restarts does not end it

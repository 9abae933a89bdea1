"""What people tell the ramp: promote, roll back, abort, retry, hold, resume, annotate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glidepath.records import Command, CommandKind, Phase
from scorer.steering.ramp.decide import advance
from tests.support.ramp import (
    GOOD,
    POLICY,
    REGRESSION,
    UNDECIDED,
    at,
    obeyed,
    order,
    tick,
)


def test_promote_goes_past_inconclusive_gates_one_step() -> None:
    after, decision = obeyed(at(Phase.BAKING, 10), order(CommandKind.PROMOTE), replace(GOOD, verdicts=UNDECIDED))
    assert (after.percent, decision.event, decision.actor) == (50, "promote", "ann")


def test_promote_never_passes_a_failing_gate_unless_forced() -> None:
    failing = replace(GOOD, verdicts=REGRESSION)
    state = at(Phase.SHADOW, 0)
    refused, decision = obeyed(state, order(CommandKind.PROMOTE), failing)
    assert (decision.event, refused.percent) == ("refused", 0)
    assert "quality" in decision.reason
    assert obeyed(state, order(CommandKind.PROMOTE, force=True), failing)[0].percent == 1


def test_promote_of_a_held_workload_moves_it_and_keeps_it_held() -> None:
    after, _ = obeyed(at(Phase.HELD, 10, held_by="ann"), order(CommandKind.PROMOTE))
    assert (after.phase, after.percent, after.held_by) == (Phase.HELD, 50, "ann")


def test_promote_in_a_freeze_window_needs_force() -> None:
    frozen = replace(GOOD, frozen="freeze window")
    assert obeyed(at(Phase.BAKING, 10), order(CommandKind.PROMOTE), frozen)[1].event == "refused"
    assert obeyed(at(Phase.BAKING, 10), order(CommandKind.PROMOTE, force=True), frozen)[0].percent == 50


def test_promote_ends_a_validation_early() -> None:
    assert obeyed(at(Phase.VALIDATING, 100), order(CommandKind.PROMOTE))[0].phase is Phase.COMPLETED


@pytest.mark.parametrize(("asked", "left"), [(None, 0), (10.0, 10), (7.5, 7.5)])
def test_rollback_goes_to_the_share_asked_for(asked: float | None, left: float) -> None:
    after, _ = obeyed(at(Phase.HELD, 50), order(CommandKind.ROLLBACK, asked))
    assert (after.phase, after.percent) == (Phase.ROLLING_BACK, left)


@pytest.mark.parametrize("asked", [50.0, 80.0])
def test_rollback_never_goes_up(asked: float) -> None:
    state = at(Phase.BAKING, 50)
    after, decision = obeyed(state, order(CommandKind.ROLLBACK, asked))
    assert (after, decision.event) == (state, "refused")


def test_abort_goes_to_0_and_only_retry_leads_out() -> None:
    aborted, _ = obeyed(at(Phase.BAKING, 50), order(CommandKind.ABORT))
    assert (aborted.phase, aborted.percent) == (Phase.ABORTED, 0)
    for kind in (CommandKind.PROMOTE, CommandKind.RESUME, CommandKind.APPROVE, CommandKind.DRILL):
        assert obeyed(aborted, order(kind))[1].event == "refused"
    assert tick(aborted)[1] == []
    assert obeyed(aborted, order(CommandKind.RETRY))[0].phase is Phase.SHADOW


def test_retry_waits_for_the_cool_down_unless_forced() -> None:
    cooling = at(Phase.COOLING_DOWN, 1, cool_until_ms=10_000)
    assert obeyed(cooling, order(CommandKind.RETRY))[1].event == "refused"
    assert obeyed(cooling, order(CommandKind.RETRY, force=True))[0].phase is Phase.BAKING
    assert obeyed(cooling, order(CommandKind.RETRY), now_ms=10_000)[0].phase is Phase.BAKING


def test_hold_and_resume() -> None:
    held, decision = obeyed(at(Phase.BAKING, 10), order(CommandKind.HOLD))
    assert (held.phase, held.held_by, held.held_reason, decision.event) == (Phase.HELD, "ann", "because", "hold")
    assert tick(held)[1] == []
    bob = replace(order(CommandKind.HOLD), actor="bob")
    assert (
        obeyed(replace(held, held_by="manual_override"), bob)[0].held_by == "bob"
    )  # which autopilot=1 by curl does not end
    assert obeyed(held, order(CommandKind.RESUME))[0].phase is Phase.BAKING


def test_resume_turns_the_autopilot_on_again() -> None:
    assert obeyed(at(Phase.BAKING, 10, autopilot=False), order(CommandKind.RESUME))[0].autopilot


def test_a_refused_command_does_not_stop_the_next_one() -> None:
    facts = replace(GOOD, commands=(order(CommandKind.APPROVE), order(CommandKind.ABORT)))
    after, decisions = advance(at(Phase.BAKING, 10), facts, POLICY, 500)
    assert ([d.event for d in decisions], after.phase) == (["refused", "abort"], Phase.ABORTED)


def test_an_annotation_moves_nothing_and_names_its_decision() -> None:
    state = at(Phase.BAKING, 10)
    note = Command(CommandKind.ANNOTATE, "ann", "bad GPU", target="17-0", id="2-0")
    after, decision = obeyed(state, note)
    assert (after, decision.event, decision.details["target"]) == (state, "annotate", "17-0")

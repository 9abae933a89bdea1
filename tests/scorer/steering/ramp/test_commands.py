"""A person's commands: promote, roll back, abort, retry, hold, resume, annotate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glidepath.status_and_decisions import Command, CommandKind, Phase
from scorer.steering.ramp.decide import advance
from tests.support.ramp_ticks import GOOD, POLICY, REGRESSION, UNDECIDED, advance_with, at, command, tick


def test_promote_takes_one_step_with_inconclusive_gates() -> None:
    after, decision = advance_with(
        at(Phase.BAKING, 10), command(CommandKind.PROMOTE), replace(GOOD, verdicts=UNDECIDED)
    )
    assert (after.percent, decision.event, decision.actor) == (50, "promote", "ann")


def test_promote_with_a_failing_gate_is_refused_unless_forced() -> None:
    failing = replace(GOOD, verdicts=REGRESSION)
    state = at(Phase.SHADOW, 0)
    refused, decision = advance_with(state, command(CommandKind.PROMOTE), failing)
    assert (decision.event, refused.percent) == ("refused", 0)
    assert "sameness" in decision.reason
    assert advance_with(state, command(CommandKind.PROMOTE, force=True), failing)[0].percent == 1


def test_promote_of_a_held_workload_takes_the_step_and_keeps_the_hold() -> None:
    after, _ = advance_with(at(Phase.HELD, 10, held_by="ann"), command(CommandKind.PROMOTE))
    assert (after.phase, after.percent, after.held_by) == (Phase.HELD, 50, "ann")


def test_promote_in_a_freeze_window_needs_force() -> None:
    frozen = replace(GOOD, frozen="freeze window")
    assert advance_with(at(Phase.BAKING, 10), command(CommandKind.PROMOTE), frozen)[1].event == "refused"
    assert advance_with(at(Phase.BAKING, 10), command(CommandKind.PROMOTE, force=True), frozen)[0].percent == 50


def test_promote_ends_a_validation_early() -> None:
    assert advance_with(at(Phase.VALIDATING, 100), command(CommandKind.PROMOTE))[0].phase is Phase.COMPLETED


@pytest.mark.parametrize(("given", "expected"), [(None, 0), (10.0, 10), (7.5, 7.5)])
def test_rollback_goes_to_the_given_share(given: float | None, expected: float) -> None:
    after, _ = advance_with(at(Phase.HELD, 50), command(CommandKind.ROLLBACK, given))
    assert (after.phase, after.percent) == (Phase.ROLLING_BACK, expected)


@pytest.mark.parametrize("given", [50.0, 80.0])
def test_rollback_to_the_present_or_a_higher_share_is_refused(given: float) -> None:
    state = at(Phase.BAKING, 50)
    after, decision = advance_with(state, command(CommandKind.ROLLBACK, given))
    assert (after, decision.event) == (state, "refused")


def test_abort_goes_to_0_and_only_retry_ends_it() -> None:
    aborted, _ = advance_with(at(Phase.BAKING, 50), command(CommandKind.ABORT))
    assert (aborted.phase, aborted.percent) == (Phase.ABORTED, 0)
    for kind in (CommandKind.PROMOTE, CommandKind.RESUME, CommandKind.APPROVE, CommandKind.DRILL):
        assert advance_with(aborted, command(kind))[1].event == "refused"
    assert tick(aborted)[1] == []
    assert advance_with(aborted, command(CommandKind.RETRY))[0].phase is Phase.SHADOW


def test_retry_waits_for_the_cool_down_unless_forced() -> None:
    cooling = at(Phase.COOLING_DOWN, 1, cool_until_ms=10_000)
    assert advance_with(cooling, command(CommandKind.RETRY))[1].event == "refused"
    assert advance_with(cooling, command(CommandKind.RETRY, force=True))[0].phase is Phase.BAKING
    assert advance_with(cooling, command(CommandKind.RETRY), now_ms=10_000)[0].phase is Phase.BAKING


def test_hold_stops_the_ramp_until_resume_and_names_who_holds_it() -> None:
    held, decision = advance_with(at(Phase.BAKING, 10), command(CommandKind.HOLD))
    assert (held.phase, held.held_by, held.held_reason, decision.event) == (Phase.HELD, "ann", "because", "hold")
    assert tick(held)[1] == []
    bob = replace(command(CommandKind.HOLD), actor="bob")
    overridden = replace(held, held_by="manual_override")
    assert advance_with(overridden, bob)[0].held_by == "bob"  # autopilot=1 at an Envoy does not end this hold
    assert advance_with(held, command(CommandKind.RESUME))[0].phase is Phase.BAKING


def test_resume_turns_the_autopilot_on() -> None:
    assert advance_with(at(Phase.BAKING, 10, autopilot=False), command(CommandKind.RESUME))[0].autopilot


def test_a_refused_command_does_not_stop_the_next_one() -> None:
    inputs = replace(GOOD, commands=(command(CommandKind.APPROVE), command(CommandKind.ABORT)))
    after, decisions = advance(at(Phase.BAKING, 10), inputs, POLICY, 500)
    assert ([d.event for d in decisions], after.phase) == (["refused", "abort"], Phase.ABORTED)


def test_an_annotation_changes_nothing_and_names_the_annotated_decision() -> None:
    state = at(Phase.BAKING, 10)
    annotation = Command(CommandKind.ANNOTATE, "ann", "bad GPU", target="17-0", id="2-0")
    after, decision = advance_with(state, annotation)
    assert (after, decision.event, decision.details["target"]) == (state, "annotate", "17-0")

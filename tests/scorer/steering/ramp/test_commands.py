"""A person's commands: promote, roll back, abort, retry, hold, resume, annotate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glidepath.status_and_decisions import Command, CommandKind, Decision, Phase
from scorer.steering.ramp.decide import advance
from scorer.steering.ramp.ramp_policy import policy_of
from scorer.steering.ramp.states import RampState
from tests.support.ramp_ticks import GOOD, POLICY, RAMP, REGRESSION, UNDECIDED, advance_with, at, command, tick


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


END = replace(command(CommandKind.PROMOTE), end_validation=True)


@pytest.mark.parametrize("given", [None, 100.0, 50.0])
@pytest.mark.parametrize("force", [False, True])
def test_promote_at_the_last_step_is_refused_and_says_how_to_end_the_validation(
    given: float | None, force: bool
) -> None:
    state = at(Phase.VALIDATING, 100)
    after, decision = advance_with(state, command(CommandKind.PROMOTE, given, force))
    assert (after, decision.event) == (state, "refused")
    assert "`glidepath promote chat --end-validation`" in decision.reason
    assert "validating for another" in decision.reason


def test_a_validation_ends_early_if_the_command_says_so() -> None:
    after, decision = advance_with(at(Phase.VALIDATING, 100), END)
    assert (after.phase, decision.event) == (Phase.COMPLETED, "complete")
    failing = replace(GOOD, verdicts=REGRESSION)
    assert advance_with(at(Phase.VALIDATING, 100), END, failing)[1].event == "refused"
    assert advance_with(at(Phase.VALIDATING, 100), replace(END, force=True), failing)[1].event == "complete"


@pytest.mark.parametrize("phase", [Phase.SHADOW, Phase.BAKING, Phase.HELD, Phase.COMPLETED])
def test_there_is_a_validation_to_end_only_while_validating(phase: Phase) -> None:
    state = at(phase, 10)
    after, decision = advance_with(state, END)
    assert (after, decision.event) == (state, "refused")
    assert "no validation to end" in decision.reason


def test_the_end_of_a_validation_takes_no_percent() -> None:
    assert advance_with(at(Phase.VALIDATING, 100), replace(END, percent=100.0))[1].event == "refused"


APPROVED = policy_of(RAMP.model_copy(update={"approval": (100.0,)}))


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        (Phase.BAKING, "needs approval, for which the ramp asks when the evidence is complete"),
        (Phase.HELD, "needs approval"),
        (Phase.AWAITING_APPROVAL, "`glidepath approve chat`"),
    ],
)
def test_promote_does_not_pass_a_step_that_needs_approval_unless_forced(phase: Phase, words: str) -> None:
    def promoted(percent: float, force: bool = False) -> tuple[RampState, Decision]:
        inputs = replace(GOOD, commands=(command(CommandKind.PROMOTE, force=force),))
        after, decisions = advance(at(phase, percent), inputs, APPROVED, 500)
        return after, decisions[0]

    after, decision = promoted(50)
    assert (after.percent, decision.event) == (50, "refused")
    assert words in decision.reason
    assert promoted(50, force=True)[0].percent == 100
    assert promoted(10)[0].percent == 50


def test_an_approval_of_another_step_than_the_one_that_waits_is_refused() -> None:
    """A person may confirm on an outdated page, after another person has approved its step."""
    state = at(Phase.AWAITING_APPROVAL, 50)
    after, decision = advance_with(state, command(CommandKind.APPROVE, 50.0))
    assert (after, decision.event) == (state, "refused")
    assert "the step to 100 % waits for approval, not one to 50 %" in decision.reason
    for given in (None, 100.0):
        assert advance_with(state, command(CommandKind.APPROVE, given))[0].percent == 100


def test_a_command_without_a_reason_says_so() -> None:
    silent = replace(command(CommandKind.HOLD), reason="")
    held, decision = advance_with(at(Phase.BAKING, 10), silent)
    assert (held.held_by, held.held_reason, decision.reason) == ("ann", "", "no reason given")


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


@pytest.mark.parametrize("kind", [CommandKind.PROMOTE, CommandKind.RESUME])
@pytest.mark.parametrize("force", [False, True])
def test_in_the_cool_down_a_refused_step_names_the_command_that_ends_it(kind: CommandKind, force: bool) -> None:
    failing = replace(GOOD, verdicts=REGRESSION)
    cooling = at(Phase.COOLING_DOWN, 0, cool_until_ms=10_000)
    after, decision = advance_with(cooling, command(kind, force=force), failing)
    assert (after, decision.event) == (cooling, "refused")
    assert "`glidepath retry chat --force`" in decision.reason

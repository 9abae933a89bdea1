"""Commands and manual overrides in every state: a person can always stop and roll back, and a typo never raises
the share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glidepath.config.ramp import RampSection
from glidepath.status_and_decisions import Command, CommandKind, Decision, GateOutcome, Phase, Verdict
from scorer.steering.ramp.automatic_steps import obstacle
from scorer.steering.ramp.decide import advance
from scorer.steering.ramp.ramp_policy import policy_of
from scorer.steering.ramp.states import Drill, DrillStage, RampState
from scorer.steering.ramp.tick_inputs import TickInputs
from tests.support.ramp_ticks import LATE, at
from tests.support.scripted_evidence import verdict

POLICY = policy_of(RampSection(steps=(10, 25, 60), hold="1s", min_samples=10, cool_down="5s", validation="9s"))
PASSING = (verdict("sameness", GateOutcome.PASS), verdict("errors_fast", GateOutcome.INCONCLUSIVE, fast=True))
CATASTROPHE = (verdict("errors_fast", GateOutcome.FAIL, fast=True),)
REGRESSION = (verdict("sameness", GateOutcome.FAIL),)
GOOD = TickInputs(workload="chat", verdicts=PASSING, samples=100, confirmed=2, envoys=2, config_digest="d")
UNDECIDED = replace(GOOD, verdicts=())
TYPO = replace(UNDECIDED, adopted=25.0, adopted_at="envoy-1", ambiguous_weights="envoy-1: a=2500, b=7500.0", samples=0)


def command(
    state: RampState, kind: CommandKind, inputs: TickInputs = UNDECIDED, **more: object
) -> tuple[RampState, Decision]:
    given = Command(kind, "ann", "because", id="1-0", **more)  # type: ignore[arg-type]
    after, decisions = advance(state, replace(inputs, commands=(given,), confirmed=0), POLICY, 500)
    return after, decisions[0]


# Ambiguous weights and invalid values.


@pytest.mark.parametrize("phase", list(Phase))
def test_ambiguous_weights_hold_the_workload_and_never_raise_its_share(phase: Phase) -> None:
    before = at(phase, 0.0 if phase in (Phase.SHADOW, Phase.ABORTED) else 10.0)
    after, decisions = advance(before, replace(TYPO, confirmed=0), POLICY, LATE)
    assert (after.percent, after.serving) == (before.percent, before.percent)
    assert after.phase in (Phase.HELD, Phase.ABORTED, Phase.ROLLING_BACK)
    assert "envoy-1: a=2500, b=7500.0" in decisions[0].reason
    assert "two whole numbers from 0 to 10000 with the sum 10000" in decisions[0].reason
    assert decisions[0].actor == "manual_override"


def test_ambiguous_weights_may_lower_the_share() -> None:
    after, decisions = advance(at(Phase.BAKING, 60), TYPO, POLICY, LATE)
    assert (after.phase, after.percent, after.held_by) == (Phase.HELD, 25, "manual_override")
    assert [(d.event, d.from_percent, d.to_percent) for d in decisions] == [("adopt_weights", 60, 25)]


def test_a_resume_after_ambiguous_weights_returns_to_the_state_before() -> None:
    held, _ = advance(at(Phase.AWAITING_APPROVAL, 10), TYPO, POLICY, LATE)
    assert advance(held, replace(UNDECIDED, autopilot=True), POLICY, LATE)[0].phase is Phase.AWAITING_APPROVAL


def test_ambiguous_weights_do_not_change_who_holds_the_workload() -> None:
    after, decisions = advance(at(Phase.HELD, 10, held_by="ann"), TYPO, POLICY, LATE)
    assert (after.held_by, [d.event for d in decisions]) == ("ann", ["invalid_override"])
    assert "7500.0" in after.invalid_override


@pytest.mark.parametrize(("stage", "serving"), [(DrillStage.RAISING, 10), (DrillStage.WITHDRAWING, 0)])
def test_ambiguous_weights_end_a_drill_and_raise_nothing(stage: DrillStage, serving: float) -> None:
    drilling = at(Phase.BAKING if serving == 0 else Phase.SHADOW, 10 - serving, drill=Drill(stage, 10, "ann", 0))
    after, _ = advance(drilling, replace(TYPO, adopted=serving), POLICY, LATE)
    assert (after.drill, after.serving) == (None, 0)


def test_an_invalid_switch_changes_nothing_and_is_logged_once() -> None:
    inputs = replace(UNDECIDED, invalid_override="envoy-1: glidepath.chat.autopilot=maybe is not one of 0, 1")
    before = at(Phase.HELD, 10, held_by="manual_override")
    after, decisions = advance(before, inputs, POLICY, LATE)
    assert replace(after, invalid_override="") == before
    assert after.invalid_override == inputs.invalid_override
    assert [(d.event, d.actor) for d in decisions] == [("invalid_override", "manual_override")]
    assert advance(after, inputs, POLICY, LATE)[1] == ()
    assert advance(after, replace(UNDECIDED, autopilot=False), POLICY, LATE)[0].invalid_override == ""


# Shares above the last step and between steps.


@pytest.mark.parametrize("at_envoy", [True, False])
@pytest.mark.parametrize(("overridden", "resumes_at"), [(80.0, 60), (60.0, 60), (30.0, 30), (3.0, 3)])
def test_a_resume_keeps_an_adopted_share_up_to_the_last_step(
    overridden: float, resumes_at: float, at_envoy: bool
) -> None:
    held, decisions = advance(at(Phase.BAKING, 10), replace(UNDECIDED, adopted=overridden), POLICY, LATE)
    assert (held.phase, held.percent) == (Phase.HELD, overridden)
    assert ("(at 60 %, the last step)" in decisions[0].reason) == (overridden == 80)
    on = replace(UNDECIDED, autopilot=True)
    after = advance(held, on, POLICY, LATE)[0] if at_envoy else command(held, CommandKind.RESUME)[0]
    assert after.percent == resumes_at
    assert after.phase is (Phase.VALIDATING if resumes_at == 60 else Phase.BAKING)
    assert after.epoch == 2 if overridden == 80 else 1


# Hold, rollback and abort in every state.


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("percent", [0.0, 10.0])
@pytest.mark.parametrize("kind", [CommandKind.ROLLBACK, CommandKind.ABORT])
def test_rollback_and_abort_are_possible_in_every_state_and_can_be_repeated(
    phase: Phase, percent: float, kind: CommandKind
) -> None:
    after, decision = command(at(phase, percent), kind)
    assert (decision.event, after.percent, after.serving) == (kind.value, 0, 0)
    again, decision = command(after, kind)
    assert (decision.event, again.phase, again.percent) == (kind.value, after.phase, 0)


@pytest.mark.parametrize("phase", list(Phase))
def test_hold_is_possible_in_every_state(phase: Phase) -> None:
    before = at(phase, 0.0 if phase in (Phase.SHADOW, Phase.ABORTED) else 10.0)
    after, decision = command(before, CommandKind.HOLD)
    assert (decision.event, after.held_by, after.percent) == ("hold", "ann", before.percent)


def test_a_hold_ordered_during_a_rollback_begins_when_the_rollback_is_confirmed() -> None:
    rolling_back, _ = command(at(Phase.ROLLING_BACK, 0, entered_ms=77), CommandKind.HOLD)
    assert (rolling_back.phase, rolling_back.entered_ms) == (Phase.ROLLING_BACK, 77)
    held, _ = advance(rolling_back, UNDECIDED, POLICY, LATE)
    assert (held.phase, held.held_from, held.held_by) == (Phase.HELD, Phase.COOLING_DOWN, "ann")


@pytest.mark.parametrize("then", ["a guard", CommandKind.ROLLBACK])
def test_a_hold_ordered_during_a_rollback_is_kept_by_a_second_rollback(then: CommandKind | str) -> None:
    rolling_back, _ = command(at(Phase.ROLLING_BACK, 10), CommandKind.HOLD)
    if isinstance(then, CommandKind):
        rolling_back, _ = command(rolling_back, then)
    else:
        rolling_back, _ = advance(rolling_back, replace(UNDECIDED, verdicts=CATASTROPHE, confirmed=0), POLICY, LATE)
    assert (rolling_back.phase, rolling_back.percent) == (Phase.ROLLING_BACK, 0)
    held, _ = advance(rolling_back, UNDECIDED, POLICY, LATE)
    assert (held.phase, held.held_from, held.held_by) == (Phase.HELD, Phase.COOLING_DOWN, "ann")
    assert advance(held, UNDECIDED, POLICY, LATE * 100)[0].phase is Phase.HELD


@pytest.mark.parametrize(("by", "ends"), [("ann", "ann"), ("manual_override", "manual_override"), ("glidepath", "")])
@pytest.mark.parametrize("verdicts", [CATASTROPHE, REGRESSION])
def test_after_a_guards_rollback_a_persons_hold_continues(verdicts: tuple[Verdict, ...], by: str, ends: str) -> None:
    held = at(Phase.HELD, 25, held_by=by, held_reason="stop")
    rolling_back, _ = advance(held, replace(UNDECIDED, verdicts=verdicts, confirmed=0), POLICY, LATE)
    assert (rolling_back.phase, rolling_back.held_by) == (Phase.ROLLING_BACK, ends)
    after, _ = advance(rolling_back, UNDECIDED, POLICY, LATE)
    assert (after.phase, after.held_by) == (Phase.HELD if ends else Phase.COOLING_DOWN, ends)


@pytest.mark.parametrize("percent", [-5.0, float("nan"), 10.0, 200.0])
def test_a_rollback_to_a_share_that_is_not_lower_is_refused(percent: float) -> None:
    before = at(Phase.BAKING, 10)
    assert command(before, CommandKind.ROLLBACK, percent=percent) == (
        before,
        command(before, CommandKind.ROLLBACK, percent=percent)[1],
    )
    assert command(before, CommandKind.ROLLBACK, percent=percent)[1].event == "refused"


# An unknown share.

LOST = at(Phase.HELD, 0, state_lost=True, held_from=Phase.SHADOW, held_by="glidepath", held_reason="lost")


@pytest.mark.parametrize("verdicts", [CATASTROPHE, REGRESSION])
def test_a_failing_guard_rolls_back_to_0_while_the_share_is_unknown(verdicts: tuple[object, ...]) -> None:
    after, decisions = advance(LOST, replace(UNDECIDED, verdicts=verdicts, confirmed=0), POLICY, LATE)
    assert (after.phase, after.percent, after.state_lost) == (Phase.ROLLING_BACK, 0, False)
    assert [d.event for d in decisions] == ["rollback"]


@pytest.mark.parametrize(
    ("kind", "phase"), [(CommandKind.ROLLBACK, Phase.ROLLING_BACK), (CommandKind.ABORT, Phase.ABORTED)]
)
def test_rollback_and_abort_go_to_0_while_the_share_is_unknown(kind: CommandKind, phase: Phase) -> None:
    after, _ = command(LOST, kind)
    assert (after.phase, after.percent, after.state_lost) == (phase, 0, False)


def test_a_hold_while_the_share_is_unknown_keeps_the_state_lost() -> None:
    after, decision = command(LOST, CommandKind.HOLD)
    assert (after.state_lost, after.held_by, decision.event) == (True, "ann", "hold")


def test_a_rollback_to_a_share_above_0_is_refused_while_the_share_is_unknown() -> None:
    assert command(LOST, CommandKind.ROLLBACK, percent=5.0)[1].event == "refused"


def test_a_drill_is_refused_while_the_share_is_unknown() -> None:
    assert command(LOST, CommandKind.DRILL)[1].event == "refused"


def test_the_evidence_restarts_when_the_share_becomes_unknown_and_when_it_is_known_again() -> None:
    first_start = at(Phase.SHADOW, 0, first_start=True)
    lost, _ = advance(first_start, replace(GOOD, unknown_envoys=("envoy-0",)), POLICY, LATE)
    assert (lost.state_lost, lost.epoch, lost.since_ms) == (True, 1, LATE)
    assert command(lost, CommandKind.RESUME)[0].epoch == 2


@pytest.mark.parametrize("phase", [Phase.SHADOW, Phase.HELD, Phase.COOLING_DOWN, Phase.ABORTED, Phase.ROLLING_BACK])
def test_unexpected_traffic_at_0_percent_is_logged_once_and_guarded(phase: Phase) -> None:
    seen, decisions = advance(at(phase, 0), replace(GOOD, unexpected_traffic=7, confirmed=0), POLICY, LATE)
    assert seen.unexpected_traffic
    assert seen.percent == 0
    assert [d.trigger for d in decisions] == ["unexpected_traffic"]
    assert "7 requests of clients reached the candidate although its share is 0 %" in decisions[0].reason
    assert advance(seen, replace(GOOD, unexpected_traffic=9, confirmed=0), POLICY, LATE)[1] == ()
    if phase is not Phase.ABORTED:
        rolled_back, decisions = advance(seen, replace(UNDECIDED, verdicts=CATASTROPHE, confirmed=0), POLICY, LATE)
        assert (rolled_back.phase, [d.event for d in decisions]) == (Phase.ROLLING_BACK, ["rollback"])


# Commands and failing gates.

OVERLOAD = replace(GOOD, capacity=replace(verdict("capacity", GateOutcome.FAIL), message="0.95 now, limit 0.8"))


@pytest.mark.parametrize(
    ("phase", "kind"), [(Phase.BAKING, CommandKind.PROMOTE), (Phase.AWAITING_APPROVAL, CommandKind.APPROVE)]
)
@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        (OVERLOAD, "capacity (0.95 now, limit 0.8)"),
        (replace(GOOD, verdicts=(verdict("split", GateOutcome.FAIL),)), "split"),
    ],
)
def test_promote_and_approve_with_any_failing_gate_are_refused_unless_forced(
    phase: Phase, kind: CommandKind, inputs: TickInputs, text: str
) -> None:
    before = at(phase, 10)
    refused, decision = command(before, kind, inputs)
    assert (decision.event, refused.percent) == ("refused", 10)
    assert text in decision.reason
    assert command(before, kind, inputs, force=True)[0].percent == 25
    informational = replace(inputs, verdicts=(), capacity=verdict("capacity", GateOutcome.FAIL, action="inform"))
    assert command(before, kind, informational)[0].percent == 25


def test_a_promote_that_ends_a_validation_is_logged_as_complete() -> None:
    after, decision = command(at(Phase.VALIDATING, 60), CommandKind.PROMOTE, end_validation=True)
    assert (after.phase, decision.event, decision.actor) == (Phase.COMPLETED, "complete", "ann")


@pytest.mark.parametrize("phase", [Phase.BAKING, Phase.AWAITING_APPROVAL, Phase.VALIDATING])
def test_a_retry_restarts_the_evidence_of_a_step(phase: Phase) -> None:
    percent = 60.0 if phase is Phase.VALIDATING else 10.0
    after, decision = command(at(phase, percent), CommandKind.RETRY)
    assert (after.percent, after.epoch, after.since_ms, decision.event) == (percent, 1, 500, "retry")


def test_a_resume_restarts_the_evidence_only_after_a_failed_split() -> None:
    split = replace(GOOD, verdicts=(*PASSING, verdict("split", GateOutcome.FAIL)))
    held = at(Phase.HELD, 10, held_by="ann")
    assert command(held, CommandKind.RESUME, split)[0].epoch == 1
    assert command(held, CommandKind.RESUME, GOOD)[0].epoch == 0
    assert "`glidepath retry chat`" in obstacle(at(Phase.BAKING, 10), split, POLICY, LATE)

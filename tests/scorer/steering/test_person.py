"""A person's hand: whatever is said, in whatever state, the wheel is theirs, and a slip gives the candidate nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glidepath.config.ramp import RampSection
from glidepath.domain import Outcome
from glidepath.records import Command, CommandKind, Decision, Phase, Verdict
from scorer.steering.ramp.automatic_steps import obstacle
from scorer.steering.ramp.decide import advance
from scorer.steering.ramp.ramp_policy import policy_of
from scorer.steering.ramp.states import Drill, DrillStage, RampState
from scorer.steering.ramp.tick_inputs import TickInputs
from tests.support.steering import verdict

POLICY = policy_of(RampSection(steps=(10, 25, 60), hold=1, min_samples=10, cool_down=5, validation=9))
PASSING = (verdict("quality", Outcome.PASS), verdict("errors_fast", Outcome.INCONCLUSIVE, fast=True))
CATASTROPHE = (verdict("errors_fast", Outcome.FAIL, fast=True),)
REGRESSION = (verdict("quality", Outcome.FAIL),)
GOOD = TickInputs(workload="chat", verdicts=PASSING, samples=100, confirmed=2, envoys=2, config_digest="d")
UNDECIDED = replace(GOOD, verdicts=())
TYPO = replace(UNDECIDED, adopted=25.0, adopted_at="envoy-1", ambiguous_weights="envoy-1: a=2500, b=7500.0", samples=0)
LATE = 1_000_000


def at(phase: Phase, percent: float, **changes: object) -> RampState:
    state = RampState(phase, percent, since_ms=0, entered_ms=0, held_from=Phase.BAKING, config_digest="d")
    return replace(state, **changes)  # type: ignore[arg-type]


def tick(state: RampState, facts: TickInputs, now_ms: int = LATE) -> tuple[RampState, list[Decision]]:
    after, decisions = advance(state, facts, POLICY, now_ms)
    return after, list(decisions)


def said(
    state: RampState, kind: CommandKind, facts: TickInputs = UNDECIDED, **more: object
) -> tuple[RampState, Decision]:
    command = Command(kind, "ann", "because", id="1-0", **more)  # type: ignore[arg-type]
    after, decisions = advance(state, replace(facts, commands=(command,), confirmed=0), POLICY, 500)
    return after, decisions[0]


# Weights that are none.


@pytest.mark.parametrize("phase", list(Phase))
def test_weights_that_are_not_clear_never_raise_the_share_and_nothing_goes_up_by_itself(phase: Phase) -> None:
    before = at(phase, 0.0 if phase in (Phase.SHADOW, Phase.ABORTED) else 10.0)
    after, decisions = tick(before, replace(TYPO, confirmed=0))
    assert (after.percent, after.serving) == (before.percent, before.percent)
    assert after.phase in (Phase.HELD, Phase.ABORTED, Phase.ROLLING_BACK)
    assert "envoy-1: a=2500, b=7500.0" in decisions[0].reason
    assert "two whole numbers from 0 to 10000 with the sum 10000" in decisions[0].reason
    assert decisions[0].actor == "manual_override"


def test_what_can_be_read_of_them_lowers_the_share() -> None:
    after, decisions = tick(at(Phase.BAKING, 60), TYPO)
    assert (after.phase, after.percent, after.held_by) == (Phase.HELD, 25, "manual_override")
    assert [(d.event, d.from_percent, d.to_percent) for d in decisions] == [("adopt_weights", 60, 25)]


def test_a_hold_by_weights_that_are_not_clear_ends_where_it_began() -> None:
    held, _ = tick(at(Phase.AWAITING_APPROVAL, 10), TYPO)
    assert tick(held, replace(UNDECIDED, autopilot=True))[0].phase is Phase.AWAITING_APPROVAL


def test_a_persons_hold_stays_theirs_whatever_is_curled_beside_it() -> None:
    after, decisions = tick(at(Phase.HELD, 10, held_by="ann"), TYPO)
    assert (after.held_by, [d.event for d in decisions]) == ("ann", ["invalid_override"])
    assert "7500.0" in after.invalid_override


@pytest.mark.parametrize(("stage", "serving"), [(DrillStage.RAISING, 10), (DrillStage.WITHDRAWING, 0)])
def test_in_a_drill_they_end_it_and_raise_nothing(stage: DrillStage, serving: float) -> None:
    drilling = at(Phase.BAKING if serving == 0 else Phase.SHADOW, 10 - serving, drill=Drill(stage, 10, "ann", 0))
    after, _ = tick(drilling, replace(TYPO, adopted=serving))
    assert (after.drill, after.serving) == (None, 0)


def test_a_switch_that_says_nothing_changes_nothing_and_is_said_once() -> None:
    facts = replace(UNDECIDED, invalid_override="envoy-1: glidepath.chat.autopilot=maybe is none of 0, 1")
    before = at(Phase.HELD, 10, held_by="manual_override")
    after, decisions = tick(before, facts)
    assert replace(after, invalid_override="") == before
    assert after.invalid_override == facts.invalid_override
    assert [(d.event, d.actor) for d in decisions] == [("invalid_override", "manual_override")]
    assert tick(after, facts)[1] == []
    assert tick(after, replace(UNDECIDED, autopilot=False))[0].invalid_override == ""


# Beyond the end of the ramp, and between its steps.


@pytest.mark.parametrize("by_curl", [True, False])
@pytest.mark.parametrize(("curled", "goes_on_at"), [(80.0, 60), (60.0, 60), (30.0, 30), (3.0, 3)])
def test_a_resume_goes_on_at_the_curled_share_but_never_beyond_the_last_step(
    curled: float, goes_on_at: float, by_curl: bool
) -> None:
    held, decisions = tick(at(Phase.BAKING, 10), replace(UNDECIDED, adopted=curled))
    assert (held.phase, held.percent) == (Phase.HELD, curled)
    assert ("(at 60 %, the last step)" in decisions[0].reason) == (curled == 80)
    on = replace(UNDECIDED, autopilot=True)
    after = tick(held, on)[0] if by_curl else said(held, CommandKind.RESUME)[0]
    assert after.percent == goes_on_at
    assert after.phase is (Phase.VALIDATING if goes_on_at == 60 else Phase.BAKING)
    assert after.epoch == 2 if curled == 80 else 1


# Stop and back, in every state.


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("percent", [0.0, 10.0])
@pytest.mark.parametrize("kind", [CommandKind.ROLLBACK, CommandKind.ABORT])
def test_rollback_and_abort_are_possible_in_every_state_and_as_often_as_one_likes(
    phase: Phase, percent: float, kind: CommandKind
) -> None:
    after, decision = said(at(phase, percent), kind)
    assert (decision.event, after.percent, after.serving) == (kind.value, 0, 0)
    again, decision = said(after, kind)
    assert (decision.event, again.phase, again.percent) == (kind.value, after.phase, 0)


@pytest.mark.parametrize("phase", list(Phase))
def test_hold_is_possible_in_every_state(phase: Phase) -> None:
    before = at(phase, 0.0 if phase in (Phase.SHADOW, Phase.ABORTED) else 10.0)
    after, decision = said(before, CommandKind.HOLD)
    assert (decision.event, after.held_by, after.percent) == ("hold", "ann", before.percent)


def test_a_hold_said_during_a_rollback_begins_when_it_is_confirmed() -> None:
    going, _ = said(at(Phase.ROLLING_BACK, 0, entered_ms=77), CommandKind.HOLD)
    assert (going.phase, going.entered_ms) == (Phase.ROLLING_BACK, 77)
    held, _ = tick(going, UNDECIDED)
    assert (held.phase, held.held_from, held.held_by) == (Phase.HELD, Phase.COOLING_DOWN, "ann")


@pytest.mark.parametrize("then", ["a guard", CommandKind.ROLLBACK])
def test_a_hold_said_during_a_rollback_outlasts_a_second_one(then: CommandKind | str) -> None:
    going, _ = said(at(Phase.ROLLING_BACK, 10), CommandKind.HOLD)
    if isinstance(then, CommandKind):
        going, _ = said(going, then)
    else:
        going, _ = tick(going, replace(UNDECIDED, verdicts=CATASTROPHE, confirmed=0))
    assert (going.phase, going.percent) == (Phase.ROLLING_BACK, 0)
    held, _ = tick(going, UNDECIDED)
    assert (held.phase, held.held_from, held.held_by) == (Phase.HELD, Phase.COOLING_DOWN, "ann")
    assert tick(held, UNDECIDED, LATE * 100)[0].phase is Phase.HELD


@pytest.mark.parametrize(("by", "ends"), [("ann", "ann"), ("manual_override", "manual_override"), ("glidepath", "")])
@pytest.mark.parametrize("verdicts", [CATASTROPHE, REGRESSION])
def test_what_a_guard_takes_back_from_a_persons_hold_stays_held_by_them(
    verdicts: tuple[Verdict, ...], by: str, ends: str
) -> None:
    held = at(Phase.HELD, 25, held_by=by, held_reason="stop")
    going, _ = tick(held, replace(UNDECIDED, verdicts=verdicts, confirmed=0))
    assert (going.phase, going.held_by) == (Phase.ROLLING_BACK, ends)
    after, _ = tick(going, UNDECIDED)
    assert (after.phase, after.held_by) == (Phase.HELD if ends else Phase.COOLING_DOWN, ends)


@pytest.mark.parametrize("asked", [-5.0, float("nan"), 10.0, 200.0])
def test_a_rollback_to_no_lower_share_is_refused(asked: float) -> None:
    before = at(Phase.BAKING, 10)
    assert said(before, CommandKind.ROLLBACK, percent=asked) == (
        before,
        said(before, CommandKind.ROLLBACK, percent=asked)[1],
    )
    assert said(before, CommandKind.ROLLBACK, percent=asked)[1].event == "refused"


# A share that is not known.

LOST = at(Phase.HELD, 0, state_lost=True, held_from=Phase.SHADOW, held_by="glidepath", held_reason="lost")


@pytest.mark.parametrize("verdicts", [CATASTROPHE, REGRESSION])
def test_a_guard_takes_everything_back_where_the_share_is_not_known(verdicts: tuple[object, ...]) -> None:
    after, decisions = tick(LOST, replace(UNDECIDED, verdicts=verdicts, confirmed=0))
    assert (after.phase, after.percent, after.state_lost) == (Phase.ROLLING_BACK, 0, False)
    assert [d.event for d in decisions] == ["rollback"]


@pytest.mark.parametrize(
    ("kind", "phase"), [(CommandKind.ROLLBACK, Phase.ROLLING_BACK), (CommandKind.ABORT, Phase.ABORTED)]
)
def test_a_person_takes_everything_back_where_the_share_is_not_known(kind: CommandKind, phase: Phase) -> None:
    after, _ = said(LOST, kind)
    assert (after.phase, after.percent, after.state_lost) == (phase, 0, False)


def test_a_hold_where_the_share_is_not_known_still_writes_nothing() -> None:
    after, decision = said(LOST, CommandKind.HOLD)
    assert (after.state_lost, after.held_by, decision.event) == (True, "ann", "hold")


def test_a_rollback_to_some_share_needs_a_known_one() -> None:
    assert said(LOST, CommandKind.ROLLBACK, percent=5.0)[1].event == "refused"


def test_no_drill_where_the_share_is_not_known() -> None:
    assert said(LOST, CommandKind.DRILL)[1].event == "refused"


def test_evidence_begins_where_the_share_is_lost_and_again_where_it_is_known() -> None:
    first_start = at(Phase.SHADOW, 0, first_start=True)
    lost, _ = tick(first_start, replace(GOOD, unknown_envoys=("envoy-0",)))
    assert (lost.state_lost, lost.epoch, lost.since_ms) == (True, 1, LATE)
    assert said(lost, CommandKind.RESUME)[0].epoch == 2


@pytest.mark.parametrize("phase", [Phase.SHADOW, Phase.HELD, Phase.COOLING_DOWN, Phase.ABORTED, Phase.ROLLING_BACK])
def test_clients_at_the_candidate_though_its_share_is_0_are_said_once_and_guarded(phase: Phase) -> None:
    seen, decisions = tick(at(phase, 0), replace(GOOD, unexpected_traffic=7, confirmed=0))
    assert seen.unexpected_traffic
    assert seen.percent == 0
    assert [d.trigger for d in decisions] == ["unexpected_traffic"]
    assert "7 clients' requests reached the candidate although its share is 0 %" in decisions[0].reason
    assert tick(seen, replace(GOOD, unexpected_traffic=9, confirmed=0))[1] == []
    if phase is not Phase.ABORTED:
        back, decisions = tick(seen, replace(UNDECIDED, verdicts=CATASTROPHE, confirmed=0))
        assert (back.phase, [d.event for d in decisions]) == (Phase.ROLLING_BACK, ["rollback"])


# A person's word against the gates.

OVERLOAD = replace(GOOD, capacity=replace(verdict("capacity", Outcome.FAIL), message="0.95 now, limit 0.8"))


@pytest.mark.parametrize(
    ("phase", "kind"), [(Phase.BAKING, CommandKind.PROMOTE), (Phase.AWAITING_APPROVAL, CommandKind.APPROVE)]
)
@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (OVERLOAD, "capacity (0.95 now, limit 0.8)"),
        (replace(GOOD, verdicts=(verdict("split", Outcome.FAIL),)), "split"),
    ],
)
def test_no_person_goes_past_any_failing_gate_unforced(
    phase: Phase, kind: CommandKind, facts: TickInputs, words: str
) -> None:
    before = at(phase, 10)
    refused, decision = said(before, kind, facts)
    assert (decision.event, refused.percent) == ("refused", 10)
    assert words in decision.reason
    assert said(before, kind, facts, force=True)[0].percent == 25
    informational = replace(facts, verdicts=(), capacity=verdict("capacity", Outcome.FAIL, gating=False))
    assert said(before, kind, informational)[0].percent == 25


def test_whoever_ends_a_validation_it_is_logged_as_complete() -> None:
    after, decision = said(at(Phase.VALIDATING, 60), CommandKind.PROMOTE)
    assert (after.phase, decision.event, decision.actor) == (Phase.COMPLETED, "complete", "ann")


@pytest.mark.parametrize("phase", [Phase.BAKING, Phase.AWAITING_APPROVAL, Phase.VALIDATING])
def test_a_retry_begins_the_evidence_of_a_step_afresh(phase: Phase) -> None:
    percent = 60.0 if phase is Phase.VALIDATING else 10.0
    after, decision = said(at(phase, percent), CommandKind.RETRY)
    assert (after.percent, after.epoch, after.since_ms, decision.event) == (percent, 1, 500, "retry")


def test_a_resume_clears_a_split_that_failed_and_nothing_else() -> None:
    split = replace(GOOD, verdicts=(*PASSING, verdict("split", Outcome.FAIL)))
    held = at(Phase.HELD, 10, held_by="ann")
    assert said(held, CommandKind.RESUME, split)[0].epoch == 1
    assert said(held, CommandKind.RESUME, GOOD)[0].epoch == 0
    assert "`glidepath retry chat`" in obstacle(at(Phase.BAKING, 10), split, POLICY, LATE)

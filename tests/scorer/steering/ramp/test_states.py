"""The table of transitions: each transition leads to its state; any other event raises an error and changes nothing."""

from __future__ import annotations

import dataclasses
import itertools
import json

import pytest

from glidepath.errors import InputError
from glidepath.status_and_decisions import Phase
from scorer.steering.ramp.states import (
    RETREATING,
    Drill,
    DrillStage,
    IllegalTransitionError,
    RampState,
    initial,
    phase_at,
    state_from_json,
    transition,
)
from scorer.steering.ramp.transition_table import TABLE, DerivedPhase, RampEvent
from tests.support.ramp_ticks import at

ALL = list(itertools.product(RampEvent, Phase))


def since_1000_ms(phase: Phase, percent: float = 5.0) -> RampState:
    return at(phase, percent, since_ms=1000, entered_ms=1000)


@pytest.mark.parametrize(("event", "phase"), [pair for pair in ALL if pair[1] in TABLE[pair[0]]])
def test_each_transition_leads_to_the_state_in_the_table(event: RampEvent, phase: Phase) -> None:
    target = TABLE[event][phase]
    expected = {DerivedPhase.BY_SHARE: Phase.BAKING, DerivedPhase.HELD_FROM: Phase.BAKING}.get(target, target)  # type: ignore[call-overload]
    assert transition(since_1000_ms(phase), event, 2000, last=100).phase is expected


@pytest.mark.parametrize(("event", "phase"), [pair for pair in ALL if pair[1] not in TABLE[pair[0]]])
def test_any_other_transition_raises_and_changes_nothing(event: RampEvent, phase: Phase) -> None:
    state = since_1000_ms(phase)
    before = dataclasses.asdict(state)
    with pytest.raises(IllegalTransitionError, match="not possible while"):
        transition(state, event, 2000, last=100, percent=0)
    assert dataclasses.asdict(state) == before


@pytest.mark.parametrize("event", [RampEvent.ABORT, RampEvent.ROLLBACK])
def test_rollback_and_abort_are_possible_in_every_phase_and_idempotent(event: RampEvent) -> None:
    assert set(TABLE[event]) == set(Phase)
    for phase in Phase:
        once = transition(since_1000_ms(phase), event, 2000, last=100, percent=0)
        again = transition(once, event, 2000, last=100, percent=0)
        assert (again.phase, again.percent) == (once.phase, 0)


def test_a_resume_from_above_the_last_step_leads_to_the_last_step() -> None:
    above = transition(since_1000_ms(Phase.BAKING, 10), RampEvent.ADOPT_WEIGHTS, 2000, last=60, percent=80)
    resumed = transition(above, RampEvent.RESUME, 3000, last=60, percent=60)
    assert (resumed.phase, resumed.percent, resumed.since_ms) == (Phase.VALIDATING, 60, 3000)


def test_no_transition_raises_the_share_during_a_rollback_or_after_an_abort() -> None:
    upward = [
        event
        for event in (RampEvent.PROMOTE, RampEvent.AWAIT_APPROVAL, RampEvent.COMPLETE, RampEvent.RESUME)
        for p in RETREATING
        if p in TABLE[event]
    ]
    assert upward == []


@pytest.mark.parametrize(
    ("percent", "last", "phase"),
    [(0, 100, Phase.SHADOW), (1, 100, Phase.BAKING), (100, 100, Phase.VALIDATING), (60, 60, Phase.VALIDATING)],
)
def test_each_share_has_its_state(percent: float, last: float, phase: Phase) -> None:
    assert phase_at(percent, last) is phase
    assert initial(percent, last, 0).phase is phase


def test_the_evidence_restarts_when_the_share_changes_or_on_a_retry_but_not_on_a_hold() -> None:
    held = transition(since_1000_ms(Phase.BAKING), RampEvent.HOLD, 2000, last=100)
    assert (held.epoch, held.since_ms, held.entered_ms) == (0, 1000, 2000)
    stepped = transition(held, RampEvent.PROMOTE, 3000, last=100, percent=10)
    assert (stepped.epoch, stepped.since_ms) == (1, 3000)
    retried = transition(since_1000_ms(Phase.COOLING_DOWN), RampEvent.RETRY, 4000, last=100)
    assert (retried.epoch, retried.since_ms, retried.percent) == (1, 4000, 5.0)


def test_a_resume_returns_to_the_state_that_the_hold_interrupted() -> None:
    held = transition(since_1000_ms(Phase.AWAITING_APPROVAL), RampEvent.HOLD, 2000, last=100)
    assert transition(held, RampEvent.RESUME, 3000, last=100).phase is Phase.AWAITING_APPROVAL


def test_a_resume_after_adopted_weights_leads_to_the_state_of_the_new_share() -> None:
    adopted = transition(since_1000_ms(Phase.COMPLETED, 100), RampEvent.ADOPT_WEIGHTS, 2000, last=100, percent=25)
    assert transition(adopted, RampEvent.RESUME, 3000, last=100).phase is Phase.BAKING


@pytest.mark.parametrize("event", [e for e in RampEvent if TABLE[e].get(Phase.ROLLING_BACK) is Phase.ROLLING_BACK])
def test_a_hold_ordered_during_a_rollback_is_kept_by_every_event_that_continues_the_rollback(event: RampEvent) -> None:
    going = dataclasses.replace(since_1000_ms(Phase.ROLLING_BACK, 10), held_by="ann", held_reason="stop")
    after = transition(going, event, 2000, last=100, percent=0)
    assert (after.phase, after.percent, after.held_by, after.held_reason) == (Phase.ROLLING_BACK, 0, "ann", "stop")


def test_during_a_drill_the_served_share_differs_from_the_ramps_percent() -> None:
    def serving(stage: DrillStage, percent: float) -> float:
        drill = Drill(stage, 1.0, "me", 0)
        return dataclasses.replace(since_1000_ms(Phase.BAKING, percent), drill=drill).serving

    assert serving(DrillStage.RAISING, 0) == 1
    assert serving(DrillStage.WITHDRAWING, 5) == 0
    assert serving(DrillStage.DRAINING, 5) == 0
    assert serving(DrillStage.RESTORING, 5) == 5


def test_an_abort_ends_a_drill() -> None:
    drilling = dataclasses.replace(since_1000_ms(Phase.SHADOW, 0), drill=Drill(DrillStage.RAISING, 1.0, "me", 0))
    assert transition(drilling, RampEvent.ABORT, 1, last=100, percent=0).serving == 0


def test_a_state_can_be_restored_from_its_json() -> None:
    state = dataclasses.replace(
        since_1000_ms(Phase.HELD), held_by="ann", drill=Drill(DrillStage.DRAINING, 5.0, "ann", 7)
    )
    assert state_from_json(json.loads(json.dumps(state.to_json()))) == state


@pytest.mark.parametrize("raw", [{}, {"phase": "shadow", "percent": 1}, {"phase": "held", "drill": 3}, 3])
def test_anything_but_an_object_with_the_fields_of_a_state_is_refused(raw: object) -> None:
    with pytest.raises(InputError, match=r"ramp has no field|ramp must be an object"):
        state_from_json(raw)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"phase": "nowhere"}, "not a stored ramp state: 'nowhere'"),
        ({"held_from": 3}, "not a stored ramp state: 3"),
        ({"drill": 3}, "drill must be an object"),
        ({"drill": {}}, "drill has no field stage"),
        ({"surplus": 3}, "ramp has the unknown field surplus"),
    ],
)
def test_a_state_with_an_invalid_field_is_refused(change: dict[str, object], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        state_from_json({**since_1000_ms(Phase.HELD).to_json(), **change})

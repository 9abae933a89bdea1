"""The warm-up: copies raise the candidate's load to that of the next step before the step is taken."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from glidepath.config.ramp import RampSection
from glidepath.status_and_decisions import CommandKind, GateOutcome, Phase
from scorer.steering.candidate_activity import CandidateActivity
from scorer.steering.envoy.observation import Observation
from scorer.steering.ramp.automatic_steps import obstacle
from scorer.steering.ramp.commands import apply_commands
from scorer.steering.ramp.decide import advance
from scorer.steering.ramp.ramp_policy import RampPolicy, policy_of, seen_share
from scorer.steering.ramp.shadow_share import AFTER_A_PERSON_MS, adopt_shadow_share
from scorer.steering.ramp.states import RampState, WarmUp, state_from_json
from scorer.steering.ramp.tick_inputs import TickInputs
from tests.support.ramp_ticks import GOOD, LATE, UNDECIDED, at, command, tick
from tests.support.scripted_evidence import verdict

RAMP = RampSection(steps=(10, 50, 100), hold="100s", min_samples=10, warm_up_time="60s")
POLICY = policy_of(RAMP, copied=10)
MINUTE = 60_000
READY = at(Phase.BAKING, 10)


def warming(since_ms: int = LATE, percent: float = 10, share: float = 50) -> RampState:
    return at(Phase.BAKING, percent, warm_up=WarmUp(share, since_ms))


def test_copies_bring_the_load_of_the_next_step_before_the_step_is_taken() -> None:
    state, events = tick(READY, policy=POLICY)
    assert (state.percent, state.warm_up, events) == (10, WarmUp(50, LATE), ["warm_up"])  # 10 + 90 · 50 % = 55 %
    waiting = "warms up for another 40 s with copies of 50 % of the requests"
    assert obstacle(state, GOOD, POLICY, LATE + 20_000) == waiting
    assert tick(state, policy=POLICY, now_ms=LATE + MINUTE - 1) == (state, [])
    after, events = tick(state, policy=POLICY, now_ms=LATE + MINUTE)
    assert (after.percent, after.warm_up, events) == (50, None, ["promote"])


@given(st.sampled_from([0.0, 10.0, 50.0]), st.floats(0.5, 99))
def test_the_copies_bring_exactly_the_load_of_the_next_step(percent: float, copied: float) -> None:
    policy = policy_of(RAMP, copied=copied)
    share, target = policy.warm_up_share(percent), policy.next_step(percent)
    assert share is not None
    assert target is not None
    assert copied <= share <= 100
    assert seen_share(percent, share) == pytest.approx(seen_share(target, copied), abs=0.01)


@pytest.mark.parametrize(
    ("policy", "state"),
    [
        (policy_of(RAMP, copied=100), READY),  # the candidate gets every request already
        (policy_of(RAMP, copied=0), READY),  # no request is to be copied
        (policy_of(RAMP.model_copy(update={"warm_up_time": 0.0}), copied=10), READY),
        (policy_of(RAMP.model_copy(update={"warm_up_time": None, "hold": 0.0}), copied=10), READY),
        (POLICY, at(Phase.BAKING, 10, shadow_override=20.0)),  # a person says how many are copied
    ],
)
def test_a_step_without_a_warm_up_is_taken_at_once(policy: RampPolicy, state: RampState) -> None:
    after, events = tick(state, policy=policy)
    assert (after.percent, events) == (50, ["promote"])


def test_a_step_that_a_person_takes_is_not_warmed_up() -> None:
    asks = replace(POLICY, approvals=frozenset({50.0}))
    assert tick(READY, policy=asks)[1] == ["await_approval"]
    promoted = replace(GOOD, commands=(command(CommandKind.PROMOTE),))
    assert tick(READY, promoted, POLICY)[0].percent == 50


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        (replace(GOOD, copies_failing="9 of 40 copies failed"), "9 of 40 copies failed"),
        (replace(GOOD, quota="quota of backends.b: full"), "quota of backends.b: full"),
        (replace(GOOD, frozen="freeze window"), "freeze window"),
        (replace(GOOD, verdicts=(verdict("latency", GateOutcome.FAIL, action="hold"),)), "latency fail"),
        (replace(GOOD, capacity=verdict("capacity", GateOutcome.FAIL, action="hold")), "capacity: "),
        (replace(GOOD, autopilot=False), "the autopilot is off"),
    ],
)
def test_copies_that_do_harm_end_and_begin_again_only_after_a_pause(inputs: TickInputs, why: str) -> None:
    state, decisions = advance(warming(), inputs, POLICY, LATE + 1)
    (stopped,) = [one for one in decisions if one.event == "warm_up_stopped"]
    assert (state.percent, state.warm_up, stopped.reason) == (10, None, f"no more copies to warm up: {why}")
    again = replace(state, autopilot=True)
    assert tick(again, policy=POLICY, now_ms=LATE + MINUTE)[1] == []
    assert obstacle(again, GOOD, POLICY, LATE + MINUTE) == "warms up again in 1 s"
    assert tick(again, policy=POLICY, now_ms=LATE + MINUTE + 1)[1] == ["warm_up"]


def test_copies_end_if_the_step_does_not_follow() -> None:
    undecided = replace(GOOD, verdicts=UNDECIDED)
    assert tick(warming(), undecided, POLICY, LATE + 2 * MINUTE - 1)[1] == []
    state, events = tick(warming(), undecided, POLICY, LATE + 2 * MINUTE)
    assert (state.warm_up, events) == (None, ["warm_up_stopped"])


def test_every_change_of_the_state_ends_the_copies() -> None:
    for kind in (CommandKind.HOLD, CommandKind.ROLLBACK, CommandKind.PROMOTE):
        inputs = replace(GOOD, commands=(command(kind),))
        assert tick(warming(), inputs, POLICY, LATE + 1)[0].warm_up is None


def test_a_share_of_copies_that_a_person_sets_at_an_envoy_ends_the_warm_up() -> None:
    for share, override in ((10.0, None), (30.0, 30.0)):
        seen = Observation(frozenset(), {}, shadow=share)
        state, (decision,) = adopt_shadow_share(warming(), GOOD, seen, 10, LATE)
        assert (state.warm_up, state.shadow_override) == (None, override)
        assert (decision.event, state.next_warm_up_ms) == ("adopt_shadow", LATE + AFTER_A_PERSON_MS)


@pytest.mark.parametrize(("percent", "override"), [(None, None), (10.0, 10.0), (60.0, 60.0)])
def test_a_share_of_copies_that_a_person_sets_by_command_ends_the_warm_up(
    percent: float | None, override: float | None
) -> None:
    inputs = replace(GOOD, commands=(command(CommandKind.SHADOW, percent=percent),))
    state, _ = apply_commands(warming(), inputs, POLICY, LATE + 1)
    assert (state.warm_up, state.next_warm_up_ms) == (None, LATE + 1 + AFTER_A_PERSON_MS)
    assert state.shadow_override == override


def test_the_time_is_a_tenth_of_the_hold_but_at_most_ten_minutes() -> None:
    assert RampSection(hold="100s").warm_up_time_at(10) == 10
    assert RampSection().warm_up_time_at(10) == 600


def test_a_warm_up_is_stored_and_a_state_without_one_can_be_read() -> None:
    state = warming()
    assert state_from_json(state.to_json()) == state
    older = {name: value for name, value in READY.to_json().items() if "warm_up" not in name}
    assert state_from_json(older) == READY


HOUR = 60 * MINUTE


def active(last_ms: int, since_ms: int = 0) -> TickInputs:
    return replace(GOOD, activity=CandidateActivity(since_ms, last_ms))


@pytest.mark.parametrize("copied", [10, 100])
def test_no_step_is_taken_while_the_candidate_is_idle(copied: int) -> None:
    policy, idle = policy_of(RAMP, copied=copied), active(LATE)
    assert tick(READY, idle, policy, LATE + HOUR) == (READY, [])
    assert obstacle(READY, idle, policy, LATE + HOUR) == "the candidate has been idle for 1 h and may be cold"
    promoted = replace(idle, commands=(command(CommandKind.PROMOTE),))
    assert tick(READY, promoted, policy, LATE + HOUR)[0].percent == 50


def test_after_an_idle_time_the_requests_that_the_candidate_gets_anyway_warm_it_up() -> None:
    policy, resumed = policy_of(RAMP, copied=100), active(LATE + 1, since_ms=LATE)
    assert tick(READY, resumed, policy, LATE + MINUTE - 1) == (READY, [])
    why = "the candidate was idle and warms up for another 40 s"
    assert obstacle(READY, resumed, policy, LATE + 20_000) == why
    assert tick(READY, resumed, policy, LATE + MINUTE)[0].percent == 50


def test_after_an_idle_time_the_copies_begin_and_last_their_time_from_the_first_request() -> None:
    assert tick(READY, active(LATE, since_ms=LATE), POLICY, LATE)[1] == ["warm_up"]
    interrupted, resumed = warming(LATE - 30_000), active(LATE, since_ms=LATE)
    assert tick(interrupted, resumed, POLICY, LATE + MINUTE - 1)[1] == []
    assert tick(interrupted, resumed, POLICY, LATE + MINUTE)[0].percent == 50


def test_copies_to_a_candidate_that_becomes_idle_end() -> None:
    state, events = tick(warming(), active(LATE), POLICY, LATE + HOUR)
    assert (state.percent, state.warm_up, events) == (10, None, ["warm_up_stopped"])


def test_a_candidate_is_never_idle_if_the_configuration_says_so() -> None:
    policy = policy_of(RAMP.model_copy(update={"idle_after": 0.0}), copied=100)
    assert tick(READY, active(LATE), policy, LATE + 9 * HOUR)[0].percent == 50


def test_the_idle_time_is_longer_than_every_warm_up() -> None:
    assert RampSection().idle_ms == HOUR
    assert RampSection(warm_up_time="2h").idle_ms == 4 * HOUR
    with pytest.raises(ValidationError, match="idle_after must be longer than the warm-up"):
        RampSection(hold="48h", idle_after="10m")

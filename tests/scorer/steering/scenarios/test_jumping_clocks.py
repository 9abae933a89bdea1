"""Clocks that are set while a workload is steered: no step is early, no guard waits, no traffic is unexpected."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.config import parse_config
from scorer.steering.workload.workload_status import status_of
from tests.support.jumping_clocks import BEGAN_MS, JumpingClocks
from tests.support.scripted_evidence import ScriptedEvidenceKind
from tests.support.steered_workload import SteeredWorkload

HOUR = 3_600_000
HOLD_S, COOL_S, VALIDATION_S = 40, 30, 50
CONFIG = parse_config(f"""\
backends: {{cloud: {{url: "http://127.0.0.1:9001"}}, onprem: {{url: "http://127.0.0.1:9002"}}}}
workloads:
  chat:
    match: {{path: /v1}}
    baseline: cloud
    candidate: onprem
    start: 10
    ramp:
      {{steps: [10, 100], hold: {HOLD_S}s, min_samples: 1, cool_down: {COOL_S}s, retry: auto, max_retries: 9,
        validation: {VALIDATION_S}s, unjudged_limit: 100}}
""")
JUMPS = st.sampled_from([-HOUR, -90_000, -5_000, 5_000, 90_000, 2 * HOUR, 48 * HOUR])
CLOCKS = st.sampled_from(["wall", "redis", "proxy", "wall and redis"])


def world() -> JumpingClocks:
    """Return a workload that bakes at 10 %, a second after its Envoy has got this share."""
    at = JumpingClocks(SteeredWorkload(CONFIG, ScriptedEvidenceKind(), now_ms=BEGAN_MS))
    at.begin()
    at.run(1_000)
    return at


def baking_since(at: JumpingClocks) -> int:
    """Return the true time at which the present step began. Only for a world whose clocks were not set yet."""
    return at.chat.state.ramp.since_ms - BEGAN_MS


def set_clock(at: JumpingClocks, clock: str, by_ms: int) -> None:
    for name in clock.split(" and "):
        setattr(at, name, getattr(at, name) + by_ms)


@pytest.mark.parametrize("clock", ["wall", "redis", "wall and redis"])
@pytest.mark.parametrize("by_ms", [-HOUR, 2 * HOUR])
@pytest.mark.parametrize("takeover", [False, True])
def test_a_clock_that_is_set_ends_no_hold_and_prolongs_none(clock: str, by_ms: int, takeover: bool) -> None:
    at = world()
    began = baking_since(at)
    at.run(10_000)
    set_clock(at, clock, by_ms)
    if takeover:
        at.take_over()
    at.run(HOLD_S * 1000)
    assert HOLD_S * 1000 <= at.at("promote") - began <= HOLD_S * 1000 + 500


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 20), CLOCKS, JUMPS, st.booleans()), min_size=1, max_size=6))
def test_no_step_comes_before_its_time_whatever_clocks_are_set(events: list[tuple[int, str, int, bool]]) -> None:
    at = world()
    begun = baking_since(at)
    for seconds, clock, by_ms, takeover in events:
        at.run(seconds * 1000)
        set_clock(at, clock, by_ms)
        if takeover:
            at.take_over()
    for _ in range((HOLD_S + VALIDATION_S) * 4 + 40):
        at.step(250)
    for name, least_s in (("promote", HOLD_S), ("complete", VALIDATION_S)):
        assert at.at(name) - begun >= least_s * 1000
        begun = at.at(name)
    assert at.events() == ["promote", "complete"]


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from(["wall", "redis", "wall and redis"]), JUMPS), max_size=5))
def test_a_cool_down_lasts_its_time_whatever_clocks_are_set(events: list[tuple[int, str, int]]) -> None:
    at = world()
    at.bad = True
    at.run(3_000)
    at.bad = False
    assert at.events() == ["rollback", "rollback_confirmed"]
    cooled = at.at("rollback_confirmed")
    for seconds, clock, by_ms in events:
        at.run(seconds * 1000)
        set_clock(at, clock, by_ms)
    at.run(COOL_S * 1000 + 2_000)
    assert at.at("retry") - cooled >= COOL_S * 1000
    assert set(at.events()) <= {"rollback", "rollback_confirmed", "retry"}  # no unexpected traffic, no hold


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(CLOCKS, JUMPS, st.booleans(), st.integers(0, 8))
def test_a_guard_sees_a_failure_at_once_after_a_clock_was_set(
    clock: str, by_ms: int, takeover: bool, ticks: int
) -> None:
    at = world()
    at.run(12_000)
    set_clock(at, clock, by_ms)
    if takeover:
        at.take_over("host" if "and" in clock else "another host")
    at.run(ticks * 250)
    at.bad = True
    assert "rollback" in at.run(1_000)


@pytest.mark.parametrize("clock", ["wall", "redis", "wall and redis"])
@pytest.mark.parametrize("by_ms", [-HOUR, 2 * HOUR])
def test_a_rollback_after_a_clock_was_set_is_confirmed_and_no_traffic_is_unexpected(clock: str, by_ms: int) -> None:
    at = world()
    at.run(2_000)
    set_clock(at, clock, by_ms)
    at.bad = True
    at.run(2_000)
    at.bad = False
    at.run(25_000)
    assert at.events() == ["rollback", "rollback_confirmed"]
    assert not at.chat.state.ramp.share_unknown


def test_people_see_the_unix_times_of_redis_clock_also_after_it_was_set() -> None:
    at = world()
    began = baking_since(at)
    at.redis += 2 * HOUR
    at.run(5_000)
    status = status_of(at.chat.state, "me")
    assert status.updated_at_ms == BEGAN_MS + at.true_ms + 2 * HOUR
    assert status.updated_at_ms - status.since_ms == at.true_ms - began
    assert status.bake_until_ms == status.since_ms + HOLD_S * 1000
    at.bad = True
    at.run(1_000)
    (rollback,) = (decision for _, decision in at.decisions if decision.event == "rollback")
    assert rollback.at_ms == BEGAN_MS + at.at("rollback") + 2 * HOUR

"""Steady time under clocks that are set: it never goes back, and never runs ahead of the time that has passed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.errors import InputError
from scorer.steering.workload.steady_time import ClockReadings, SteadyTime

HOUR = 3_600_000
READ = ClockReadings(monotonic_ms=5_000, boot="a", wall_ms=9 * HOUR, redis_ms=9 * HOUR + 20)
WRITTEN = SteadyTime(8 * HOUR, READ)
JUMPS = st.sampled_from([-24 * HOUR, -HOUR, -1_500, 0, 0, 1_500, 2 * HOUR, 365 * 24 * HOUR])


def after(passed_ms: int, *, wall: int = 0, redis: int = 0, boot: str = "a") -> ClockReadings:
    """Return the readings ``passed_ms`` after READ.

    ``wall``, ``redis``: the change of that clock by a person or NTP, in milliseconds.
    """
    monotonic = READ.monotonic_ms + passed_ms if boot == READ.boot else 77
    return ClockReadings(monotonic, boot, READ.wall_ms + passed_ms + wall, READ.redis_ms + passed_ms + redis)


@given(st.integers(0, 10 * HOUR), JUMPS, JUMPS)
def test_within_a_term_exactly_the_monotonic_time_passes(passed_ms: int, wall: int, redis: int) -> None:
    assert WRITTEN.later_in_term(after(passed_ms, wall=wall, redis=redis)).ms == WRITTEN.ms + passed_ms


@given(st.integers(0, 10 * HOUR), JUMPS, JUMPS)
def test_a_takeover_on_the_same_host_never_passes_more_than_the_monotonic_time(
    passed_ms: int, wall: int, redis: int
) -> None:
    took = WRITTEN.at_takeover(after(passed_ms, wall=wall, redis=redis)).ms - WRITTEN.ms
    assert took == max(min(passed_ms, passed_ms + wall, passed_ms + redis), 0)


@given(st.integers(0, 10 * HOUR), JUMPS, st.booleans())
def test_a_takeover_on_another_host_never_passes_more_than_the_time_if_one_clock_was_not_set(
    passed_ms: int, by_ms: int, of_redis: bool
) -> None:
    clocks = after(passed_ms, boot="b", redis=by_ms) if of_redis else after(passed_ms, boot="b", wall=by_ms)
    took = WRITTEN.at_takeover(clocks).ms - WRITTEN.ms
    assert took == max(min(passed_ms, passed_ms + by_ms), 0)


@given(st.lists(st.tuples(st.integers(0, HOUR), JUMPS, JUMPS, st.booleans()), max_size=20))
def test_over_many_terms_steady_time_never_goes_back_or_runs_ahead(events: list[tuple[int, int, int, bool]]) -> None:
    """An event: the time that passes and the changes of both clocks, in ms, and whether the leader changes."""
    now, true_ms, wall, redis = WRITTEN, 0, 0, 0
    for passed_ms, wall_by, redis_by, takeover in events:
        true_ms, wall, redis = true_ms + passed_ms, wall + wall_by, redis + redis_by
        clocks = after(true_ms, wall=wall, redis=redis)
        later = now.at_takeover(clocks) if takeover else now.later_in_term(clocks)
        assert now.ms <= later.ms <= now.ms + passed_ms
        now = later


@given(st.integers(-(10**14), 10**14), st.integers(0, 10**14))
def test_a_time_of_redis_is_never_read_as_later_than_now_or_as_earlier_than_its_bound(redis: int, bound: int) -> None:
    found = WRITTEN.steady_ms(redis, after_ms=min(bound, WRITTEN.ms))
    assert min(bound, WRITTEN.ms) <= found <= WRITTEN.ms
    if bound <= redis - WRITTEN.redis_ahead_ms <= WRITTEN.ms:
        assert WRITTEN.unix_ms(found) == redis


def test_what_is_stored_is_read_again() -> None:
    assert SteadyTime.from_json(json.loads(json.dumps(WRITTEN.to_json()))) == WRITTEN


@pytest.mark.parametrize("change", [{"ms": "soon"}, {"boots": 2}, {"redis_ms": None}])
def test_a_stored_moment_that_is_none_is_an_error(change: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, InputError)):
        SteadyTime.from_json({**WRITTEN.to_json(), **change})


def test_people_see_the_time_of_redis_clock_as_it_is_set_now() -> None:
    late = replace(WRITTEN, clocks=after(0, redis=2 * HOUR))
    assert late.unix_ms(late.ms) == READ.redis_ms + 2 * HOUR
    assert late.scorer_ahead_ms == -20 - 2 * HOUR

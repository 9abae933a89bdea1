"""Periods of work are equally long for every workload, and begin at different moments."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from scorer.steering.staggering import period_began, period_index

NAMES = [f"w{i:03}" for i in range(200)]


@given(st.text(max_size=20), st.integers(0, 2**45), st.integers(1, 10_000))
def test_a_period_lasts_exactly_as_long_as_it_should(name: str, now_ms: int, every_ms: int) -> None:
    assert period_index(name, now_ms + every_ms, every_ms) == period_index(name, now_ms, every_ms) + 1
    assert 0 <= period_index(name, now_ms + 1, every_ms) - period_index(name, now_ms, every_ms) <= 1


def test_periods_of_many_names_begin_at_different_ticks() -> None:
    for every_ms, ticks in ((500, 2), (1000, 4), (5000, 20)):
        due = Counter(
            tick
            for n in NAMES
            for tick in range(ticks)
            if period_index(n, tick * 250, every_ms) < period_index(n, (tick + 1) * 250, every_ms)
        )
        assert sum(due.values()) == len(NAMES)
        assert max(due.values()) < 1.3 * len(NAMES) / ticks + 10


def test_two_kinds_of_work_of_one_name_rarely_coincide() -> None:
    meet = sum(
        period_index(n, 250, 1000) > period_index(n, 0, 1000) and period_index(n, 250, 500) > period_index(n, 0, 500)
        for n in NAMES
    )
    assert meet < 40


@given(st.text(max_size=20), st.integers(0, 2**45), st.integers(1, 50))
def test_in_every_period_exactly_one_millisecond_begins_a_period(name: str, now_ms: int, every_ms: int) -> None:
    times = range(now_ms, now_ms + every_ms)
    assert sum(period_began(name, at_ms, at_ms + 1, every_ms) for at_ms in times) == 1
    assert period_began(name, now_ms, now_ms + every_ms, every_ms)
    assert not period_began(name, now_ms + every_ms, now_ms, every_ms)

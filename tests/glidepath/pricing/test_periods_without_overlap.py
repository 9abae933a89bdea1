"""Periods of several lengths as one series."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from glidepath.history import HistoryPoint
from glidepath.pricing.periods_without_overlap import end_of, without_overlap

HOUR, FIVE, TEN = 3600, 300, 10


def periods(seconds: int, first_s: int, last_s: int) -> list[HistoryPoint]:
    """Return all whole periods from one time to another, in seconds."""
    begin = -(-first_s // seconds) * seconds
    return [HistoryPoint(at * 1000, seconds) for at in range(begin, last_s - seconds + 1, seconds)]


def test_short_periods_come_before_the_first_long_one_and_after_the_last() -> None:
    found = without_overlap(
        [periods(HOUR, HOUR, 3 * HOUR), periods(FIVE, 0, 3 * HOUR + 700), periods(TEN, 0, 3 * HOUR + 725)]
    )
    lengths = [point.seconds for point in found]
    assert lengths == [FIVE] * 12 + [HOUR] * 2 + [FIVE] * 2 + [TEN] * 12


def test_the_first_period_begins_when_shorter_ones_show_that_the_traffic_began() -> None:
    recorded = [periods(HOUR, 0, HOUR), periods(FIVE, HOUR - FIVE, HOUR), periods(TEN, HOUR - 30, HOUR)]
    assert [point.seconds for point in without_overlap(recorded)] == [TEN] * 3


def test_short_periods_that_are_forgotten_leave_the_long_one() -> None:
    found = without_overlap([periods(HOUR, 0, 2 * HOUR), periods(FIVE, 2 * HOUR - 600, 2 * HOUR)])
    assert [point.seconds for point in found] == [HOUR, HOUR]


@given(st.integers(0, 5000), st.integers(0, 20_000), st.integers(0, 20_000))
def test_the_periods_never_overlap(first: int, length: int, forgotten: int) -> None:
    last = first + length
    levels = [periods(HOUR, first, last), periods(FIVE, first, last), periods(TEN, max(first, last - forgotten), last)]
    found = without_overlap(levels)
    assert all(end_of(one) <= two.at_ms for one, two in itertools.pairwise(found))

"""Recognition of repeated flushes."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from scorer.steering.workload.flush_deduplication import MAX_SOURCES, WINDOW, SeenFlushes


def added(seen: SeenFlushes, *numbers: int, source: str = "x") -> tuple[SeenFlushes, list[bool]]:
    new = []
    for number in numbers:
        seen, is_new = seen.add(source, number)
        new.append(is_new)
    return seen, new


@given(st.lists(st.integers(0, 40), max_size=80))
def test_no_flush_counts_twice_whatever_the_order(numbers: list[int]) -> None:
    _, new = added(SeenFlushes(), *numbers)
    counted = [number for number, is_new in zip(numbers, new, strict=True) if is_new]
    assert len(counted) == len(set(counted))


@given(st.permutations(range(WINDOW)))
def test_flushes_that_overtake_each_other_within_the_window_all_count(numbers: list[int]) -> None:
    assert all(added(SeenFlushes(), *numbers)[1])


def test_a_repeat_from_before_the_window_is_recognised() -> None:
    assert added(SeenFlushes(), *range(100), 3, 99)[1][-2:] == [False, False]


def test_the_number_of_sources_is_bounded_and_the_one_that_was_silent_longest_goes_first() -> None:
    seen = SeenFlushes()
    for source in range(MAX_SOURCES):
        seen, _ = seen.add(f"s{source}", 1)
    seen, _ = seen.add("s0", 2)
    seen, _ = seen.add("new", 1)
    assert len(seen.numbers) == MAX_SOURCES
    assert "s0" in seen.numbers
    assert "s1" not in seen.numbers


def test_the_record_of_seen_flushes_can_be_restored_from_json() -> None:
    seen, _ = added(SeenFlushes(), 5, 3, 9)
    again = SeenFlushes.from_json(json.loads(json.dumps(seen.to_json())))
    assert again == seen
    assert added(again, 3, 4)[1] == [False, True]

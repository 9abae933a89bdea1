"""An Envoy whose logged requests do not arrive is blind. An Envoy without requests is idle."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scorer.steering.envoy.envoy_counters import Answered
from scorer.steering.workload.missing_outcomes import BLIND_S, SEEING, Blindness, LogArrivals, blind_envoys


def test_an_envoy_without_requests_is_never_blind() -> None:
    log_arrivals = LogArrivals()
    for second in range(100):
        log_arrivals = log_arrivals.after(7, Answered(1, 3), second, arrived=False)
    assert log_arrivals.missing_s(100) == 0


def test_entries_of_another_access_log_are_not_missed_while_no_workload_gets_requests() -> None:
    log_arrivals = LogArrivals()
    for second in range(100):
        log_arrivals = log_arrivals.after(second, Answered(1, 3), second, arrived=False)
    assert log_arrivals.missing_s(100) == 0


def test_other_counters_than_before_say_nothing_about_new_requests() -> None:
    log_arrivals = LogArrivals().after(7, Answered(1, 3), 0, arrived=False).after(8, Answered(2, 900), 1, arrived=False)
    assert log_arrivals.missing_s(60) == 0
    assert log_arrivals.after(9, Answered(2, 901), 61, arrived=False).missing_s(62) == 1


def test_a_stream_whose_answer_began_long_ago_is_missed_when_it_ends() -> None:
    log_arrivals = LogArrivals().after(7, Answered(1, 3), 0, arrived=False).after(7, Answered(1, 4), 1, arrived=False)
    assert log_arrivals.missing_s(60) == 0
    assert log_arrivals.after(8, Answered(1, 4), 61, arrived=False).missing_s(62) == 1


def test_requests_that_were_logged_before_the_first_reading_are_not_missed() -> None:
    log_arrivals = (
        LogArrivals()
        .after(10_000, Answered(1, 900), 1, arrived=False)
        .after(10_000, Answered(1, 900), 60, arrived=False)
    )
    assert log_arrivals.missing_s(60) == 0


def test_an_envoy_whose_requests_do_not_arrive_is_blind_after_the_limit() -> None:
    log_arrivals = LogArrivals().after(7, Answered(1, 3), 0, arrived=False).after(8, Answered(1, 4), 1, arrived=False)
    assert blind_envoys({"a": log_arrivals}, 1 + BLIND_S - 0.1) == ()
    assert blind_envoys({"a": log_arrivals}, 1 + BLIND_S) == ("a",)


def test_outcomes_that_arrive_end_blindness_at_once() -> None:
    log_arrivals = LogArrivals().after(7, Answered(1, 3), 0, arrived=False).after(8, Answered(1, 4), 1, arrived=False)
    assert log_arrivals.after(9, Answered(1, 5), 9, arrived=True).missing_s(9) == 0


def test_a_reading_that_fails_changes_nothing() -> None:
    log_arrivals = LogArrivals().after(7, Answered(1, 3), 0, arrived=False).after(8, Answered(1, 4), 1, arrived=False)
    assert log_arrivals.after(None, Answered(1, 4), 2, arrived=False) == log_arrivals


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=40))
def test_silence_lasts_since_the_first_entry_that_nothing_followed(readings: list[tuple[int, bool]]) -> None:
    log_arrivals, logged, first = LogArrivals().after(0, Answered(1, 0), 0, arrived=False), 0, None
    for number, (more, arrived) in enumerate(readings, 1):
        logged += more
        log_arrivals = log_arrivals.after(logged, Answered(1, logged), number, arrived=arrived)
        first = None if arrived else number if first is None and more else first
        assert log_arrivals.missing_s(number) == (0 if first is None else number - first)


def test_the_text_of_blindness_says_where_and_what_the_counters_show() -> None:
    assert not SEEING
    assert SEEING.describe() == ""
    assert not Blindness(no_counters="no counters")
    blind = Blindness(("a",), "no outcome of a arrives", "9 of 9 failed")
    assert blind.describe() == "blind: no outcome of a arrives; 9 of 9 failed"

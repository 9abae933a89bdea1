"""The periods in which the candidate had requests, and its idle times."""

from __future__ import annotations

from scorer.steering.candidate_activity import NO_ACTIVITY, CandidateActivity

HOUR = 3_600_000


def test_a_period_begins_with_the_first_request_after_an_idle_time() -> None:
    busy = NO_ACTIVITY.after(1000, HOUR).after(HOUR, HOUR)
    assert busy == CandidateActivity(0, HOUR)  # no idle time is known
    assert busy.after(2 * HOUR - 1, HOUR) == CandidateActivity(0, 2 * HOUR - 1)
    assert busy.after(2 * HOUR, HOUR).after(2 * HOUR + 5, HOUR) == CandidateActivity(2 * HOUR, 2 * HOUR + 5)
    assert busy.after(9 * HOUR, 0) == CandidateActivity(0, 9 * HOUR)


def test_a_request_that_arrives_late_does_not_set_the_time_back() -> None:
    assert CandidateActivity(5, 100).after(40, 50) == CandidateActivity(5, 100)


def test_the_idle_time_lasts_from_the_latest_request() -> None:
    busy = CandidateActivity(0, HOUR)
    assert (busy.idle_for(2 * HOUR - 1, HOUR), busy.idle_for(3 * HOUR, HOUR), busy.idle_for(3 * HOUR, 0)) == (
        0,
        2 * HOUR,
        0,
    )
    assert NO_ACTIVITY.idle_for(9 * HOUR, HOUR) == 0

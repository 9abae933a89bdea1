"""The counter guard fails a bad candidate soon, and a good one rarely."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.status_and_decisions import Phase
from scorer.steering.envoy.envoy_counters import NONE, SideCounts
from scorer.steering.workload.counter_guard import ALPHA, FEWEST, CounterGuardState, counter_guard_verdict
from scorer.steering.workload.missing_outcomes import NO_REPORT, CounterReport
from tests.support.ramp_ticks import at

COUNTS = st.builds(lambda n, f: SideCounts(n, min(n, f)), st.integers(0, 50), st.integers(0, 50))


def test_the_guard_fails_after_nine_failures_in_a_row_whatever_was_before() -> None:
    state = CounterGuardState().after(SideCounts(100_000, 1000), SideCounts(100_000, 1000))
    for _ in range(8):
        state = state.after(SideCounts(1, 1), SideCounts(1, 0))
    assert not state.fails_candidate
    assert state.after(SideCounts(1, 1), SideCounts(1, 0)).fails_candidate


def test_the_guard_does_not_fail_for_failures_that_the_baseline_has_too() -> None:
    state = CounterGuardState()
    for _ in range(200):
        state = state.after(SideCounts(10, 10), SideCounts(10, 6))
    assert not state.fails_candidate


def test_outcomes_that_arrive_end_the_evidence() -> None:
    state = CounterGuardState().after(SideCounts(20, 20), NONE)
    assert state.fails_candidate
    assert not state.after_arrival().fails_candidate
    assert state.after_arrival().seen == NONE


@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_at_an_allowed_rate_the_guard_hardly_ever_fails(rate: float) -> None:
    rng, convicted, state = random.Random(1), 0, CounterGuardState()
    for _ in range(20_000):
        state = state.after(SideCounts(1, int(rng.random() < rate)), SideCounts(1, 0))
        if state.fails_candidate:
            convicted, state = convicted + 1, CounterGuardState()
    assert convicted <= 20_000 * ALPHA * 20  # the mean time between two is at least 1 / ALPHA requests


@given(st.lists(st.tuples(COUNTS, COUNTS), max_size=30))
def test_evidence_is_never_negative_and_never_counts_more_failures_than_requests(
    polls: list[tuple[SideCounts, SideCounts]],
) -> None:
    state = CounterGuardState()
    for candidate, baseline in polls:
        state = state.after(candidate, baseline)
        assert state.log_e >= 0
        assert state.seen.failures <= state.seen.requests
        assert 0 <= state.baseline_rate <= 1
        assert not state.fails_candidate or state.seen.failures >= FEWEST


def test_the_verdict_is_that_of_a_fast_guard_and_exists_only_for_a_candidate_with_a_share() -> None:
    report = CounterReport(failure="9 of 9 failed", requests=9, failures=9)
    (verdict,) = counter_guard_verdict(report, at(Phase.BAKING, 50))
    assert (verdict.gate, verdict.outcome, verdict.fast, verdict.rolls_back) == ("counter_guard", "fail", True, True)
    assert counter_guard_verdict(report, at(Phase.SHADOW, 0)) == ()
    assert counter_guard_verdict(NO_REPORT, at(Phase.BAKING, 50)) == ()
    assert counter_guard_verdict(report, replace(at(Phase.HELD, 0), state_lost=True))

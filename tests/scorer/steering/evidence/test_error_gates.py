"""Error gates: valid at their limits, even with drift and sudden changes of the split; fast when everything fails."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import error_cases, false_decision_tables, simulated_runs
from bench.simulated_runs import ALPHA, AT, upper_limit
from scorer.steering.evidence.error_rate_tests import IncreaseTest, RateTest, RatioGuard, project
from scorer.steering.evidence.gate_observations import RequestCounts, RequestsEnded
from scorer.steering.evidence.gate_set import GateSet
from scorer.steering.evidence.recent_rates import CandidateShare
from tests.support.evidence_builders import through_json, workload_of

RUNS = 150
BAD_ANSWER = RequestCounts(c_n=1, c_errors=1)


def observe(gates: GateSet, c_errors: int, c_n: int, b_errors: int, b_n: int, *rescues: int) -> None:
    """``rescues``: how many of the candidate's failed requests the baseline answered, and how many failed there too."""
    gates.observe(RequestsEnded(RequestCounts(c_n, c_errors, 0, b_n, b_errors, *rescues)))


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.001, 0.3),
    st.floats(0.001, 0.6),
    st.integers(1, 30),
    st.integers(1, 30),
    st.floats(0, 0.9),
    st.floats(0, 1),
)
def test_a_block_of_the_increase_test_has_an_expectation_of_at_most_one_everywhere_in_its_null(
    d: float, extra: float, c_n: int, b_n: int, p_b: float, part: float
) -> None:
    theta_b, theta_c = 0.02, min(0.02 + d + extra, 0.97)
    null_b = project(theta_c, theta_b, c_n, b_n, d)
    null_c = null_b + d
    p_c = part * min(1.0, p_b + d)  # p_c - p_b ≤ d
    mean_c = p_c * theta_c / null_c + (1 - p_c) * (1 - theta_c) / (1 - null_c)
    mean_b = p_b * theta_b / null_b + (1 - p_b) * (1 - theta_b) / (1 - null_b)
    assert c_n * math.log(mean_c) + b_n * math.log(mean_b) <= 1e-7


@pytest.mark.slow
@pytest.mark.parametrize(
    ("traffic", "limit"),
    [
        (error_cases.steady(0.25, 0.015, 0.01), 0.005),
        (error_cases.steady(0.5, 0.25, 0.2), 0.05),
        (false_decision_tables.DRIFT, 0.005),
        (false_decision_tables.JUMPING, 0.005),
    ],
    ids=["rare", "frequent", "common drift and outage", "jumping split"],
)
def test_false_decisions_of_the_increase_test_stay_below_alpha_at_the_boundary(
    traffic: error_cases.ErrorTraffic, limit: float
) -> None:
    runs = error_cases.increase(RUNS, 1, traffic, limit=limit, blocks=80)
    assert runs.fail_rate <= upper_limit(RUNS)
    assert runs.pass_rate <= upper_limit(RUNS)


@pytest.mark.slow
def test_the_increase_test_sees_an_increase_and_proves_its_absence() -> None:
    worse = error_cases.increase(30, 2, error_cases.steady(0.1, 0.03, 0.005), limit=0.005, blocks=600)
    equal = error_cases.increase(30, 3, error_cases.steady(0.1, 0.001, 0.001), limit=0.005, blocks=600)
    assert np.median(worse.fail) < 600
    assert np.median(equal.passed) < 1200


@pytest.mark.parametrize("base_errors", [0, 10_000], ids=["never an error", "all fail"])
def test_the_increase_test_still_works_after_a_baseline_that_always_or_never_failed(base_errors: int) -> None:
    """The baseline's recent rate reaches 0 or 1 in floating point, where the logarithm of a bet does not exist."""
    test = IncreaseTest(0.005)
    for _ in range(600):
        test.update(base_errors // 20, 500, base_errors, 10_000)
    for _ in range(200):
        test.update(100, 500, 0, 10_000)
    assert test.log_fail > 20


def test_a_common_outage_at_a_large_share_does_not_keep_an_equal_candidate_from_passing() -> None:
    """Most of the candidate's requests fall into the outage, most of the baseline's do not."""
    gates, rng = GateSet(workload_of("    gates: {errors: {max_increase: 1%}}\n"), None, 0.1), np.random.default_rng(6)
    for k in range(600):
        share, rate = (0.6, 0.3) if 300 <= k < 320 else (0.1, 0.002)
        own = int(rng.binomial(100, share))
        observe(gates, int(rng.binomial(own, rate)), own, int(rng.binomial(100 - own, rate)), 100 - own)
        gates.close_block()
    verdict = next(v for v in gates.verdicts({}) if v.gate == "errors")
    assert verdict.outcome == "pass"
    assert abs(verdict.value or 1) < 0.01
    assert "at the same times" in verdict.message


@pytest.mark.slow
def test_false_decisions_of_the_rate_test_stay_below_alpha_at_the_boundary() -> None:
    runs = error_cases.rate(RUNS, 4, 0.02, n=1000)
    assert runs.fail_rate <= upper_limit(RUNS)
    assert runs.pass_rate <= upper_limit(RUNS)


def test_a_rate_a_tenth_above_the_limit_is_detected() -> None:
    """With the nearest alternative at 1.28 times the limit, the test would lose every bet and never decide."""
    test = RateTest(0.02)
    for _ in range(3000):
        test.update(1, 45)  # 2.2 %
    assert test.log_fail > math.log(100)


def test_a_better_rate_than_the_limit_is_never_evidence_against_the_candidate() -> None:
    test = RateTest(0.05)
    for _ in range(3000):
        test.update(0, 1)
    assert test.log_fail < 0
    assert test.log_pass > AT


def test_a_flush_counts_as_its_requests_would_one_by_one_for_promotion() -> None:
    one_by_one, at_once = RateTest(0.05), RateTest(0.05)
    for error in (0, 0, 1, 0, 0):
        one_by_one.update(error, 1)
    at_once.update(1, 5)
    assert at_once.log_pass == pytest.approx(one_by_one.log_pass)


@pytest.mark.slow
@pytest.mark.parametrize(
    "traffic",
    [
        error_cases.steady(0.25, 0.02, 0.01),
        false_decision_tables.FAST_JUMPING,
        false_decision_tables.outage(0.25, 0.5),
        false_decision_tables.outage(0.25, 1.0),
    ],
    ids=["ratio at its limit", "jumping split", "half an outage of both", "an outage of both"],
)
def test_false_alarms_of_the_fast_guard_stay_below_alpha(traffic: error_cases.ErrorTraffic) -> None:
    runs = 100
    assert error_cases.fast_false_alarms(runs, 5, traffic, n=1400) <= upper_limit(runs)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.75, 0.9, 1.0])
@pytest.mark.parametrize("healthy", [0, 40, 5000])
def test_when_every_request_fails_the_guard_fires_within_ten_bad_answers(share: float, healthy: int) -> None:
    runs = 2 if healthy > 1000 else 20
    assert error_cases.bad_answers(runs, 6, share, healthy=healthy, baseline_rate=0.0).max() <= 10
    assert np.quantile(error_cases.bad_answers(runs, 7, share, healthy=healthy, baseline_rate=0.01), 0.9) <= 10


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
@pytest.mark.parametrize(("failing", "most"), [(0.02, 20), (0.1, 20), (0.5, 9)])
def test_a_candidate_that_breaks_some_of_its_answers_is_rolled_back(share: float, failing: float, most: int) -> None:
    assert np.median(error_cases.failed_answers(8, 8, share, failing)) <= most


@pytest.mark.parametrize("share", [0.99, 1.0])
def test_one_failure_of_a_baseline_with_few_requests_does_not_excuse_a_broken_candidate(share: float) -> None:
    gates = GateSet(workload_of(), None, share)
    for _ in range(100):
        observe(gates, 0, 10, 0, 1)
    observe(gates, 0, 0, 1, 1)
    bad = 0
    while not gates.fast.failed:
        observe(gates, 1, 1, 0, 0)
        bad += 1
        assert bad <= 30


def test_old_failures_of_a_baseline_without_requests_do_not_excuse_a_broken_candidate() -> None:
    gates = GateSet(workload_of(), None, 0.9)
    for _ in range(100):
        observe(gates, 0, 9, 0, 1)
    observe(gates, 2, 2, 2, 2)
    bad = 0
    while not gates.fast.failed:
        observe(gates, 1, 1, 0, 0)
        bad += 1
        assert bad <= 60


@pytest.mark.slow
@pytest.mark.parametrize(("share", "most"), [(0.5, 0.02), (0.75, 0.12), (0.9, 0.5)])
def test_a_shared_outage_rarely_fires_the_guard_where_the_baseline_has_enough_requests(
    share: float, most: float
) -> None:
    alpha = simulated_runs.DEFAULT_FAST_ALPHA
    assert error_cases.fast_false_alarms(120, 8, false_decision_tables.outage(share, 1.0), n=1400, alpha=alpha) <= most


@pytest.mark.parametrize("share", [0.75, 0.9, 0.95])
def test_the_guard_waits_for_an_answer_of_the_baseline_until_the_tenth_bad_answer(share: float) -> None:
    for answered, expected in ((False, 10), (True, 8)):
        guard = error_cases.FastGuard(simulated_runs.DEFAULT_FAST_ALPHA, share)
        for _ in range(50):
            guard.add(RequestCounts(c_n=9, b_n=1))
        for bad in range(1, 12):
            guard.add(BAD_ANSWER)
            if answered and bad == 8:
                guard.add(RequestCounts(b_n=1))
            if guard.failed:
                break
        assert bad == expected


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 0.9, 0.95, 1.0])
def test_with_fallback_a_shared_outage_never_fires_the_guard(share: float) -> None:
    alpha, runs = simulated_runs.DEFAULT_FAST_ALPHA, 25
    assert (
        error_cases.fast_false_alarms(
            runs, 8, false_decision_tables.outage(share, 1.0), n=1400, alpha=alpha, fallback=True
        )
        == 0
    )


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.75, 0.9, 0.95])
def test_with_fallback_a_partial_shared_outage_fires_the_guard_less_often(share: float) -> None:
    alpha, runs = simulated_runs.DEFAULT_FAST_ALPHA, 50
    with_it, without = (
        error_cases.fast_false_alarms(
            runs, 8, false_decision_tables.outage(share, 0.6), n=1400, alpha=alpha, fallback=fallback
        )
        for fallback in (True, False)
    )
    assert with_it < without
    assert with_it <= 0.25


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 0.9, 0.95, 1.0])
def test_with_fallback_a_broken_candidate_needs_no_more_bad_answers(share: float) -> None:
    for healthy in (0, 1000):
        assert error_cases.bad_answers(20, 6, share, healthy=healthy, baseline_rate=0.0, fallback=True).max() <= 7
        assert (
            np.quantile(error_cases.bad_answers(20, 7, share, healthy=healthy, baseline_rate=0.01, fallback=True), 0.9)
            <= 10
        )


def bad_answers_at_95_percent(answer: RequestCounts) -> int:
    """Return after how many of these bad answers the fast guard fails at a share of 95 %; 0 if 99 are too few."""
    guard = error_cases.FastGuard(simulated_runs.DEFAULT_FAST_ALPHA, 0.95)
    for _ in range(50):
        guard.add(RequestCounts(c_n=19, b_n=1))
    for number in range(1, 100):
        guard.add(answer)
        if guard.failed:
            return number
    return 0


def test_an_answered_rescue_shows_that_the_baseline_works_so_the_guard_does_not_wait() -> None:
    assert bad_answers_at_95_percent(BAD_ANSWER) == 10  # without fallback there is no rescue
    assert bad_answers_at_95_percent(replace(BAD_ANSWER, rescued=1)) < 10
    assert bad_answers_at_95_percent(replace(BAD_ANSWER, rescues_failed=1)) == 0


def test_requests_that_both_sides_fail_do_not_excuse_a_broken_candidate() -> None:
    """One rescue in ten fails: some requests fail on both sides."""
    guard = error_cases.FastGuard(simulated_runs.DEFAULT_FAST_ALPHA, 0.9)
    for _ in range(50):
        guard.add(RequestCounts(c_n=9, b_n=1))
    for bad in range(30):
        guard.add(replace(BAD_ANSWER, rescues_failed=1) if bad % 10 == 4 else replace(BAD_ANSWER, rescued=1))
        if guard.failed:
            break
    assert bad < 10


def test_failed_rescues_excuse_the_candidate_only_while_they_are_recent() -> None:
    """First, both sides fail. Then the baseline answers rescues again, so only the candidate still fails."""
    guard = error_cases.FastGuard(simulated_runs.DEFAULT_FAST_ALPHA, 0.95)
    for _ in range(30):
        guard.add(replace(BAD_ANSWER, rescues_failed=1))
    assert not guard.failed
    bad = 0
    while not guard.failed:
        guard.add(replace(BAD_ANSWER, rescued=1))
        bad += 1
        assert bad <= 60


def test_where_users_are_assigned_at_random_rescues_change_the_fast_guards_and_no_other_gate() -> None:
    text = "    sticky: {random: true}\n    gates: {errors: {max_increase: 1%, max_rate: 50%}}\n"
    with_rescues, without = GateSet(workload_of(text), 75, 0.75), GateSet(workload_of(text), 75, 0.75)
    rng = np.random.default_rng(4)
    for _ in range(200):
        own, errors, base = 15, int(rng.binomial(15, 0.1)), int(rng.binomial(5, 0.1))
        observe(with_rescues, errors, own, base, 5, errors - errors // 2, errors // 2)
        observe(without, errors, own, base, 5)
        assert with_rescues.close_block() == without.close_block()
    one, other = ({v.gate: v for v in gates.verdicts({}) if not v.fast} for gates in (with_rescues, without))
    assert {"errors", "errors_rate", "split"} <= one.keys()
    assert one == other


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_much_higher_error_rate_fires_the_guard_though_most_requests_succeed(share: float) -> None:
    alpha = simulated_runs.DEFAULT_FAST_ALPHA
    worse = error_cases.steady(share, 0.15, 0.003)
    assert error_cases.fast_false_alarms(20, 9, worse, n=4000, alpha=alpha) == 1


def test_a_failed_fast_guard_that_was_stored_goes_on() -> None:
    old, new = error_cases.FastGuard(0.01, 0.5), error_cases.FastGuard(0.01, 0.5)
    for _ in range(20):
        old.add(RequestCounts(c_n=1, c_errors=1, b_n=1))
    assert old.failed
    new.gate.restore(through_json(old.gate.state))
    assert new.failed
    assert new.gate.state == old.gate.state


def test_four_errors_never_fire_the_fast_guard_however_small_the_share() -> None:
    guard = error_cases.FastGuard(ALPHA, 0.001)
    for _ in range(4):
        guard.add(BAD_ANSWER)
    assert not guard.failed


def test_errors_of_the_baseline_alone_are_evidence_for_the_candidate() -> None:
    guard = RatioGuard(2.0)
    for _ in range(50):
        guard.add(0, 1, 0.5)
    assert guard.log_e < 0


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 400)), max_size=30))
def test_the_share_stays_within_its_bounds(flushes: list[tuple[int, int]]) -> None:
    share = CandidateShare.from_prior(0.1, 20)
    for c_n, b_n in flushes:
        share = share.after(c_n, b_n)
        assert 1e-3 <= share.value <= 0.999


def test_the_share_follows_a_jump_upward_within_tens_of_requests() -> None:
    share = CandidateShare.from_prior(0.05, 200)
    for i in range(2000):
        share = share.after(int(i % 20 == 0), int(i % 20 != 0))
    for i in range(60):
        share = share.after(i % 2, 1 - i % 2)
    assert share.value > 0.35


def test_evidence_of_increase_can_be_restored_from_json() -> None:
    test, twin = IncreaseTest(0.01), IncreaseTest(0.01)
    test.update(3, 40, 1, 100)
    twin.restore(through_json(test.state))
    test.update(5, 40, 1, 100)
    twin.update(5, 40, 1, 100)
    assert (twin.log_fail, twin.log_pass) == (test.log_fail, test.log_pass)

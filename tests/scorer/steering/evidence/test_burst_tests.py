"""Tests of error rates that hold for errors in bursts: valid for any dependence within a burst, and with memory."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.simulated_runs import AT, upper_limit
from scorer.steering.evidence.burst_tests import CLUSTER, BurstTests, come_in_bursts
from scorer.steering.evidence.error_rate_tests import IncreaseTest, RateTest
from tests.support.evidence_builders import through_json

Blocks = list[tuple[int, int, int, int]]  # errors and requests of the candidate, then of the baseline


def dependent_blocks(seed: int, own: float, base: float, n: int = 400) -> Blocks:
    """Return blocks of 10 causes at the candidate and 20 at the baseline. A cause is 5 requests: all fail, or none."""
    rng = np.random.default_rng(seed)
    candidate, baseline = 5 * rng.binomial(10, own, n), 5 * rng.binomial(20, base, n)
    return [(c, 50, b, 100) for c, b in zip(candidate.tolist(), baseline.tolist(), strict=True)]


def decisions(test: IncreaseTest, blocks: Blocks) -> tuple[bool, bool]:
    failed = passed = False
    for block in blocks:
        test.update(*block)
        failed, passed = failed or test.log_fail >= AT, passed or test.log_pass >= AT
    return failed, passed


def clustered() -> IncreaseTest:
    return IncreaseTest(0.02).with_clusters(CLUSTER)


@pytest.mark.slow
def test_at_the_boundary_dependent_requests_decide_falsely_no_more_often_than_alpha() -> None:
    runs = 100
    found = np.array([decisions(clustered(), dependent_blocks(seed, 0.03, 0.01)) for seed in range(runs)])
    naive = np.array([decisions(IncreaseTest(0.02), dependent_blocks(seed, 0.03, 0.01)) for seed in range(runs)])
    assert found.mean(axis=0).max() <= upper_limit(runs)
    assert naive.mean(axis=0).max() > upper_limit(runs)


def test_a_difference_beyond_the_limit_is_found_and_one_within_it_is_proven() -> None:
    assert decisions(clustered(), dependent_blocks(1, 0.10, 0.01)) == (True, False)
    assert decisions(clustered(), dependent_blocks(2, 0.01, 0.01)) == (False, True)


@pytest.mark.parametrize("test", [IncreaseTest(0.02), RateTest(0.02)])
def test_without_a_burst_the_first_test_alone_decides(test: IncreaseTest | RateTest) -> None:
    both, twin = BurstTests(test), type(test)(0.02)
    counts = (1, 40, 0, 60) if isinstance(test, IncreaseTest) else (1, 40)
    for _ in range(30):
        both.update(counts, counts)
        twin.update(*counts)
    for in_bursts in (False, True):
        assert both.log_pass(in_bursts=in_bursts) == pytest.approx(twin.log_pass)
    assert both.log_fail == pytest.approx(math.log(0.75 * math.exp(twin.log_fail) + 0.25))


def test_from_the_first_burst_on_all_requests_of_the_step_count_in_favour_but_evidence_against_begins_after_it() -> (
    None
):
    both, whole = BurstTests(IncreaseTest(0.02)), clustered()
    blocks = [((0, 40, 0, 60), (0, 40, 0, 60))] * 20 + [((1, 40, 0, 60), (5, 44, 0, 60))]
    for block in blocks:
        both.update(*block)
        whole.update(*block[1])
    assert both.log_pass(in_bursts=True) == pytest.approx(whole.log_pass)
    assert both.log_pass(in_bursts=False) == both.first.log_pass
    assert both._second is not None
    assert both._second.log_fail == 0


def test_both_tests_can_be_stored_and_continue_alike() -> None:
    both, twin = BurstTests(IncreaseTest(0.02)), BurstTests(IncreaseTest(0.02))
    for k in range(30):
        bursts = 4 * (k % 7 == 3)
        both.update((1, 40, 0, 60), (1 + bursts, 40 + bursts, 0, 60))
    twin.restore(through_json(both.state))
    for one in (both, twin):
        one.update((0, 40, 1, 60), (4, 44, 1, 60))
    assert twin.state == both.state
    with pytest.raises(ValueError, match="a list of 2 values"):
        BurstTests(RateTest(0.02)).restore(both.state)


@pytest.mark.parametrize(
    ("left_out", "errors", "found"),
    [(0, 0, False), (2, 2, False), (3, 4, True), (3, 15, True), (3, 16, False), (30, 400, False)],
)
def test_errors_come_in_bursts_if_many_are_left_out(left_out: int, errors: int, found: bool) -> None:
    assert come_in_bursts(left_out, errors) is found

"""The quality bet: its formulas, its guarantee at the boundary, its power, its published numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench import evidence_cases as cases
from scorer.steering.evidence.betting import MeanTest, Moments

RUNS = 300


def test_the_stake_depends_on_earlier_values_only() -> None:
    moments = Moments()
    two_log = 2 * math.log(20)
    assert moments.stake(two_log) == pytest.approx(math.sqrt(two_log / (0.25 * math.log(2))))
    moments.add(1.0)
    # mu_1 = (1/2 + 1)/2 = 3/4, so the squares are 1/4 + 1/16
    assert moments.stake(two_log) == pytest.approx(math.sqrt(two_log / (0.3125 / 2 * 2 * math.log(3))))


@pytest.mark.slow
def test_at_the_boundary_false_decisions_stay_below_alpha_with_a_look_at_every_pair() -> None:
    runs = cases.quality(RUNS, 1, -0.03, n=1500)
    assert runs.fail_rate <= cases.upper_limit(RUNS)
    assert runs.pass_rate <= cases.upper_limit(RUNS)


def test_the_naive_test_at_the_same_boundary_is_wrong_far_more_often() -> None:
    assert cases.naive(RUNS, 1) > 0.25


@pytest.mark.parametrize(("mean", "reference"), [(0.0, 245), (-0.06, 254), (-0.10, 96)])
def test_power_is_within_1_3_of_the_published_counts(mean: float, reference: int) -> None:
    runs = cases.quality(80, 2, mean, n=1000)
    first = runs.passed if mean == 0 else runs.fail
    assert np.median(first) <= 1.3 * reference


def test_a_late_fall_is_seen_within_a_few_hundred_pairs() -> None:
    rng = np.random.default_rng(3)
    test = MeanTest(0.85, cases.AT, cases.AT)
    for x in np.clip(rng.normal(0.92, 0.1, 5000), 0, 1).tolist():
        test.update(x)
    assert test.log_pass >= cases.AT
    assert test.log_fail < cases.AT
    late = 0
    for x in np.clip(rng.normal(0.70, 0.15, 1000), 0, 1).tolist():
        test.update(x)
        late += 1
        if test.log_fail >= cases.AT:
            break
    assert late < 300


def test_scores_that_never_vary_are_decided_without_dividing_by_zero() -> None:
    test = MeanTest(0.85, cases.AT, cases.AT)
    for _ in range(200):
        test.update(1.0)
    assert test.log_pass >= cases.AT
    for _ in range(1000):
        test.update(0.0)
    assert test.log_fail >= cases.AT
    assert math.isfinite(test.log_pass)

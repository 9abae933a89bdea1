"""The test of a mean by betting: its formulas, its guarantee at the boundary, its power, its published numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import sameness_cases
from bench.simulated_runs import AT, upper_limit
from scorer.steering.evidence.betting import MeanTest

RUNS = 300
FIXED = 155  # pairs of a fixed test with foresight, for a mean of -0.06 and the limit -0.03


@given(st.floats(0.01, 0.99), st.lists(st.floats(0, 1), min_size=2, max_size=6), st.data())
def test_a_bet_on_the_nulls_side_wins_at_most_one_on_average(
    m: float, scores: list[float], data: st.DataObject
) -> None:
    """Averaged over a distribution with the mean m, the evidence of one score is 1. So it is an e-value."""
    weights = data.draw(st.lists(st.floats(0.01, 1), min_size=len(scores), max_size=len(scores)))
    mean = sum(w * x for w, x in zip(weights, scores, strict=True)) / sum(weights)
    shifted = [x * m / mean if mean >= m else 1 - (1 - x) * (1 - m) / (1 - mean) for x in scores]  # within [0, 1]
    for sign in ("log_fail", "log_pass"):
        values = []
        for x in shifted:
            test = MeanTest(m)
            test.update(min(max(x, 0.0), 1.0))
            values.append(math.exp(getattr(test, sign)))
        assert sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights) == pytest.approx(1, abs=1e-6)


@pytest.mark.slow
def test_at_the_boundary_false_decisions_stay_below_alpha_with_a_look_at_every_pair() -> None:
    runs = sameness_cases.quality(RUNS, 1, -0.03, n=1500)
    assert runs.fail_rate <= upper_limit(RUNS)
    assert runs.pass_rate <= upper_limit(RUNS)


def test_the_naive_test_at_the_same_boundary_is_wrong_far_more_often() -> None:
    assert sameness_cases.naive(RUNS, 1) > 0.25


@pytest.mark.slow
@pytest.mark.parametrize(("mean", "most"), [(0.0, 1.3 * 215), (-0.06, 1.2 * FIXED), (-0.10, 1.3 * 85)])
def test_power_is_within_its_limit(mean: float, most: float) -> None:
    runs = sameness_cases.quality(80, 2, mean, n=1000)
    first = runs.passed if mean == 0 else runs.fail
    assert np.median(first) <= most


def test_a_late_fall_is_seen_within_a_few_hundred_pairs() -> None:
    rng = np.random.default_rng(3)
    test = MeanTest(0.85)
    for x in np.clip(rng.normal(0.92, 0.1, 5000), 0, 1).tolist():
        test.update(x)
    assert test.log_pass >= AT
    assert test.log_fail < AT
    late = 0
    for x in np.clip(rng.normal(0.70, 0.15, 1000), 0, 1).tolist():
        test.update(x)
        late += 1
        if test.log_fail >= AT:
            break
    assert late < 300


def test_scores_that_never_vary_are_decided_without_dividing_by_zero() -> None:
    test = MeanTest(0.85)
    for _ in range(200):
        test.update(1.0)
    assert test.log_pass >= AT
    for _ in range(1000):
        test.update(0.0)
    assert test.log_fail >= AT
    assert math.isfinite(test.log_pass)

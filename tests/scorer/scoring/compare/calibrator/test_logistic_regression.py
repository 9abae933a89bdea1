"""Penalised logistic regression: the conditions of the minimum, the prior, and the bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.scoring.compare.calibrator.logistic_regression import Floats, Penalty, fit_logistic, probability

NO_BOUND = np.full(3, np.inf)


def data(seed: int, n: int = 60) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    rows = np.column_stack([rng.normal(size=(n, 2)), np.ones(n)])
    return rows, (rng.random(n) < probability(rows @ np.array([2.0, -1.0, 0.5]))).astype(float)


def gradient(rows: Floats, same: Floats, penalty: Penalty, weights: Floats) -> Floats:
    slope: Floats = rows.T @ (probability(rows @ weights) - same) + penalty.strength * (weights - penalty.prior)
    return slope


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.floats(0.01, 50), st.lists(st.sampled_from([-1, 0, 1]), min_size=3, max_size=3))
def test_no_allowed_step_lowers_the_loss(seed: int, strength: float, signs: list[int]) -> None:
    rows, same = data(seed)
    low = np.array([0.0 if sign > 0 else -np.inf for sign in signs])
    high = np.array([0.0 if sign < 0 else np.inf for sign in signs])
    penalty = Penalty(np.zeros(3), np.full(3, strength), low, high)
    weights = fit_logistic(rows, same, np.ones(len(same)), penalty)
    slope = gradient(rows, same, penalty, weights)
    for weight, one, least, most in zip(weights, slope, low, high, strict=True):
        assert least <= weight <= most
        if least < weight < most:
            assert one == pytest.approx(0, abs=1e-2)
        else:
            assert one >= -1e-2 if weight == least else one <= 1e-2


def test_without_rows_the_prior_is_the_result() -> None:
    prior = np.array([1.0, -2.0, 0.5])
    penalty = Penalty(prior, np.ones(3), -NO_BOUND, NO_BOUND)
    assert np.allclose(fit_logistic(np.empty((0, 3)), np.empty(0), np.empty(0), penalty), prior)


def test_a_strong_penalty_keeps_the_prior_and_a_weak_one_follows_the_rows() -> None:
    rows, same = data(1, 400)
    prior = np.array([-1.0, 1.0, 0.0])
    strong = fit_logistic(rows, same, np.ones(400), Penalty(prior, np.full(3, 1e6), -NO_BOUND, NO_BOUND))
    weak = fit_logistic(rows, same, np.ones(400), Penalty(prior, np.full(3, 1e-6), -NO_BOUND, NO_BOUND))
    assert np.allclose(strong, prior, atol=1e-2)
    assert weak[0] > 1
    assert weak[1] < 0


def test_a_row_that_counts_twice_is_two_rows() -> None:
    rows, same = data(2)
    penalty = Penalty(np.zeros(3), np.ones(3), -NO_BOUND, NO_BOUND)
    twice = fit_logistic(np.vstack([rows, rows[:5]]), np.r_[same, same[:5]], np.ones(65), penalty)
    counted = fit_logistic(rows, same, np.r_[np.full(5, 2.0), np.ones(55)], penalty)
    assert np.allclose(twice, counted, atol=1e-4)


def test_separable_rows_have_finite_weights() -> None:
    rows = np.column_stack([np.r_[-np.ones(20), np.ones(20)], np.zeros(40), np.ones(40)])
    same = np.r_[np.zeros(20), np.ones(20)]
    weights = fit_logistic(rows, same, np.ones(40), Penalty(np.zeros(3), np.full(3, 0.1), -NO_BOUND, NO_BOUND))
    assert np.isfinite(weights).all()
    assert weights[0] > 1

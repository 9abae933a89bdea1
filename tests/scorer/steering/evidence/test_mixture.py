"""Mixtures: their weights add up, their factors are e-values, their restarts detect a late change."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.steering.evidence.mixture import (
    Mixture,
    RateGrid,
    RateGrids,
    RestartingMixture,
    log_add,
    log_sum,
    spend,
)
from tests.support.evidence_builders import through_json


def test_the_weights_of_all_starts_add_up_to_one() -> None:
    first = math.fsum(spend(k) for k in range(1, 200_000))
    rest = 1 / (2.109742802 * math.log(200_000))  # the integral of the tail
    assert first < 1
    assert first + rest == pytest.approx(1, abs=1e-5)


@given(st.floats(-700, 700), st.floats(-700, 700))
def test_log_add_is_the_logarithm_of_a_sum(a: float, b: float) -> None:
    assert log_add(a, b) == pytest.approx(float(np.logaddexp(a, b)), abs=1e-9)
    assert log_sum([a, b]) == pytest.approx(log_add(a, b), abs=1e-9)


def test_logarithms_far_below_what_a_float_can_hold_do_not_underflow() -> None:
    assert log_sum([-1e6, -1e6 - 1]) == pytest.approx(-1e6 + math.log1p(math.exp(-1)))


@given(st.floats(0.001, 0.999), st.floats(0, 1))
def test_a_rate_on_the_nulls_side_has_an_expected_ratio_of_at_most_one(limit: float, part: float) -> None:
    above = RateGrid.around(limit, (0.3, 1.0, 3.0), above=True)
    below = RateGrid.around(limit, (0.3, 1.0, 3.0), above=False)
    for grid, p in ((above, limit * part), (below, limit + (1 - limit) * part)):
        for hit, miss in zip(grid.hit, grid.miss, strict=True):
            assert p * math.exp(hit) + (1 - p) * math.exp(miss) <= 1 + 1e-9


@pytest.mark.parametrize("reserve", [0.1, 0.5, 0.9])
def test_many_counts_at_once_are_the_same_as_one_by_one(reserve: float) -> None:
    grid = RateGrid.around(0.01, (0.2, 1.0, 3.0), above=True, weights=(0.2, 0.3, 0.5))
    hits = np.array([0.0, 1.0, 17.0, 100.0])
    one_by_one = [
        math.log(
            reserve
            + (1 - reserve) * sum(w * math.exp(r) for w, r in zip(grid.weights, grid.ratios(int(h), 100), strict=True))
        )
        for h in hits
    ]
    assert RateGrids((grid, reserve)).log_e(hits[None, :], np.array([100.0]))[0] == pytest.approx(one_by_one)


def test_only_a_mixture_with_restarts_detects_a_late_change() -> None:
    grid = RateGrid.at(0.05, (0.9, 0.5))
    fresh, plain = RestartingMixture(grid.weights), Mixture(grid.weights)
    for _ in range(10_000):
        fresh.update(grid.ratios(0, 1))
        plain.update(grid.ratios(0, 1))
    for _ in range(9):
        fresh.update(grid.ratios(1, 1))
        plain.update(grid.ratios(1, 1))
    assert fresh.log_e > math.log(200)
    assert plain.log_e < 0


def test_forgetting_never_adds_evidence() -> None:
    grid = RateGrid.at(0.05, (0.9, 0.5))
    e = RestartingMixture(grid.weights)
    for hits in (0, 0, 1, 1, 1, 0, 1):
        before = e.update(grid.ratios(hits, 1))
        e.forget()
        assert e.log_e <= before + 1e-12


def test_the_state_of_a_mixture_can_be_restored_from_json() -> None:
    grid = RateGrid.at(0.05, (0.9, 0.5))
    e, twin = RestartingMixture(grid.weights), RestartingMixture(grid.weights)
    for hits in (0, 1, 1, 0):
        e.update(grid.ratios(hits, 1))
    twin.restore(through_json(e.state))
    assert twin.update(grid.ratios(1, 1)) == e.update(grid.ratios(1, 1))


def test_the_state_of_another_grid_is_refused() -> None:
    e = RestartingMixture((0.5, 0.5))
    with pytest.raises(ValueError, match="2 parts for a grid of 1 alternatives"):
        RestartingMixture((1.0,)).restore(e.state)

"""Confidence sequences: they contain the true value at every look, become narrow, and never leave their range."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.steering.evidence.confidence import (
    NO_BOUNDS,
    Interval,
    difference_interval,
    quantile_places,
    rate_interval,
    ratio_interval,
)

ALPHA = 0.05
RUNS = 200
MOST_MISSED = RUNS * ALPHA + 2.33 * math.sqrt(RUNS * ALPHA * (1 - ALPHA))
LOOKS = sorted({round(1.15**k) for k in range(50)})  # 1 to 940


@pytest.mark.parametrize("rate", [0.01, 0.2, 0.5])
def test_a_rate_is_in_its_interval_at_all_looks_at_once(rate: float) -> None:
    rng, missed = np.random.default_rng(1), 0
    for _ in range(RUNS):
        events = np.cumsum(rng.random(LOOKS[-1]) < rate)
        found = [rate_interval(int(events[n - 1]), n, ALPHA) for n in LOOKS]
        missed += not all(one is not None and one.low <= rate <= one.high for one in found)  # type: ignore[operator]
    assert missed <= MOST_MISSED


@pytest.mark.parametrize(("a", "b"), [(2.0, 2.0), (20.0, 1.0)])
def test_a_mean_is_in_its_interval_at_all_looks_at_once(a: float, b: float) -> None:
    rng, missed = np.random.default_rng(2), 0
    for _ in range(RUNS):
        bounds, total, inside = NO_BOUNDS, 0.0, True
        for n, x in enumerate(rng.beta(a, b, 300).tolist()):
            bounds, total = bounds.after(x, n, total), total + x
            found = bounds.interval(ALPHA)
            inside &= found is not None and found.low <= a / (a + b) <= found.high  # type: ignore[operator]
        missed += not inside
    assert missed <= MOST_MISSED


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_a_quantile_is_between_its_places_at_all_looks_at_once(q: float) -> None:
    rng, missed = np.random.default_rng(3), 0
    for _ in range(RUNS):
        below = np.cumsum(rng.random(LOOKS[-1]) <= q)  # how many samples do not exceed the true quantile
        for n in LOOKS:
            low, high = quantile_places(n, q, ALPHA)
            if not low <= below[n - 1] / n or (high is not None and below[n - 1] / n > high):
                missed += 1
                break
    assert missed <= MOST_MISSED


@given(st.integers(1, 10**7), st.floats(0, 1), st.floats(1e-4, 0.2))
def test_an_interval_holds_the_measured_rate_and_stays_between_0_and_1(n: int, part: float, alpha: float) -> None:
    events = round(n * part)
    found = rate_interval(events, n, alpha)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= events / n + 1e-12
    assert events / n - 1e-12 <= found.high <= 1


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_the_bounds_of_a_rate_have_the_divergence_that_defines_them(n: int, part: float) -> None:
    rate = round(n * part) / n
    found = rate_interval(round(n * part), n, ALPHA)
    assert found is not None
    for bound in (found.low, found.high):
        assert bound is not None
        if 1e-9 < bound < 1 - 1e-9:
            hits = rate * math.log(rate / bound) if rate else 0.0
            misses = (1 - rate) * math.log((1 - rate) / (1 - bound)) if rate < 1 else 0.0
            assert n * (hits + misses) == pytest.approx(math.log(2 / ALPHA) + 0.5 * math.log(n), rel=0.02)


def test_no_data_gives_no_interval_and_few_samples_no_upper_place() -> None:
    assert rate_interval(0, 0, ALPHA) is None
    assert difference_interval((1, 10), (0, 0), ALPHA) is None
    assert NO_BOUNDS.interval(ALPHA) is None
    assert quantile_places(100, 0.99, ALPHA)[1] is None
    assert quantile_places(5000, 0.99, ALPHA)[1] is not None


def test_a_difference_and_a_ratio_combine_the_far_ends() -> None:
    found = difference_interval((30, 1000), (10, 1000), ALPHA)
    own, base = rate_interval(30, 1000, ALPHA / 2), rate_interval(10, 1000, ALPHA / 2)
    assert found is not None
    assert own is not None
    assert base is not None
    assert found.low == own.low - base.high  # type: ignore[operator]
    assert found.high == own.high - base.low  # type: ignore[operator]
    assert ratio_interval(Interval(2.0, 4.0), Interval(1.0, 2.0)) == Interval(1.0, 4.0)
    assert ratio_interval(Interval(2.0, None), Interval(None, 2.0)) == Interval(1.0, None)

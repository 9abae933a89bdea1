"""Histograms add up exactly, and their quantiles are accurate to half a bucket."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.histogram import MAX_INDEX, MIN_INDEX, SCALE, Histogram, StoredCounts, bucket_of, midpoint, sum_of

BASE = 2.0 ** (2.0**-SCALE)
values = st.floats(min_value=0.02, max_value=9e6)
many = st.lists(values, max_size=60)


def upper_edge(index: int) -> float:
    """Return the inclusive upper edge of bucket ``index``, by the definition of the buckets."""
    return float(2.0 ** ((index + 1) / 2**SCALE))


@given(values)
def test_a_value_lies_in_its_bucket(value: float) -> None:
    index = bucket_of(value)
    assert upper_edge(index) / BASE < value * (1 + 1e-12)
    assert value <= upper_edge(index) * (1 + 1e-12)


@given(many, many)
def test_a_sum_of_histograms_is_the_histogram_of_all_values(a: list[float], b: list[float]) -> None:
    assert Histogram.of(a) + Histogram.of(b) == Histogram.of(a + b)


@given(many.filter(bool), st.floats(min_value=0.01, max_value=1))
def test_a_quantile_is_within_half_a_bucket_of_the_nearest_rank(sample: list[float], q: float) -> None:
    exact = sorted(sample)[max(1, math.ceil(q * len(sample))) - 1]
    assert Histogram.of(sample).quantile(q) == pytest.approx(exact, rel=BASE**0.5 - 1 + 1e-9)


@given(many, values)
def test_above_counts_the_values_beyond_the_bucket(sample: list[float], cut: float) -> None:
    index = bucket_of(cut)
    assert Histogram.of(sample).above(index) == sum(bucket_of(v) > index for v in sample)


def test_zeros_and_negative_values_are_counted_apart() -> None:
    histogram = Histogram.of([0.0, -1.0, 5.0])
    assert (histogram.zeros, histogram.total) == (2, 3)
    assert histogram.quantile(0.5) == 0.0


def test_an_empty_histogram_has_no_quantile() -> None:
    assert Histogram().quantile(0.99) is None


@pytest.mark.parametrize(("value", "index"), [(1e-9, MIN_INDEX), (1e12, MAX_INDEX)])
def test_values_beyond_the_range_fall_into_the_outermost_bucket(value: float, index: int) -> None:
    assert bucket_of(value) == index
    assert midpoint(index) < upper_edge(index)


@given(many, many)
def test_stored_counts_are_the_same_histogram(a: list[float], b: list[float]) -> None:
    plain = Histogram.of(a)
    stored = Histogram(StoredCounts(list(plain.counts), list(plain.counts.values())))
    assert stored == plain
    assert (stored + Histogram.of(b)).total == len(a) + len(b)
    assert stored.quantile(0.9) == plain.quantile(0.9)


@given(st.dictionaries(st.integers(-400, 1400), st.integers(1, 10**6), max_size=20))
def test_the_sum_of_logarithms_takes_each_value_as_the_midpoint_of_its_bucket(counts: dict[int, int]) -> None:
    expected = sum(count * math.log(midpoint(index)) for index, count in counts.items())
    for same in (counts, StoredCounts(list(counts), list(counts.values()))):
        assert Histogram(same, 3).log_sum() == pytest.approx(expected, rel=1e-9, abs=1e-6)
        assert Histogram(same, 3).total == 3 + sum(counts.values())
        assert dict(same.items()) == counts


@given(st.lists(st.dictionaries(st.integers(-400, 1400), st.integers(1, 10**6), max_size=60), max_size=6))
def test_stored_histograms_add_up_like_plain_ones(parts: list[dict[int, int]]) -> None:
    expected: Counter[int] = Counter()
    for part in parts:
        expected.update(part)
    for stored_from in range(2):  # all are stored, or some
        mixed = [
            Histogram(StoredCounts(list(part), list(part.values())) if number >= stored_from else part, 1)
            for number, part in enumerate(parts)
        ]
        assert sum_of(mixed) == Histogram(dict(expected), len(parts))


@pytest.mark.parametrize(
    "damage", [{0: 2**63}, {0: 2**53 + 1}, {2**31: 1, -(2**31): 1}], ids=["64 bits", "53 bits", "far"]
)
def test_counts_and_places_that_no_histogram_has_add_up_exactly(damage: dict[int, int]) -> None:
    many = dict.fromkeys(range(100), 1)
    stored = [Histogram(StoredCounts(list(part), list(part.values()))) for part in (many, damage)]
    assert sum_of(stored).counts == dict(Counter(many) + Counter(damage))

"""The statistical test of the latency ratio: how often it decides wrongly, on histograms too, and its power."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import latency_cases
from bench.simulated_runs import AT, upper_limit
from glidepath.histogram import Histogram, StoredCounts, bucket_of
from scorer.steering.evidence import latency_ratio_test
from scorer.steering.evidence.dense_histogram import (
    SIZE,
    DenseHistogram,
)
from scorer.steering.evidence.latency_ratio_test import LatencyTest, QuantileRatio
from scorer.steering.evidence.mixture import RateGrid, RateGrids
from tests.support.evidence_builders import through_json

TWO_BUCKETS = 2 ** (2 / 64)


def dense(values: list[float]) -> DenseHistogram:
    histogram = DenseHistogram()
    histogram.add(Histogram.of(values))
    return histogram


def mixtures(q: float, share: float) -> tuple[RateGrids, RateGrids]:
    """Return the grids of the test that fails the gate, and of the test that passes it.

    Each has two grids: one for the candidate's latencies, then one for the baseline's.
    """
    more = RateGrid.around(1 - q, latency_ratio_test._MORE, above=True, weights=latency_ratio_test._MORE_WEIGHTS)
    fewer = RateGrid.around(1 - q, latency_ratio_test._FEWER, above=False, weights=latency_ratio_test._FEWER_WEIGHTS)
    own, base = latency_ratio_test._reserves(share)
    of_baseline = latency_ratio_test._FEWER_OF_BASELINE
    fewer_base = RateGrid.around(1 - q, latency_ratio_test._FEWER, above=False, weights=of_baseline)
    kept = min(base, latency_ratio_test._MOST_KEPT)
    return RateGrids((more, own), (fewer_base, kept)), RateGrids((fewer, own), (more, base))


def least(grids: RateGrids, above: np.ndarray, n: np.ndarray) -> float:
    return float(grids.log_e(above.astype(float), n.astype(float)).sum(axis=0).min())


def exact(own: np.ndarray, base: np.ndarray, q: float, ratio: float) -> tuple[float, float]:
    """Return the e-values of both tests on the raw samples, with x at every breakpoint and just below it.

    The limit is two buckets below ``ratio`` in the test that fails the gate, and two above it in the other test.
    """
    found, n = [], np.array([len(own), len(base)])
    for grids, limit in zip(mixtures(q, 0.3), (ratio / TWO_BUCKETS, ratio * TWO_BUCKETS), strict=True):
        points = np.unique(np.concatenate([own, base * limit]))
        x = np.concatenate([points, np.nextafter(points, 0), [points[-1] * 2, points[0] / 2]])
        above = np.array([[(own > v).sum() for v in x], [(base > v / limit).sum() for v in x]])
        found.append(least(grids, above, n))
    return found[0], found[1]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.floats(0.8, 2.5),
    st.floats(1.0, 1.6),
    st.sampled_from([0.5, 0.95, 0.99]),
    st.sampled_from([None, 1, 2]),
)
def test_evidence_on_buckets_is_never_more_than_on_the_values_with_a_limit_two_buckets_away(
    seed: int, slower: float, ratio: float, q: float, digits: int | None
) -> None:
    """``digits``: the digits to which latencies are rounded, so that many in a bucket are equal; None: not rounded."""
    rng = np.random.default_rng(seed)
    own, base = 100 * slower * rng.lognormal(0, 0.5, 200), 100 * rng.lognormal(0, 0.5, 500)
    if digits is not None:
        own, base = np.maximum(own.round(digits - 3), 1), np.maximum(base.round(digits - 3), 1)
    fail, passed = QuantileRatio(q, ratio, 0.3).log_e(dense(own.tolist()).sums, dense(base.tolist()).sums)
    exact_fail, exact_pass = exact(own, base, q, ratio)
    assert fail <= exact_fail + 1e-9
    assert passed <= exact_pass + 1e-9


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000), st.floats(0.6, 2.0), st.floats(0.9, 1.6), st.sampled_from([0.5, 0.95, 0.99]), st.booleans()
)
def test_the_least_evidence_over_all_edges_is_found(
    seed: int, slower: float, ratio: float, q: float, outliers: bool
) -> None:
    rng = np.random.default_rng(seed)
    n, m, width = rng.integers(1, 5000), rng.integers(1, 20_000), rng.uniform(0.05, 1.5)
    own, base = 100 * slower * rng.lognormal(0, width, n), 100 * rng.lognormal(0, width, m)
    base = np.append(base, rng.uniform(1e4, 1e6, 20 * outliers))
    sums = [dense(side.tolist()).sums for side in (own, base)]
    quantiles = QuantileRatio(q, ratio, 0.3)
    everywhere = every_edge(*sums, q, ratio)
    assert quantiles.log_e(*sums) == pytest.approx(everywhere, rel=1e-9, abs=1e-9)
    part = [side // 2 for side in sums]
    both = (*everywhere, every_edge(*part, q, ratio)[0] if all(side[-1] for side in part) else 0.0)
    assert quantiles.log_e_since(*sums, *part) == pytest.approx(both, rel=1e-9, abs=1e-9)


def every_edge(own: np.ndarray, base: np.ndarray, q: float, ratio: float) -> tuple[float, float]:
    """Return the least evidence over all edges of buckets, tried one by one."""
    edges, slots = np.arange(-300, len(own) + 300), np.arange(len(own))
    at = np.clip(edges + 1, 0, len(own) - 1)
    lower = at - math.log2(ratio) * 64  # the position of x/ρ
    above = np.array([own[-1] - own[at], base[-1] - np.interp(np.where(at == len(own) - 1, at, lower), slots, base)])
    fail, passed = mixtures(q, 0.3)
    n = np.array([own[-1], base[-1]])
    return least(fail, above, n), least(passed, above, n)


@pytest.mark.slow
@pytest.mark.parametrize(("q", "n", "baseline"), [(0.5, 500, 4), (0.95, 800, 1), (0.99, 1000, 5)])
def test_at_the_boundary_false_decisions_stay_below_alpha(q: float, n: int, baseline: int) -> None:
    runs = latency_cases.latency(40, 1, 1.2, q, n=n, baseline=baseline, growth=1.05)
    assert runs.fail_rate <= upper_limit(40)
    assert runs.pass_rate <= upper_limit(40)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("q", "ratio", "reference"),
    [(0.99, 2.0, 110), (0.99, 1.5, 850), (0.95, 1.5, 240), (0.95, 2.0, 50), (0.95, 1.0, 740)],
)
def test_power_is_within_1_3_of_the_published_counts(q: float, ratio: float, reference: int) -> None:
    runs = latency_cases.latency(15, 2, ratio, q, n=4 * reference, growth=1.03)
    assert np.median(runs.passed if ratio == 1.0 else runs.fail) <= 1.3 * reference


def test_below_four_hundred_requests_a_p99_proves_nothing() -> None:
    rng = np.random.default_rng(3)
    test = LatencyTest(0.99, 1.2)
    test.look(dense((100 * rng.lognormal(0, 0.5, 390)).tolist()), dense((100 * rng.lognormal(0, 0.5, 8000)).tolist()))
    assert test.log_pass < math.log(20)


def test_a_candidate_that_becomes_slow_late_is_detected() -> None:
    rng = np.random.default_rng(4)
    own, base, test = DenseHistogram(), DenseHistogram(), LatencyTest(0.95, 1.2)
    seen = None
    for k in range(400):
        slower = 2.5 if k >= 300 else 1.0
        own.add(Histogram.of((100 * slower * rng.lognormal(0, 0.5, 20)).tolist()))
        base.add(Histogram.of((100 * rng.lognormal(0, 0.5, 40)).tolist()))
        test.look(own, base)
        if test.log_fail >= AT:
            seen = k
            break
    assert seen is not None
    assert 300 <= seen < 325


def test_an_empty_side_gives_no_evidence() -> None:
    test = LatencyTest(0.95, 1.2)
    test.look(dense([1.0, 2.0]), DenseHistogram())
    assert (test.log_fail <= 0, test.log_pass) == (True, 0.0)


def test_the_state_can_be_restored_from_json() -> None:
    own, base = dense([100.0] * 200), dense([50.0] * 200)
    test, twin = LatencyTest(0.5, 1.2), LatencyTest(0.5, 1.2)
    test.look(own, base)
    twin.restore(through_json(test.state))
    assert twin.state == test.state


@given(st.lists(st.floats(0, 1e8), max_size=50))
def test_a_dense_histogram_holds_what_the_histogram_holds(values: list[float]) -> None:
    plain, found = Histogram.of(values), dense(values)
    assert found.total == plain.total
    for q in (0.0, 0.5, 0.95, 1.0):
        assert found.quantile(q) == plain.quantile(q)
    twin = DenseHistogram()
    twin.restore(through_json(found.state))
    assert (twin.counts == found.counts).all()


def test_a_bucket_outside_the_range_is_put_into_the_outermost_one() -> None:
    found = DenseHistogram()
    found.add(Histogram({10**6: 3, -(10**6): 2}))
    assert found.total == 5
    assert found.counts[-1] == 3
    assert bucket_of(1e30) == bucket_of(1e9)


@pytest.mark.slow
@given(st.lists(st.lists(st.floats(0, 1e8), max_size=20), max_size=5))
def test_stored_counts_are_added_like_other_counts(flushes: list[list[float]]) -> None:
    plain, stored = DenseHistogram(), DenseHistogram()
    for values in flushes:
        histogram = Histogram.of(values)
        plain.add(histogram)
        counts = StoredCounts(list(histogram.counts), list(histogram.counts.values()))
        stored.add(Histogram(counts, histogram.zeros))
    assert (stored.counts == plain.counts).all()
    assert (stored.sums[1:] == plain.counts.cumsum()).all()
    assert stored.total == sum(len(values) for values in flushes)


def test_the_sums_include_every_kind_of_addition() -> None:
    found = dense([100.0])
    assert found.sums[-1] == 1
    found.add(Histogram.of([200.0]))
    found.add_slots(np.array([5, 6]))
    found.add(Histogram.of([0.0]))
    assert (found.sums[-1], found.sums[1], found.sums[0]) == (5, 1, 0)
    found.restore(DenseHistogram().state)
    assert found.sums[-1] == 0


def test_a_count_that_does_not_fit_64_bits_is_refused() -> None:
    for counts in ({5: 2**63}, StoredCounts([5], [2**63]), StoredCounts([5] * 40, [2**63] * 40)):
        with pytest.raises(OverflowError):
            DenseHistogram().add(Histogram(counts))
    found = DenseHistogram()
    found.add(Histogram({5: -1, 6: 2}))
    with pytest.raises(OverflowError):
        _ = found.counts


@pytest.mark.parametrize("counts", [[-1, [1]], [SIZE, [1]], [0, [-1]], [0, [2**63]], [0, [True]], None])
def test_a_stored_histogram_with_impossible_slots_or_counts_is_refused(counts: object) -> None:
    with pytest.raises(ValueError, match=r"slots|a count of|a slot and a list"):
        DenseHistogram().restore([counts, None, None, None])


def test_a_hundred_requests_show_that_a_p99_is_half_as_slow_again() -> None:
    own, base = (_lognormal(n, median) for n, median in ((100, 150.0), (2000, 100.0)))
    against, in_favour = QuantileRatio(0.99, 1.2, 1 / 21).log_e(own.sums, base.sums)
    assert against > 3.5
    assert in_favour < 0


def _lognormal(n: int, median: float) -> DenseHistogram:
    """Return the latencies at ``n`` evenly spaced quantiles of a lognormal distribution with σ = 0.25."""
    places = [NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)]
    return dense([median * math.exp(0.25 * place) for place in places])

"""A shared outage, however long: the check of the baseline takes bounded time and never raises."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.sides import Side
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.evidence.changepoint import NO_BAD_PERIOD
from scorer.steering.evidence.shared_outage import OutageWatch, at_most
from tests.support.evidence_builders import flush, side, workload_of

pytestmark = pytest.mark.slow


def exact(k: int, n: int, p: float) -> float:
    rate = Fraction(p)
    return float(sum(math.comb(n, i) * rate**i * (1 - rate) ** (n - i) for i in range(k + 1)))


@given(st.integers(1, 60), st.integers(0, 60), st.floats(0.001, 0.95))
def test_the_probability_is_exact_for_tens_of_requests(n: int, k: int, p: float) -> None:
    if k < n * p:
        assert at_most(k, n, p) == pytest.approx(exact(k, n, p), rel=1e-9)
    else:
        assert at_most(k, n, p) == 1.0
        assert exact(min(k, n), n, p) >= 0.5 - 1e-12


@pytest.mark.parametrize(("k", "p"), [(0, 0.01), (100, 0.95), (280, 0.95), (284, 0.95), (140, 0.5), (6, 0.05)])
def test_the_probability_is_exact_for_hundreds_of_requests(k: int, p: float) -> None:
    assert at_most(k, 300, p) == pytest.approx(exact(k, 300, p), rel=1e-8, abs=1e-300)


@pytest.mark.parametrize("n", [10**4, 10**6, 10**9])
@pytest.mark.parametrize("p", [0.05, 0.5, 0.95])
def test_the_probability_separates_one_and_two_deviations_for_millions_of_requests(n: int, p: float) -> None:
    deviation = math.sqrt(n * p * (1 - p))
    assert at_most(round(n * p - deviation), n, p) > 0.1
    assert at_most(round(n * p - 2 * deviation), n, p) <= 0.1
    assert at_most(0, n, p) < 1e-200


def test_a_million_failures_of_both_sides_do_not_show_that_the_baseline_does_better() -> None:
    since = NO_BAD_PERIOD.after(1.0, 10**6, 10**6, 10**6, 10**6)
    assert not OutageWatch().is_conclusive(since)
    since = since.after(1.0, 0, 0, 0, 10**6)
    assert OutageWatch().is_conclusive(since)


counts = st.tuples(st.integers(0, 10**7), st.floats(0, 1))


@settings(max_examples=60, deadline=None)
@given(st.floats(1, 99), st.lists(st.tuples(counts, counts, st.floats(0, 1)), min_size=1, max_size=12))
def test_no_sequence_of_flushes_raises(
    percent: float, flushes: list[tuple[tuple[int, float], tuple[int, float], float]]
) -> None:
    evidence = Evidence.fresh(workload_of(), percent, 1000)
    for seq, ((own, bad), (base, base_bad), lost) in enumerate(flushes):
        errors = int(own * bad)
        failed = int(errors * lost)
        candidate = side(Side.CANDIDATE, own, errors, rescued=errors - failed, rescues_failed=failed)
        evidence.fold_outcomes(flush(seq, candidate, side(Side.BASELINE, base, int(base * base_bad))))
        assert evidence.verdicts(seq * 1000)


def test_a_long_shared_outage_never_fires_a_fast_guard() -> None:
    evidence = Evidence.fresh(workload_of(), 50, 1000)
    for seq in range(1000):
        bad = 0 if seq < 200 else 12
        evidence.fold_outcomes(flush(seq, side(Side.CANDIDATE, 12, bad), side(Side.BASELINE, 12, bad)))
        assert not any(v.fast and v.outcome == "fail" for v in evidence.verdicts(seq * 1000))

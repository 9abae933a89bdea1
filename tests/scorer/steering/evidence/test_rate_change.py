"""The test of whether Envoy's failures rise with a step: its e-value, its guarantee and its power."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.steering.evidence.rate_change import (
    EXTRA,
    NO_FAILURE_HISTORY,
    RATIO,
    FailureCounts,
    log_e_of_rise,
)

ALPHA = 0.05
COUNTS = st.integers(1, 3000).flatmap(lambda n: st.builds(FailureCounts, st.integers(0, n), st.just(n)))


def log_likelihood(rate: float, counts: FailureCounts) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = (counts.failed * np.log(rate), (counts.n - counts.failed) * np.log1p(-rate))
    return float(sum(part for part in parts if not math.isnan(part)))


@given(COUNTS, COUNTS, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_the_denominator_is_at_least_the_likelihood_of_every_point_of_the_null(
    before: FailureCounts, since: FailureCounts, rate: float, part: float
) -> None:
    """This makes the statistic an e-value, see scorer/steering/evidence/rate_change.py."""
    numerator = sum(
        math.lgamma(c.failed + 0.5) + math.lgamma(c.n - c.failed + 0.5) - math.lgamma(c.n + 1) - math.log(math.pi)
        for c in (before, since)
    )
    allowed = part * min(1.0, RATIO * rate + EXTRA)
    assert (
        log_e_of_rise(before, since) <= numerator - log_likelihood(rate, before) - log_likelihood(allowed, since) + 1e-6
    )


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.3, 0.9, 1.0])
def test_equal_rates_before_and_after_are_no_evidence(rate: float) -> None:
    rng = np.random.default_rng(7)
    false = 0
    for _ in range(300):
        before = FailureCounts(int(rng.binomial(400, rate)), 400)
        failed = np.cumsum(rng.random(400) < rate)
        false += any(
            log_e_of_rise(before, FailureCounts(int(k), n)) >= math.log(1 / ALPHA) for n, k in enumerate(failed, 1)
        )
    assert false <= 300 * ALPHA


@pytest.mark.parametrize(("before", "share"), [(FailureCounts(0, 500), 0.5), (FailureCounts(2, 1000), 1.0)])
def test_failures_that_came_with_the_step_are_found_after_few(before: FailureCounts, share: float) -> None:
    since = FailureCounts()
    while log_e_of_rise(before, since) < math.log(100):
        since = since.after(1, round(1 / share))
    assert since.failed <= 12


@given(COUNTS)
def test_without_requests_before_the_step_nothing_is_blamed_on_it(since: FailureCounts) -> None:
    assert log_e_of_rise(FailureCounts(), since) == 0.0


def test_the_history_keeps_the_last_minutes_and_forgets_older_ones() -> None:
    history = NO_FAILURE_HISTORY
    for second in range(600):
        history = history.after(5 if second < 300 else 0, 100, second * 1000 + 1)
    assert history.counts.failed == 0
    assert 6_000 <= history.counts.n <= 12_200


def test_the_history_of_a_quiet_workload_reaches_further_back() -> None:
    history = NO_FAILURE_HISTORY
    for minute in range(1, 601):
        history = history.after(0, 1, minute * 60_000)
    assert history.counts.n == 600

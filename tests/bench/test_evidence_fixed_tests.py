"""The fixed-sample tests, with which the gates are compared, need as many samples as textbooks state."""

from __future__ import annotations

import pytest

from bench import evidence_fixed_tests as fixed


def test_the_fixed_test_of_a_mean_needs_the_number_of_the_textbook() -> None:
    # (1.645 + 0.842)² · 0.15² / 0.03² = 154.6
    found = fixed.fixed_test(fixed.mean_statistic(-0.03, 0.0, 0.15), 40)
    assert found.n == pytest.approx(155, rel=0.1)
    assert found.power == pytest.approx(fixed.POWER, abs=0.03)


def test_a_test_for_every_distribution_needs_samples_of_which_one_likely_exceeds_the_p99() -> None:
    # none of 298 samples exceeds the p99 with a probability of 0.99^298 = 0.05
    counted = fixed.fixed_test(fixed.exceedance_statistic(1.2, 1.0, 0.99, 0.25, 1000), 100)
    knowing = fixed.fixed_test(fixed.latency_statistic(1.2, 1.0, 0.99, 0.25, 1000), 100)
    assert 298 < counted.n < 500
    assert knowing.n < 200


@pytest.mark.parametrize(("candidate", "baseline"), [(0.001, 0.001), (0.03, 0.005)])
def test_an_increase_of_errors_is_found_with_the_given_power(candidate: float, baseline: float) -> None:
    found = fixed.fixed_test(fixed.increase_statistic(0.005, candidate, baseline, 9), 500)
    assert found.power == pytest.approx(fixed.POWER, abs=0.05)

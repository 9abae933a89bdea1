"""The paired test of a difference of two rates of failures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.steering.evidence.paired_increase_test import PairedIncreaseTest, RateBelowTest
from tests.support.evidence_builders import through_json

AT = math.log(20)
failures = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60)


def filled(answers: list[tuple[bool, bool]], limit: float = 0.005) -> PairedIncreaseTest:
    test = PairedIncreaseTest(limit)
    for candidate, baseline in answers:
        test.update(candidate=candidate, baseline=baseline)
    return test


@pytest.mark.parametrize("limit", [0.0005, 0.005, 0.05, 0.5])
@pytest.mark.parametrize("only_b", [0.0, 0.01, 0.2])
def test_no_bet_gains_on_average_at_the_limit(limit: float, only_b: float) -> None:
    rates = {(True, False): only_b + limit, (False, True): only_b, (False, False): 1 - 2 * only_b - limit}
    before = PairedIncreaseTest(limit)
    for log_e in ("log_fail", "log_pass"):
        mean = sum(rate * math.exp(getattr(filled([pair], limit), log_e)) for pair, rate in rates.items())
        assert mean <= math.exp(getattr(before, log_e)) + 1e-9


@given(failures)
def test_failures_that_both_sides_share_count_as_no_failures(answers: list[tuple[bool, bool]]) -> None:
    shared = filled([(candidate, baseline) for candidate, baseline in answers])
    apart = filled([(c and not b, b and not c) for c, b in answers])
    assert (shared.log_fail, shared.log_pass) == (apart.log_fail, apart.log_pass)


def test_equal_sides_pass_and_a_worse_candidate_fails() -> None:
    rng = np.random.default_rng(1)
    equal = filled([(bool(a), bool(b)) for a, b in rng.random((3000, 2)) < 0.001])
    worse = filled([(bool(a), bool(b)) for a, b in rng.random((1000, 2)) < (0.05, 0.005)])
    assert equal.log_pass > AT
    assert worse.log_fail > AT
    assert worse.difference is not None
    assert 0.02 < worse.difference < 0.08


def test_a_candidate_that_breaks_after_a_long_good_time_fails() -> None:
    test = filled([(False, False)] * 20_000 + [(True, False)] * 40)
    assert test.log_fail > AT


@given(failures, failures)
def test_the_test_continues_from_its_stored_form(before, after) -> None:
    first, second = filled(before), PairedIncreaseTest(0.005)
    second.restore(through_json(first.state))
    for candidate, baseline in after:
        for test in (first, second):
            test.update(candidate=candidate, baseline=baseline)
    assert first.state == second.state


@pytest.mark.parametrize("limit", [0.0005, 0.005, 0.5])
def test_no_bet_on_a_rate_below_the_limit_gains_on_average_at_the_limit(limit: float) -> None:
    mean = 0.0
    for failed, rate in ((True, limit), (False, 1 - limit)):
        test = RateBelowTest(limit)
        test.add(failed=failed)
        mean += rate * math.exp(test.log_pass)
    assert mean == pytest.approx(1.0)


def test_a_rate_below_the_limit_is_proven_and_continues_from_its_stored_form() -> None:
    whole = RateBelowTest(0.005)
    for i in range(4000):
        whole.add(failed=i % 1000 == 999)
    parts = RateBelowTest(0.005)
    parts.restore(through_json(whole.state))
    assert whole.log_pass > AT
    assert (parts.n, parts.failed, parts.log_pass) == (4000, 4, whole.log_pass)

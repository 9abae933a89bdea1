"""The paired test of a ratio of quantiles: its evidence, events that must not raise it, and its stored form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.histogram import MIN_INDEX, SCALE, midpoint
from scorer.steering.evidence.dense_histogram import SIZE, slot_of
from scorer.steering.evidence.mixture import spend
from scorer.steering.evidence.paired_quantile_test import (
    _BET_SIZES,
    _LOCATIONS,
    _NO_BET,
    PairedQuantileTest,
)
from tests.support.evidence_builders import through_json

LIMIT = 2 ** (8 / 2**SCALE)  # eight buckets
pairs = st.lists(st.tuples(st.integers(700, 760), st.integers(700, 760)), min_size=1, max_size=40)


def filled(answers: list[tuple[int, int]], q: float = 0.8, limit: float = LIMIT) -> PairedQuantileTest:
    """Return a test with one pair of slots (candidate, baseline) for each of ``answers``, evaluated once."""
    test = PairedQuantileTest(q, limit)
    for candidate, baseline in answers:
        test.add(candidate, baseline)
    test.look(everything=True)
    return test


def defined_log_e(answers: list[tuple[int, int]], q: float, *, in_favour: bool) -> float:
    """Return ln of the evidence by its definition: pair by pair, for each threshold. The limit is eight buckets."""
    tail, least, sign = 1 - q, math.inf, -1 if in_favour else 1
    for j in range(SIZE):
        total, weights = _NO_BET, _NO_BET
        for shift, weight in _LOCATIONS:
            rate = 1 / (1 + math.exp(-(math.log(tail / (1 - tail)) + shift)))
            alpha = (rate - tail) / (tail * (1 - tail))
            for part, share in _BET_SIZES:
                beta = part * min(1 - alpha * tail, 1 + alpha * (1 - tail))
                paid = weight * share
                for c, b in answers:
                    own, base = (c - 8 + 1 > j, b > j) if in_favour else (c - 8 > j, b > j - 1)
                    located = own if (shift > 0) != in_favour else base
                    paid *= 1 + alpha * (located - tail) + sign * beta * (int(own) - int(base))
                total, weights = total + paid, weights + weight * share
        least = min(least, math.log(total / weights))
    return least


@pytest.mark.slow
@settings(max_examples=8)
@given(pairs)
def test_the_evidence_is_the_least_over_all_thresholds_of_a_mixture_of_bets(answers: list[tuple[int, int]]) -> None:
    test = filled(answers)
    assert test.log_pass == pytest.approx(defined_log_e(answers, 0.8, in_favour=True), abs=1e-6)
    steady = defined_log_e(answers, 0.8, in_favour=False)
    combined = 0.5 * math.exp(steady) * (1 + spend(1)) + 0.5 * (1 - spend(1))
    assert test.log_fail == pytest.approx(math.log(combined), abs=1e-6)


@settings(max_examples=40)
@given(pairs, st.data())
def test_a_lower_bound_of_a_latency_is_less_evidence_than_the_latency(answers, data) -> None:
    chosen = data.draw(st.lists(st.booleans(), min_size=2 * len(answers), max_size=2 * len(answers)))
    true, bounded = PairedQuantileTest(0.8, LIMIT), PairedQuantileTest(0.8, LIMIT)
    for i, (candidate, baseline) in enumerate(answers):
        longer = (chosen[2 * i], chosen[2 * i + 1])
        true.add(candidate + 30 * longer[0], baseline + 30 * longer[1])
        bounded.add(candidate, baseline, candidate_longer=longer[0], baseline_longer=longer[1])
    for test in (true, bounded):
        test.look(everything=True)
    if not any(chosen[1::2]):  # the baseline's quantile is where it is, so each threshold has the same meaning
        assert bounded.log_fail <= true.log_fail + 1e-9
        assert bounded.log_pass <= true.log_pass + 1e-9


def test_a_baseline_that_exceeds_the_time_limit_proves_nothing() -> None:
    test = PairedQuantileTest(0.8, LIMIT)
    for _ in range(500):
        test.add(740, 740, candidate_longer=True, baseline_longer=True)
    test.look()
    assert (test.log_fail, test.log_pass) <= (0.0, 0.0)
    assert (test.quantiles(), test.ratio) == ((None, None), None)


def test_a_candidate_that_exceeds_the_time_limit_fails() -> None:
    test = PairedQuantileTest(0.95, 1.2)
    for i in range(300):
        test.add(800, 700 + i % 10, candidate_longer=i % 2 == 0)
    test.look()
    assert test.log_fail > math.log(1000)
    assert test.ratio == math.inf


def test_what_both_answers_share_is_no_evidence() -> None:
    rng = np.random.default_rng(1)
    slots = rng.integers(600, 900, 3000).tolist()
    test = filled([(slot, slot) for slot in slots], 0.95, 1.2)
    assert test.log_fail < 0.1
    assert test.log_pass > math.log(1e6)
    assert test.ratio == 1.0


def test_the_evidence_does_not_depend_on_the_order_of_the_pairs() -> None:
    rng = np.random.default_rng(2)
    answers = [(int(c), int(b)) for c, b in rng.integers(700, 720, (50, 2))]
    one, other = filled(answers, 0.95, 1.2), filled(answers[::-1], 0.95, 1.2)
    assert (one.log_fail, one.log_pass) == (other.log_fail, other.log_pass)


def test_a_fault_after_a_long_good_time_is_found() -> None:
    rng = np.random.default_rng(3)
    test = PairedQuantileTest(0.95, 1.2)
    for i in range(6000):
        slow = 64 if i >= 5000 else 0
        test.add(int(rng.normal(700, 20)) + slow, int(rng.normal(700, 20)))
        test.look()
    assert test.log_fail > math.log(1000)


def test_the_test_continues_from_its_stored_form() -> None:
    rng = np.random.default_rng(4)
    steps = [(int(c), int(b), bool(longer)) for c, b, longer in rng.integers((690, 690, 0), (740, 740, 2), (600, 3))]
    whole, parts = PairedQuantileTest(0.9, 1.2), PairedQuantileTest(0.9, 1.2)
    for i, (candidate, baseline, longer) in enumerate(steps):
        for test in (whole, parts):
            test.add(candidate, baseline, candidate_longer=longer)
            test.look()
        if i % 97 == 0:
            stored = through_json(parts.state)
            parts = PairedQuantileTest(0.9, 1.2)
            parts.restore(stored)
        assert (parts.log_fail, parts.log_pass, parts.state) == (whole.log_fail, whole.log_pass, whole.state)


@pytest.mark.parametrize("counts", [[SIZE, [1, 1]], [-1, [1]], [0, [2**40]], [0, [1.5]], [0]])
def test_stored_counts_out_of_range_are_refused(counts: list[object]) -> None:
    state = filled([(700, 700)]).state
    with pytest.raises(ValueError, match=r"slots|count|a slot and a list"):
        PairedQuantileTest(0.8, LIMIT).restore([*state[:5], [counts, state[5][1]], *state[6:]])


def test_quantiles_are_those_of_the_pairs() -> None:
    test = filled([(slot_of(float(ms)), slot_of(100.0)) for ms in range(1, 101)], 0.95)
    assert test.quantiles() == (
        midpoint(slot_of(95.0) - 1 + MIN_INDEX),
        midpoint(slot_of(100.0) - 1 + MIN_INDEX),
    )

"""Errors that come together count as one cause. An outage counts in full."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.outcome_summaries import Outcomes
from glidepath.sides import Side
from glidepath.status_and_decisions import Verdict
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.evidence.burst_discount import BurstState, most_by_chance
from scorer.steering.evidence.gate_observations import NO_REQUESTS, RequestCounts
from tests.support.evidence_builders import by_gate, fresh_evidence, side, through_json, workload_of

Bins = list[tuple[int, int, int]]  # second, the candidate's requests, of which failed
BURSTS_OF_FIVE = [5 if k % 7 == 0 else 0 for k in range(210)]  # 0.7 % of the requests
NONE = [0] * 210


def counted(bins: Bins) -> RequestCounts:
    """Return the counted requests of these bins. In each bin, both sides have the same number of requests."""
    state, total = BurstState(), NO_REQUESTS
    for second, n, errors in bins:
        state, part = state.after(second, RequestCounts(c_n=n, c_errors=errors, c_unreachable=errors, b_n=n))
        total += part
    return total


@pytest.mark.parametrize("size", [3, 4, 5])
@pytest.mark.parametrize("others", [0, 20])
def test_a_burst_counts_as_one_error_and_its_other_requests_are_left_out(size: int, others: int) -> None:
    one = counted([(1, 10, 0), (5, size + others, size), (9, 10, 0)])
    assert (one.c_errors, one.c_unreachable, one.c_n) == (1, 1, 20 + others + 1)
    apart = counted([(1, 10, 0), *[(5, 1, 1)] * size, (9, 10, 0)])
    assert apart.c_errors == 1


def test_errors_of_different_seconds_all_count() -> None:
    assert counted([(second, 5, 1) for second in range(30)]).c_errors == 30


@pytest.mark.parametrize("per_bin", [1, 2, 25])
def test_an_outage_counts_in_full_from_its_sixth_request_on(per_bin: int) -> None:
    bins = [(k // 20, per_bin, per_bin) for k in range(100)]
    assert counted(bins).c_errors == 100 * per_bin
    few = [bins[0]] * 5 if per_bin == 1 else []
    assert counted(few).c_errors == (1 if few else 0)


def test_an_outage_that_spreads_over_seconds_counts_what_was_left_out_before() -> None:
    assert counted([(1, 1, 1)] * 4 + [(2, 1, 1)] * 4).c_errors == 8


def test_half_of_the_requests_of_a_second_is_an_outage() -> None:
    assert counted([(1, 50, 0), (2, 24, 12)]).c_errors == 12


def test_a_part_of_the_requests_that_goes_on_failing_counts_from_the_third_second_on() -> None:
    total = counted([(second, 25, 6) for second in range(20)])
    assert total.c_errors >= 6 * 18


def test_what_chance_explains_counts() -> None:
    rng = np.random.default_rng(1)
    errors = rng.binomial(200, 0.02, 400).tolist()
    total = counted([(second, 200, k) for second, k in enumerate(errors)])
    assert total.c_errors >= 0.93 * sum(errors)  # although the baseline has none
    assert [most_by_chance(m) for m in (0.0, 0.1, 1.0, 4.0)] == [1, 1, 4, 9]
    assert most_by_chance(100) == pytest.approx(124, abs=2)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8), st.integers(0, 8)), max_size=40))
def test_no_request_counts_twice_and_the_state_survives_json(steps: Bins) -> None:
    state, seen, total, second = BurstState(), NO_REQUESTS, NO_REQUESTS, 0
    for ahead, good, bad in steps:
        second += ahead
        counts = RequestCounts(c_n=good + bad, c_errors=bad, c_unreachable=bad // 2, b_n=bad, b_errors=bad // 3)
        assert through_json(state).after(second, counts) == state.after(second, counts)
        state, part = state.after(second, counts)
        seen, total = seen + counts, total + part
        assert 0 <= total.c_errors <= seen.c_errors
        assert 0 <= total.b_errors <= seen.b_errors
        assert total.c_n == seen.c_n - (seen.c_errors - total.c_errors)
        assert 0 <= part.c_unreachable <= part.c_errors


@pytest.mark.parametrize("limit", ["max_increase: 0.5%", "{max_increase: null, max_rate: 0.5%}"])
def test_a_candidate_whose_errors_all_come_in_bursts_does_not_pass(limit: str) -> None:
    found = errors_verdict(limit, BURSTS_OF_FIVE, NONE)
    assert found.outcome == "inconclusive"
    assert found.value == pytest.approx(150 / 21_000)
    assert found.evidence_to_pass < 1
    assert "errors came in bursts, so 5 count as one" in found.message


@pytest.mark.parametrize("limit", ["max_increase: 0.5%", "{max_increase: null, max_rate: 0.5%}"])
def test_a_candidate_with_many_bursts_fails(limit: str) -> None:
    bursts = [5 if k % 2 == 0 else 0 for k in range(210)]
    found = errors_verdict(limit, bursts, NONE)
    assert found.outcome == "fail"
    assert "came in bursts, so 5 count as one" in found.message


def test_equal_sides_with_bursts_pass() -> None:
    assert errors_verdict("max_increase: 2%", BURSTS_OF_FIVE, BURSTS_OF_FIVE[::-1]).outcome == "pass"
    assert errors_verdict("max_increase: 0.5%", NONE, NONE).outcome == "pass"


def test_errors_that_coincide_by_chance_are_no_bursts() -> None:
    rng = np.random.default_rng(3)
    own, base = (rng.binomial(100, 0.002, 400).tolist() for _ in range(2))
    found = errors_verdict("max_increase: 0.5%", own, base)
    assert found.outcome == "pass"
    assert "bursts" not in found.message


def errors_verdict(limit: str, own: list[int], base: list[int]) -> Verdict:
    """Return the verdict of the gate ``errors``, after a restart, for the errors of each second of 100 requests."""
    section = limit if limit.startswith("{") else f"{{{limit}}}"
    gates = f"    shadow: {{same_side: 0}}\n    gates: {{errors: {section}, sameness: null, latency: []}}\n"
    evidence = fresh_evidence(50, gates)
    for k, failed in enumerate(zip(own, base, strict=True)):
        sides = (side(Side.CANDIDATE, 100, failed[0]), side(Side.BASELINE, 100, failed[1]))
        evidence = evidence.fold_outcomes(Outcomes("chat", "envoy-1", k, 1000 * (k + 1), 1000 * (k + 2), sides))
        evidence.verdicts(1000 * (k + 2))
    restored = Evidence.from_json(workload_of(gates), json.loads(json.dumps(evidence.to_json())))
    return by_gate(restored)["errors"]

"""A failure is reported with the numbers since the bad period began, because the whole step may still look good."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.pairs import PairKind
from glidepath.sides import Side
from glidepath.status_and_decisions import Verdict
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.evidence.changepoint import NO_BAD_PERIOD
from scorer.steering.evidence.gate_specs import GateKind, GateSpec
from scorer.steering.evidence.mixture import RateGrid
from scorer.steering.evidence.pair_gates import pair_gate
from scorer.steering.evidence.verdicts import verdict_of as verdict_of_gate
from tests.support.evidence_builders import flush, pair, side, workload_of

B, C = Side.BASELINE, Side.CANDIDATE
GATES = """\
    ramp: {min_samples: 20}
    gates:
      sameness: {min_agreement: 0.75, margin: 0.1}
      errors: {max_increase: 2%, max_rate: 5%}
      latency: [{quantile: p50, max_ratio: 1.5}]
"""


def verdict_of(evidence: Evidence, gate: str) -> Verdict:
    return next(v for v in evidence.verdicts(1) if v.gate == gate)


def scored_until_it_fails(gate: str, good: int = 300) -> Verdict:
    evidence = Evidence.fresh(workload_of(GATES), 25, 1000)
    for i in range(good + 600):
        if i % 4 == 0:
            evidence = evidence.fold_scored(pair(0.93, 2000 + i, kind=PairKind.NOISE))
        evidence = evidence.fold_scored(pair(0.92 if i < good else 0.5, 2000 + i))
        if (verdict := verdict_of(evidence, gate)).outcome == "fail":
            return verdict
    raise AssertionError(f"{gate} never failed")


def served_until_it_fails(gate: str, errors: int, slower: float = 1.0, kind: str = "5xx") -> tuple[Verdict, Evidence]:
    """Fold 400 healthy flushes, then bad flushes until the gate fails.

    A bad flush has ten candidate requests, which take ``slower`` times as long; ``errors`` of them fail.
    """
    evidence, rng = Evidence.fresh(workload_of(GATES), 25, 1000), np.random.default_rng(1)
    for k in range(700):
        late = k >= 400
        own = tuple(100 * (slower if late else 1.0) * rng.lognormal(0, 0.3, 10))
        base = tuple(100 * rng.lognormal(0, 0.3, 30))
        sides = side(B, 30, ms=base), side(C, 10, errors if late else 0, ms=own, kind=kind)
        evidence = evidence.fold_outcomes(flush(k, *sides))
        if (verdict := verdict_of(evidence, gate)).outcome == "fail":
            return verdict, evidence
    raise AssertionError(f"{gate} never failed")


def test_a_late_fall_of_agreement_is_reported_over_the_last_pairs() -> None:
    verdict = scored_until_it_fails("sameness")
    assert verdict.value == pytest.approx(0.5, abs=0.1)
    assert 3 < verdict.n < 100
    assert f"over the last {verdict.n} pairs, limit at least 0.750 (0." in verdict.message


def test_a_margin_that_was_broken_late_is_reported_over_the_last_noise_pairs() -> None:
    verdict = scored_until_it_fails("sameness_margin", good=2000)
    assert verdict.value is not None
    assert verdict.value > 0.1
    assert "noise floor over the last" in verdict.message


@pytest.mark.parametrize(("gate", "errors"), [("errors", 2), ("errors_rate", 2)])
def test_a_late_rise_of_the_error_rate_is_reported_since_it_began(gate: str, errors: int) -> None:
    verdict, evidence = served_until_it_fails(gate, errors)
    assert verdict.value == pytest.approx(0.2, abs=0.07)
    assert verdict.n < 1000
    assert f"of the last {verdict.n}" in verdict.message
    assert evidence.sides()[1].requests > 4000


@pytest.mark.slow
def test_a_catastrophe_is_reported_over_the_last_few_requests() -> None:
    verdict, _ = served_until_it_fails("errors_fast", 10)
    assert verdict.message.startswith("10 of the candidate's last 10 requests failed, 0 of the baseline's 30 meanwhile")
    assert verdict.message.endswith("(10 of 4010 in this step)")
    verdict, _ = served_until_it_fails("candidate_down", 10, kind="connect")
    assert verdict.message == "10 of the candidate's last 10 requests found it unreachable (10 of 4010 in this step)"


def test_a_late_rise_of_latency_is_reported_over_the_last_requests_with_a_ratio_beyond_the_limit() -> None:
    verdict, _ = served_until_it_fails("latency_p50", 0, slower=2.0)
    assert verdict.value is not None
    assert verdict.value > 1.5
    assert f"over the last {verdict.n} requests is" in verdict.message
    assert "× over all" in verdict.message


def test_the_cause_of_a_failure_stays_after_a_recovery_and_a_restart() -> None:
    verdict, evidence = served_until_it_fails("latency_p50", 0, slower=2.0)
    again = Evidence.from_json(workload_of(GATES), json.loads(json.dumps(evidence.to_json())))
    for k in range(700, 900):
        sides = side(B, 30, ms=(100.0,) * 30), side(C, 10, ms=(100.0,) * 10)
        again = again.fold_outcomes(flush(k, *sides))
    later = verdict_of(again, "latency_p50")
    failed_at = evidence.sides()[1].requests - 10  # the first flush is the warm-up
    assert later.message == f"when it failed, at sample {failed_at} of this step: {verdict.message}"
    assert replace(later, message=verdict.message, evidence_to_pass=verdict.evidence_to_pass) == verdict


def test_a_late_loss_of_a_class_is_reported_over_the_last_pairs() -> None:
    gate = pair_gate(
        GateSpec("recall_spam", GateKind.CLASS_RECALL, 0.05, "share", math.log(20), math.log(20), of="spam")
    )
    for k in range(1500):
        gate.add(k >= 1400 and k % 3 == 0, noise=False)
    verdict = verdict_of_gate(gate, None)
    assert verdict.outcome == "fail"
    assert verdict.value is not None
    assert verdict.value > 0.2
    assert f" of the last {verdict.n} pairs; over the step: recall of “spam”" in verdict.message


def test_a_failure_that_the_whole_step_explains_is_reported_over_the_step() -> None:
    evidence = Evidence.fresh(workload_of(GATES), 25, 1000)
    for i in range(100):
        evidence = evidence.fold_scored(pair(0.4, 2000 + i))
    verdict = verdict_of(evidence, "sameness")
    assert (verdict.outcome, verdict.n) == ("fail", 100)
    assert verdict.message == "agreement 0.400 over 100 pairs, limit at least 0.750"


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20)), max_size=60), st.floats(0.001, 0.5))
def test_the_rate_within_a_bad_period_is_beyond_the_limit(blocks: list[tuple[int, int]], limit: float) -> None:
    grid, since = RateGrid.around(limit, (0.25,), above=True), NO_BAD_PERIOD
    for errors, more in blocks:
        since = since.after(grid.ratios(errors, errors + more)[0], errors, errors + more, 0, 0)
        assert since.c_n == 0 or since.c_errors / since.c_n > limit

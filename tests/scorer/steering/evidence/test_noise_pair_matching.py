"""Cross pairs and noise pairs are drawn from the same users, however many pairs a user has."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from bench import sameness_cases
from bench.simulated_runs import upper_limit
from glidepath.pair_scores import AnswerFacts
from glidepath.pairs import PairKind
from glidepath.sides import Origin
from glidepath.status_and_decisions import Verdict
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.evidence.gate_observations import PairsMatched
from scorer.steering.evidence.noise_pair_matching import NoisePair, PairMatcher
from tests.support.evidence_builders import pair, through_json, workload_of

MARGIN = """\
    sticky: {header: x-user}
    shadow: {same_side: 30}
    gates: {sameness: {margin: 0.05, min_samples: 20}, errors: null, latency: []}
"""
FACTS = """\
    sticky: {header: x-user}
    ramp: {min_samples: 20}
    shadow: {same_side: 30}
    gates: {sameness: null, errors: null, latency: [], signals: {max_increase: 10%, action: rollback, of: [numbers]}}
"""
QUIET = NoisePair(0.9, {})


def margin_of(evidence: Evidence) -> Verdict:
    return next(v for v in evidence.verdicts(100_000) if v.gate == "sameness_margin")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("crowd", "worse", "outcome"),
    [
        (sameness_cases.Crowd(heavy_share=0.3, heavy=0.70, others=0.97), 0.10, "fail"),
        (sameness_cases.Crowd(heavy_share=0.5, heavy=0.75, others=0.95), 0.08, "fail"),
        (sameness_cases.Crowd(heavy_share=0.5, heavy=0.98, others=0.80), 0.0, "pass"),
        (sameness_cases.Crowd(heavy_share=0.3, heavy=0.99, others=0.85), 0.0, "pass"),
    ],
    ids=["worse, a hard third", "worse, a hard half", "equal, an easy half", "equal, an easy third"],
)
def test_one_heavy_user_changes_neither_the_failure_of_a_worse_candidate_nor_the_pass_of_an_equal_one(
    crowd: sameness_cases.Crowd, worse: float, outcome: str
) -> None:
    runs = sameness_cases.margin(5, 1, crowd, worse, n=6000)
    reached, missed = (runs.fail, runs.passed) if outcome == "fail" else (runs.passed, runs.fail)
    assert np.isfinite(reached).all()
    assert not np.isfinite(missed).any()


@pytest.mark.slow
def test_false_decisions_at_the_margin_stay_below_alpha_with_one_heavy_user() -> None:
    count = 60
    runs = sameness_cases.margin(count, 2, sameness_cases.Crowd(heavy_share=0.3, heavy=0.70, others=0.85), 0.05, n=1200)
    assert runs.fail_rate <= upper_limit(count)
    assert runs.pass_rate <= upper_limit(count)


def test_a_fact_is_compared_with_noise_pairs_of_the_same_users() -> None:
    evidence, rng = Evidence.fresh(workload_of(FACTS), 10, 1000), np.random.default_rng(3)
    for i in range(3000):
        loud = rng.random() < 0.5
        floor = 0.7 if loud else 0.1
        user, at_ms = "loud" if loud else f"user-{rng.integers(100)}", 2000 + 100 * i
        kinds = [(PairKind.CROSS, floor + 0.25)] + [(PairKind.NOISE, floor)] * (rng.random() < 0.3)
        for kind, rate in kinds:
            signals = {"word_overlap": 0.3, "numbers": 0.7 if rng.random() < rate else 0.2}
            evidence = evidence.fold_scored(replace(pair(0.9, at_ms, kind=kind, sticky=user), signals=signals))
    verdict = next(v for v in evidence.verdicts(400_000) if v.gate == "signal_numbers")
    assert verdict.outcome == "fail"
    assert verdict.value == pytest.approx(0.25, abs=0.1)


@pytest.mark.parametrize("origin", [Origin.SHADOW, Origin.PROBE])
def test_pairs_of_requests_that_the_baseline_did_not_serve_are_not_compared_with_noise_pairs(origin: Origin) -> None:
    evidence = Evidence.fresh(workload_of(MARGIN), 50, 1000)
    for i in range(200):
        own = replace(pair(0.2, 2000 + i, sticky=f"user-{i}"), baseline=AnswerFacts(origin=origin))
        evidence = evidence.fold_scored(own)
        evidence = evidence.fold_scored(pair(0.9, 2000 + i, kind=PairKind.NOISE, sticky=f"user-{i}"))
    assert margin_of(evidence).n == 0
    for i in range(200):
        evidence = evidence.fold_scored(pair(0.9, 2000 + i, sticky=f"user-{i}"))
    assert margin_of(evidence).n > 150
    assert margin_of(evidence).value == pytest.approx(0.0)


def test_without_stickiness_reverse_shadow_pairs_are_compared_but_probes_are_not() -> None:
    evidence = Evidence.fresh(workload_of("    gates: {sameness: {margin: 0.05}}\n"), 50, 1000)
    for i in range(50):
        served = replace(pair(0.5, 2000 + i), baseline=AnswerFacts(origin=Origin.SHADOW))
        probe = replace(pair(0.0, 2000 + i), baseline=AnswerFacts(origin=Origin.PROBE))
        for one in (served, probe, pair(0.9, 2000 + i, kind=PairKind.NOISE)):
            evidence = evidence.fold_scored(one)
    assert margin_of(evidence).n == 50
    assert margin_of(evidence).value == pytest.approx(0.4)


@pytest.mark.parametrize("noise_first", [True, False])
def test_the_pairs_of_a_request_are_matched_in_either_order(noise_first: bool) -> None:
    found = PairMatcher()
    if noise_first:
        assert found.add_noise("ann", 5000, QUIET) is None
        match = found.add_cross("ann", 5000, 0.8, counts=True)
    else:
        assert found.add_cross("ann", 5000, 0.8, counts=True) is None
        match = found.add_noise("ann", 5000, QUIET)
    assert match == PairsMatched(0.8, QUIET.agreement, QUIET.events)
    assert found.add_noise("ann", 5000, QUIET) is None  # each counts once


def test_a_pair_of_another_user_an_old_pair_or_a_discounted_pair_is_not_matched() -> None:
    found = PairMatcher()
    found.add_cross("ann", 0, 0.8, counts=True)
    assert found.add_noise("bob", 0, QUIET) is None
    assert found.add_noise("ann", 3_600_000, QUIET) is None
    found.add_cross("eve", 0, 0.8, counts=False)
    assert found.add_noise("eve", 0, QUIET) is None


def test_waiting_pairs_can_be_restored_from_json_and_stay_bounded() -> None:
    found, twin = PairMatcher(), PairMatcher()
    for i in range(2000):
        found.add_cross(f"c{i}", i, 0.123456, counts=bool(i % 2))
        found.add_noise(f"n{i}", i, NoisePair(0.5, {"recall_fraud": True}))
    stored = json.dumps(found.state)
    twin.restore(through_json(found.state))
    assert len(stored) < 32_000
    assert (
        twin.add_noise("c1999", 2000, QUIET)
        == found.add_noise("c1999", 2000, QUIET)
        == PairsMatched(0.1235, QUIET.agreement, QUIET.events)
    )
    assert twin.state == found.state

"""The scored pairs that count as evidence, and their effect on the gates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from glidepath.pair_scores import AnswerFacts, ScoredPair
from scorer.steering.evidence.accumulator import Evidence
from tests.support.evidence_builders import GATES, by_gate, fresh_evidence, pair, workload_of


def test_an_unscored_pair_is_not_counted() -> None:
    evidence = fresh_evidence().fold_scored(pair(0.0, scored=False))
    assert by_gate(evidence)["sameness"].n == 0


def test_a_burst_of_one_user_among_many_is_capped() -> None:
    evidence = fresh_evidence()
    for i in range(200):
        evidence = evidence.fold_scored(pair(0.95, 2000 + i, sticky=f"user-{i % 100}"))
    before = by_gate(evidence)["sameness"].n
    for i in range(60):
        evidence = evidence.fold_scored(pair(0.0, 3000 + i, sticky="loud"))
    sameness = by_gate(evidence)["sameness"]
    assert before > 150
    assert sameness.n <= before + 3
    assert sameness.outcome != "fail"


def test_the_pairs_of_the_only_user_all_count() -> None:
    evidence = fresh_evidence()
    for i in range(100):
        evidence = evidence.fold_scored(pair(0.95, 2000 + i, sticky="only"))
    assert by_gate(evidence)["sameness"].n == 100


def test_latency_per_token_passes_a_model_with_longer_answers() -> None:
    text = "    gates: {latency: [{quantile: p50, signal: per_token}], sameness: null, errors: null}\n"
    evidence = fresh_evidence(gates=text)
    rng = np.random.default_rng(1)
    for i in range(300):
        cross = pair(0.9, 2000 + i)
        tokens = int(rng.integers(50, 150))
        evidence = evidence.fold_scored(
            ScoredPair(
                **{f: getattr(cross, f) for f in ScoredPair.__slots__ if f not in ("baseline", "candidate")},
                baseline=AnswerFacts(total_ms=tokens * float(rng.normal(10, 1)), output_tokens=tokens),
                candidate=AnswerFacts(total_ms=3 * tokens * float(rng.normal(10, 1)), output_tokens=3 * tokens),
            )
        )
    verdict = by_gate(evidence)["per_token_p50"]
    assert verdict.outcome == "pass"
    assert verdict.value == pytest.approx(1.0, abs=0.05)


def test_pairs_with_tool_calls_are_counted_and_kept() -> None:
    evidence = fresh_evidence()
    assert evidence.tool_calls() == (0, 0)
    for i, exact in enumerate((1.0, 1.0, 0.0)):
        evidence = evidence.fold_scored(replace(pair(0.9, 2000 + i), signals={"exact_call": exact}))
    evidence = evidence.fold_scored(pair(0.9, 2010))
    assert evidence.tool_calls() == (3, 2)
    assert Evidence.from_json(workload_of(GATES), evidence.to_json()).tool_calls() == (3, 2)

"""The gates of classes and of facts: valid at the boundary, powerful beyond it, separate for each class."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from bench.simulated_runs import AT, upper_limit
from glidepath.pairs import PairKind
from glidepath.status_and_decisions import Verdict
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.evidence.gate_specs import GateKind, GateSpec
from scorer.steering.evidence.gates_of_workload import specs_of
from scorer.steering.evidence.pair_gates import PairGate, pair_gate
from tests.support.evidence_builders import pair, workload_of

RUNS = 150
CLASSES = """\
    task: classification
    scoring: {classification: {matter: [fraud, spam]}}
    ramp: {min_samples: 20}
    gates: {sameness: {min_agreement: 0.85}, latency: [], classes: {max_loss: 2%}}
"""
WAVERING = CLASSES + "    shadow: {same_side: 20}\n"
FACTS = """\
    ramp: {min_samples: 20}
    shadow: {same_side: 20}
    gates: {sameness: null, latency: [], signals: {max_increase: 10%, action: rollback}}
"""


def evidence_of(text: str) -> Evidence:
    return Evidence.fresh(workload_of(text), 25, 1000)


def labelled(evidence: Evidence, expected: str, got: str, kind: PairKind = PairKind.CROSS) -> Evidence:
    one = replace(pair(float(expected == got), kind=kind), labels={"expected": expected, "got": got})
    return evidence.fold_scored(one)


def differing(evidence: Evidence, differs: bool, kind: PairKind) -> Evidence:
    signals = {"word_overlap": 0.3, "numbers": 0.7 if differs else 0.2}
    return evidence.fold_scored(replace(pair(0.9, kind=kind), signals=signals))


def by_gate(evidence: Evidence) -> dict[str, Verdict]:
    return {v.gate: v for v in evidence.verdicts(100_000)}


def spec(increase: bool, limit: float) -> GateSpec:
    kind = GateKind.CLASS_RECALL
    return GateSpec("recall_fraud", kind, limit, "share", AT, AT, increase=increase, of="fraud")


def decisions(gate: PairGate, rate: float, floor: float, n: int, rng: np.random.Generator) -> tuple[bool, bool]:
    """Return whether the gate ever failed and ever passed; one pair in five is a noise pair."""
    for lost, noise in zip(rng.random(n), rng.random(n) < 0.2, strict=True):
        gate.add(bool(lost < (floor if noise else rate)), bool(noise))
    return gate.failed, gate.proven


@pytest.mark.slow
@pytest.mark.parametrize(
    ("increase", "rate", "floor", "limit"),
    [(False, 0.02, 0.0, 0.02), (True, 0.07, 0.05, 0.02), (True, 0.7, 0.6, 0.1)],
    ids=["a class by itself", "a class that the baseline loses too", "a fact against the noise floor"],
)
def test_false_decisions_about_a_candidate_at_the_limit_stay_below_alpha(
    increase: bool, rate: float, floor: float, limit: float
) -> None:
    rng = np.random.default_rng(7)
    runs = [decisions(pair_gate(spec(increase, limit)), rate, floor, 600, rng) for _ in range(RUNS)]
    assert np.mean([fail for fail, _ in runs]) <= upper_limit(RUNS)
    assert np.mean([passed for _, passed in runs]) <= upper_limit(RUNS)


@pytest.mark.slow
def test_an_equal_candidate_does_not_fail_where_the_baseline_disagrees_with_itself() -> None:
    rng = np.random.default_rng(3)
    runs = [decisions(pair_gate(spec(True, 0.02)), 0.08, 0.08, 800, rng)[0] for _ in range(40)]
    assert not any(runs)


@pytest.mark.slow
def test_a_loss_in_a_minority_class_fails_though_the_mean_agreement_passes() -> None:
    evidence, rng = evidence_of(CLASSES), np.random.default_rng(1)
    for _ in range(20_000):  # 5 % fraud, of which a twentieth is lost; every other label equals the baseline's
        expected = "fraud" if rng.random() < 0.05 else "ham"
        evidence = labelled(evidence, expected, "ham" if expected == "fraud" and rng.random() < 0.05 else expected)
    verdicts = by_gate(evidence)
    assert verdicts["sameness"].outcome == "pass"
    assert verdicts["recall_fraud"].outcome == "fail"
    assert verdicts["precision_fraud"].outcome == "pass"
    assert verdicts["recall_fraud"].value == pytest.approx(0.05, abs=0.015)
    assert verdicts["recall_fraud"].message.startswith("recall of “fraud” 9")
    assert verdicts["recall_spam"].message == "no data yet"


def test_wrong_labels_of_a_class_fail_its_precision() -> None:
    evidence, rng = evidence_of(CLASSES), np.random.default_rng(2)
    for _ in range(600):
        evidence = labelled(evidence, "fraud", "fraud")
        if rng.random() < 0.2:
            evidence = labelled(evidence, "ham", "fraud")
    verdicts = by_gate(evidence)
    assert (verdicts["recall_fraud"].outcome, verdicts["precision_fraud"].outcome) == ("pass", "fail")


def test_with_noise_pairs_the_loss_of_a_class_is_measured_above_the_noise_floor() -> None:
    evidence = evidence_of(WAVERING)
    for i in range(400):
        lost = i % 10 == 0
        evidence = labelled(evidence, "fraud", "ham" if lost else "fraud")
        evidence = labelled(evidence, "fraud", "ham" if lost else "fraud", PairKind.NOISE)
    verdict = by_gate(evidence)["recall_fraud"]
    assert verdict.outcome != "fail"
    assert verdict.value == 0
    assert verdict.message.startswith("recall of “fraud” 90 % (400 pairs), limit 2 % less")
    assert "the baseline compared with itself: 90 % (400 pairs)" in verdict.message


@pytest.mark.slow
def test_facts_that_differ_more_often_than_in_noise_pairs_fail_the_gate() -> None:
    evidence, rng = evidence_of(FACTS), np.random.default_rng(4)
    for _ in range(800):
        evidence = differing(evidence, rng.random() < 0.5, PairKind.CROSS)
        evidence = differing(evidence, rng.random() < 0.2, PairKind.NOISE)
    verdict = by_gate(evidence)["signal_numbers"]
    assert verdict.outcome == "fail"
    assert verdict.value == pytest.approx(0.3, abs=0.06)
    assert "of 800 pairs, in 2" in verdict.message
    assert verdict.message.endswith("may be 10 % more")
    assert by_gate(evidence)["signal_names"].outcome == "pass"


@pytest.mark.slow
def test_facts_that_differ_as_often_as_in_noise_pairs_pass_the_gate() -> None:
    evidence, rng = evidence_of(FACTS), np.random.default_rng(5)
    for _ in range(1500):
        evidence = differing(evidence, rng.random() < 0.6, PairKind.CROSS)
        evidence = differing(evidence, rng.random() < 0.6, PairKind.NOISE)
    assert by_gate(evidence)["signal_numbers"].outcome == "pass"


def test_pairs_without_a_text_comparison_do_not_count_for_facts() -> None:
    evidence = evidence_of(FACTS).fold_scored(replace(pair(0.9), signals={"label": 1.0, "numbers": 1.0}))
    assert by_gate(evidence)["signal_numbers"].n == 0
    assert by_gate(evidence.fold_scored(replace(pair(1.0), signals={"word_overlap": 1.0})))["signal_numbers"].n == 1


def test_gates_of_facts_are_informational_by_default() -> None:
    shown = specs_of(workload_of("    shadow: {same_side: 5}\n"), 25)
    assert [(s.name, s.gating) for s in shown if s.of] == [
        ("signal_numbers", False),
        ("signal_names", False),
        ("signal_negation", False),
    ]
    assert not [s for s in specs_of(workload_of("    shadow: {same_side: 0}\n"), 25) if s.of]


def test_classes_share_the_budget_for_false_decisions_with_the_other_gates() -> None:
    specs = specs_of(workload_of(CLASSES), 25)
    assert sum(bool(s.of) for s in specs) == 4
    assert math.fsum(math.exp(-s.fail_at) for s in specs if s.gating) == pytest.approx(0.05)


def test_a_stored_class_gate_goes_on_but_starts_afresh_once_noise_pairs_count() -> None:
    evidence = evidence_of(CLASSES)
    for i in range(300):
        evidence = labelled(evidence, "fraud", "ham" if i % 20 == 0 else "fraud")
    stored = json.loads(json.dumps(evidence.to_json()))
    again = Evidence.from_json(workload_of(CLASSES), stored)
    assert by_gate(again)["recall_fraud"] == by_gate(evidence)["recall_fraud"]
    other = Evidence.from_json(workload_of(WAVERING), stored)
    assert by_gate(other)["recall_fraud"].n == 0

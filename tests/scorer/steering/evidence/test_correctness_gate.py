"""The correctness gates: they find a candidate that is wrong more often, even if only in one class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.pair_scores import Correctness, ScoredPair
from glidepath.pairs import PairKind
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.evidence.correctness_gate import CorrectnessGate, true_class
from scorer.steering.evidence.gate_observations import CorrectnessGiven
from scorer.steering.evidence.gates_of_workload import judges_answers, specs_of
from tests.support.evidence_builders import by_gate, pair, through_json, workload_of

VERIFIER = "    scoring: {verifier: {command: [verify]}}\n"
QUIET = "    gates: {errors: null, latency: []}\n"
CLASSES = "    task: classification\n    scoring: {verifier: {command: [verify]}, classification: {matter: [fraud]}}\n"
BOTH, ONLY_BASELINE, ONLY_CANDIDATE, NEITHER = (Correctness(b, c) for b, c in ((1, 1), (1, 0), (0, 1), (0, 0)))


def names(text: str) -> dict[str, tuple[float, str]]:
    return {spec.name: (spec.limit, spec.action.value) for spec in specs_of(workload_of(text), 10)}


def verified(found: Correctness | None, expected: str = "", got: str = "", **changes: object) -> ScoredPair:
    labels = {"expected": expected, "got": got} if expected else {}
    return replace(pair(0.9), correctness=found, labels=labels, **changes)  # type: ignore[arg-type]


def gate_of() -> CorrectnessGate:
    return CorrectnessGate(next(s for s in specs_of(workload_of(VERIFIER), 10) if s.name == "correctness"))


def decision(only_candidate: float, only_baseline: float, seed: int, most: int) -> str:
    gate, rng = gate_of(), np.random.default_rng(seed)
    shares = (only_candidate, only_baseline, 1 - only_candidate - only_baseline)
    for kind in rng.choice(3, most, p=shares).tolist():
        gate.fold_correctness(CorrectnessGiven((ONLY_CANDIDATE, ONLY_BASELINE, BOTH)[kind]))
        if gate.failed or gate.proven:
            return "fail" if gate.failed else "pass"
    return "undecided"


@pytest.mark.parametrize("task", ["chat", "tools", "embeddings"])
def test_with_a_verifier_each_task_has_the_gate_and_another_answer_only_holds(task: str) -> None:
    found = names(f"    task: {task}\n" + VERIFIER)
    assert found["correctness"] == (0.05, "rollback")
    assert found.get("sameness", (0.85, "hold")) == (0.85, "hold")
    assert judges_answers(workload_of(f"    task: {task}\n" + VERIFIER))


@pytest.mark.parametrize(("task", "exists"), [("tools", True), ("extraction", True), ("classification", True)])
def test_without_a_verifier_exact_answers_are_compared_with_the_baselines(task: str, exists: bool) -> None:
    assert names(f"    task: {task}\n")["correctness"] == (pytest.approx(0.15), "rollback")
    assert names(f"    task: {task}\n    shadow: {{same_side: 5}}\n")["correctness"] == (0.05, "rollback")
    assert names(f"    task: {task}\n    gates: {{correctness: {{margin: 1%, action: hold}}}}\n")["correctness"] == (
        0.01,
        "hold",
    )
    assert "correctness" not in names(f"    task: {task}\n    gates: {{correctness: null}}\n")


@pytest.mark.parametrize("task", ["chat", "generation", "auto", "embeddings", "rerank"])
def test_without_a_verifier_nothing_says_which_free_text_is_right(task: str) -> None:
    assert "correctness" not in names(f"    task: {task}\n")


def test_free_text_with_a_written_gate_compares_final_answers() -> None:
    text = "    shadow: {same_side: 0}\n    gates: {correctness: {}, errors: null, latency: []}\n"
    assert names(text)["correctness"] == (pytest.approx(0.15), "rollback")
    evidence = Evidence.fresh(workload_of(text), 25, 1000)
    for signals in ({"final_answer": 1.0, "word_overlap": 0.9}, {"word_overlap": 0.9}, {"final_answer": 0.0}) * 40:
        evidence.fold_scored(compared(signals))
    verdict = by_gate(evidence)["correctness"]
    assert (verdict.outcome, verdict.n) == ("fail", 80)


def test_only_pairs_in_which_one_answer_is_right_move_the_evidence() -> None:
    gate = gate_of()
    for found in (NEITHER, BOTH) * 30:
        gate.fold_correctness(CorrectnessGiven(found))
    assert (gate.value, gate.n, gate.failed) == (0.0, 60, False)
    for _ in range(30):
        gate.fold_correctness(CorrectnessGiven(ONLY_BASELINE))
    assert gate.failed
    assert "right in 33.3 % of 90 verified pairs, the baseline in 66.7 %; 5 % less is allowed" in gate.message()


def test_a_candidate_that_is_right_more_often_passes_and_one_that_is_wrong_more_often_fails() -> None:
    cases = ((0.15, 0.05, "pass", 1500), (0.05, 0.05, "pass", 3000), (0.02, 0.4, "fail", 150))
    for more, less, expected, most in cases:
        found = [decision(more, less, seed, most) for seed in range(20)]
        assert found.count(expected) >= 18, (more, less, found)


def test_pairs_without_a_verdict_are_no_data_and_a_busy_user_is_discounted() -> None:
    evidence = Evidence.fresh(workload_of(VERIFIER + QUIET), 25, 1000)
    for i in range(400):
        evidence.fold_scored(verified(None))
        evidence.fold_scored(verified(ONLY_BASELINE, captured_at_ms=999))
        evidence.fold_scored(verified(ONLY_BASELINE, kind=PairKind.NOISE))
        evidence.fold_scored(verified(BOTH, sticky="busy" if i % 2 else f"user {i % 40}"))
    assert 0 < by_gate(evidence)["correctness"].n < 300
    assert by_gate(evidence)["correctness"].value == 0


@pytest.mark.parametrize(
    ("found", "labels", "expected"),
    [
        (BOTH, {"expected": "fraud", "got": "fraud"}, "fraud"),
        (ONLY_BASELINE, {"expected": "fraud", "got": "fine"}, "fraud"),
        (ONLY_CANDIDATE, {"expected": "fraud", "got": "fine"}, "fine"),
        (NEITHER, {"expected": "fraud", "got": "fine"}, ""),
        (BOTH, {}, ""),
    ],
)
def test_the_class_of_a_request_is_that_of_the_right_answer(
    found: Correctness, labels: dict[str, str], expected: str
) -> None:
    assert true_class(found, labels) == expected


def test_a_loss_in_one_class_fails_its_gate_although_the_total_gains() -> None:
    evidence = Evidence.fresh(workload_of(CLASSES + QUIET), 25, 1000)
    for i in range(600):
        rare = i % 10 == 0
        found, expected, got = (ONLY_BASELINE, "fraud", "fine") if rare else (ONLY_CANDIDATE, "fraud", "fine")
        evidence.fold_scored(verified(found if rare or i % 3 else BOTH, expected, got))
    verdicts = by_gate(evidence)
    assert verdicts["correctness_fraud"].outcome == "fail"
    assert verdicts["correctness"].outcome == "pass"
    assert "of “fraud”" in verdicts["correctness_fraud"].message
    assert not {"recall_fraud", "precision_fraud"} & set(verdicts)


def compared(signals: dict[str, float], kind: PairKind = PairKind.CROSS) -> ScoredPair:
    return replace(pair(0.95, kind=kind), signals=signals)


def test_one_wrong_argument_in_each_call_rolls_back_although_the_answers_look_alike() -> None:
    evidence = Evidence.fresh(workload_of("    task: tools\n" + QUIET), 25, 1000)
    for _ in range(80):
        evidence.fold_scored(compared({"tool": 0.0, "arguments": 0.1}))
    verdicts = by_gate(evidence)
    assert (verdicts["correctness"].outcome, verdicts["correctness"].action) == ("fail", "rollback")
    assert verdicts["sameness"].outcome != "fail"
    assert "0 % of 80 answers equal the baseline's exactly" in verdicts["correctness"].message


def test_answers_that_differ_as_often_as_the_baselines_own_are_not_wrong() -> None:
    rng = np.random.default_rng(1)
    evidence = Evidence.fresh(workload_of("    task: extraction\n    shadow: {same_side: 50}\n" + QUIET), 25, 1000)
    for changed, again in (rng.random((600, 2)) < 0.3).tolist():
        evidence.fold_scored(compared({"fields": 0.2 * changed}))
        evidence.fold_scored(compared({"fields": 0.2 * again}, PairKind.NOISE))
    verdict = by_gate(evidence)["correctness"]
    assert verdict.outcome != "fail"
    assert verdict.n == 600
    assert "the baseline's own" in verdict.message


def test_an_answer_without_an_exact_form_is_not_counted() -> None:
    evidence = Evidence.fresh(workload_of("    task: tools\n" + QUIET), 25, 1000)
    for _ in range(30):
        evidence.fold_scored(compared({"word_overlap": 0.4, "cosine": 0.9}))
    assert by_gate(evidence)["correctness"].n == 0


@pytest.mark.slow
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=60))
def test_the_value_is_the_mean_difference_and_the_state_survives_json(pairs: list[tuple[float, float]]) -> None:
    gate = gate_of()
    for baseline, candidate in pairs:
        gate.fold_correctness(CorrectnessGiven(Correctness(baseline, candidate)))
    mean = sum(b - c for b, c in pairs) / len(pairs) if pairs else None
    assert gate.value == (None if mean is None else pytest.approx(mean, abs=1e-9))
    again = gate_of()
    again.restore(through_json(gate.state))
    assert again.state == gate.state
    for one in (gate, again):
        one.fold_correctness(CorrectnessGiven(ONLY_BASELINE))
    assert again.state == gate.state

"""The defects gate: only discordant pairs count, it is valid at its limit, and it finds a candidate that is worse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.answer_faults import AnswerFault, Grade
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import PairKind
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.evidence.defects_gate import DefectsGate, answers_judged
from scorer.steering.evidence.gate_observations import AnswersJudged
from scorer.steering.evidence.gates_of_workload import specs_of
from tests.support.evidence_builders import by_gate, pair, through_json, workload_of

FINE, REFUSAL, LOOP = (), ("refusal",), ("loop",)
PLAIN = "    gates: {errors: null, latency: []}\n"


def judged(candidate: tuple[str, ...], baseline: tuple[str, ...], *, scored: bool = True) -> ScoredPair:
    return replace(
        pair(0.9, scored=scored),
        candidate=AnswerFacts(status=200, faults=candidate),
        baseline=AnswerFacts(status=200, faults=baseline),
    )


def gate_of(text: str = "") -> DefectsGate:
    return DefectsGate(next(spec for spec in specs_of(workload_of(text), 10) if spec.name == "defects"))


def pairs_until_failure(candidate: float, baseline: float, seed: int, most: int) -> int | None:
    """Return the number of pairs after which the gate fails; the sides have independent defects at these rates."""
    gate, rng = gate_of(), np.random.default_rng(seed)
    broken = rng.random((most, 2)) < (candidate, baseline)
    for n, (own, other) in enumerate(broken.tolist(), start=1):
        gate.fold_pair(AnswersJudged(REFUSAL if own else FINE, REFUSAL if other else FINE))
        if gate.failed:
            return n
    return None


def test_a_candidate_with_more_defects_rolls_back_and_the_verdict_names_their_kinds() -> None:
    evidence = Evidence.fresh(workload_of(PLAIN), 25, 1000)
    for i in range(120):
        evidence.fold_scored(judged(REFUSAL if i % 4 == 0 else LOOP if i % 4 == 1 else FINE, FINE))
    verdict = by_gate(evidence)["defects"]
    assert (verdict.outcome, verdict.action, verdict.guard, verdict.fast) == ("fail", "rollback", True, False)
    assert "(loop " in verdict.message
    assert "refusal" in verdict.message


def test_defects_that_both_answers_have_move_nothing() -> None:
    evidence = Evidence.fresh(workload_of(PLAIN), 25, 1000)
    for _ in range(300):
        evidence.fold_scored(judged(REFUSAL, LOOP))
    verdict = by_gate(evidence)["defects"]
    assert (verdict.outcome, verdict.value, verdict.n) == ("pass", 0.0, 300)


@pytest.mark.parametrize(("rate", "most"), [(1.0, 20), (0.5, 50), (0.2, 200), (0.1, 700)])
def test_a_worse_candidate_fails_after_few_pairs(rate: float, most: int) -> None:
    found = [pairs_until_failure(rate, 0.01, seed, most) for seed in range(20)]
    assert sum(n is not None for n in found) >= 19, found


@pytest.mark.slow
@pytest.mark.parametrize("baseline", [0.0, 0.05, 0.3])
def test_a_false_failure_at_the_limit_is_rarer_than_alpha(baseline: float) -> None:
    runs = 300
    failed = sum(pairs_until_failure(baseline + 0.02, baseline, seed, 600) is not None for seed in range(runs))
    assert failed / runs <= 0.05


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_the_value_is_the_difference_of_the_rates_and_the_state_survives_json(pairs: list[tuple[bool, bool]]) -> None:
    gate = gate_of()
    for own, other in pairs:
        gate.fold_pair(AnswersJudged(LOOP if own else FINE, LOOP if other else FINE))
    difference = sum(own for own, _ in pairs) - sum(other for _, other in pairs)
    assert gate.value == (None if not pairs else pytest.approx(difference / len(pairs)))
    again = gate_of()
    again.restore(through_json(gate.state))
    assert again.state == gate.state
    for one in (gate, again):
        one.fold_pair(AnswersJudged(LOOP, FINE))
    assert again.state == gate.state


@pytest.mark.parametrize("fault", [fault for fault in AnswerFault if fault.grade is Grade.FAILED])
def test_a_failed_answer_is_counted_by_the_gates_of_errors_only(fault: AnswerFault) -> None:
    assert answers_judged(judged((fault.value,), FINE)) is None
    assert answers_judged(judged(FINE, (fault.value,))) is None


def test_answers_with_an_error_status_and_answers_of_the_other_side_do_not_count() -> None:
    good = judged(REFUSAL, FINE)
    assert replace(answers_judged(good), pair=None) == AnswersJudged(REFUSAL, FINE)
    assert answers_judged(replace(good, candidate=replace(good.candidate, status=503))) is None
    assert answers_judged(replace(good, candidate=replace(good.candidate, failed_over=True))) is None


def test_a_pair_that_could_not_be_scored_still_shows_its_defects() -> None:
    evidence = Evidence.fresh(workload_of(PLAIN), 25, 1000)
    for _ in range(60):
        evidence.fold_scored(judged(LOOP, FINE, scored=False))
    assert by_gate(evidence)["defects"].outcome == "fail"
    assert evidence.agreement() is None


def test_noise_pairs_and_pairs_of_an_earlier_step_do_not_count() -> None:
    evidence = Evidence.fresh(workload_of(PLAIN), 25, 1000)
    evidence.fold_scored(replace(judged(LOOP, FINE), kind=PairKind.NOISE))
    evidence.fold_scored(replace(judged(LOOP, FINE), captured_at_ms=999))
    assert by_gate(evidence)["defects"].n == 0


@pytest.mark.parametrize("task", ["embeddings", "rerank"])
def test_answers_without_text_have_no_defects_gate(task: str) -> None:
    assert "defects" not in {spec.name for spec in specs_of(workload_of(f"    task: {task}\n"), 10)}


def test_the_gate_can_be_switched_off_or_only_inform() -> None:
    assert "defects" not in {s.name for s in specs_of(workload_of("    gates: {defects: null}\n"), 10)}
    informing = specs_of(workload_of("    gates: {defects: {action: inform, max_increase: 5%}}\n"), 10)
    assert [(s.action.value, s.limit) for s in informing if s.name == "defects"] == [("inform", 0.05)]

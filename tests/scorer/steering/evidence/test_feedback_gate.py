"""The feedback gate: common drift is not evidence, and the gate finds a candidate that users like less."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.feedback import Feedback, FeedbackMatch
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.evidence.feedback_gate import FeedbackGate
from scorer.steering.evidence.gate_observations import FeedbackGiven
from scorer.steering.evidence.gates_of_workload import specs_of
from tests.support.evidence_builders import by_gate, through_json, workload_of

FEEDBACK = "    feedback: {}\n"
QUIET = "    gates: {errors: null, latency: []}\n"


def gate_of() -> FeedbackGate:
    return FeedbackGate(next(spec for spec in specs_of(workload_of(FEEDBACK), 10) if spec.name == "feedback"))


def fails_at(
    candidate: float, baseline: float, seed: int, *, share: float = 0.5, most: int = 2000, parts: int = 1
) -> int:
    """Return the number of answers after which the gate fails, or 0.

    Scores are multiples of 1/``parts`` with these means.
    """
    gate, rng = gate_of(), np.random.default_rng(seed)
    sides = (rng.random(most) < share).tolist()
    for n, own in enumerate(sides, start=1):
        score = rng.binomial(parts, candidate if own else baseline) / parts
        gate.fold_feedback(FeedbackGiven(own, float(score)))
        if gate.failed:
            return n
    return 0


def names(text: str, percent: float | None) -> set[str]:
    return {spec.name for spec in specs_of(workload_of(text), percent)}


def test_the_gate_exists_while_both_sides_serve_clients_and_is_a_guard() -> None:
    assert [p for p in (0, 1, 50, 99, 100, None) if "feedback" in names(FEEDBACK, p)] == [1, 50, 99, None]
    assert "feedback" not in names("", 10)
    assert "feedback" not in names(FEEDBACK + "    gates: {feedback: null}\n", 10)
    [spec] = [spec for spec in specs_of(workload_of(FEEDBACK), 10) if spec.name == "feedback"]
    assert (spec.guard, spec.limit, spec.action.value, spec.min_samples) == (True, 0.05, "rollback", 0)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_candidate_that_users_like_less_fails(share: float) -> None:
    found = [fails_at(0.5, 0.9, seed, share=share) for seed in range(20)]
    assert sum(bool(n) for n in found) >= 19
    assert np.median(found) < 800


def test_a_candidate_that_users_like_as_much_or_more_does_not_fail() -> None:
    assert sum(bool(fails_at(p, 0.8, seed, most=500)) for p in (0.8, 0.9) for seed in range(10)) <= 1


def test_a_bad_hour_of_both_sides_is_no_evidence_against_the_candidate() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        gate = gate_of()
        for i in range(1200):
            good = 0.9 if i < 600 else 0.3
            gate.fold_feedback(FeedbackGiven(bool(rng.random() < 0.2), float(rng.random() < good)))
        assert not gate.failed


def feedback(score: float, match: FeedbackMatch, at_ms: int = 2000, user: str = "") -> Feedback:
    return Feedback(match, score, at_ms, user)


def test_only_matched_feedback_on_requests_of_the_step_counts_and_a_busy_user_counts_less() -> None:
    evidence = Evidence.fresh(workload_of(FEEDBACK + QUIET), 25, 1000)
    for match in (FeedbackMatch.UNKNOWN, FeedbackMatch.REPEATED):
        evidence.fold_feedback(feedback(0.0, match))
    evidence.fold_feedback(feedback(0.0, FeedbackMatch.CANDIDATE, at_ms=999))
    assert by_gate(evidence)["feedback"].n == 0
    for i in range(400):
        user = "busy" if i % 2 else f"user {i % 40}"
        evidence.fold_feedback(feedback(0.0, FeedbackMatch.CANDIDATE, user=user))
    assert 0 < by_gate(evidence)["feedback"].n < 300


def test_the_verdict_names_both_means() -> None:
    evidence = Evidence.fresh(workload_of(FEEDBACK + QUIET), 25, 1000)
    for i in range(150):
        evidence.fold_feedback(feedback(0.0 if i % 2 else 0.5, FeedbackMatch.CANDIDATE))
        evidence.fold_feedback(feedback(1.0, FeedbackMatch.BASELINE))
    verdict = by_gate(evidence)["feedback"]
    assert (verdict.outcome, verdict.n, verdict.guard) == ("fail", 150, True)
    again = Evidence.from_json(workload_of(FEEDBACK + QUIET), evidence.to_json())
    assert by_gate(again)["feedback"] == verdict
    assert "mean feedback 25 % on 150 answers of the candidate, 100 % on 150 of the baseline" in gate_message(evidence)


def gate_message(evidence: Evidence) -> str:
    return evidence._gates.gates["feedback"].message()


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=60))
def test_the_value_is_the_difference_of_the_means_and_the_state_survives_json(given_: list[tuple[bool, float]]) -> None:
    gate = gate_of()
    for own, score in given_:
        gate.fold_feedback(FeedbackGiven(own, score))
    own_scores, others = ([s for own, s in given_ if own is which] for which in (True, False))
    both = own_scores and others
    expected = sum(others) / len(others) - sum(own_scores) / len(own_scores) if both else None
    assert gate.value == (None if expected is None else pytest.approx(expected, abs=1e-9))
    again = gate_of()
    again.restore(through_json(gate.state))
    assert again.state == gate.state
    for one in (gate, again):
        one.fold_feedback(FeedbackGiven(True, 0.0))
        one.fold_feedback(FeedbackGiven(False, 1.0))
    assert again.state == gate.state

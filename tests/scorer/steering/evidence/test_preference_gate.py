"""The preference gate: better and equal candidates pass, worse ones fail, and it is valid at its limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.pair_scores import Preference, ScoredPair
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.evidence.gate_observations import PreferenceGiven
from scorer.steering.evidence.gates_of_workload import judges_answers, specs_of
from scorer.steering.evidence.preference_gate import PreferenceGate
from tests.support.evidence_builders import by_gate, pair, through_json, workload_of

EVALUATOR = "    scoring: {evaluator: {url: 'http://127.0.0.1:1', model: judge}}\n"
PLAIN = EVALUATOR + "    gates: {errors: null, latency: []}\n"


def judged(preference: Preference | None, **changes: object) -> ScoredPair:
    return replace(pair(0.9), preference=preference, **changes)  # type: ignore[arg-type]


def gate_of(text: str = EVALUATOR) -> PreferenceGate:
    return PreferenceGate(next(spec for spec in specs_of(workload_of(text), 10) if spec.name == "preference"))


def pairs_until_decision(won: float, lost: float, seed: int, most: int) -> tuple[str, int]:
    gate = gate_of()
    scores = np.random.default_rng(seed).choice((1.0, 0.5, 0.0), most, p=(won, 1 - won - lost, lost))
    for n, score in enumerate(scores.tolist(), start=1):
        gate.fold_preference(PreferenceGiven(score))
        if gate.failed or gate.proven:
            return ("fail" if gate.failed else "pass"), n
    return "undecided", most


def test_the_gate_exists_where_an_evaluator_judges_free_text() -> None:
    assert "preference" in {spec.name for spec in specs_of(workload_of(EVALUATOR), 10)}
    assert judges_answers(workload_of(EVALUATOR))
    no_noise = "    shadow: {same_side: 0}\n"
    for text in (no_noise, no_noise + EVALUATOR + "    gates: {preference: null}\n"):
        assert "preference" not in {spec.name for spec in specs_of(workload_of(text), 10)}
        assert not judges_answers(workload_of(text))
    assert not judges_answers(workload_of(no_noise + EVALUATOR + "    gates: {preference: {action: inform}}\n"))


def test_the_verdict_names_wins_ties_losses_and_the_judges_own_inconsistency() -> None:
    evidence = Evidence.fresh(workload_of(PLAIN), 25, 1000)
    for preference in [Preference.LOSS] * 30 + [Preference.INCONSISTENT] * 9 + [Preference.FORFEIT, Preference.WIN]:
        evidence.fold_scored(judged(preference))
    verdict = by_gate(evidence)["preference"]
    assert (verdict.outcome, verdict.action, verdict.n) == ("fail", "rollback", 41)
    assert (
        "(1 won, 31 lost, 9 tied; the two orders disagreed in 22 % of 41; "
        "1 lost because the answer addresses its judge)" in verdict.message
    )


def test_equal_answers_do_not_hide_that_the_judge_chooses_by_position() -> None:
    evidence = Evidence.fresh(workload_of(PLAIN), 25, 1000)
    for one in [judged(Preference.INCONSISTENT)] * 20 + [judged(Preference.TIE, unjudged="equal")] * 60:
        evidence.fold_scored(one)
    message = by_gate(evidence)["preference"].message
    asked = "the two orders disagreed in 100 % of 20, so its ties prove nothing"
    assert f"(0 won, 0 lost, 80 tied, 60 of them equal answers; {asked})" in message


@pytest.mark.parametrize(("consistent", "outcome"), [(0, "inconclusive"), (49, "inconclusive"), (50, "pass")])
def test_a_judge_that_nearly_always_chooses_by_position_passes_no_candidate(consistent: int, outcome: str) -> None:
    """With 1,500 equal answers and 500 judged pairs, the mean of 1/2 alone would pass the gate."""
    evidence = Evidence.fresh(workload_of(PLAIN), 25, 1000)
    ties = [judged(Preference.TIE)] * consistent + [judged(Preference.INCONSISTENT)] * (500 - consistent)
    for one in [judged(Preference.TIE, unjudged="equal")] * 1500 + ties:
        evidence.fold_scored(one)
    assert by_gate(evidence)["preference"].outcome == outcome


def test_pairs_without_a_preference_are_no_data() -> None:
    evidence = Evidence.fresh(workload_of(PLAIN), 25, 1000)
    for _ in range(50):
        evidence.fold_scored(judged(None))
        evidence.fold_scored(judged(Preference.LOSS, captured_at_ms=999))
    assert (by_gate(evidence)["preference"].outcome, by_gate(evidence)["preference"].n) == ("inconclusive", 0)


def test_a_busy_users_preferences_are_discounted_as_its_agreement_is() -> None:
    evidence = Evidence.fresh(workload_of(PLAIN), 25, 1000)
    for i in range(400):
        user = "busy" if i % 2 else f"user {i % 40}"
        evidence.fold_scored(judged(Preference.TIE, sticky=user))
    assert 0 < by_gate(evidence)["preference"].n < 300


def test_better_and_equal_candidates_pass_and_worse_ones_fail() -> None:
    for won, lost, decision, most in ((0.5, 0.28, "pass", 1000), (0.3, 0.3, "pass", 4000), (0.1, 0.6, "fail", 100)):
        found = [pairs_until_decision(won, lost, seed, most)[0] for seed in range(20)]
        assert found.count(decision) >= 18, (won, lost, found)


@pytest.mark.slow
@pytest.mark.parametrize("tied", [0.0, 0.4])
def test_a_false_decision_at_the_limit_is_rarer_than_alpha(tied: float) -> None:
    won = 0.45 - tied / 2
    found = [pairs_until_decision(won, 1 - tied - won, seed, 1000)[0] for seed in range(300)]
    assert found.count("fail") / 300 <= 0.05
    assert found.count("pass") / 300 <= 0.08  # alpha is 5 %; three standard errors above it are 8.8 %


@given(st.lists(st.sampled_from(list(Preference)), max_size=60))
def test_the_value_is_the_mean_and_the_state_survives_json(given_: list[Preference]) -> None:
    gate = gate_of()
    for preference in given_:
        gate.fold_preference(PreferenceGiven(preference.score, preference))
    mean = sum(p.score for p in given_) / len(given_) if given_ else None
    assert gate.value == (None if mean is None else pytest.approx(mean))
    again = gate_of()
    again.restore(through_json(gate.state))
    assert again.state == gate.state
    for one in (gate, again):
        one.fold_preference(PreferenceGiven(0.0))
    assert again.state == gate.state

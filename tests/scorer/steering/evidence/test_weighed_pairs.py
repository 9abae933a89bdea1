"""The pairs that weigh most against the candidate, for each kind of gate, and their limited number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.pair_scores import AnswerFacts, Correctness, Preference, ScoredPair
from glidepath.pairs import PairKind
from glidepath.status_and_decisions import Verdict, WeighedPair
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.evidence.gate_observations import PairRef
from scorer.steering.evidence.weighed_pairs import MOST_PAIRS, with_pair
from tests.support.evidence_builders import by_gate, fresh_evidence, pair, workload_of

FINE = AnswerFacts(status=200)
Change = Callable[[ScoredPair], ScoredPair]
EVALUATED = "    scoring: {evaluator: {url: 'http://127.0.0.1:1', model: m}}\n"


def selected(weights: list[float]) -> tuple[WeighedPair, ...]:
    pairs: tuple[WeighedPair, ...] = ()
    for number, weight in enumerate(weights):
        pairs = with_pair(pairs, PairRef(f"p{number}", f"{number}-0", number), weight)
    return pairs


@given(st.lists(st.sampled_from([-1.0, 0.0, 0.001, 0.25, 0.5, 0.501, 1.0]), max_size=60))
def test_the_heaviest_pairs_are_selected_and_of_equal_ones_the_newest(weights: list[float]) -> None:
    harmful = [(round(weight, 2), number) for number, weight in enumerate(weights) if round(weight, 2) > 0]
    expected = sorted(harmful, reverse=True)[:MOST_PAIRS]
    assert [(one.weight, one.at_ms) for one in selected(weights)] == expected


def test_a_pair_that_is_not_selected_costs_no_copy() -> None:
    pairs = selected([1.0] * MOST_PAIRS)
    assert with_pair(pairs, PairRef("old", "", -1), 1.0) is pairs
    assert with_pair(pairs, PairRef("light", "", 99), 0.5) is pairs
    assert with_pair(pairs, None, 1.0) is pairs


def failing(gates: str, change: Change, others: Change, name: str) -> Verdict:
    """Return the verdict of the gate after 300 pairs, of which every second one is bad, and the others are good."""
    evidence = Evidence.fresh(workload_of(gates), 25, 1000)
    for number in range(300):
        whole = replace(pair(0.98, 2000 + number), entry=f"{number}-0", baseline=FINE, candidate=FINE)
        evidence = evidence.fold_scored(change(whole) if number % 2 else others(whole))
        noise = replace(whole, pair_id=f"n{number}", kind=PairKind.NOISE, labels={"expected": "spam", "got": "spam"})
        evidence = evidence.fold_scored(replace(noise, signals={"word_overlap": 0.0}))
    return by_gate(evidence)[name]


def refused(whole: ScoredPair) -> ScoredPair:
    return replace(whole, candidate=replace(whole.candidate, faults=("refusal",)))


def same(whole: ScoredPair) -> ScoredPair:
    return whole


def lost(whole: ScoredPair) -> ScoredPair:
    return replace(whole, preference=Preference.LOSS)


def tied(whole: ScoredPair) -> ScoredPair:
    return replace(whole, preference=Preference.TIE)


def differs(whole: ScoredPair) -> ScoredPair:
    return replace(whole, agreement=0.2)


def another_class(whole: ScoredPair) -> ScoredPair:
    return replace(whole, labels={"expected": "spam", "got": "ham"})


def same_class(whole: ScoredPair) -> ScoredPair:
    return replace(whole, labels={"expected": "spam", "got": "spam"})


def another_number(whole: ScoredPair) -> ScoredPair:
    return replace(whole, signals={"word_overlap": 0.1, "numbers": 0.9})


def same_numbers(whole: ScoredPair) -> ScoredPair:
    return replace(whole, signals={"word_overlap": 0.1})


def wrong(whole: ScoredPair) -> ScoredPair:
    return replace(whole, correctness=Correctness(baseline=1, candidate=0))


def right(whole: ScoredPair) -> ScoredPair:
    return replace(whole, correctness=Correctness(baseline=1, candidate=1))


VERIFIED = "    scoring: {verifier: {command: [verify]}}\n"
NOISE = "    shadow: {sample: 100%, same_side: 50%}\n"
CLASSES = "    task: classification\n    scoring: {classification: {matter: [spam]}}\n    gates: {classes: {}}\n"
CASES = {
    "defects": ("", refused, same),
    "preference": (EVALUATED, lost, tied),
    "correctness": (VERIFIED, wrong, right),
    "sameness": ("    gates: {sameness: {min_agreement: 0.85}}\n", differs, same),
    "sameness_margin": (NOISE + "    gates: {sameness: {margin: 0.05}}\n", differs, same),
    "recall_spam": (CLASSES, another_class, same_class),
    "signal_numbers": (NOISE + "    gates: {signals: {of: [numbers], action: hold}}\n", another_number, same_numbers),
}


@pytest.mark.parametrize("gate", CASES)
def test_a_failing_gate_on_pairs_names_the_bad_pairs_only(gate: str) -> None:
    gates, bad, good = CASES[gate]
    verdict = failing(gates, bad, good, gate)
    assert verdict.outcome == "fail"
    assert len(verdict.pairs) == MOST_PAIRS
    numbers = [int(one.entry.partition("-")[0]) for one in verdict.pairs]
    assert all(number % 2 for number in numbers)
    assert numbers == sorted(numbers, reverse=True)
    assert [one.id for one in verdict.pairs] == [f"p{2000 + number}" for number in numbers]


def test_a_gate_that_does_not_fail_names_no_pairs() -> None:
    verdict = failing("    gates: {sameness: {min_agreement: 0.85}}\n", same, same, "sameness")
    assert (verdict.outcome, verdict.pairs) == ("pass", ())


def test_the_pairs_survive_the_storing_of_the_evidence() -> None:
    evidence = fresh_evidence(gates="    gates: {sameness: {min_agreement: 0.85}}\n")
    for number in range(60):
        evidence = evidence.fold_scored(replace(pair(0.1, 2000 + number), entry=f"{number}-0"))
    gates = workload_of("    gates: {sameness: {min_agreement: 0.85}}\n")
    again = Evidence.from_json(gates, evidence.to_json())
    assert by_gate(again)["sameness"].pairs == by_gate(evidence)["sameness"].pairs != ()

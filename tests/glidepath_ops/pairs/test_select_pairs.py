"""The pairs that each condition selects, and the choice of the worst pair."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from glidepath.pair_labels import Judgement, PairLabel
from glidepath.pair_scores import AnswerFacts, Correctness, Preference, ScoredPair
from glidepath.pairs import PairKind
from glidepath.sides import Side
from glidepath_ops.pairs.select_pairs import PairFilter, badness, is_at_fault, request_id, worst_first

OK = AnswerFacts(status=200)
BASE = ScoredPair("p1", "chat", PairKind.CROSS, 5000, 5050, True, agreement=0.9, baseline=OK, candidate=OK)
REFUSES = replace(OK, faults=("refusal",))
DOWN = replace(OK, status=503)
LABELS = {"p1": PairLabel("p1", Judgement.NOT, "ann", 1)}

SELECTED: list[tuple[dict[str, Any], ScoredPair]] = [
    ({}, BASE),
    ({"flags": frozenset({"numbers", "x"})}, replace(BASE, flags=("numbers",))),
    ({"faults": frozenset({"refusal"})}, replace(BASE, baseline=REFUSES)),
    ({"faults": frozenset({"refusal"}), "side": Side.CANDIDATE}, replace(BASE, candidate=REFUSES)),
    ({"reasons": frozenset({"candidate_status"})}, replace(BASE, unscored_reason="candidate_status")),
    ({"side": Side.CANDIDATE}, replace(BASE, candidate=DOWN)),
    ({"side": Side.CANDIDATE}, replace(BASE, unscored_reason="candidate_truncated")),
    ({"status": "503"}, replace(BASE, candidate=DOWN)),
    ({"status": "5xx", "side": Side.CANDIDATE}, replace(BASE, candidate=DOWN)),
    ({"status": "200", "side": Side.CANDIDATE}, BASE),
    ({"since_ms": 5000, "until_ms": 5001}, BASE),
    ({"request_id": "p1", "kind": None}, replace(BASE, pair_id="p1~noise", kind=PairKind.NOISE)),
    ({"sticky": frozenset({"d"})}, replace(BASE, sticky="d")),
    ({"label": Judgement.NOT}, BASE),
    ({"labelled": True}, BASE),
    ({"labelled": False}, replace(BASE, pair_id="p2")),
    ({"kind": PairKind.NOISE}, replace(BASE, kind=PairKind.NOISE)),
]
REFUSED: list[tuple[dict[str, Any], ScoredPair]] = [
    ({"flags": frozenset({"x"})}, replace(BASE, flags=("numbers",))),
    ({"faults": frozenset({"refusal"}), "side": Side.CANDIDATE}, replace(BASE, baseline=REFUSES, candidate=DOWN)),
    ({"reasons": frozenset({"candidate_status"})}, BASE),
    ({"side": Side.CANDIDATE}, replace(BASE, baseline=DOWN)),
    ({"status": "5xx", "side": Side.BASELINE}, replace(BASE, candidate=DOWN)),
    ({"status": "503"}, replace(BASE, candidate=replace(OK, status=500))),
    ({"since_ms": 5001}, BASE),
    ({"until_ms": 5000}, BASE),
    ({"request_id": "p"}, BASE),
    ({"sticky": frozenset({"d"})}, BASE),
    ({"label": Judgement.ACCEPTABLE}, BASE),
    ({"label": Judgement.NOT}, replace(BASE, pair_id="p2")),
    ({"labelled": False}, BASE),
    ({}, replace(BASE, kind=PairKind.NOISE)),
]


@pytest.mark.parametrize("case", range(len(SELECTED)))
def test_a_pair_that_meets_the_condition_is_selected(case: int) -> None:
    wanted, pair = SELECTED[case]
    assert PairFilter(**wanted).selects(pair, LABELS)


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_a_pair_that_does_not_meet_the_condition_is_not_selected(case: int) -> None:
    wanted, pair = REFUSED[case]
    assert not PairFilter(**wanted).selects(pair, LABELS)


def test_the_worst_pairs_come_first() -> None:
    refuses = replace(BASE, pair_id="refuses", candidate=REFUSES, agreement=0.9)
    both = replace(BASE, pair_id="both", candidate=REFUSES, baseline=REFUSES, agreement=0.95)
    unscored = replace(BASE, pair_id="down", scored=False, agreement=0.0, candidate=DOWN)
    lost = replace(BASE, pair_id="lost", preference=Preference.LOSS, agreement=0.99)
    wrong = replace(BASE, pair_id="wrong", correctness=Correctness(baseline=1, candidate=0), agreement=0.995)
    low = replace(BASE, pair_id="low", agreement=0.1)
    old = replace(low, pair_id="old", captured_at_ms=1)
    ordered = [one.pair_id for one in worst_first([BASE, old, both, low, wrong, lost, unscored, refuses])]
    assert ordered == ["down", "refuses", "lost", "wrong", "low", "old", "p1", "both"]
    assert badness(low) > badness(BASE)


def test_a_pair_without_a_score_blames_the_side_that_prevents_it() -> None:
    pair = replace(BASE, scored=False, unscored_reason="baseline_truncated")
    assert is_at_fault(pair, Side.BASELINE)
    assert not is_at_fault(pair, Side.CANDIDATE)


def test_a_noise_pair_belongs_to_the_request_of_its_pair() -> None:
    assert request_id("abc~noise") == request_id("abc") == "abc"

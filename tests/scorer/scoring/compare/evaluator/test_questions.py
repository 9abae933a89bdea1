"""The evaluator's questions: which pairs are asked about, and how a reply changes the score."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config.comparison import EvaluatorSection, ScoringSection
from scorer.scoring.compare.evaluator.questions import (
    DAY_MS,
    Budget,
    Opinion,
    in_doubt,
    parse_opinion,
    question,
    with_opinion,
)
from scorer.scoring.compare.result import Comparison

SECTION = EvaluatorSection(url="http://127.0.0.1:1", model="judge", between=(0.4, 0.85))
SETTINGS = ScoringSection(evaluator=SECTION)


def test_only_pairs_in_doubt_are_asked_about() -> None:
    assert in_doubt(Comparison(0.6, signals={"cosine": 0.6}), SECTION)
    assert not in_doubt(Comparison(0.95, signals={"cosine": 0.9}), SECTION)
    assert not in_doubt(Comparison(0.1, signals={"cosine": 0.3}), SECTION)
    assert not in_doubt(Comparison(0.6, signals={"fields": 0.4}), SECTION)


def test_the_question_is_blind_and_its_order_depends_on_the_pair_alone() -> None:
    orders = [question(f"pair-{i}", "Why?", "BASE", "CAND", SECTION) for i in range(60)]
    assert {q.swapped for q in orders} == {True, False}
    assert orders[0] == question("pair-0", "Why?", "BASE", "CAND", SECTION)
    for asked in orders:
        content = json.loads(asked.messages[1]["content"])
        assert content["A"] == ("CAND" if asked.swapped else "BASE")
        assert "baseline" not in str(asked.messages)
        assert "candidate" not in str(asked.messages)


def test_long_answers_are_cut_to_the_limit() -> None:
    asked = question("x", "p" * 10_000, "b" * 10_000, "c" * 10_000, SECTION)
    assert len(asked.messages[1]["content"]) < 3 * SECTION.max_chars + 100


def test_the_better_side_is_named_correctly_in_either_order() -> None:
    reply = 'Here you go: {"agreement": 0.3, "better": "A", "reason": "B is wrong."}'
    seen = set()
    for i in range(20):
        asked = question(f"pair-{i}", "", "", "", SECTION)
        opinion = parse_opinion(reply, asked)
        assert opinion is not None
        assert opinion.better == ("candidate" if asked.swapped else "baseline")
        seen.add(opinion.better)
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("reply", "agreement"),
    [
        ('{"agreement": 0.9, "better": "equal", "reason": "Both say {x} and {y}."}', 0.9),
        ('{"agreement": 0.9, "reason": {"facts": {"same": true}}}', 0.9),
        ('<think>{"agreement": 0.1}</think>{"agreement": 0.9}', 0.9),
        ('perhaps {"agreement": 0.1}</think>\n```json\n{"agreement": 0.9}\n```', 0.9),
        ('{"agreement": 0.1} No, on reflection: {"agreement": 0.9}', 0.9),
        ('{"agreement": 0.9} {"agreement": 7}', 0.9),
        ('{broken {"agreement": 0.9}', 0.9),
        ('<think>{"agreement": 0.1}', None),
        ('[THINK]{"agreement": 0.1}[/THINK]', None),
        ('{"agreement": ' + "9" * 400 + "}", None),
        ('{"agreement": 1e999}', None),
        ('{"agreement": NaN}', None),
        ("{" * 20_000, None),
    ],
)
def test_the_last_valid_object_outside_the_thoughts_is_the_opinion(reply: str, agreement: float | None) -> None:
    opinion = parse_opinion(reply, question("x", "", "", "", SECTION))
    assert (opinion and opinion.agreement) == agreement


@given(st.text(max_size=200))
def test_an_arbitrary_reply_is_no_opinion_or_one_in_range(reply: str) -> None:
    asked = question("x", "", "", "", SECTION)
    opinion = parse_opinion(reply, asked)
    assert opinion is None or 0 <= opinion.agreement <= 1


def test_numbers_out_of_range_are_no_opinion() -> None:
    asked = question("x", "", "", "", SECTION)
    for value in ("2", "-1", "true", '"1"', "NaN", "null"):
        assert parse_opinion(f'{{"agreement": {value}}}', asked) is None


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_agreement_is_monotone_in_the_opinion(cheap: float, low: float, step: float) -> None:
    high = low + (1 - low) * step
    base = Comparison(cheap, signals={"cosine": cheap})
    a = with_opinion(base, Opinion(low, "equal", ""), SETTINGS)
    b = with_opinion(base, Opinion(high, "equal", ""), SETTINGS)
    assert 0 <= a.agreement <= b.agreement <= 1


def test_a_low_opinion_is_a_flag_that_names_the_worse_side() -> None:
    base = Comparison(0.6, ("length",), {"cosine": 0.6})
    assert with_opinion(base, Opinion(0.2, "baseline", "x"), SETTINGS).flags == ("length", "evaluator")
    assert with_opinion(base, Opinion(0.2, "candidate", "x"), SETTINGS).flags == ("length", "baseline_evaluator")
    assert with_opinion(base, Opinion(0.9, "equal", "x"), SETTINGS).flags == ("length",)


def test_the_budget_starts_again_each_day() -> None:
    budget, first = Budget().take(5, 1)
    budget, second = budget.take(6, 1)
    budget, tomorrow = budget.take(DAY_MS, 1)
    assert (first, second, tomorrow) == (True, False, True)
    assert Budget().take(0, 0)[1] is False

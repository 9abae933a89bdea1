"""The evaluator: when it is asked, what it is told, and what its reply may change."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config.comparison import EvaluatorSection, ScoringSection
from scorer.scoring.compare.evaluator.evaluator_client import Evaluator
from scorer.scoring.compare.evaluator.questions import (
    DAY_MS,
    Budget,
    Doubt,
    Opinion,
    in_doubt,
    parse_opinion,
    question,
    with_opinion,
)
from scorer.scoring.compare.result import Comparison
from tests.support.evaluator_server import evaluator_server

SECTION = EvaluatorSection(url="http://127.0.0.1:1", model="judge", between=(0.4, 0.85))
SETTINGS = ScoringSection(evaluator=SECTION)


def test_only_pairs_in_doubt_are_asked_about() -> None:
    assert in_doubt(Comparison(0.6, signals={"cosine": 0.6}), SECTION)
    assert not in_doubt(Comparison(0.95, signals={"cosine": 0.9}), SECTION)
    assert not in_doubt(Comparison(0.1, signals={"cosine": 0.3}), SECTION)
    assert not in_doubt(Comparison(0.6, signals={"fields": 0.4}), SECTION)


def test_the_question_is_blind_and_its_order_varies_with_the_pair_alone() -> None:
    orders = [question(f"pair-{i}", "Why?", "BASE", "CAND", SECTION) for i in range(60)]
    assert {q.swapped for q in orders} == {True, False}
    assert orders[0] == question("pair-0", "Why?", "BASE", "CAND", SECTION)
    for asked in orders:
        said = json.loads(asked.messages[1]["content"])
        assert said["A"] == ("CAND" if asked.swapped else "BASE")
        assert "baseline" not in str(asked.messages)
        assert "candidate" not in str(asked.messages)


def test_long_answers_are_cut_to_the_limit() -> None:
    asked = question("x", "p" * 10_000, "b" * 10_000, "c" * 10_000, SECTION)
    assert len(asked.messages[1]["content"]) < 3 * SECTION.max_chars + 100


def test_the_better_side_is_told_in_our_words_whatever_the_order() -> None:
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
def test_the_last_object_outside_what_was_thought_aloud_is_the_opinion(reply: str, agreement: float | None) -> None:
    opinion = parse_opinion(reply, question("x", "", "", "", SECTION))
    assert (opinion and opinion.agreement) == agreement


@given(st.text(max_size=200))
def test_a_reply_that_is_no_opinion_changes_nothing(reply: str) -> None:
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


def test_the_budget_is_one_days_and_starts_again_the_next() -> None:
    budget, first = Budget().take(5, 1)
    budget, second = budget.take(6, 1)
    budget, tomorrow = budget.take(DAY_MS, 1)
    assert (first, second, tomorrow) == (True, False, True)
    assert Budget().take(0, 0)[1] is False


@pytest.fixture
async def judge() -> AsyncIterator[tuple[str, list[dict[str, object]]]]:
    async with evaluator_server() as judge:
        yield judge.url, judge.requests


async def test_opinions_come_from_the_server_within_the_budget(judge: tuple[str, list[dict[str, object]]]) -> None:
    url, seen = judge
    evaluator = Evaluator(EvaluatorSection(url=url, model="judge", budget=3))
    doubts = [
        Doubt("a", "x", "1", "2"),
        Doubt("b", "fail", "1", "2"),
        Doubt("c", "x", "1", "2"),
        Doubt("d", "x", "1", "2"),
    ]
    found = await evaluator.opinions(doubts, now_ms=0)
    assert {name: o.agreement for name, o in found.items()} == {"a": 0.25, "c": 0.25}
    assert evaluator.failures == {"budget": 1, "status_503": 1}
    assert len(seen) == 3


async def test_an_evaluator_that_is_away_changes_nothing() -> None:
    evaluator = Evaluator(EvaluatorSection(url="http://127.0.0.1:9", model="judge", timeout=2))
    assert await evaluator.opinions([Doubt("a", "x", "1", "2")], now_ms=0) == {}
    assert evaluator.failures == {"unreachable": 1}

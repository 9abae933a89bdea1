"""The evaluator over HTTP: both orders, its budget, and an evaluator that fails or cannot be reached."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from glidepath.config.comparison import EvaluatorSection
from glidepath.pair_scores import Preference
from scorer.scoring.compare.evaluator.evaluator_client import Evaluator
from scorer.scoring.compare.evaluator.questions import AnswersToJudge
from tests.support.evaluator_server import EvaluatorServer, evaluator_server, first


@pytest.fixture
async def judge() -> AsyncIterator[EvaluatorServer]:
    async with evaluator_server() as judge:
        yield judge


def evaluator_of(judge: EvaluatorServer, **settings: object) -> Evaluator:
    return Evaluator(EvaluatorSection.model_validate({"url": judge.url, "model": "judge", **settings}))


async def test_each_pair_is_asked_about_in_both_orders_within_the_budget(judge: EvaluatorServer) -> None:
    evaluator = evaluator_of(judge, budget=4)
    pairs = [
        AnswersToJudge("a", "x", "one", "three"),
        AnswersToJudge("b", "fail", "1", "2"),
        AnswersToJudge("c", "x", "three", "one"),
        AnswersToJudge("d", "x", "1", "2"),
        AnswersToJudge("e", "x", "1", "2"),
    ]
    found = await evaluator.preferences(pairs, now_ms=0)
    assert found == [Preference.WIN, None, Preference.LOSS, Preference.TIE, None]
    assert evaluator.failures == {"budget": 1, "status_503": 1}
    asked = [json.loads(one["body"]["messages"][1]["content"]) for one in judge.requests]
    orders = sorted((one["A"], one["B"]) for one in asked if one["request"] == "x" and "three" in one.values())
    assert orders == [("one", "three")] * 2 + [("three", "one")] * 2
    assert sum(one["request"] == "fail" for one in asked) == 1  # the second order is not asked after a failure


async def test_a_judge_that_prefers_a_position_gives_only_ties(judge: EvaluatorServer) -> None:
    judge.judge = first
    found = await evaluator_of(judge).preferences([AnswersToJudge("a", "x", "1", "2")], now_ms=0)
    assert found == [Preference.INCONSISTENT]


async def test_a_reply_without_a_choice_is_no_preference(judge: EvaluatorServer) -> None:
    judge.judge = lambda asked: "both"
    evaluator = evaluator_of(judge)
    assert await evaluator.preferences([AnswersToJudge("a", "x", "1", "2")], now_ms=0) == [None]
    assert evaluator.failures == {"reply": 1}


async def test_an_unreachable_evaluator_gives_no_preference() -> None:
    evaluator = Evaluator(EvaluatorSection(url="http://127.0.0.1:9", model="judge", timeout="2s"))
    assert await evaluator.preferences([AnswersToJudge("a", "x", "1", "2")], now_ms=0) == [None]
    assert evaluator.failures == {"unreachable": 1}


async def test_the_rubric_is_part_of_each_question(judge: EvaluatorServer) -> None:
    await evaluator_of(judge, rubric="Prefer {polite} answers.").preferences(
        [AnswersToJudge("a", "x", "1", "2")], now_ms=0
    )
    assert all("Prefer {polite} answers." in one["body"]["messages"][0]["content"] for one in judge.requests)

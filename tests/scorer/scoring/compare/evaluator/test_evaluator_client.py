"""The evaluator over HTTP: its budget, and an evaluator that cannot be reached."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from glidepath.config.comparison import EvaluatorSection
from scorer.scoring.compare.evaluator.evaluator_client import Evaluator
from scorer.scoring.compare.evaluator.questions import DoubtfulPair
from tests.support.evaluator_server import evaluator_server


@pytest.fixture
async def judge() -> AsyncIterator[tuple[str, list[dict[str, object]]]]:
    async with evaluator_server() as judge:
        yield judge.url, judge.requests


async def test_opinions_are_asked_for_within_the_budget(judge: tuple[str, list[dict[str, object]]]) -> None:
    url, seen = judge
    evaluator = Evaluator(EvaluatorSection(url=url, model="judge", budget=3))
    doubts = [
        DoubtfulPair("a", "x", "1", "2"),
        DoubtfulPair("b", "fail", "1", "2"),
        DoubtfulPair("c", "x", "1", "2"),
        DoubtfulPair("d", "x", "1", "2"),
    ]
    found = await evaluator.opinions(doubts, now_ms=0)
    assert {name: o.agreement for name, o in found.items()} == {"a": 0.25, "c": 0.25}
    assert evaluator.failures == {"budget": 1, "status_503": 1}
    assert len(seen) == 3


async def test_an_unreachable_evaluator_gives_no_opinion() -> None:
    evaluator = Evaluator(EvaluatorSection(url="http://127.0.0.1:9", model="judge", timeout="2s"))
    assert await evaluator.opinions([DoubtfulPair("a", "x", "1", "2")], now_ms=0) == {}
    assert evaluator.failures == {"unreachable": 1}

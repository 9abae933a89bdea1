"""The cost of a question, with and without token counts in its reply."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config.prices import Price
from scorer.scoring.compare.evaluator.question_cost import question_cost

PRICE = Price(input=2, output=10)


def reply(**usage: object) -> bytes:
    return json.dumps({"choices": [], "usage": usage}).encode()


def test_the_tokens_of_the_reply_are_charged() -> None:
    assert question_cost(PRICE, "x" * 300, reply(prompt_tokens=1000, completion_tokens=50)) == pytest.approx(0.0025)
    assert question_cost(None, "x" * 300, reply(prompt_tokens=1000, completion_tokens=50)) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"no JSON",
        b"[]",
        reply(),
        reply(prompt_tokens=1),
        reply(prompt_tokens=-1, completion_tokens=1),
        reply(prompt_tokens=True, completion_tokens=1),
        reply(prompt_tokens="9", completion_tokens=1),
        reply(prompt_tokens=10**30, completion_tokens=1),
    ],
)
def test_without_token_counts_the_lengths_are_charged(body: bytes) -> None:
    expected = (300 / 3 * 2 + len(body) / 3 * 10) / 1e6
    assert question_cost(PRICE, "x" * 300, body) == pytest.approx(expected)


@given(st.binary(max_size=60))
def test_no_reply_makes_the_cost_negative_or_raises(body: bytes) -> None:
    assert question_cost(PRICE, "question", body) > 0

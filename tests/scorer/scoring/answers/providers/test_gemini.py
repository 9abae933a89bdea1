"""Gemini's candidates, finish reasons and blocked prompts."""

from __future__ import annotations

import json

import pytest

from scorer.scoring.answers import Extracted, FinishReason, Unusable
from tests.support.answer_bodies import answer

GEMINI = "/v1beta/models/gemini-2.5-flash:generateContent"


def test_reasoning_token_counts_and_candidates_are_read(load) -> None:  # type: ignore[no-untyped-def]
    found = load("gemini").answer()
    assert (found.reasoning, found.input_tokens, found.output_tokens) == ("Easy.", 8, 7)
    assert found.model == "gemini-2.5-flash"
    two_requested = json.dumps({"generationConfig": {"candidateCount": 2}}).encode()
    two = [{"content": {"parts": [{"text": t}]}, "index": i, "finishReason": "STOP"} for i, t in enumerate("ab")]
    several = answer({"candidates": two}, two_requested, path=GEMINI)
    assert isinstance(several, Extracted)
    assert [choice.text for choice in several.choices] == ["a", "b"]
    assert isinstance(
        answer({"candidates": two[:1]}, two_requested, path=GEMINI),
        Unusable,
    )


def test_a_blocked_prompt_is_a_refusal() -> None:
    found = answer({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {}}, path=GEMINI)
    assert isinstance(found, Extracted)
    assert found.finish_reason is FinishReason.CONTENT_FILTER
    assert "PROHIBITED_CONTENT" in found.refusal


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("STOP", FinishReason.STOP),
        ("MAX_TOKENS", FinishReason.LENGTH),
        ("SAFETY", FinishReason.CONTENT_FILTER),
        ("SPII", FinishReason.CONTENT_FILTER),
        ("MALFORMED_FUNCTION_CALL", FinishReason.OTHER),
    ],
)
def test_finish_reasons_are_normalised(word: str, reason: FinishReason) -> None:
    found = answer({"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": word}]}, path=GEMINI)
    assert isinstance(found, Extracted)
    assert found.finish_reason is reason

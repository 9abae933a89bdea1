"""Gemini's candidates, finish reasons and blocked prompts."""

from __future__ import annotations

import json

import pytest

from scorer.scoring.answers import Extracted, FinishReason, Unusable, UnusableReason
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
        ("MODEL_ARMOR", FinishReason.CONTENT_FILTER),
        ("IMAGE_PROHIBITED_CONTENT", FinishReason.CONTENT_FILTER),
        ("MALFORMED_FUNCTION_CALL", FinishReason.OTHER),
    ],
)
def test_finish_reasons_are_normalised(word: str, reason: FinishReason) -> None:
    found = answer({"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": word}]}, path=GEMINI)
    assert isinstance(found, Extracted)
    assert found.finish_reason is reason


@pytest.mark.parametrize("items", [1, 2, 3])
def test_an_error_anywhere_in_an_array_is_an_error(items: int) -> None:
    parts: list[object] = [{"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}]}] * 2
    parts.insert(items - 1, {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}})
    found = answer(parts, path=GEMINI)
    assert isinstance(found, Unusable)
    assert (found.reason, found.detail) == (UnusableReason.ERROR_BODY, "overloaded")


@pytest.mark.parametrize("body", [{"embeddings": [{"values": [0.5]}]}, {"embedding": {"values": [0.5]}}])
def test_geminis_embeddings_are_unsupported(body: dict[str, object]) -> None:
    for more in ({}, {"usageMetadata": {"promptTokenCount": 1}}):
        found = answer(body | more, path="/v1beta/models/embedding:batchEmbedContents")
        assert isinstance(found, Unusable)
        assert found.reason is UnusableReason.UNSUPPORTED


@pytest.mark.parametrize("reason", ["MODEL_ARMOR", "SAFETY"])
def test_a_blocked_answer_is_a_refusal(reason: str) -> None:
    body = {"candidates": [{"finishReason": reason, "finishMessage": "Blocked."}]}
    found = answer(body, path=GEMINI)
    assert isinstance(found, Extracted)
    assert (found.text, found.finish_reason) == ("", FinishReason.CONTENT_FILTER)

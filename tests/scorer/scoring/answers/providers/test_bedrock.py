"""Bedrock Converse: guardrails, reasoning and token counts."""

from __future__ import annotations

from scorer.scoring.answers import Extracted, FinishReason
from tests.support.answer_bodies import answer


def test_a_guardrail_intervention_is_a_content_filter(load) -> None:  # type: ignore[no-untyped-def]
    body = {"output": {"message": {"content": [{"text": "Blocked."}]}}, "stopReason": "guardrail_intervened"}
    found = answer(body, path="/model/anthropic.claude/converse")
    assert isinstance(found, Extracted)
    assert found.finish_reason is FinishReason.CONTENT_FILTER
    whole = load("bedrock").answer()
    assert (whole.reasoning, whole.input_tokens, whole.output_tokens) == ("Easy.", 13, 7)

"""What Gemini and Bedrock have that the table of forms does not show."""

from __future__ import annotations

import json

import pytest

from scorer.scoring.answers import Expectation, Extracted, FinishReason, Surface, Unusable, expectation, extract

GEMINI = "/v1beta/models/gemini-2.5-flash:generateContent"
BEDROCK = "/model/anthropic.claude/converse"


def read(path: str, body: object, request: object = None) -> Extracted | Unusable:
    raw = json.dumps(request or {}).encode()
    said = json.dumps(body).encode()
    return extract(path=path, content_type="application/json", status=200, request_body=raw, response_body=said)


def test_thoughts_counts_and_candidates_of_gemini(load) -> None:  # type: ignore[no-untyped-def]
    answer = load("gemini").answer()
    assert (answer.reasoning, answer.input_tokens, answer.output_tokens) == ("Easy.", 8, 7)
    assert answer.model == "gemini-2.5-flash"
    two = [{"content": {"parts": [{"text": t}]}, "index": i, "finishReason": "STOP"} for i, t in enumerate("ab")]
    several = read(GEMINI, {"candidates": two}, {"generationConfig": {"candidateCount": 2}})
    assert isinstance(several, Extracted)
    assert [choice.text for choice in several.choices] == ["a", "b"]
    assert isinstance(read(GEMINI, {"candidates": two[:1]}, {"generationConfig": {"candidateCount": 2}}), Unusable)


def test_a_prompt_that_gemini_blocks_is_a_refusal() -> None:
    answer = read(GEMINI, {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {}})
    assert isinstance(answer, Extracted)
    assert answer.finish_reason is FinishReason.CONTENT_FILTER
    assert "PROHIBITED_CONTENT" in answer.refusal


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
def test_finish_reasons_of_gemini(word: str, reason: FinishReason) -> None:
    answer = read(GEMINI, {"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": word}]})
    assert isinstance(answer, Extracted)
    assert answer.finish_reason is reason


def test_guardrails_of_bedrock_are_a_content_filter(load) -> None:  # type: ignore[no-untyped-def]
    said = {"output": {"message": {"content": [{"text": "Blocked."}]}}, "stopReason": "guardrail_intervened"}
    answer = read(BEDROCK, said)
    assert isinstance(answer, Extracted)
    assert answer.finish_reason is FinishReason.CONTENT_FILTER
    whole = load("bedrock").answer()
    assert (whole.reasoning, whole.input_tokens, whole.output_tokens) == ("Easy.", 13, 7)


def asked(path: str, **request: object) -> Expectation:
    return expectation(path, json.dumps(request).encode())


def test_what_a_request_to_gemini_or_bedrock_asks_for() -> None:
    schema = {"type": "object"}
    config = {"responseMimeType": "application/json", "responseJsonSchema": schema, "maxOutputTokens": 9}
    tools = [{"functionDeclarations": [{"name": "a"}, {"name": "b"}]}]
    gemini = asked(GEMINI, contents=[{"parts": [{"text": "Why?"}]}], generationConfig=config, tools=tools)
    assert gemini.surface is Surface.GEMINI
    assert (gemini.json_mode, gemini.schema, gemini.max_tokens) == (True, schema, 9)
    assert (gemini.prompt, gemini.tools) == ("Why?", ("a", "b"))
    assert asked("/v1/models/m:streamGenerateContent?alt=sse").stream
    bedrock = asked(
        BEDROCK + "-stream",
        messages=[{"role": "user", "content": [{"text": "Why?"}]}],
        inferenceConfig={"maxTokens": 9, "temperature": 0.5},
        toolConfig={"tools": [{"toolSpec": {"name": "a"}}]},
    )
    assert (bedrock.surface, bedrock.stream, bedrock.max_tokens) == (Surface.BEDROCK_CONVERSE, True, 9)
    assert (bedrock.prompt, bedrock.tools, bedrock.temperature) == ("Why?", ("a",), 0.5)

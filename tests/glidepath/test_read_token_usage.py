"""Token usage in the forms of the providers, and the estimate of answers that state none."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.read_token_usage import read_usage, token_usage
from glidepath.token_usage import ServiceTier, TokenSource, TokenUsage
from tests.support.token_usages import ANTHROPIC, OPENAI, RESPONSES, sse

GEMINI = {
    "promptTokenCount": 100,
    "cachedContentTokenCount": 40,
    "candidatesTokenCount": 10,
    "thoughtsTokenCount": 30,
    "toolUsePromptTokenCount": 5,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 80}, {"modality": "AUDIO", "tokenCount": 20}],
}
FROM_OPENAI = TokenUsage(12_000, 3_000, cached_read=8_000, audio_input=1_000, reasoning=1_200, audio_output=600)
FROM_ANTHROPIC = TokenUsage(47_000, 800, cached_read=40_000, cached_write=4_000, cached_write_1h=1_000)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (json.dumps({"choices": [], "usage": OPENAI}).encode(), FROM_OPENAI),
        (sse({"choices": [], "usage": None}, {"choices": [], "usage": OPENAI}) + b"data: [DONE]\n\n", FROM_OPENAI),
        (
            sse({"type": "response.created"}, {"type": "response.completed", "response": {"usage": RESPONSES}}),
            TokenUsage(100, 50, cached_read=60, reasoning=20),
        ),
        (
            sse(
                {"type": "message_start", "message": {"usage": ANTHROPIC}},
                {"type": "content_block_delta", "delta": {"text": 'He wrote "usage": {"input_tokens": 9}'}},
                {"type": "message_delta", "usage": {"output_tokens": 800}},
            ),
            FROM_ANTHROPIC,
        ),
        (
            json.dumps([{"usageMetadata": {"promptTokenCount": 100}}, {"usageMetadata": GEMINI}]).encode(),
            TokenUsage(105, 40, cached_read=40, audio_input=20, reasoning=30),
        ),
        (
            b'\x00\x01{"usage": {"inputTokens": 5, "outputTokens": 7, "cacheReadInputTokens": 3}}',
            TokenUsage(8, 7, cached_read=3),
        ),
        (
            b'{"usage": {"tokens": {"input_tokens": 90}, "billed_units": {"input_tokens": 9, "output_tokens": 2}}}',
            TokenUsage(9, 2),
        ),
        (b'{"meta": {"billed_units": {"input_tokens": 9.0, "output_tokens": 2}}}', TokenUsage(9, 2)),
        (b'{"message": {}}\n{"done": true, "prompt_eval_count": 7, "eval_count": 8}', TokenUsage(7, 8)),
        (b'{"generated_text": "x", "details": {"generated_tokens": 4, "input_length": 3}}', TokenUsage(3, 4)),
        (
            b'data: {"content": "x", "stop": false, "tokens_predicted": 1, "tokens_evaluated": 5}\n\n'
            b'data: {"content": "", "stop": true, "tokens_predicted": 2, "tokens_evaluated": 5}',
            TokenUsage(5, 2),
        ),
        (
            b'data: {"text": "x", "meta_info": {"prompt_tokens": 5, "completion_tokens": 1, "cached_tokens": 3}}\n\n'
            b'data: {"text": "xy", "meta_info": {"prompt_tokens": 5, "completion_tokens": 2, "cached_tokens": 3}}\n\n',
            TokenUsage(5, 2, cached_read=3),
        ),
        (
            b'{"usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 16, '
            b'"completion_tokens_details": {"reasoning_tokens": 3}}}',
            TokenUsage(9, 7, reasoning=3),
        ),
        (
            b'{"usage": {"prompt_tokens": 50, "completion_tokens": 4, "cache_read_input_tokens": 30}}',
            TokenUsage(50, 4, cached_read=30),
        ),
    ],
    ids=[
        "openai", "openai stream", "responses stream", "anthropic stream", "gemini array", "bedrock", "cohere",
        "cohere v1", "ollama", "tgi", "llama.cpp", "sglang", "reasoning beside the completion",
        "a proxy's cached tokens inside the prompt",
    ],
)  # fmt: skip
def test_usage_is_read_in_the_form_of_each_provider(answer: bytes, expected: TokenUsage) -> None:
    assert read_usage(answer) == expected


def wrapped(*events: dict[str, Any]) -> bytes:
    """Return events as in Bedrock's InvokeModelWithResponseStream, between the bytes of their frames."""
    chunks = (base64.b64encode(json.dumps(event).encode()).decode() for event in events)
    return b"".join(b'\x00\x0b:event-type{"bytes":"%s","p":"abc"}' % chunk.encode() for chunk in chunks)


def test_the_events_that_bedrock_wraps_are_read() -> None:
    deltas = [{"type": "content_block_delta", "delta": {"text": "x" * n}} for n in range(20)]
    metrics = {"inputTokenCount": 2_000, "outputTokenCount": 800, "cacheReadInputTokenCount": 40_000}
    stop = {"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics}
    begin, end = {"message": {"usage": ANTHROPIC}}, {"usage": {"output_tokens": 800}}
    assert read_usage(wrapped(begin, *deltas, end, stop)) == FROM_ANTHROPIC
    assert read_usage(wrapped(*deltas, stop)) == TokenUsage(42_000, 800, cached_read=40_000)
    assert token_usage(8, wrapped(*deltas)) == TokenUsage(2, 20, source=TokenSource.ESTIMATED)
    assert read_usage(b'{"bytes": "no base64!", "usage": {"prompt_tokens": 4}}') == TokenUsage(4)


@pytest.mark.parametrize(
    ("tier", "expected"),
    [
        ("batch", ServiceTier.BATCH),
        ("flex", ServiceTier.BATCH),
        ("priority", ServiceTier.PRIORITY),
        ("default", ServiceTier.STANDARD),
    ],
)
def test_the_tier_is_the_one_that_the_answer_names(tier: str, expected: ServiceTier) -> None:
    usage = read_usage(json.dumps({"service_tier": tier, "usage": OPENAI}).encode())
    assert usage is not None
    assert usage.tier is expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"plain text of 28 characters.", TokenUsage(2, 7, source=TokenSource.ESTIMATED)),
        (sse({"x": 1}, {"x": 2}, {"x": 3}), TokenUsage(2, 3, source=TokenSource.ESTIMATED)),
        (b'{"usage": {"prompt_tokens": 0, "completion_tokens": 0}}', TokenUsage(2, 13, source=TokenSource.ESTIMATED)),
        (b"", TokenUsage(2, 0, source=TokenSource.ESTIMATED)),
    ],
    ids=["text", "stream", "only zeros", "empty"],
)
def test_an_answer_that_states_no_tokens_is_estimated(answer: bytes, expected: TokenUsage) -> None:
    assert token_usage(8, answer) == expected


@pytest.mark.parametrize("value", ["true", "-5", '"9"', "1e400", "NaN", "null", "[]", "99999999999999999999"])
def test_what_is_no_count_of_tokens_is_ignored(value: str) -> None:
    assert read_usage(b'{"usage": {"prompt_tokens": 4, "completion_tokens": %s}}' % value.encode()) == TokenUsage(4, 0)


def test_usage_is_found_in_a_long_answer_wherever_it_stands() -> None:
    usage, filler = b'"usage": {"prompt_tokens": 4, "completion_tokens": 6}', b'"x": "' + b"y" * 200_000 + b'"'
    for answer in (b"{" + usage + b", " + filler + b"}", b"{" + filler + b", " + usage + b"}"):
        assert read_usage(answer) == TokenUsage(4, 6)


@given(
    st.integers(0, 10**6),
    st.one_of(st.binary(max_size=300), st.text(max_size=50).map(lambda t: ('{"usage": ' + t).encode())),
)
def test_any_bytes_give_counts_whose_parts_are_never_negative(request_bytes: int, answer: bytes) -> None:
    usage = token_usage(request_bytes, answer)
    assert min(usage.plain_input, usage.plain_output, usage.input, usage.output) >= 0

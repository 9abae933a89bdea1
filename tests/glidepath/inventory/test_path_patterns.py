"""Patterns of paths, and the models that paths name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.inventory.path_patterns import MOST_PATH, model_in_path, path_pattern


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions?api-version=2&key=SECRET", "/v1/chat/completions"),
        ("/v1/responses/resp_68af4030baa48193b0b43b4c2a176a1a", "/v1/responses/{id}"),
        ("/v1/threads/thread_abc123def456gh/runs", "/v1/threads/{id}/runs"),
        ("/v1/files/file-abc123DEF456ghi7", "/v1/files/{id}"),
        ("/items/4711", "/items/{id}"),
        ("/u/123e4567-e89b-12d3-a456-426614174000/x", "/u/{id}/x"),
        ("/hook/q7Zk3v9Xb2Lm8Pn4Rt6Ws1Yc5Df0Gh2J/v1", "/hook/{id}/v1"),
        ("/openai/deployments/gpt-4o-mini/chat/completions", "/openai/deployments/gpt-4o-mini/chat/completions"),
        (
            "/v1beta/models/gemini-exp-1206-thinking-of-long-names:streamGenerateContent",
            "/v1beta/models/gemini-exp-1206-thinking-of-long-names:streamGenerateContent",
        ),
        ("", "/"),
    ],
)
def test_ids_and_queries_are_no_part_of_a_pattern(path: str, pattern: str) -> None:
    assert path_pattern(path) == pattern


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/openai/deployments/gpt-4o-mini/chat/completions?api-version=1", "gpt-4o-mini"),
        ("/v1beta/models/gemini-1.5-flash:generateContent", "gemini-1.5-flash"),
        ("/v1beta/tunedModels/ours-1a2b:generateContent", "ours-1a2b"),
        ("/model/us.anthropic.claude-3-5-sonnet-v2%3A0/converse", "us.anthropic.claude-3-5-sonnet-v2:0"),
        ("/v2/models/llama/infer", "llama"),
        ("/v1/chat/completions", ""),
    ],
)
def test_the_model_of_a_path(path: str, model: str) -> None:
    assert model_in_path(path) == model


@given(st.text(max_size=400))
def test_any_path_becomes_a_short_printable_pattern(path: str) -> None:
    pattern = path_pattern(path)
    assert len(pattern) <= MOST_PATH
    assert pattern.isprintable()

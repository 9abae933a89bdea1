"""The requests that a backend can serve, according to its declarations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from glidepath.config.backends import Backend
from glidepath.eligibility import Ineligible, declares, facts_of, ineligible

PART = {"type": "text", "text": "x"}
BODIES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "text": ({"messages": [{"role": "user", "content": "an image of type image_url"}]}, set()),
    "OpenAI's picture": ({"messages": [{"content": [PART, {"type": "image_url", "image_url": {}}]}]}, {"image"}),
    "Responses' picture": ({"input": [{"content": [{"type": "input_image", "image_url": "u"}]}]}, {"image"}),
    "OpenAI's sound": ({"messages": [{"content": [{"type": "input_audio", "input_audio": {}}]}]}, {"audio"}),
    "a spoken answer": ({"messages": [], "modalities": ["text", "audio"]}, {"audio"}),
    "Anthropic's document": (
        {"messages": [{"content": [{"type": "document", "source": {"media_type": "application/pdf"}}]}]},
        {"file"},
    ),
    "a picture in a tool's result": (
        {"messages": [{"content": [{"type": "tool_result", "content": [{"type": "image", "source": {}}]}]}]},
        {"image"},
    ),
    "Gemini's picture": ({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png"}}]}]}, {"image"}),
    "Ollama's picture": ({"messages": [{"content": "x", "images": ["aGk="]}]}, {"image"}),
    "Bedrock's video": ({"messages": [{"content": [{"video": {"format": "mp4"}}]}]}, {"video"}),
}


def backend(**settings: Any) -> Backend:
    return Backend.model_validate({"url": "http://a", **settings})


@pytest.mark.parametrize("name", BODIES)
def test_the_modalities_of_a_request_are_found_in_its_parts(name: str) -> None:
    body, modalities = BODIES[name]
    facts = facts_of(body, 100, 100)
    assert facts.modalities - {"text"} == modalities
    only_text = ineligible(backend(modalities=["text"]), facts)
    assert only_text is (Ineligible.MODALITIES if modalities else None)
    assert ineligible(backend(modalities=[*modalities]), facts) is None


def test_the_context_must_hold_the_prompt_and_the_longest_answer() -> None:
    body = {"messages": [{"content": "x" * 4000}], "max_tokens": 100}
    facts = facts_of(body, len(json.dumps(body)), len(json.dumps(body)))
    assert ineligible(backend(context=1200), facts) is None
    assert ineligible(backend(context=1050), facts) is Ineligible.CONTEXT


@pytest.mark.parametrize("body", [{"tools": [{}]}, {"functions": [{}]}, {"toolConfig": {"tools": []}}])
def test_a_backend_without_tools_gets_no_request_with_tools(body: dict[str, Any]) -> None:
    assert ineligible(backend(tools=False), facts_of(body, 10, 10)) is Ineligible.TOOLS
    assert ineligible(backend(), facts_of(body, 10, 10)) is None


def test_the_length_of_a_body_counts_whatever_it_contains() -> None:
    assert ineligible(backend(max_body="1KiB"), facts_of(None, 0, 1025)) is Ineligible.MAX_BODY
    assert ineligible(backend(max_body="1KiB"), facts_of([], 0, 1024)) is None


def test_only_a_backend_with_a_limit_declares_something() -> None:
    assert not declares(backend())
    assert all(declares(backend(**one)) for one in ({"context": 1}, {"tools": False}, {"modalities": []}))

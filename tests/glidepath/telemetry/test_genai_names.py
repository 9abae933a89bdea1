"""The names of the GenAI conventions for a backend and a path."""

from __future__ import annotations

import pytest

from glidepath.config import parse_config
from glidepath.telemetry import genai_names as names

CONFIG = """\
backends:
  cloud: {url: "https://api.openai.com", model: gpt-4o-mini}
  onprem: {url: "http://gpu-1:8000"}
  bedrock: {url: "https://bedrock-runtime.eu-central-1.amazonaws.com", model: a-model}
workloads:
  chat: {match: {path: /v1/chat/completions}, baseline: cloud, candidate: onprem}
  vectors: {match: {path: /v1/embeddings}, task: embeddings, baseline: cloud, candidate: onprem}
"""


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1/chat/completions", "chat"),
        ("/v1/chat/completions?a=b", "chat"),
        ("/v1/completions", "text_completion"),
        ("/v1/messages", "chat"),
        ("/v1/embeddings", "embeddings"),
        ("/v1beta/models/gemini-2.5:generateContent", "generate_content"),
        ("/something/else", "chat"),
    ],
)
def test_a_path_says_the_operation(path: str, operation: str) -> None:
    assert names.operation_of(path) == operation


@pytest.mark.parametrize(
    ("url", "path", "provider"),
    [
        ("https://api.openai.com", "/v1/chat/completions", "openai"),
        ("https://x.openai.azure.com", "/v1/chat/completions", "azure.ai.openai"),
        ("https://api.anthropic.com", "/v1/messages", "anthropic"),
        ("https://notopenai.com", "/v1/messages", "anthropic"),
        ("http://127.0.0.1:8000", "/v1/chat/completions", "openai"),
        ("", "/v1/chat/completions", "openai"),
    ],
)
def test_the_server_or_the_api_says_the_provider(url: str, path: str, provider: str) -> None:
    assert names.provider_of(url, path) == provider


def test_a_backend_has_an_operation_a_provider_a_model_and_a_server() -> None:
    config = parse_config(CONFIG)
    assert names.backend_attributes(config, "cloud", "/v1/chat/completions") == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "server.address": "api.openai.com",
        "server.port": 443,
        "glidepath.backend": "cloud",
    }
    onprem = names.backend_attributes(config, "onprem", "/v1/embeddings")
    assert (onprem["server.address"], onprem["server.port"]) == ("gpu-1", 8000)
    assert "gen_ai.request.model" not in onprem


def test_a_span_is_named_by_operation_and_model() -> None:
    config = parse_config(CONFIG)
    assert names.span_name(names.backend_attributes(config, "cloud", "/v1/chat/completions")) == "chat gpt-4o-mini"
    assert names.span_name(names.backend_attributes(config, "onprem", "/v1/embeddings")) == "embeddings"


def test_no_name_is_made_up_under_a_prefix_of_the_conventions() -> None:
    own = [value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)]
    assert not [name for name in own if name.startswith("gen_ai.server")]
    known = {
        "gen_ai.client.operation.duration",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.token.usage",
        "gen_ai.evaluation.result",
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.request.stream",
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.token.type",
        "gen_ai.evaluation.name",
        "gen_ai.evaluation.score.value",
        "gen_ai.evaluation.score.label",
        "gen_ai.evaluation.explanation",
    }
    assert {name for name in own if name.startswith("gen_ai.")} == known

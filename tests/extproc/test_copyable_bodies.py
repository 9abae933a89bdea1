"""The bodies that are copied, and the parts that a copy leaves out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.copyable_bodies import reason_not_to_copy, without_storing
from glidepath.config.backends import Backend
from glidepath.outcome_summaries import Coverage

RESPONSES, CHAT = "/v1/responses", "/v1/chat/completions"
ACTING: dict[str, Any] = {
    "web search": {"tools": [{"type": "web_search"}]},
    "a hosted tool among functions": {"tools": [{"type": "function", "name": "f"}, {"type": "code_interpreter"}]},
    "a remote MCP server": {"tools": [{"type": "mcp", "server_url": "https://x"}]},
    "inside a namespace": {"tools": [{"type": "namespace", "tools": [{"type": "file_search"}]}]},
    "Anthropic's web search": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
    "Anthropic's code execution": {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]},
    "Gemini's search": {"tools": [{"googleSearch": {}}]},
    "Gemini's search with a configuration": {"tools": [{"googleSearch": {}}], "toolConfig": {"retrievalConfig": {}}},
    "Bedrock's grounding": {"toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]}},
    "Gemini's code": {"tools": [{"functionDeclarations": []}, {"codeExecution": {}}]},
    "background": {"background": True, "input": "x"},
    "a model is unloaded": {"model": "m", "keep_alive": 0},
    "a model is unloaded after the answer": {"model": "m", "messages": [], "keep_alive": "0s"},
    "a search model": {"web_search_options": {}, "messages": []},
    "Cohere's connectors": {"connectors": [{"id": "web-search"}], "message": "x"},
    "plugins": {"plugins": [{"id": "web"}]},
    "Qwen's search": {"messages": [], "enable_search": True},
    "search in Qwen's own API": {"input": {"messages": []}, "parameters": {"enable_search": True}},
    "OpenRouter's search by the model": {"model": "openai/gpt-4o:online", "messages": []},
    "LM Studio's tools": {"model": "m", "input": "x", "integrations": ["mcp/playwright"]},
    "xAI's search": {"messages": [], "search_parameters": {"mode": "auto"}},
    "a deferred completion": {"messages": [], "deferred": True},
    "Baidu's search": {"messages": [], "web_search": {"enable": True}},
    "Azure's data sources": {"messages": [], "data_sources": [{"type": "azure_search", "parameters": {}}]},
    "an approved call of a remote tool": {"input": [{"type": "mcp_approval_response", "approve": True}]},
    "Anthropic's MCP servers": {"messages": [], "mcp_servers": [{"type": "url", "url": "https://x"}]},
}
STATEFUL: dict[str, Any] = {
    "an answer that was spoken": {"messages": [{"role": "assistant", "content": None, "audio": {"id": "audio_1"}}]},
    "Gemini's interaction": {"previous_interaction_id": "i1", "input": "and?"},
    "Cohere's conversation": {"message": "and?", "conversation_id": "c1"},
    "a conversation with a number": {"messages": [], "conversation_id": 7},
    "Mistral's agent": {"messages": [], "agent_id": "ag:1"},
    "OpenRouter's preset": {"model": "openai/gpt-4o", "preset": "support", "messages": []},
    "OpenRouter's preset as a model": {"model": "@preset/support", "messages": []},
    "OpenRouter's preset of a model": {"model": "openai/gpt-4o@preset/support", "messages": []},
    "LiteLLM's vector stores": {"messages": [], "vector_store_ids": ["vs_1"]},
    "a conversation in tokens": {"prompt": "and?", "context": [1, 2, 3]},
    "an object in S3": {"messages": [{"content": [{"image": {"source": {"s3Location": {"uri": "s3://b/k"}}}}]}]},
    "encrypted reasoning of OpenRouter": {"messages": [{"reasoning_details": [{"type": "reasoning.encrypted"}]}]},
    "an earlier response": {"previous_response_id": "resp_1", "input": "and?"},
    "a conversation": {"conversation": {"id": "conv_1"}, "input": "x"},
    "a container": {"container": "container_1", "messages": []},
    "a stored prompt": {"prompt": {"id": "pmpt_1"}},
    "a cache": {"cachedContent": "cachedContents/1", "contents": []},
    "an item of an earlier response": {"input": [{"type": "item_reference", "id": "msg_1"}]},
    "a file": {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]},
    "Anthropic's file": {"messages": [{"content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}]},
    "encrypted reasoning": {"input": [{"type": "reasoning", "encrypted_content": "gAAA"}]},
    "signed reasoning": {"messages": [{"content": [{"type": "thinking", "thinking": "t", "signature": "s"}]}]},
    "hidden reasoning": {"messages": [{"content": [{"type": "redacted_thinking", "data": "x"}]}]},
    "Gemini's signature": {"contents": [{"parts": [{"text": "x", "thoughtSignature": "s"}]}]},
}
PLAIN: dict[str, Any] = {
    "a model stays loaded": {"model": "m", "prompt": "x", "keep_alive": "30m"},
    "a model stays loaded for ever": {"model": "m", "prompt": "x", "keep_alive": -1},
    "functions": {"tools": [{"type": "function", "function": {"name": "f"}}]},
    "Anthropic's own tools": {"tools": [{"name": "f", "input_schema": {}}, {"type": "bash_20250124", "name": "bash"}]},
    "Gemini's functions": {"tools": [{"functionDeclarations": [{"name": "f"}]}]},
    "Bedrock's tools": {"tools": [{"toolSpec": {"name": "f"}}, {"cachePoint": {"type": "default"}}]},
    "a context of text": {"prompt": "and?", "context": ["x"], "audio": {"voice": "a", "format": "wav"}},
    "tools in Bedrock's place": {"toolConfig": {"tools": [{"toolSpec": {"name": "f"}}], "toolChoice": {"auto": {}}}},
    "nothing set": {"previous_response_id": None, "background": False, "conversation": None, "tools": None},
    "arguments of a tool": {
        "messages": [{"content": [{"type": "tool_use", "name": "f", "input": {"file_id": "1", "signature": "x"}}]}]
    },
    "a key of the application after a local tool": {
        "tools": [{"type": "local_shell", "environment": {}}, {"type": "function", "container_id": "x"}]
    },
    "ids of the application": {"messages": [], "session_id": "s", "thread_id": "t", "metadata": {"agent_id": "a"}},
    "no search": {"model": "x:online-7b", "enable_search": False, "deferred": False, "parameters": [], "plugins": []},
    "OpenRouter's other models": {"models": ["a/b", "c/d"], "route": "fallback", "messages": [], "preset": ""},
    "a preset of the application": {"model": "preset/x", "messages": [], "metadata": {"preset": "x"}},
    "a model with a version": {"model": "claude@20250101", "integrations": [], "messages": []},
    "items of an answer": {"input": [{"type": "message", "content": "mcp_approval_response"}]},
    "Cohere's documents": {"message": "x", "documents": [{"text": "y"}], "conversation_id": ""},
    "a text prompt": {"prompt": 'say "store": true'},
    "a picture": {"messages": [{"content": "A" * 2_000_000}], "tools": []},
}


@pytest.mark.parametrize("name", ACTING)
def test_a_request_that_makes_the_server_act_is_not_copied(name: str) -> None:
    assert reason_not_to_copy(json.dumps(ACTING[name]).encode()) is Coverage.HAS_EFFECTS


@pytest.mark.parametrize("name", STATEFUL)
def test_a_request_that_needs_the_state_of_a_server_is_not_copied(name: str) -> None:
    assert reason_not_to_copy(json.dumps(STATEFUL[name]).encode()) is Coverage.NEEDS_STATE


@pytest.mark.parametrize("name", PLAIN)
def test_a_request_that_only_computes_is_copied(name: str) -> None:
    assert reason_not_to_copy(json.dumps(PLAIN[name]).encode()) is None


def test_a_preset_whose_name_has_an_escaped_slash_is_found() -> None:
    assert reason_not_to_copy(rb'{"model": "@preset\/support", "messages": []}') is Coverage.NEEDS_STATE


@pytest.mark.parametrize("name", ["conversation_id", "agent_id", "preset"])
def test_an_applications_own_id_is_no_state_in_a_workload_that_is_declared_stateless(name: str) -> None:
    body = json.dumps({"messages": [], name: "x"}).encode()
    assert reason_not_to_copy(body, stateless=True) is None
    assert reason_not_to_copy(json.dumps(STATEFUL["an earlier response"]).encode(), stateless=True) is not None


LIMITED = Backend.model_validate(
    {"url": "http://o", "context": 1000, "modalities": ["text"], "tools": False, "max_body": "100KiB"}
)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"messages": [{"content": "short"}]}, None),
        ({"messages": [{"content": "word " * 900}]}, Coverage.INELIGIBLE_CONTEXT),
        ({"messages": [{"content": [{"type": "image_url", "image_url": {"url": "A" * 50_000}}]}]}, "modalities"),
        ({"messages": [], "tools": [{"type": "function"}]}, Coverage.INELIGIBLE_TOOLS),
        ({"messages": [{"content": "A" * 200_000}]}, Coverage.INELIGIBLE_MAX_BODY),
        ({"messages": [], "previous_response_id": "resp_1"}, Coverage.NEEDS_STATE),
    ],
)
def test_a_request_beyond_the_candidates_declared_limits_is_not_copied_to_it(body: Any, reason: Any) -> None:
    expected = Coverage.INELIGIBLE_MODALITIES if reason == "modalities" else reason
    assert reason_not_to_copy(json.dumps(body).encode(), LIMITED) is expected
    assert reason_not_to_copy(b"not JSON " * 20_000, LIMITED) is Coverage.INELIGIBLE_MAX_BODY


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"nonsense", b'{"tools": ' + b"[" * 5000])
def test_a_body_that_is_not_a_json_object_gives_no_reason(body: bytes) -> None:
    assert reason_not_to_copy(body) is None


def test_a_body_that_is_too_large_to_parse_is_not_copied() -> None:
    body = json.dumps({"input": ["word"] * 300_000, "tools": []}).encode()
    assert reason_not_to_copy(body) is Coverage.HAS_EFFECTS


@given(st.sampled_from(sorted({**ACTING, **STATEFUL})), st.data())
def test_escapes_hide_nothing(name: str, data: st.DataObject) -> None:
    text = json.dumps({**ACTING, **STATEFUL}[name])
    places = [at for at, char in enumerate(text) if char.isalpha() and text[at - 1] != "\\"]
    literals = [at for word in ("true", "false", "null") for at in _places(text, word)]
    for at in sorted(data.draw(st.sets(st.sampled_from(sorted({*places} - {*literals})))), reverse=True):
        text = f"{text[:at]}\\u{ord(text[at]):04x}{text[at + 1 :]}"
    assert reason_not_to_copy(text.encode()) is not None


def _places(text: str, word: str) -> list[int]:
    at, found = text.find(word), []
    while at >= 0:
        found += range(at, at + len(word))
        at = text.find(word, at + 1)
    return found


@pytest.mark.parametrize(
    ("path", "body", "copied"),
    [
        (RESPONSES, b'{"input":"x"}', b'{"store":false,"input":"x"}'),
        (f"{RESPONSES}?api-version=1", b"{}", b'{"store":false}'),
        (RESPONSES, b'{"store": true, "input": 1.0}', b'{"store": false, "input": 1.0}'),
        (RESPONSES, b'{"store": null}', None),
        ("/v1beta/interactions", b'{"input":"x"}', b'{"store":false,"input":"x"}'),
        (RESPONSES, b'{"store": false}', b'{"store": false}'),
        (RESPONSES, b'{"input": "x", "m": {"store": true}, "store":true}', None),
        (CHAT, b'{"messages": []}', b'{"messages": []}'),
        (CHAT, b'{"messages": [], "store": true}', b'{"messages": [], "store": false}'),
        (CHAT, b'{"messages": ["\\"store\\": true"], "store" :  true}', None),
        (CHAT, b'{"st\\u006fre": true}', None),
        (CHAT, b'{"store": null}', b'{"store": null}'),
        (CHAT, b"store", b"store"),
        (RESPONSES, b"[1]", b"[1]"),
    ],
)
def test_a_copy_is_never_stored(path: str, body: bytes, copied: bytes | None) -> None:
    made = without_storing(path, body)
    if copied is None:
        assert json.loads(made) == {**json.loads(body), "store": False}
    else:
        assert made == copied


@given(st.dictionaries(st.text(), st.none() | st.floats(allow_nan=False) | st.text()), st.booleans())
def test_only_the_member_store_differs(body: dict[str, Any], stored: bool) -> None:
    sent = {**body, "store": stored}
    assert json.loads(without_storing(CHAT, json.dumps(sent).encode())) == {**sent, "store": False}

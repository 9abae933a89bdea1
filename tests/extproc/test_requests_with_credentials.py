"""A request that gives its backend a credential or a remote tool is recognised, and a text about credentials is not."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.requests_with_credentials import gives_a_credential

LIMIT = 10**6
MCP = {"type": "mcp", "server_url": "https://crm.example/mcp", "require_approval": "never"}
GIVING: dict[str, Any] = {
    "OpenAI, with a token": {"input": "x", "tools": [{**MCP, "authorization": "T"}]},
    "OpenAI, with headers": {"input": "x", "tools": [{**MCP, "headers": {"X-Own": "T"}}]},
    "Anthropic": {"mcp_servers": [{"type": "url", "url": "https://x", "authorization_token": "T"}]},
    "Azure": {"data_sources": [{"parameters": {"authentication": {"type": "api_key", "key": "T"}}}]},
    "a member": {"messages": [], "Api_Key": "T"},
    "a list": {"authorization": ["Bearer T"]},
    "camel case": {"sessionToken": "T"},
    "an object": {"vertex_credentials": {"private_key_id": "T"}},
    "servers by name": {"mcp_servers": {"crm": {"url": "https://x"}}},
    "a nested member": {"extra": [{"deep": {"password": "T"}}]},
}
HARMLESS: dict[str, Any] = {
    "a chat": {"messages": [{"role": "user", "content": "What is an authorization token, a key, a secret?"}]},
    "JSON in a text": {"messages": [{"role": "user", "content": '{"api_key": "T", "type": "mcp"}'}]},
    "a schema": {"tools": [{"function": {"parameters": {"properties": {"password": {"type": "string"}}}}}]},
    "an empty value": {"api_key": "", "password": None, "secret": []},
    "names in lists": {"required": ["password", "secret"], "authorization": 1},
    "tokens": {"max_tokens": 5, "stop_token": "x", "keys": ["a"]},
}


@pytest.mark.parametrize("name", GIVING)
@pytest.mark.parametrize("dump", [json.dumps, lambda body: json.dumps(body, indent=2)], ids=["one line", "indented"])
def test_a_body_that_gives_a_credential_is_found(name: str, dump: Any) -> None:
    assert gives_a_credential(dump(GIVING[name]).encode(), "", LIMIT)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_body_that_speaks_of_credentials_is_not_found(name: str) -> None:
    assert not gives_a_credential(json.dumps(HARMLESS[name]).encode(), "", LIMIT)


@given(st.sampled_from(sorted(GIVING)), st.data())
def test_escapes_hide_nothing(name: str, data: st.DataObject) -> None:
    text = json.dumps(GIVING[name])
    places = [at for at, char in enumerate(text) if char.isalpha()]
    for at in sorted(data.draw(st.sets(st.sampled_from(places))), reverse=True):
        text = f"{text[:at]}\\u{ord(text[at]):04x}{text[at + 1 :]}"
    assert json.loads(text) == GIVING[name]
    assert gives_a_credential(text.encode(), "", LIMIT)


@given(st.text())
def test_no_text_of_a_user_is_a_finding(content: str) -> None:
    assert not gives_a_credential(json.dumps({"messages": [{"content": content}]}).encode(), "", LIMIT)


def test_an_encoded_body_is_read_and_one_that_cannot_be_read_is_a_finding() -> None:
    giving, harmless = (json.dumps(body).encode() for body in (GIVING["a member"], HARMLESS["a chat"]))
    assert gives_a_credential(gzip.compress(giving), "gzip", LIMIT)
    assert not gives_a_credential(gzip.compress(harmless), "gzip", LIMIT)
    assert gives_a_credential(harmless, "unheard-of", LIMIT)
    assert gives_a_credential(gzip.compress(harmless), "gzip", 10)
    for coding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"):
        assert gives_a_credential(harmless.decode().encode(coding), "", LIMIT), coding

"""Tests of the parts that Envoy removes from a conversation with another server (foreign_reasoning.lua), on LuaJIT."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.json_values import JSON
from tests.support.lua_in_process import ForeignReasoning, RequestFacts

LUA, FACTS = ForeignReasoning(), RequestFacts()
ID = re.compile(r"[a-zA-Z0-9]{9}")
USER = {"role": "user", "content": "Hello"}
THOUGHT = {"type": "thinking", "thinking": "Hm [", "signature": "c2ln"}
SKIP = "skip_thought_signature_validator"  # Gemini's own value
TEXT = {"type": "text", "text": "Hi"}
LAYOUTS: tuple[dict[str, Any], ...] = ({}, {"indent": 2}, {"separators": (",", ":")})


def stripped(body: Any, **layout: Any) -> Any:
    return json.loads(LUA.stripped(json.dumps(body, **layout).encode()))


def assistant(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(parts), **more}


@pytest.mark.parametrize("layout", LAYOUTS, ids=["spaces", "lines", "dense"])
@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"messages": [USER, assistant(THOUGHT, TEXT)]}, {"messages": [USER, assistant(TEXT)]}),
        ({"messages": [USER, assistant(TEXT, THOUGHT)]}, {"messages": [USER, assistant(TEXT)]}),
        ({"messages": [USER, assistant(THOUGHT, TEXT, THOUGHT, THOUGHT)]}, {"messages": [USER, assistant(TEXT)]}),
        (
            {"messages": [assistant(THOUGHT, {"type": "redacted_thinking", "data": "x"}, TEXT), USER]},
            {"messages": [assistant(TEXT), USER]},
        ),
        ({"messages": [USER, assistant(THOUGHT), USER]}, {"messages": [USER, USER]}),
        ({"messages": [assistant(THOUGHT), assistant(THOUGHT), USER]}, {"messages": [USER]}),
        ({"thinking": {"type": "enabled"}, "messages": [assistant(THOUGHT, TEXT), USER]}, None),
        (
            {"messages": [{"role": "assistant", "reasoning_content": "Hm", "content": "Hi"}, USER]},
            {"messages": [{"role": "assistant", "content": "Hi"}, USER]},
        ),
        (
            {"messages": [{"role": "assistant", "content": "Hi", "reasoning_details": [{"data": "x"}, {}]}, USER]},
            {"messages": [{"role": "assistant", "content": "Hi"}, USER]},
        ),
        (
            {"messages": [{"thinking_blocks": [THOUGHT], "reasoning": "Hm", "role": "assistant", "content": "Hi"}]},
            {"messages": [{"role": "assistant", "content": "Hi"}]},
        ),
        (
            {"input": [USER, {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}, USER]},
            {"input": [USER, USER]},
        ),
        (
            {"input": [{"id": "msg_1", "type": "message", "role": "assistant", "content": [TEXT]}], "store": False},
            {"input": [{"type": "message", "role": "assistant", "content": [TEXT]}], "store": False},
        ),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, None),
        (
            {"messages": [assistant({"reasoningContent": {"reasoningText": {"text": "a", "signature": "b"}}}, TEXT)]},
            {"messages": [assistant(TEXT)]},
        ),
        (
            {"contents": [{"parts": [{"functionCall": {"name": "f"}, "thoughtSignature": "c2ln"}]}]},
            {"contents": [{"parts": [{"functionCall": {"name": "f"}, "thoughtSignature": SKIP}]}]},
        ),
        ({"model": "m", "id": "x", "call_id": "call_1", "type": "reasoning", "reasoning": {"effort": "low"}}, None),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": '"type": "thinking"'}]}]}, None),
    ],
)
def test_reasoning_is_taken_out_and_all_else_stays(body: Any, wanted: Any, layout: dict[str, Any]) -> None:
    if wanted is None and "thinking" in body:
        wanted = {**body, "messages": [assistant(TEXT), USER]}  # outside a tool call, thinking stays on
    assert stripped(body, **layout) == (body if wanted is None else wanted)


@pytest.mark.parametrize("layout", LAYOUTS, ids=["spaces", "lines", "dense"])
def test_ids_of_tool_calls_become_short_ones_that_still_belong_together(layout: dict[str, Any]) -> None:
    call = {"id": "toolu_01A09q90qw90lq917835lq9", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    chat = {
        "messages": [
            {"role": "assistant", "content": None, "tool_calls": [call, {**call, "id": "call_2"}]},
            {"role": "tool", "tool_call_id": call["id"], "content": "1"},
            {"role": "tool", "tool_call_id": "call_2", "content": "2"},
        ]
    }
    calls, first, second = stripped(chat, **layout)["messages"]
    ids = [one["id"] for one in calls["tool_calls"]]
    assert all(ID.fullmatch(one) for one in ids)
    assert len({*ids}) == 2
    assert [first["tool_call_id"], second["tool_call_id"]] == ids
    assert stripped(stripped(chat), **layout) == stripped(chat)  # an id of nine letters and digits stays
    assert [{**one, "id": 0} for one in calls["tool_calls"]] == [{**call, "id": 0}] * 2


def test_a_tool_loop_of_anthropic_goes_on_without_thinking() -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"id": "x", "type": "thinking"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "1"}]}
    body = {
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "messages": [USER, assistant(THOUGHT, use), {"role": "user", "content": [result]}],
    }
    found = stripped(body)
    ((asked,), (answered,)) = found["messages"][1]["content"], found["messages"][2]["content"]
    assert "thinking" not in found
    assert asked == {**use, "id": answered["tool_use_id"]}
    assert answered == {**result, "tool_use_id": asked["id"]}
    assert ID.fullmatch(asked["id"])


def test_hosted_tools_of_anthropic_keep_the_ids_whose_form_is_checked() -> None:
    hosted = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    body = {"messages": [USER, assistant(hosted, found, TEXT)]}
    assert stripped(body) == body


def test_calls_of_the_responses_api_and_of_bedrock_keep_their_results() -> None:
    items = [
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "1"},
    ]
    call, output = stripped({"input": items})["input"]
    assert call == {"type": "function_call", "call_id": output["call_id"], "name": "f", "arguments": "{}"}
    assert ID.fullmatch(output["call_id"])
    turns = [
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "tooluse_1", "name": "f", "input": {}}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "tooluse_1", "content": []}}]},
    ]
    asked, answered = stripped({"messages": turns})["messages"]
    assert asked["content"][0]["toolUse"]["toolUseId"] == answered["content"][0]["toolResult"]["toolUseId"]


def test_a_message_of_thoughts_with_calls_beside_them_keeps_its_calls() -> None:
    calls = [{"id": "abcdefghi", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    for body in (assistant(THOUGHT, tool_calls=calls), {"tool_calls": calls, **assistant(THOUGHT)}):
        (message,) = stripped({"messages": [body]})["messages"]
        assert message == {"role": "assistant", "content": None, "tool_calls": calls}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b"{",
        b'{"messages": [',
        b'{"messages": [{"reasoning_content": "a"',
        b"\xff\xfe{\x00",
    ],
)
def test_what_is_no_whole_json_object_stays_as_it_is(body: bytes) -> None:
    assert LUA.stripped(body) == body


def test_long_bodies_are_read_across_windows_and_too_complex_ones_stay() -> None:
    long = {"messages": [assistant(THOUGHT, {"type": "text", "text": "a\\" * 40_000}, THOUGHT)] * 3, "model": "m"}
    assert stripped(long) == {"messages": [assistant(long["messages"][0]["content"][1])] * 3, "model": "m"}
    complex_one = json.dumps({"messages": [assistant(THOUGHT, TEXT)], "x": [[]] * 60_000}).encode()
    assert LUA.stripped(complex_one) == complex_one


PARTS = st.sampled_from([THOUGHT, TEXT, {"type": "redacted_thinking", "data": "x"}, {"type": "image", "source": {}}])
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant"]), "content": st.lists(PARTS | JSON, max_size=4) | st.text()},
    optional={"reasoning_content": JSON, "reasoning_details": JSON, "thinking_blocks": JSON, "tool_call_id": JSON},
)


@settings(max_examples=60)
@given(st.lists(MESSAGES, max_size=4), JSON, st.sampled_from(LAYOUTS))
def test_any_conversation_stays_json_and_is_stripped_only_once(
    messages: Any, rest: Any, layout: dict[str, Any]
) -> None:
    body = {"messages": messages, "x": rest}
    once = stripped(body, **layout)
    assert once["x"] == rest
    assert [one for one in once["messages"] if one["role"] not in ("user", "assistant")] == []
    assert stripped(once) == once
    assert "signature" not in json.dumps([one["content"] for one in once["messages"] if one["content"]])
    if body != once:  # so that Envoy asks again at all
        facts = FACTS.of(json.dumps(body).encode())
        assert not isinstance(facts, str)
        assert facts.get("foreign") or facts.get("signed")


@pytest.mark.parametrize(
    ("body", "foreign"),
    [
        ({"messages": [USER], "reasoning": {"effort": "low"}, "call_id": "x"}, False),
        ({"messages": [USER, assistant(TEXT)], "tools": [{"type": "function"}]}, False),
        ({"messages": [USER, assistant(THOUGHT)]}, True),
        ({"messages": [{"role": "tool", "tool_call_id": "call_1", "content": "1"}]}, True),
        ({"messages": [{"role": "assistant", "reasoning_details": [{}]}]}, True),
        ({"input": [{"type": "reasoning", "id": "rs_1"}]}, True),
        ({"input": [{"type": "function_call_output", "call_id": "c"}]}, True),
        ({"contents": [{"parts": [{"thought_signature": "x"}]}]}, True),
        ({"messages": [{"content": [{"toolResult": {"toolUseId": "t"}}]}]}, True),
    ],
)
def test_envoy_knows_which_requests_have_what_a_server_made(body: Any, foreign: bool) -> None:
    found = FACTS.of(json.dumps(body).encode())
    assert not isinstance(found, str)
    assert bool(found.get("foreign") or found.get("signed")) is foreign

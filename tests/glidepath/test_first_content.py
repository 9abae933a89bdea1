"""Tests of which event of a streamed answer has the first content."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.first_content import EVENTS, LONGEST, FirstContent, has_content

SSE, LINES = "text/event-stream; charset=utf-8", "application/x-ndjson"


def chunk(**delta: Any) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


CONTENT: list[dict[str, Any]] = [
    chunk(content="a"),
    chunk(role="assistant", content="a"),
    chunk(reasoning_content="a"),
    chunk(content="", thinking="a"),
    chunk(reasoning_details=[{"type": "reasoning.text", "text": "a"}]),
    chunk(reasoning="a"),
    chunk(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": ""}}]),
    {"object": "text_completion", "choices": [{"text": "a"}]},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "a"}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "x", "name": "f"}},
    {"type": "response.output_text.delta", "delta": "a"},
    {"type": "response.reasoning_summary_text.delta", "delta": "a"},
    {"type": "response.output_item.added", "item": {"type": "function_call", "name": "f"}},
    {"type": "content-delta", "delta": {"message": {"content": {"text": "a"}}}},
    {"event_type": "text-generation", "text": "a"},
    {"candidates": [{"content": {"parts": [{"text": "a"}]}}]},
    {"model": "m", "message": {"role": "assistant", "content": "a"}, "done": False},
    {"model": "m", "response": "a", "done": False},
    {"text": "a", "output_ids": [1], "meta_info": {"finish_reason": None}},
    {"error": {"message": "no"}},
    {"something": "unknown"},
]
NONE: list[dict[str, Any]] = [
    chunk(role="assistant", content=""),
    chunk(role="assistant", content=None, refusal=None),
    chunk(),
    {"object": "chat.completion.chunk", "choices": [], "usage": {"total_tokens": 3}},
    {"object": "text_completion", "choices": [{"text": ""}]},
    {"type": "message_start", "message": {"role": "assistant", "content": []}},
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "response.created", "response": {"tools": [{"name": "f"}], "instructions": "Be brief."}},
    {"type": "response.output_item.added", "item": {"type": "message", "content": []}},
    {"event_type": "stream-start", "generation_id": "x"},
    {"candidates": [{"content": {"role": "model"}}], "usageMetadata": {}},
    {"model": "m", "message": {"role": "assistant", "content": ""}, "done": False},
    {"model": "m", "response": "", "done": False},
    {"text": "", "output_ids": [], "meta_info": {"finish_reason": None}},
]


@pytest.mark.parametrize(("event", "found"), [(one, True) for one in CONTENT] + [(one, False) for one in NONE])
def test_an_event_has_content_or_has_none(event: dict[str, Any], found: bool) -> None:
    assert has_content(json.dumps(event).encode()) is found


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(b"event: x\ndata: " + json.dumps(one).encode() + b"\n\n" for one in events)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_what_comes_before_the_first_content_is_left_out_however_the_stream_is_cut(size: int) -> None:
    before, after = b": keep-alive\n\n" + sse(*NONE[:4]), sse(chunk(content="a"))
    whole, first = before + after, FirstContent(SSE)
    seen = [at for at in range(0, len(whole), size) if first.is_in(whole[at : at + size])]
    assert seen[0] + size > len(before)


def test_lines_of_json_are_read_like_events() -> None:
    first = FirstContent(LINES)
    assert not first.is_in(json.dumps(NONE[-1]).encode() + b"\n")
    assert first.is_in(json.dumps(CONTENT[-3]).encode() + b"\n")


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [("application/json", ""), ("", ""), (SSE, "gzip"), ("application/vnd.amazon.eventstream", "")],
)
def test_the_first_byte_counts_if_a_stream_cannot_be_read_by_events(content_type: str, encoding: str) -> None:
    first = FirstContent(content_type, encoding)
    assert not first.is_in(b"")
    assert first.is_in(b":")


def test_the_work_is_bounded() -> None:
    first = FirstContent(SSE)
    assert not first.is_in(sse({"type": "ping"}) * EVENTS)
    assert first.is_in(sse({"type": "ping"}))
    assert FirstContent(SSE).is_in(b"data: " + b"x" * LONGEST)


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_any_bytes_can_be_read(pieces: list[bytes]) -> None:
    first = FirstContent(SSE)
    for piece in pieces:
        assert first.is_in(piece) in (True, False)

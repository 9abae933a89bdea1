"""Tests of reading and writing chat completions."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath_ops.demo.openai_api import DONE, ChatRequest, chunks, completion, parse_request, read_json, read_stream

REQUEST = ChatRequest(prompt="Why?", prompt_tokens=2, stream=True, usage=True)


def test_the_prompt_is_the_last_user_message() -> None:
    body = {"messages": [{"role": "user", "content": "first"}, {"role": "user", "content": "last"}], "stream": True}
    request = parse_request(json.dumps(body).encode())
    assert (request.prompt, request.stream, request.usage) == ("last", True, False)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"messages": []}', b'{"messages": [1]}', b"\xff"])
def test_an_invalid_request_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_request(body)


@given(st.text(min_size=1).filter(str.strip))
def test_a_plain_answer_and_a_streamed_one_have_the_same_text(text: str) -> None:
    whole = read_json(completion("a", 1, "m", REQUEST, text))
    streamed = read_stream(b"".join(chunks("a", 1, "m", REQUEST, text)))
    assert whole == streamed
    assert (whole.text, whole.model, whole.problem) == (text, "m", "")


def test_usage_comes_last_and_only_on_request() -> None:
    asked = b"".join(chunks("a", 1, "m", REQUEST, "some words here"))
    assert b'"completion_tokens": 4' in asked.split(b"data: ")[-2]
    unasked = b"".join(chunks("a", 1, "m", ChatRequest("Why?", 2, True, False), "some words here"))
    assert b"usage" not in unasked


def test_a_truncated_stream_is_a_problem() -> None:
    whole = b"".join(chunks("a", 1, "m", REQUEST, "some words here"))
    assert read_stream(whole[: -len(DONE)]).problem == "the stream ended without [DONE]"
    assert "no end" in read_stream(whole.replace(b'"finish_reason": "stop"', b'"finish_reason": null')).problem


def test_an_empty_answer_is_a_problem() -> None:
    assert read_json(completion("a", 1, "m", REQUEST, "")).problem == "the answer is empty"


@given(st.binary(max_size=400))
def test_reading_any_answer_never_raises(body: bytes) -> None:
    assert isinstance(read_json(body).problem, str)
    assert read_stream(body + DONE).problem

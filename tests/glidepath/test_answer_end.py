"""Where a streamed answer is complete by its own format."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.answer_end import AnswerEnd

SSE, LINES = "text/event-stream; charset=utf-8", "application/x-ndjson"
DELTA = b'data: {"choices":[{"delta":{"content":"a [DONE] message_stop event: error"},"finish_reason":null}]}\n\n'
LAST = {
    "OpenAI": (SSE, [DELTA, DELTA], b"data: [DONE]\n\n"),
    "OpenAI without spaces": (SSE, [DELTA], b"data:[DONE]\n\n"),
    "lines that end as in HTTP": (SSE, [DELTA.replace(b"\n", b"\r\n")], b"data: [DONE]\r\n\r\n"),
    "Anthropic": (SSE, [b'event: ping\ndata: {"type":"ping"}\n\n'], b'event: message_stop\ndata: {"type":"x"}\n\n'),
    "Anthropic without names": (SSE, [b'data: {"type":"message_delta"}\n\n'], b'data: {"type":"message_stop"}\n\n'),
    "Responses": (
        SSE,
        [b'event: response.created\ndata: {"response":{"error":null}}\n\n'],
        b'event: response.completed\ndata: {"type":"response.completed","response":{' + b" " * 200_000 + b"}}\n\n",
    ),
    "a failed response": (SSE, [DELTA], b'data: {"type": "response.failed", "response": {}}\n\n'),
    "an error of Anthropic": (SSE, [DELTA], b'event: error\ndata: {"type":"error","error":{}}\n\n'),
    "Cohere": (SSE, [b"event: content-end\ndata: {}\n\n"], b"event: message-end\ndata: {}\n\n"),
    "Ollama": (LINES, [b'{"message":{},"done":false}\n'], b'{"message":{},"done":true,"eval_count":3}\n'),
    "Ollama with spaces": (LINES, [b'{"done": false}\n'], b'{"done": true}\n'),
}


def found(kind: str, pieces: list[bytes]) -> list[bool]:
    end = AnswerEnd.of(kind)
    assert end is not None
    return [end.is_in(piece) for piece in pieces]


@pytest.mark.parametrize("name", LAST)
def test_the_last_event_ends_the_answer_in_pieces_of_an_event_and_in_one_piece(name: str) -> None:
    kind, before, last = LAST[name]
    assert found(kind, [*before, last]) == [False] * len(before) + [True]
    assert found(kind, [b"".join(before) + last]) == [True]


@pytest.mark.parametrize("name", [name for name in LAST if not name.startswith("Ollama")])
def test_a_last_event_that_arrives_in_two_pieces_ends_the_answer_with_the_second(name: str) -> None:
    kind, before, last = LAST[name]
    for at in (1, 10, len(last) // 2, len(last) - 1):
        assert found(kind, [*before, last[:at], last[at:]])[-2:] == [False, True], at


@given(st.sampled_from(sorted(LAST)), st.lists(st.integers(0, 400), max_size=6))
def test_no_division_into_pieces_lets_the_answer_end_before_its_last_event(name: str, cuts: list[int]) -> None:
    kind, before, last = LAST[name]
    whole = b"".join(before) + last
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    pieces = [whole[start:stop] for start, stop in pairwise(places)]
    ends = [stop for stop, is_end in zip(places[1:], found(kind, pieces), strict=True) if is_end]
    assert all(stop == len(whole) for stop in ends)


@pytest.mark.parametrize(
    ("kind", "pieces"),
    [
        (SSE, [b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n']),  # the usage may follow
        (SSE, [b'data: {"error":null,"choices":[]}\n\n']),
        (SSE, [b"data: [DONE]"]),
        (SSE, [b": event: message_stop\n\n"]),
        (LINES, [b'{"message":{"tool_calls":[{"function":{"arguments":{"done":true}}}]},"done":false}\n']),
        (LINES, [b'{"done":true']),
        (LINES, [b'{"done":true}\n{"more"']),
    ],
)
def test_other_events_do_not_end_the_answer(kind: str, pieces: list[bytes]) -> None:
    assert found(kind, pieces) == [False] * len(pieces)


def test_no_last_event_is_sought_in_documents_and_compressed_and_binary_streams() -> None:
    assert AnswerEnd.of("application/json") is AnswerEnd.of("application/vnd.amazon.eventstream") is None
    assert AnswerEnd.of(SSE, "gzip") is None
    assert AnswerEnd.of(SSE, "identity") is not None

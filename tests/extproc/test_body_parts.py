"""A body is divided into its parts, whatever its content type says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc import body_parts
from extproc.body_parts import read_parts
from extproc.json_tree import BodyTooComplexError, dump

PIECES = st.sampled_from(
    ["data: ", "data:", "event: a", "id: 1", ": c", "\n", "\r", "\r\n", '{"a": 1}', "[2]", "x", " ", "\x1e", "{"]
)


def values(text: str) -> list[str]:
    return [dump(part.value) for part in read_parts(text) if part.value is not None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', ['{"a":1}']),
        ('{"a": 1}{"b": 2} [3]', ['{"a":1}', '{"b":2}', "[3]"]),
        ('{"a": 1}\n{"b": 2}\n', ['{"a":1}', '{"b":2}']),
        ('\x1e{"a": 1}\n\x1e{"b": 2}\n', ['{"a":1}', '{"b":2}']),
        ('data: {"a": 1}\n\ndata:{"b": 2}\n\n', ['{"a":1}', '{"b":2}']),
        ('data: {"a":\r\nid: 1\r\ndata: 1}\r\n\r\n', ['{"a":1}']),
        ('data: {"a": 1}\r\rdata: [DONE]\r\r', ['{"a":1}']),
        ('a log line\n{"a": 1}\nanother', ['{"a":1}']),
        ("plain text", []),
        ('{"a": 1', []),
    ],
)
def test_the_json_of_each_form_is_found(text: str, expected: list[str]) -> None:
    assert values(text) == expected


@given(st.lists(PIECES, max_size=20).map("".join))
def test_the_parts_together_are_the_body(text: str) -> None:
    assert "".join(part.text for part in read_parts(text)) == text


def test_the_data_of_an_event_on_several_lines_are_replaced_together() -> None:
    parts = read_parts("data: a\nid: 1\ndata: b\n\n")
    first = next(part for part in parts if part.joins)
    assert first.data == "a\nb"
    first.text = first.wrap("c")
    assert "".join(part.text for part in parts) == "data: c\nid: 1\n\n"


@pytest.mark.slow
def test_a_body_of_too_many_parts_is_refused() -> None:
    with pytest.raises(BodyTooComplexError):
        read_parts("{}\n" * (body_parts.MAX_PARTS + 1))

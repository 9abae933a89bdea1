"""Token counts read from answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.token_usage import tokens


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b'{"usage": {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46}}', (12, 34)),
        (b'data: {"usage":{"input_tokens":9,"output_tokens":1}}\n\ndata: {"usage":{"output_tokens":40}}\n\n', (9, 40)),
        (b'{"prompt_eval_count":7,"eval_count":8,"eval_duration":99999}', (7, 8)),
        (b'{"usage":{"prompt_tokens":5}}' + b" " * 50_000 + b'"completion_tokens": 6', (5, 6)),
        (b"plain text of 28 characters.", (2, 7)),
        (b"", (2, 0)),
    ],
)
def test_tokens_are_the_stated_ones_or_a_quarter_of_the_bytes(answer: bytes, expected: tuple[int, int]) -> None:
    assert tokens(b"8 bytes!", answer) == expected


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_give_two_counts(request: bytes, answer: bytes) -> None:
    assert all(count >= 0 for count in tokens(request, answer))

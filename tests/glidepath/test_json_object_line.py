"""Tests of reading one line as a JSON object."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.errors import InputError
from glidepath.json_object_line import json_object


@given(st.dictionaries(st.text(), st.integers() | st.text()))
def test_an_object_is_read_with_and_without_its_newline(value: dict[str, int | str]) -> None:
    line = json.dumps(value).encode()
    assert json_object(line, max_bytes=len(line)) == json_object(line + b"\n", max_bytes=len(line)) == value


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"", "f:3: not JSON: "),
        (b"{", "f:3: not JSON: "),
        (b"\xff\xfe", "f:3: not JSON: "),
        (b"[" * 100, "f:3: not JSON: "),
        (b'{"a": "' + b"x" * 100 + b'"}', "f:3: the line is longer than 100 bytes"),
        (b"[]", "f:3: must be an object with a"),
        (b"3", "f:3: must be an object with a"),
    ],
)
def test_any_other_line_is_an_error_with_its_place(line: bytes, message: str) -> None:
    with pytest.raises(InputError) as raised:
        json_object(line, max_bytes=100, where="f:3", wanted="an object with a")
    assert str(raised.value).startswith(message)


def test_deep_nesting_is_an_error() -> None:
    with pytest.raises(InputError, match="not JSON"):
        json_object(b"[" * 100_000, max_bytes=1_000_000)

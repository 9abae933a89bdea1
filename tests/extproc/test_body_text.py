"""The charset of a body: by its byte order mark, its content type, or its null bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.body_text import BodyText, read_text

TEXT = '{"text": "naïve"}'


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("content_type", ["", "application/json", "application/json; charset=utf-8"])
def test_wide_text_is_read_whatever_its_label(coding: str, content_type: str) -> None:
    assert read_text(TEXT.encode(coding), content_type) == BodyText(TEXT, exact=False)


@pytest.mark.parametrize(
    ("coding", "charset"),
    [("latin-1", "ISO-8859-1"), ("cp1252", '"windows-1252"'), ("utf-16-be", "utf-16be"), ("utf-8", "US-ASCII")],
)
def test_a_labelled_charset_is_used(coding: str, charset: str) -> None:
    found = read_text(TEXT.encode(coding), f"text/plain; charset={charset}")
    assert found is not None
    assert found.text == TEXT


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"a\0b", ""), (b"x", "text/plain; charset=utf-7"), (b"x", "a/b; charset=nonesuch"), (b"x", "Multipart/mixed")],
)
def test_a_body_that_is_not_text_is_not_read(body: bytes, content_type: str) -> None:
    assert read_text(body, content_type) is None


@given(st.text(st.characters(exclude_characters="\0\ufeff", exclude_categories=["Cs"])))
def test_text_in_utf_8_is_read_exactly_and_without_its_mark(text: str) -> None:
    assert read_text(text.encode(), "") == BodyText(text, exact=True)
    assert read_text(b"\xef\xbb\xbf" + text.encode(), "") == BodyText(text, exact=False)


@given(st.binary(), st.sampled_from(["", "text/plain; charset=utf-16", "a; charset=", 'b; charset="']))
def test_the_text_of_any_bytes_can_be_stored(body: bytes, content_type: str) -> None:
    found = read_text(body, content_type)
    if found is not None and found.exact:
        assert found.text.encode() == body

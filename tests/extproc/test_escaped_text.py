"""A pattern is applied to a text and to the characters that its escapes encode."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.escaped_text import HIDDEN, rewrite_number, rewrite_text
from extproc.json_tree import Number

SECRET = "a@b c"


def apply(text: str) -> str:
    return text.replace(SECRET, HIDDEN)


def code(text: str) -> str:
    """Return the text with escapes as in program code."""
    return "".join(f"\\x{ord(char):02x}" for char in text)


def json_escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("@", "\\u0040")


@pytest.mark.parametrize(
    "text",
    [
        f"say {SECRET} now",
        quote(SECRET),
        quote(quote(quote(SECRET))),
        f"x=1&y={quote_plus(SECRET)}",
        json.dumps({"to": [SECRET]}),
        json.dumps(json.dumps(json.dumps({"to": SECRET}))),
        "say a\\u0040b\\u0020c now",
        "say a&#64;b&#x20;c now",
        "first\\n" + SECRET,
        "a%40b c",
        "say a\\x40b\\x20c now",
        "say a\\u{40}b\\u{0020}c now",
        "say a\\U00000040b\\40c now",
        "say a\\100b\\x20c now",
        "say a%5Cu0040b%20c now",
        "say a\\u002540b%20c now",
        "say a&#92;x40b&#32;c now",
        "say a%26%2364%3Bb\\u0020c now",
        "say a\\u0040b%20c now",
    ],
)
def test_a_match_is_replaced_in_every_form(text: str) -> None:
    rewritten = rewrite_text(text, apply)
    assert HIDDEN in rewritten
    assert "a@b" not in rewritten
    assert "40b" not in rewritten
    assert rewrite_text(rewritten, apply) == rewritten


def test_the_words_around_a_match_stay() -> None:
    text = "see https://x/?q=a%40b%20c&d=e or nothing"
    assert rewrite_text(text, apply) == f"see https://x/?q={HIDDEN}&d=e or nothing"


@given(st.text(st.sampled_from("ab%\\&;{}[]\"'41u0+= \n")))
def test_a_text_without_a_match_stays_as_it_is(text: str) -> None:
    assert rewrite_text(text, lambda one: one) == text


@given(st.sampled_from([quote, quote_plus, escape, json.dumps, str]), st.text(max_size=20), st.text(max_size=20))
def test_no_encoding_hides_a_match(encode: object, before: str, after: str) -> None:
    assert callable(encode)
    rewritten = rewrite_text(encode(f"{before} {SECRET} {after}"), apply)
    assert HIDDEN in rewritten


@given(st.text(st.sampled_from("\\\\uUx{}0123456789abcdefN%&#;"), max_size=40))
def test_no_sequence_of_escapes_is_an_error(text: str) -> None:
    rewrite_text(text, apply)


@given(st.lists(st.sampled_from([quote, escape, code, json_escape]), min_size=1, max_size=4))
def test_escapes_inside_escapes_hide_no_match(layers: list[Callable[[str], str]]) -> None:
    text = "a@b"
    for layer in layers:
        text = layer(text)
    assert rewrite_text(f"say {text} now", lambda one: one.replace("a@b", HIDDEN)) == f"say {HIDDEN} now"


@pytest.mark.parametrize(
    ("number", "expected"),
    [("4111111", "0"), ("-4111111.0", "0"), ("4.111111e6", "0"), ("411111", "411111"), ("4.1111111", "4.1111111")],
)
def test_a_whole_number_of_seven_digits_that_matches_becomes_0(number: str, expected: str) -> None:
    assert rewrite_number(Number(number), lambda text: text.replace("4111111", HIDDEN)) == expected

"""Text from others cannot control a terminal or hide anything, and stays readable in any language."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.printable_text import one_line, printable, printable_json, shown_id, shown_name

ACTING = {
    "colour": ("\x1b[31mred\x1b[0m", "red"),
    "cursor": ("a\x1b[2K\x1b[1Ab", "ab"),
    "8-bit colour": ("\x9b31mred", "red"),
    "title": ("\x1b]0;owned\x07x", "␛]0;owned␇x"),
    "unfinished": ("x\x1b[", "x␛["),
    "bell and backspace": ("a\x07\x08b", "a␇␈b"),
    "carriage return": ("safe\revil", "safe␍evil"),
    "direction": ("a\u202eb\u2066c", "a�b�c"),
    "invisible": ("a\u200bb\ufeffc", "a�b�c"),
    "lone surrogate": ("a\ud800b", "a�b"),
    "line separator": ("a\u2028b\x85c", "a�b�c"),
}


@pytest.mark.parametrize("kind", ACTING)
def test_nothing_acts_on_the_terminal(kind: str) -> None:
    text, expected = ACTING[kind]
    assert printable(text) == expected


@pytest.mark.parametrize("text", ["Grüße, 世界\nعربى 👩‍🚀 می‌خواهم", "a b", "x\n\ny"])
def test_ordinary_text_stays(text: str) -> None:
    assert printable(text) == text


def test_tabs_and_other_spaces_become_spaces() -> None:
    assert printable("a\tb\u00a0c") == "a   b c"
    assert one_line("a\n\n b\tc\r\nd") == "a b c d"


@given(st.text(max_size=200))
def test_any_text_has_only_printable_characters_and_line_breaks(text: str) -> None:
    shown = printable(text)
    shown.encode()
    allowed = {"\n", "\u200c", "\u200d", "\u200e", "\u200f"}
    assert all(char in allowed or char.isprintable() for char in shown)
    assert not any(unicodedata.category(char) == "Cc" for char in one_line(text))


@given(st.text(max_size=300))
def test_an_id_is_one_word_of_ascii(text: str) -> None:
    shown = shown_id(text)
    assert shown.isascii()
    assert len(shown) <= 100
    assert len(shown.split()) <= 1
    assert not set(shown) & set("<>`*!|&;$\"'\\")


_DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_ACTING = '\\"u\x1b\x7f\x85\x9b\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069'


@given(st.text(max_size=300) | st.text(_ACTING, max_size=9))
def test_json_that_a_terminal_can_show_has_the_same_value(text: str) -> None:
    shown = printable_json(json.dumps({text: [text]}, ensure_ascii=False))
    assert json.loads(shown) == {text: [text]}
    assert not any(unicodedata.category(char) == "Cc" for char in shown)
    assert not any(unicodedata.bidirectional(char) in _DIRECTIONS for char in shown)
    assert not set(shown) & set("\u061c\u200e\u200f\u2028\u2029")


@given(st.text())
def test_a_shown_name_is_one_word_that_hides_nothing(text: str) -> None:
    shown = shown_name(text)
    assert len(shown) == min(len(text), 100)
    assert printable(shown) == shown
    assert not any(map(str.isspace, shown))

"""Highlighted differences of two answers, taken from the scorer's alignment."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.config.comparison import ScoringSection
from glidepath_ops.console.highlighted_differences import (
    MOST_ALIGNED,
    Segment,
    marked_texts,
    merged,
    segments,
    weight_of,
)

SETTINGS = ScoringSection()


def joined(parts: tuple[Segment, ...]) -> str:
    return "".join(part.text for part in parts)


def test_only_the_changed_word_is_marked_and_the_reason_is_given() -> None:
    found = marked_texts("The fee is 40 euros per month.", "The fee is 45 euros per month.", SETTINGS)
    assert [part.text for part in found.left if part.marked] == ["40 euros"]
    assert [part.text for part in found.right if part.marked] == ["45 euros"]
    assert "40" in found.reasons["numbers"]


def test_equal_texts_have_no_mark() -> None:
    found = marked_texts("Paris.", "Paris.", SETTINGS)
    assert found.left == (Segment("Paris."),)
    assert found.right == (Segment("Paris."),)


def test_a_long_text_is_shown_in_part_and_says_how_much_is_missing() -> None:
    found = marked_texts("word " * 40_000, "other " * 10, SETTINGS)
    assert len(joined(found.left)) == MOST_ALIGNED
    assert found.left_more == 200_000 - MOST_ALIGNED


@given(st.text(max_size=60), st.lists(st.tuples(st.integers(-5, 80), st.integers(-5, 80)), max_size=8))
def test_the_parts_joined_are_the_text(text: str, places: list[tuple[int, int]]) -> None:
    assert joined(segments(text, places)) == text
    found = merged(places, len(text))
    assert all(0 <= begin < end <= len(text) for begin, end in found)
    assert all(one[1] < other[0] for one, other in pairwise(found))


@settings(max_examples=40)
@given(st.text(max_size=80), st.text(max_size=80))
def test_any_two_texts_can_be_shown(left: str, right: str) -> None:
    found = marked_texts(left, right, SETTINGS)
    assert joined(found.left) == left
    assert joined(found.right) == right


def test_weights_as_text() -> None:
    assert weight_of(SETTINGS, "refusal") == "0.8"
    assert weight_of(SETTINGS, "baseline_refusal") == "0.8"
    assert weight_of(SETTINGS, "numbers") == "learned"
    assert weight_of(SETTINGS, "cosine") == ""

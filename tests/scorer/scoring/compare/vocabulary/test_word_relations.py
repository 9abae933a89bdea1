"""Relations between words: opposites, classes, spellings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.compare.vocabulary.opposites_and_synonyms import synonyms
from scorer.scoring.compare.vocabulary.word_relations import (
    any_same_word_or_synonym,
    both_quantities,
    excludes,
    same_word,
)


def test_opposites_and_members_of_one_class_exclude_each_other() -> None:
    assert excludes("more", "less")
    assert excludes("possible", "impossible")
    assert excludes("monday", "friday")
    assert not excludes("big", "large")


def test_units_currencies_and_scales_are_quantities() -> None:
    assert both_quantities("million", "billion")
    assert both_quantities("percent", "pound")


def test_two_spellings_of_a_word_are_equal() -> None:
    assert same_word("colour", "color")
    assert same_word("organised", "organized")
    assert not same_word("million", "billion")


RELATED = (
    "colour", "color", "colours", "begins", "starts", "begin", "start", "beginning", "starting", "large", "big",
    "bigger", "larger", "largest", "biggest", "box", "boxes", "cat", "cats", "organised", "organized", "e-mail",
    "email", "don't", "dont", "say", "says", "quickly", "rapidly", "a", "b",
)  # fmt: skip
WORDS = st.sets(st.sampled_from(RELATED) | st.text("abdegilnrst-'", max_size=9), max_size=5)


@given(WORDS, WORDS)
def test_two_sets_of_words_are_related_if_a_pair_of_their_words_is(left: set[str], right: set[str]) -> None:
    pairwise = any(same_word(a, b) or synonyms(a, b) for a in left for b in right)
    assert any_same_word_or_synonym(left, right) is pairwise

"""Relations between words: opposites, classes, spellings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.compare.vocabulary.lexicon import ENGLISH, UNKNOWN, lexicon_of
from scorer.scoring.compare.vocabulary.word_relations import (
    any_same_word_or_synonym,
    both_quantities,
    excludes,
    same_word,
    synonymous,
)

EN = lexicon_of(ENGLISH)


def test_opposites_and_members_of_one_class_exclude_each_other() -> None:
    assert excludes("more", "less", EN)
    assert excludes("possible", "impossible", EN)
    assert excludes("monday", "friday", EN)
    assert not excludes("big", "large", EN)


def test_english_opposites_are_none_in_another_language() -> None:
    german, unknown = lexicon_of("de"), lexicon_of(UNKNOWN)
    for words in (("in", "out"), ("more", "less"), ("red", "blue"), ("possible", "impossible")):
        assert excludes(*words, EN)
        assert not excludes(*words, german)
        assert not excludes(*words, unknown)
    assert excludes("mehr", "weniger", german)
    assert excludes("möglich", "unmöglich", german)
    for lexicon in (EN, german, unknown):
        assert excludes("<", ">", lexicon)


def test_units_currencies_and_scales_are_quantities() -> None:
    assert both_quantities("million", "billion", EN)
    assert both_quantities("percent", "pound", EN)


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
    pairwise = any(same_word(a, b) or synonymous(a, b, EN) for a in left for b in right)
    assert any_same_word_or_synonym(left, right, EN) is pairwise

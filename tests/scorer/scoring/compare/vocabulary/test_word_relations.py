"""Relations between words: opposites, classes, spellings."""

from __future__ import annotations

from scorer.scoring.compare.vocabulary.lexicon import ENGLISH, UNKNOWN, lexicon_of
from scorer.scoring.compare.vocabulary.word_relations import (
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


def test_synonyms_may_have_the_same_ending() -> None:
    assert synonymous("begin", "start", EN)
    assert synonymous("assisting", "helping", EN)
    assert not synonymous("begin", "end", EN)
    assert not synonymous("begin", "start", lexicon_of("de"))

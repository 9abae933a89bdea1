"""Relations between words: opposites, classes, spellings."""

from __future__ import annotations

from scorer.scoring.compare.vocabulary.word_relations import both_quantities, excludes, same_word


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

"""Tests of negations that change nothing: "not possible" and "impossible", or a courtesy such as "No problem!"."""

from __future__ import annotations

import pytest

from scorer.scoring.compare.alignment.word_alignment import align
from scorer.scoring.compare.signals.word_changes import _negated
from scorer.scoring.compare.text.tokenizer import tokenize
from scorer.scoring.compare.vocabulary.lexicon import lexicon_of


def negated(left: str, right: str) -> float:
    words = lexicon_of("en")
    alignment = align(tokenize(left, words), tokenize(right, words), words)
    return max((_negated(edit, alignment) for edit in alignment.edits), default=0.0)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("It is not possible to change the date.", "It is impossible to change the date."),
        ("The service is unavailable today.", "The service is not available today."),
        ("The result is incorrect.", "The result is not correct."),
        ("The store is not open on Sundays.", "The store is closed on Sundays."),
        ("Access is allowed.", "Access is not forbidden."),
        ("No problem! Your order ships on Monday.", "Sure! Your order ships on Monday."),
        ("No worries, the refund was issued.", "The refund was issued."),
        ("No, it is not supported.", "It is not supported."),
    ],
)
def test_equal_denials_are_no_negation(left: str, right: str) -> None:
    assert negated(left, right) == negated(right, left) == 0


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("It is possible to change the date.", "It is impossible to change the date."),
        ("It is not possible to change the date.", "It is possible to change the date."),
        ("It is not impossible to change the date.", "It is impossible to change the date."),
        ("The store is not closed on Sundays.", "The store is closed on Sundays."),
        ("There was no problem with your order.", "There was a problem with your order."),
        ("It always works.", "It never works."),
        ("No, it is supported.", "No, it is not supported."),
        ("No, it works.", "It works."),
        ("No.", "Yes."),
    ],
)
def test_other_negations_count(left: str, right: str) -> None:
    assert negated(left, right) == negated(right, left) > 0


def test_a_number_that_ends_a_sentence_is_no_list_marker() -> None:
    words = lexicon_of("en")
    assert not any(t.marker for t in tokenize("It is 5. I hope this helps!", words))
    assert [t.surface for t in tokenize("Do this: 1. Open it. 2. Close it.", words) if t.marker] == ["1", "2"]
    assert any(t.marker for t in tokenize("Answer:\n 5. Open it.", words))

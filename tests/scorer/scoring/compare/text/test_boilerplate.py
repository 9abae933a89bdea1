"""Greetings, closing phrases and offers of help."""

from __future__ import annotations

import pytest

from scorer.scoring.compare.text.canonical_text import canonical
from tests.support.comparison_cases import cases

STATEMENT = "The plan was made in the spring and nobody has touched it."
ADVICE = "Take two tablets a day with water and rest for an hour. You may drive after that."


@pytest.mark.parametrize("answer", cases("boilerplate_removal.yaml", "removed_phrase"))
def test_a_greeting_or_closing_phrase_is_removed(answer: str) -> None:
    assert canonical(answer.format(STATEMENT)) == STATEMENT


@pytest.mark.parametrize("last", cases("boilerplate_removal.yaml", "kept_last_sentence"))
def test_a_last_sentence_that_says_more_than_an_offer_stays(last: str) -> None:
    assert canonical(f"{ADVICE} {last}") == f"{ADVICE} {last}"


@pytest.mark.parametrize("last", cases("boilerplate_removal.yaml", "removed_offer"))
def test_an_offer_of_help_is_removed(last: str) -> None:
    assert canonical(f"{ADVICE} {last}") == ADVICE

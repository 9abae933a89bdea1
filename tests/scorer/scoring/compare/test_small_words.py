"""A small word that turns a direction, a party or a date, in texts that are otherwise alike."""

from __future__ import annotations

import pytest

from glidepath.config.comparison import ScoringSection
from scorer.scoring.compare.result import Comparison
from scorer.scoring.compare.similarity.embedding_similarity import Similarity
from scorer.scoring.compare.tasks.free_text import compare_text
from scorer.scoring.compare.text.document import Document

SAID = "The plan was made in the spring and nobody has touched it. {} More about that stands in the second report."


def compared(left: str, right: str) -> Comparison:
    return compare_text(
        Document(SAID.format(left)), Document(SAID.format(right)), ScoringSection(), Similarity(0.99, 0.99)
    )


TURNED = [
    ("The offer from Nordwind is fine.", "The offer to Nordwind is fine."),
    ("They collect it at our warehouse.", "They collect it at your warehouse."),
    ("It goes on my account.", "It goes on your account."),
    ("It is open until Monday.", "It is open from Monday."),
    ("He voted for the law.", "He voted against the law."),
    ("Pour it into the glass.", "Pour it out of the glass."),
    ("They come every Tuesday.", "They come every other Tuesday."),
]


@pytest.mark.parametrize(("one", "other"), TURNED)
def test_a_small_word_that_turns_the_statement_is_flagged(one: str, other: str) -> None:
    for left, right in ((one, other), (other, one)):
        result = compared(left, right)
        assert "swapped_words" in result.flags
        assert result.agreement < 0.6


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It is different from the old one.", "It is different to the old one."),
        ("They met on Monday.", "They met at noon on Monday."),
        ("It happened in May.", "It happened during May."),
        ("The other hall is open.", "The hall is open."),
    ],
)
def test_a_small_word_that_turns_nothing_is_not(one: str, other: str) -> None:
    assert "swapped_words" not in compared(one, other).flags


def test_another_tense_counts_without_a_flag() -> None:
    result = compared("The box is empty.", "The box was empty.")
    assert result.flags == ()
    assert 0.6 < result.agreement < 0.9

"""Differences between two programs; the pairs in cases/pairs/code.yaml test them within answers."""

from __future__ import annotations

import pytest

from scorer.scoring.compare.code.code_diff import compare_code
from scorer.scoring.compare.text.parsed_document import Document
from tests.support.comparison_cases import cases, compare_texts, fenced

CONTEXT = (
    "The plan was made in the spring and nobody has touched it.\n\n{}\n\n"
    "More about that is written in the second report of the office."
)


@pytest.mark.parametrize(("language", "left", "right"), cases("equivalent_code.yaml", "meaningful_type_hint"))
def test_a_changed_type_hint_or_one_used_at_run_time_is_a_difference(language: str, left: str, right: str) -> None:
    assert compare_code(Document(fenced(left, language)), Document(fenced(right, language))).divergence > 0


@pytest.mark.parametrize(("language", "left", "right"), cases("equivalent_code.yaml", "equivalent_program"))
def test_an_equivalent_program_differs_only_cosmetically(language: str, left: str, right: str) -> None:
    one, other = fenced(left, language), fenced(right, language)
    difference = compare_code(Document(one), Document(other))
    assert (difference.divergence, difference.cosmetic) == (0.0, True)
    assert compare_texts(CONTEXT.replace("{}", one), CONTEXT.replace("{}", other)).flags == ()

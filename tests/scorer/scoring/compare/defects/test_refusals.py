"""Refusals: recognised answers, and answers that only contain similar words."""

from __future__ import annotations

import pytest

from scorer.scoring.compare.defects.refusals import refusal
from scorer.scoring.compare.text.parsed_document import Document
from tests.support.comparison_cases import cases


@pytest.mark.parametrize(
    "text", [*cases("refusals.yaml", "refusal"), *cases("refusals_of_models.yaml", "short_refusal")]
)
def test_a_refusal_is_recognised(text: str) -> None:
    assert refusal(Document(text)).severity == 1.0


@pytest.mark.parametrize("text", cases("refusals_of_models.yaml", "long_refusal"))
def test_a_refusal_with_a_long_explanation_is_certain(text: str) -> None:
    assert refusal(Document(text)).severity >= 0.7


@pytest.mark.parametrize(
    "text",
    [
        *cases("refusals.yaml", "answer_with_words_of_a_refusal"),
        *cases("prose_near_refusals.yaml", "ordinary_prose"),
    ],
)
def test_an_answer_with_the_words_of_a_refusal_is_not_a_refusal(text: str) -> None:
    assert refusal(Document(text)).severity < 0.5

"""Special tokens and template text that leak into an answer."""

from __future__ import annotations

import pytest

from scorer.scoring.compare.defects.leaked_tokens import leaked_tokens
from scorer.scoring.compare.text.parsed_document import Document
from tests.support.comparison_cases import cases

ANSWER = "The Nile flows north into the sea. It is about 6,650 kilometers long."


@pytest.mark.parametrize("leak", cases("leaked_tokens.yaml", "leak_after_the_answer"))
def test_special_tokens_of_every_model_family_are_found(leak: str) -> None:
    assert leaked_tokens(Document(ANSWER + leak)).severity == 1.0


@pytest.mark.parametrize("leak", cases("leaked_tokens.yaml", "leak_before_the_answer"))
def test_template_text_before_the_answer_is_found(leak: str) -> None:
    assert leaked_tokens(Document(leak + ANSWER)).severity == 1.0


@pytest.mark.parametrize("text", cases("leaked_tokens.yaml", "text_about_tokens"))
def test_text_about_tokens_and_templates_is_not_a_leak(text: str) -> None:
    assert leaked_tokens(Document(text)).severity == 0.0

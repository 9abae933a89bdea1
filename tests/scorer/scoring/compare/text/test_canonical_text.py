from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.compare.text.tokenizer import MAX_TOKENS, tokenize
from scorer.scoring.compare.vocabulary.lexicon import ENGLISH, lexicon_of
from tests.support.comparison_cases import cases


@pytest.mark.parametrize(("text", "form"), cases("canonical_text.yaml", "canonical_form"))
def test_the_canonical_form_has_no_markdown_and_uniform_typography(text: str, form: str) -> None:
    assert Document(text).canonical == form


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_canonical_form_and_tokens_never_raise(text: str) -> None:
    assert len(tokenize(Document(text).canonical, lexicon_of(ENGLISH))) <= MAX_TOKENS

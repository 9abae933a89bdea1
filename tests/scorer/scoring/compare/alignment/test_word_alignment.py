"""The overlap of words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.compare.alignment.word_alignment import align
from scorer.scoring.compare.text.tokenizer import tokenize
from scorer.scoring.compare.vocabulary.lexicon import ENGLISH, lexicon_of

WORDS = st.lists(st.sampled_from(["a", "b", "c", "D", "1", "2", "not"]), max_size=20)


@pytest.mark.slow
@given(WORDS, WORDS)
def test_word_overlap_is_bounded_and_symmetric(left: list[str], right: list[str]) -> None:
    english = lexicon_of(ENGLISH)
    a, b = tokenize(" ".join(left), english), tokenize(" ".join(right), english)
    one, other = align(a, b, english).word_overlap, align(b, a, english).word_overlap
    assert 0.0 <= one <= 1.0
    assert one == other
    assert align(a, a, english).word_overlap == 1.0

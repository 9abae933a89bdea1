"""Long texts are cut at good places into as few chunks as possible."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.embed.chunking import MOST_CHUNKS, chunk_spans, sampled_indices


def tokens(text: str) -> list[tuple[int, int]]:
    return [m.span() for m in re.finditer(r"\w+|[^\w\s]", text)]


def chunks(text: str, limit: int) -> list[str]:
    return [text[a:b] for a, b in chunk_spans(text, tokens(text), limit)]


@given(st.integers(0, 3000))
def test_the_sampled_chunks_are_bounded_even_and_have_both_ends(count: int) -> None:
    found = sampled_indices(count)
    assert found == sorted(set(found))
    assert len(found) == min(count, MOST_CHUNKS)
    assert not count or (found[0], found[-1]) == (0, count - 1)
    gaps = [b - a for a, b in pairwise(found) if b - a > 1]
    assert max(gaps, default=1) - min(gaps, default=1) <= 1


@given(st.integers(MOST_CHUNKS, 3000), st.integers(-2, 2))
def test_most_sampled_chunks_of_a_text_that_is_a_little_longer_are_at_the_same_places(count: int, more: int) -> None:
    one, other = set(sampled_indices(count)), set(sampled_indices(count + more))
    assert len(one & other) >= len(one) * 2 / 3


def test_a_short_text_is_one_unchanged_chunk():
    assert chunks("  one two  ", 5) == ["  one two  "]


def test_a_text_without_tokens_is_one_chunk():
    assert chunk_spans("", [], 5) == [(0, 0)]


def test_a_cut_between_paragraphs_is_preferred_to_one_between_sentences():
    text = "a b c. d e\n\nf g h. i j k"
    assert chunks(text, 8) == ["a b c. d e", "f g h. i j k"]


def test_a_cut_between_sentences_is_preferred_to_one_between_words():
    assert chunks("a b c d. e f g h i", 7) == ["a b c d.", "e f g h i"]


def test_a_closing_quote_belongs_to_its_sentence():
    assert chunks('a b "c d." e f g h', 8) == ['a b "c d."', "e f g h"]


def test_a_word_is_not_cut_if_a_gap_is_near():
    pieces = [(0, 2), (3, 5), (5, 7), (7, 9), (10, 12), (13, 15)]
    spans = chunk_spans("aa bbccdd ee ff", pieces, 4)
    assert spans == [(0, 9), (10, 15)]


def test_the_last_chunk_is_about_as_long_as_the_others():
    lengths = [len(c.split()) for c in chunks(" ".join(["word"] * 255), 254)]
    assert min(lengths) > 60


@given(st.text(alphabet='ab .\n!"。', max_size=400), st.integers(1, 40))
def test_every_token_is_in_exactly_one_chunk_and_the_chunks_are_as_few_as_possible(text: str, limit: int):
    found = tokens(text)
    spans = chunk_spans(text, found, limit)
    held = [[t for t in found if a <= t[0] and t[1] <= b] for a, b in spans]
    assert [t for part in held for t in part] == found
    assert all(len(part) <= limit for part in held)
    assert len(spans) == max(1, -(-len(found) // limit))
    assert all(held) or not found

"""Texts are chunked, embedded once and cached."""

from __future__ import annotations

import numpy as np
import pytest

from scorer.scoring.embed import VectorCache, embed_texts
from scorer.scoring.embed.chunking import MOST_CHUNKS


def test_equal_texts_are_embedded_once(words):
    a, b, c = embed_texts(words, ["x y", "z", "x y"])
    assert words.calls == [["x y", "z"]]
    assert a is c
    assert a.shape == b.shape == (1, 8)


def test_a_long_text_has_one_row_for_each_chunk_in_order(words):
    (vectors,) = embed_texts(words, ["a b c. d e f. g h i."])
    assert words.calls == [["a b c.", "d e f. g h i."]] or len(words.calls[0]) == 2
    assert np.array_equal(vectors, words.embed(words.calls[0]))


def test_a_very_long_text_costs_no_more_than_the_limit_and_is_read_from_end_to_end(words):
    text = " ".join(f"w{i}" for i in range(5000))
    (vectors,) = embed_texts(words, [text])
    assert len(words.calls[0]) == len(vectors) == MOST_CHUNKS
    assert words.calls[0][0].startswith("w0 ")
    assert words.calls[0][-1].endswith(" w4999")


def test_a_text_of_just_the_limit_is_embedded_whole(words):
    text = " ".join(f"w{i}" for i in range(MOST_CHUNKS * words.max_tokens))
    embed_texts(words, [text])
    assert " ".join(words.calls[0]) == text


def test_a_cached_text_is_not_embedded_again(words):
    cache = VectorCache()
    (first,) = embed_texts(words, ["x"], cache)
    (second,) = embed_texts(words, ["x"], cache)
    assert len(words.calls) == 1
    assert np.array_equal(first, second)
    assert cache.hits == 1


def test_without_texts_the_engine_is_not_called(words):
    assert embed_texts(words, []) == []
    assert words.calls == []


def test_an_engine_error_leaves_the_cache_unchanged(words):
    class Broken(type(words)):
        def embed(self, texts):
            raise RuntimeError

    cache = VectorCache()
    with pytest.raises(RuntimeError):
        embed_texts(Broken(), ["x"], cache)
    assert cache.rows == 0

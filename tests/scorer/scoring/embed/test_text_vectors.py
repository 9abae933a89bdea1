from __future__ import annotations

import numpy as np
import pytest

from scorer.scoring.embed import VectorCache, embed_texts


def test_equal_texts_are_embedded_once(words):
    a, b, c = embed_texts(words, ["x y", "z", "x y"])
    assert words.calls == [["x y", "z"]]
    assert a is c
    assert a.shape == b.shape == (1, 8)


def test_a_long_text_gives_a_row_for_each_chunk_in_order(words):
    (vectors,) = embed_texts(words, ["a b c. d e f. g h i."])
    assert words.calls == [["a b c.", "d e f. g h i."]] or len(words.calls[0]) == 2
    assert np.array_equal(vectors, words.embed(words.calls[0]))


def test_a_text_seen_before_needs_no_engine(words):
    cache = VectorCache()
    (first,) = embed_texts(words, ["x"], cache)
    (second,) = embed_texts(words, ["x"], cache)
    assert len(words.calls) == 1
    assert np.array_equal(first, second)
    assert cache.hits == 1


def test_no_texts_need_no_engine(words):
    assert embed_texts(words, []) == []
    assert words.calls == []


def test_an_engine_that_fails_leaves_the_cache_as_it_was(words):
    class Broken(type(words)):
        def embed(self, texts):
            raise RuntimeError

    cache = VectorCache()
    with pytest.raises(RuntimeError):
        embed_texts(Broken(), ["x"], cache)
    assert cache.rows == 0

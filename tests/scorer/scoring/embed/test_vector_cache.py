"""The LRU cache of vectors."""

from __future__ import annotations

import numpy as np

from scorer.scoring.embed.vector_cache import VectorCache, text_key


def rows(count: int) -> np.ndarray:
    return np.ones((count, 2), np.float32)


def test_the_least_recently_used_text_is_evicted_first():
    cache = VectorCache(max_rows=2)
    cache.put(b"a", rows(1))
    cache.put(b"b", rows(1))
    cache.get(b"a")
    cache.put(b"c", rows(1))
    assert cache.get(b"b") is None
    assert cache.get(b"a") is not None
    assert cache.get(b"c") is not None


def test_the_bound_counts_rows_rather_than_texts():
    cache = VectorCache(max_rows=4)
    for key in (b"a", b"b", b"c"):
        cache.put(key, rows(2))
    assert cache.rows == 4
    assert cache.get(b"a") is None


def test_a_text_larger_than_the_cache_is_not_stored_and_evicts_nothing():
    cache = VectorCache(max_rows=2)
    cache.put(b"a", rows(1))
    cache.put(b"big", rows(3))
    assert cache.get(b"a") is not None
    assert cache.rows == 1


def test_hits_and_misses_are_counted():
    cache = VectorCache()
    cache.get(b"a")
    cache.put(b"a", rows(1))
    cache.get(b"a")
    assert (cache.hits, cache.misses) == (1, 1)


def test_different_lone_surrogates_have_different_keys():
    assert text_key("\ud800") != text_key("\ud801")

"""The similarity of two answers from the vectors of their chunks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.scoring.compare.similarity.embedding_similarity import Similarity, chunk_similarity
from scorer.scoring.embed.chunking import MOST_CHUNKS


def test_the_worst_matched_chunk_lowers_the_similarity() -> None:
    base = np.eye(4, dtype=np.float32)
    same = chunk_similarity(base[:2], base[:2])
    off = chunk_similarity(base[:2], base[[0, 3]])
    assert same.score == pytest.approx(1.0)
    assert off.worst == 0.0
    assert off.score < off.mean


@pytest.mark.parametrize("swapped", [False, True])
def test_the_worst_match_of_a_sample_is_not_known(swapped: bool) -> None:
    left = np.eye(MOST_CHUNKS + 1, dtype=np.float32)[:MOST_CHUNKS]
    right = np.eye(MOST_CHUNKS + 1, dtype=np.float32)[1:]
    found = chunk_similarity(*((right, left) if swapped else (left, right)))
    assert found.sampled
    assert found.worst == found.mean == pytest.approx(1 - 1 / MOST_CHUNKS)
    assert not chunk_similarity(left[:-1], right[:-1]).sampled


def test_the_chunk_that_fits_least_is_named() -> None:
    rows = np.eye(3, dtype=np.float32)
    assert chunk_similarity(rows[:1], rows[[0, 1]]) == Similarity(pytest.approx(2 / 3), 0.0, part=2, parts=2)
    assert chunk_similarity(rows[[2, 0, 1]], rows[[0, 1]]) == Similarity(
        pytest.approx(0.8), 0.0, part=1, parts=3, in_left=True
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3), st.lists(st.floats(-1, 1), min_size=3, max_size=3))
def test_chunk_similarity_is_symmetric(a: list[float], b: list[float]) -> None:
    def unit(values: list[float]) -> np.ndarray:
        row = np.array([[*values, 1.0]], dtype=np.float32)
        return row / np.linalg.norm(row)

    there, back = chunk_similarity(unit(a), unit(b)), chunk_similarity(unit(b), unit(a))
    assert (there.mean, there.worst) == (back.mean, back.worst)

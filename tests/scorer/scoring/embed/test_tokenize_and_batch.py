"""Tokens, and batches of similar length."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.embed.tokenize_and_batch import RUN_TOKENS, batches, run_batches


@given(st.lists(st.integers(1, 300), max_size=50), st.integers(1, 8))
def test_batches_contain_every_index_once_and_are_sorted_by_length(lengths, size):
    groups = list(batches(lengths, size))
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    assert all(len(group) <= size for group in groups)
    flat = [lengths[i] for group in groups for i in group]
    assert flat == sorted(flat)


def test_rows_are_returned_in_the_order_of_the_texts():
    def run(ids, mask):
        return (ids * mask).sum(axis=1, keepdims=True).astype(np.float32)

    assert run_batches(run, [[5, 5, 5], [1], [2, 2]], 2, 1).ravel().tolist() == [15, 1, 4]


def test_spans_count_characters_in_every_script(onnx):
    text = "naïve 博物館 \ud800 🙂 end"
    found = [text[a:b] for a, b in onnx.spans(text)]
    assert found[:4] == ["naïve", "博", "物", "館"]
    assert found[-1] == "end"


@given(st.lists(st.integers(1, 300), max_size=50), st.integers(1, 8))
def test_the_padding_of_a_batch_is_bounded(lengths, size):
    for group in batches(lengths, size):
        assert sum(max(lengths[i] for i in group) - lengths[i] for i in group) <= RUN_TOKENS


def test_lengths_are_padded_to_the_step_but_not_beyond_the_longest_text():
    seen = []

    def run(ids, mask):
        seen.append(ids.shape)
        return mask.sum(axis=1, keepdims=True).astype(np.float32)

    assert run_batches(run, [[7] * 3, [7] * 10, [7] * 14], 1, 1, step=8).ravel().tolist() == [3, 10, 14]
    assert seen == [(1, 8), (1, 14), (1, 14)]

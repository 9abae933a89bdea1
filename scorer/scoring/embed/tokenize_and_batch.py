"""Tokenize texts, and run a model's ONNX graph on batches of texts of similar length.

The two engines that run an ONNX graph, ONNX Runtime and OpenVINO, use this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glidepath.errors import ConfigError
from scorer.scoring.embed.engine_protocol import Span, Vectors
from scorer.scoring.embed.valid_unicode import well_formed
from scorer.scoring.embed.vocabulary_coverage import VocabularyCoverage

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Ids = NDArray[np.int64]
Run = Callable[[Ids, Ids], Vectors]
"""A function that maps (input_ids, attention_mask), each [batch, tokens], to vectors [batch, dimensions]."""

RUN_TOKENS = 20  # the fixed cost of a run of the model is about the cost of 20 tokens


class WordPieces:
    """The tokenizer of a model, read from the model's tokenizer.json."""

    def __init__(self, folder: Path, max_tokens: int) -> None:
        from tokenizers import Tokenizer

        path = folder / "tokenizer.json"
        try:
            self._tokenizer: Tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises nothing narrower
            raise ConfigError(f"scorer.embedder.model: {path}: cannot be read: {error}") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._max_ids = max_tokens + 2
        self.covers = VocabularyCoverage(self._tokenizer).covers

    def spans(self, text: str) -> Sequence[Span]:
        spans: Sequence[Span] = self._tokenizer.encode(well_formed(text), add_special_tokens=False).offsets
        return spans

    def ids(self, text: str) -> list[int]:
        """Return the token ids of ``text`` from [CLS] to [SEP]. A text beyond the model's limit of tokens is cut."""
        ids: list[int] = self._tokenizer.encode(well_formed(text)).ids
        return ids if len(ids) <= self._max_ids else [*ids[: self._max_ids - 1], ids[-1]]


def batches(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Yield groups of texts with similar lengths. Each group is a list of indices into ``lengths``.

    A group has at most ``size`` texts. Padding all texts of a group to the length of the longest one adds at most
    RUN_TOKENS tokens in total.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    group: list[int] = []
    padding = 0
    for index in order:
        longer = (lengths[index] - lengths[group[-1]]) * len(group) if group else 0
        if group and (len(group) == size or padding + longer > RUN_TOKENS):
            yield group
            group, padding, longer = [], 0, 0
        group.append(index)
        padding += longer
    if group:
        yield group


def run_batches(run: Run, ids: Sequence[Sequence[int]], size: int, dimensions: int, step: int = 1) -> Vectors:
    """Return one vector for each text, in order. ``ids`` are the token ids of the texts.

    ``run`` is called for batches of at most ``size`` texts. The token ids of a batch are padded to one length, which
    is a multiple of ``step``, or the length of the longest text if that is less.
    """
    vectors = np.empty((len(ids), dimensions), np.float32)
    longest = max(map(len, ids), default=0)
    lengths = [min(-(-len(row) // step) * step, longest) for row in ids]
    for group in batches(lengths, size):
        padded = np.zeros((len(group), lengths[group[-1]]), np.int64)
        mask = np.zeros_like(padded)
        for row, index in enumerate(group):
            padded[row, : len(ids[index])] = ids[index]
            mask[row, : len(ids[index])] = 1
        vectors[group] = run(padded, mask)
    return vectors

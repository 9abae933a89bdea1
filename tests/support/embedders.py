"""Embedders without a model: their vectors depend on the words or the letters of a text."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from scorer.scoring.embed.engine_protocol import Span, Vectors


class WordEmbedder:
    """An embedder without a model. A word is a token, and a vector depends on the words. It records its calls."""

    name = "words"
    dimensions = 8
    max_tokens = 5

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def spans(self, text: str) -> Sequence[Span]:
        spans, at = [], 0
        for word in text.split():
            start = text.index(word, at)
            at = start + len(word)
            spans.append((start, at))
        return spans

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(list(texts))
        rows = [np.random.default_rng(zlib.crc32(text.encode())).normal(size=8) for text in texts]
        return np.asarray([row / np.linalg.norm(row) for row in rows], np.float32).reshape(len(texts), 8)


class LetterCounts:
    """An embedder that counts letters. It records the texts that it is asked to embed."""

    name, dimensions, max_tokens = "letters", 26, 1000

    def __init__(self) -> None:
        self.asked: list[str] = []

    def spans(self, text: str) -> Sequence[Span]:
        return [(0, len(text))]

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        rows = np.array([[1e-6 + t.lower().count(chr(97 + i)) for i in range(26)] for t in texts], dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

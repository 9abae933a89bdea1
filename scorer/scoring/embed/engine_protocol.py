"""The protocols of an embedding engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""Shape [rows, dimensions]. Each row has length 1, so the dot product of two rows is their cosine."""

Span = tuple[int, int]
"""The first character and the character after the last one."""


class Embedder(Protocol):
    """Turn texts into vectors. Engines differ in speed and slightly in their vectors (docs/reference/embedding.md)."""

    @property
    def name(self) -> str:
        """Engine and model. Every score is stored with them, because engines may differ in the last digits."""

    @property
    def dimensions(self) -> int:
        """The number of columns that ``embed`` returns. For a remote engine it is 0 until the first answer."""

    @property
    def max_tokens(self) -> int:
        """The number of tokens, without special tokens, that ``embed`` reads of a text. It ignores the rest."""

    def spans(self, text: str) -> Sequence[Span]:
        """Return the character span of each token of ``text``, in order. There may be white space between the spans."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row for each text, in order. Raises UnreachableError if a remote engine does not answer."""


@runtime_checkable
class VocabularyAwareEmbedder(Embedder, Protocol):
    """An engine with a local tokenizer. The tokenizer's vocabulary shows which texts the engine can read."""

    def covers(self, text: str) -> bool:
        """Return whether the vocabulary covers the text's script. Otherwise the text's vector has no meaning."""

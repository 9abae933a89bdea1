"""The protocols that embedding engines implement, and the types of vectors and character spans."""

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
    """Turns texts into vectors. Engines differ in speed and slightly in their vectors (docs/reference/embedding.md)."""

    @property
    def name(self) -> str:
        """The name of the engine and the model. It is stored with every score, because the engines' vectors differ."""

    @property
    def dimensions(self) -> int:
        """The length of each vector that ``embed`` returns. For a remote engine it is 0 until the first reply."""

    @property
    def max_tokens(self) -> int:
        """The number of tokens, without special tokens, that ``embed`` reads. It ignores the rest of a longer text."""

    def spans(self, text: str) -> Sequence[Span]:
        """Return the character span of each token of ``text``, in order. There may be white space between the spans."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return an array with one row for each text, in order. The row is the vector of the text.

        Raises UnreachableError if a remote engine does not answer.
        """


@runtime_checkable
class VocabularyAwareEmbedder(Embedder, Protocol):
    """An engine with a local tokenizer. The tokenizer's vocabulary shows which texts the engine can read."""

    def covers(self, text: str) -> bool:
        """Return whether the vocabulary covers the scripts of the text. If not, the text's vector has no meaning."""

"""What an embedding engine must be able to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""Shape [rows, dimensions], each row of length 1: the dot product of two rows is their cosine."""

Span = tuple[int, int]
"""Characters from (included) and to (excluded)."""


class Embedder(Protocol):
    """Turn texts into vectors. Engines differ in speed and by the drift that docs/reference/embedding.md states."""

    @property
    def name(self) -> str:
        """Engine and model: goes into every score, since scores of two engines may differ in the last digits."""

    @property
    def dimensions(self) -> int:
        """Columns of what ``embed`` returns; 0 while a remote engine has not answered yet."""

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that ``embed`` reads, without special ones; the rest is ignored, hence the chunking."""

    def spans(self, text: str) -> Sequence[Span]:
        """The characters of each token of ``text``, in order; what no token covers is white space."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row a text, in the order given. Raises UnreachableError when a remote engine does not answer."""


@runtime_checkable
class VocabularyAwareEmbedder(Embedder, Protocol):
    """An engine whose tokenizer is here, so that it knows what it cannot read."""

    def covers(self, text: str) -> bool:
        """Whether the model knows the text's script; if not, its vector says nothing (vocabulary_coverage.py)."""

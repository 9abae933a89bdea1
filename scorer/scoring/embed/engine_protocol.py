"""The protocols of an embedding engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""Shape [rows, dimensions], each row of length 1: the dot product of two rows is their cosine."""

Span = tuple[int, int]
"""The first character and the character after the last one."""


class Embedder(Protocol):
    """Turn texts into vectors. Engines differ in speed and by the drift that docs/reference/embedding.md states."""

    @property
    def name(self) -> str:
        """Engine and model. Stored with every score, because scores of two engines may differ in the last digits."""

    @property
    def dimensions(self) -> int:
        """The number of columns that ``embed`` returns; 0 until a remote engine has answered."""

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text ``embed`` reads, without special tokens. It ignores the rest."""

    def spans(self, text: str) -> Sequence[Span]:
        """Return the character span of each token of ``text``, in order. White space may lie between spans."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row for each text, in order. Raises UnreachableError if a remote engine does not answer."""


@runtime_checkable
class VocabularyAwareEmbedder(Embedder, Protocol):
    """An engine with a local tokenizer, whose vocabulary shows which texts it can read."""

    def covers(self, text: str) -> bool:
        """Whether the vocabulary covers the text's script. If not, the text's vector is meaningless."""

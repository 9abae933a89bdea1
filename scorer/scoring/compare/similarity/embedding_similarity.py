"""Compare two texts by the vectors of their chunks. Cost: a few µs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scorer.scoring.embed.chunking import MOST_CHUNKS
from scorer.scoring.embed.engine_protocol import Vectors
from scorer.scoring.embed.model_traits import SAME_SCALE, CosineMap


@dataclass(frozen=True, slots=True)
class Similarity:
    """The similarity of two texts, from the cosines between their chunks. All cosines are in [-1, 1].

    Each chunk of either text is matched with the most similar chunk of the other text. ``mean`` is the mean of the
    cosines of these matches, and ``worst`` is their minimum. The other fields describe the chunk with this minimum:
    ``part`` is its number in its text, counted from 1, ``parts`` is the number of chunks in its text, and ``in_left``
    is True if its text is the left text. ``by_characters``: shared characters are compared instead of vectors.
    ``sampled``: only some chunks of a text have vectors. The best match of a chunk may then be missing, so ``worst`` is
    also the mean.
    """

    mean: float
    worst: float
    part: int = 1
    parts: int = 1
    in_left: bool = False
    by_characters: bool = False
    sampled: bool = False

    @property
    def score(self) -> float:
        """The similarity of two texts as one number in [0, 1], from which their agreement is computed.

        The number includes the worst chunk, because the mean alone would hide an off-topic ending.
        """
        return min(1.0, max(0.0, 0.75 * self.mean + 0.25 * self.worst))


SAME_TEXT = Similarity(1.0, 1.0)


def chunk_similarity(left: Vectors, right: Vectors, cosine_map: CosineMap = SAME_SCALE) -> Similarity:
    """Return the similarity of two texts from the vectors of their chunks.

    ``left`` has the shape [left chunks, dimensions], and ``right`` has the shape [right chunks, dimensions]. Each row
    is the vector of a chunk and has the length 1. ``cosine_map`` converts the cosines of the embedding model to the
    common scale. If the texts are swapped, ``mean`` and ``worst`` do not change.
    """
    cosines = cosine_map(np.clip(left @ right.T, -1.0, 1.0))
    sides = cosines.max(axis=1), cosines.max(axis=0)
    best = np.concatenate(sides)
    if max(cosines.shape) >= MOST_CHUNKS:  # a text of exactly this many chunks is treated in the same way
        return Similarity(float(best.mean()), float(best.mean()), sampled=True)
    in_left = bool(sides[0].min() < sides[1].min())
    own = sides[0] if in_left else sides[1]
    return Similarity(float(best.mean()), float(best.min()), int(own.argmin()) + 1, len(own), in_left)

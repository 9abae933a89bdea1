"""Compare the vectors of two texts. Each chunk is compared with its best match in the other text. Cost: a few µs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scorer.scoring.embed.engine_protocol import Vectors


@dataclass(frozen=True, slots=True)
class Similarity:
    """The similarity of two texts by their chunks. All cosines are in [-1, 1].

    ``mean`` is the mean of the best cosines of all chunks of both texts. ``worst`` is the lowest of these cosines. The
    chunk with the lowest cosine is number ``part`` (from 1) of the ``parts`` of its text. That is the left text if
    ``in_left`` is True, else the right text.
    """

    mean: float
    worst: float
    part: int = 1
    parts: int = 1
    in_left: bool = False

    @property
    def score(self) -> float:
        """The similarity in [0, 1] that the agreement is based on.

        It includes the worst chunk, because the mean alone would hide an off-topic ending.
        """
        return min(1.0, max(0.0, 0.75 * self.mean + 0.25 * self.worst))


SAME_TEXT = Similarity(1.0, 1.0)


def chunk_similarity(left: Vectors, right: Vectors) -> Similarity:
    """Compare chunk vectors [a, dimensions] and [b, dimensions] with rows of length 1. The scores are symmetric."""
    cosines = np.clip(left @ right.T, -1.0, 1.0)
    sides = cosines.max(axis=1), cosines.max(axis=0)
    best = np.concatenate(sides)
    in_left = bool(sides[0].min() < sides[1].min())
    own = sides[0] if in_left else sides[1]
    return Similarity(float(best.mean()), float(best.min()), int(own.argmin()) + 1, len(own), in_left)

"""Embeddings: each chunk against its best match on the other side. Cost: a few µs; the embedding itself is not here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scorer.scoring.embed.engine_protocol import Vectors


@dataclass(frozen=True, slots=True)
class Meaning:
    """``mean`` of the chunks' best cosines, both directions; ``worst``: that of the chunk that fits least. In [-1, 1].

    That chunk is the ``part``-th (from 1) of ``parts`` of its text, which is the right one or (``in_left``) the left.
    """

    mean: float
    worst: float
    part: int = 1
    parts: int = 1
    in_left: bool = False

    @property
    def likeness(self) -> float:
        """What agreement is built on, in [0, 1]. The worst chunk counts: an off-topic end hides in a mean."""
        return min(1.0, max(0.0, 0.75 * self.mean + 0.25 * self.worst))


SAME = Meaning(1.0, 1.0)


def meaning(left: Vectors, right: Vectors) -> Meaning:
    """From chunk vectors [a, dimensions] and [b, dimensions], rows of length 1. Symmetric."""
    cosines = np.clip(left @ right.T, -1.0, 1.0)
    sides = cosines.max(axis=1), cosines.max(axis=0)
    best = np.concatenate(sides)
    in_left = bool(sides[0].min() < sides[1].min())
    own = sides[0] if in_left else sides[1]
    return Meaning(float(best.mean()), float(best.min()), int(own.argmin()) + 1, len(own), in_left)

"""Properties of an embedding model that a comparison depends on: the prefix of its texts, and the cosine map.

The cosines of multilingual-e5-small lie between 0.65 and 1, because the model was trained with a low temperature (Wang
et al., "Multilingual E5 Text Embeddings", 2024). Its cosine map gives them the scale of MiniLM's cosines, so that
limits and weights mean the same with both models (ADR 0236). ``make bench-cosine-map`` fits the map again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glidepath.embedding_models import MULTILINGUAL, known_model
from scorer.scoring.embed.engine_protocol import Embedder


@dataclass(frozen=True, slots=True)
class CosineMap:
    """A rising function from a model's cosines to similarities. It is linear between its points.

    ``points``: pairs of a cosine and its similarity, in rising order.
    """

    points: tuple[tuple[float, float], ...]

    def __call__(self, cosines: NDArray[np.float32]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.interp(cosines, [x for x, _ in self.points], [y for _, y in self.points])
        return found


SAME_SCALE = CosineMap(((-1.0, -1.0), (1.0, 1.0)))


@dataclass(frozen=True, slots=True)
class ModelTraits:
    """The traits of an embedding model.

    ``prefix``: a text that the model expects before each text. ``prefix_tokens``: an upper bound on the number of
    tokens in the prefix.
    """

    prefix: str = ""
    prefix_tokens: int = 0
    cosine_map: CosineMap = SAME_SCALE


_TRAITS = {
    # To measure the similarity of two texts, the model's authors recommend the prefix "query: " for both texts.
    MULTILINGUAL: ModelTraits(
        "query: ",
        4,
        CosineMap((
            (-1.0, -0.1), (0.65, -0.1), (0.72, 0.0), (0.78, 0.08), (0.82, 0.2), (0.86, 0.42), (0.9, 0.61), (0.94, 0.75),
            (0.97, 0.87), (1.0, 1.0),
        )),
    )
}  # fmt: skip


def traits_of(embedder: Embedder) -> ModelTraits:
    """Return the traits of the embedder's model. ``Embedder.name`` has the form ENGINE:MODEL."""
    known = known_model(embedder.name.partition(":")[2])
    return _TRAITS.get(known.name, ModelTraits()) if known else ModelTraits()

"""Compare the embedding vectors of two answers.

If one model computed all vectors, the left and the right vector of each input are compared by their cosine. The vectors
of two different models cannot be compared directly, even if they have the same number of dimensions. Instead, each
input's nearest neighbours among the other inputs are compared. Cost: 5 µs for one vector of 1,000 dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glidepath.config.comparison import EmbeddingsSection
from scorer.scoring.compare.result import Comparison

# With fewer inputs, the result depends on chance. In one of twenty requests, random vectors reach an agreement of 0.7
# for four inputs, 0.27 for eight inputs, and 0.13 for sixteen inputs. A real change of model, with half of the variance
# in common, has an agreement of 0.3 to 0.7.
MIN_INPUTS = 8
Rows = Sequence[Sequence[float]]


class NotComparableError(ValueError):
    """The vectors of two answers cannot be compared. The message gives the reason for human readers."""


def compare_vectors(left: Rows, right: Rows, same_model: bool, settings: EmbeddingsSection) -> Comparison:
    """Compare the vectors of two answers, which have one row for each input of the request.

    Raises NotComparableError if a vector is invalid, or if the models differ and there are too few inputs.
    """
    if len(left) != len(right) or not left:
        return Comparison(
            0.0, ("vector_count",), {"vector_count": 1.0}, {"vector_count": f"{len(left)} → {len(right)} vectors"}
        )
    a, b = _unit(left), _unit(right)
    same = same_model if settings.same_space == "auto" else settings.same_space
    if same and a.shape[1] == b.shape[1]:
        return _by_cosine(a, b)
    if same and settings.same_space is True:
        return Comparison(0.0, ("dimensions",), {"dimensions": 1.0}, {"dimensions": f"{a.shape[1]} → {b.shape[1]}"})
    return _by_neighbours(a, b, settings.neighbours)


def _unit(rows: Rows) -> NDArray[np.float64]:
    widths = {len(row) for row in rows}
    if len(widths) != 1 or 0 in widths:
        raise NotComparableError("the vectors of one answer have different lengths, or are empty")
    array = np.asarray(rows, dtype=np.float64)
    if not np.isfinite(array).all():
        raise NotComparableError("a vector has NaN or an infinite value")
    norms = np.linalg.norm(array, axis=1, keepdims=True)
    unit: NDArray[np.float64] = array / np.where(norms > 0, norms, 1.0)
    return unit


def _by_cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> Comparison:
    cosines = np.clip((a * b).sum(axis=1), -1, 1)
    mean, worst = float(cosines.mean()), float(cosines.min())
    agreement = 1.0 if worst > 1 - 1e-9 else max(0.0, 0.75 * mean + 0.25 * worst)
    flags = ("vectors",) if worst < 0.95 else ()
    details = {"vectors": f"input {int(cosines.argmin())}: cosine {worst:.3f}"} if worst < 0.999 else {}
    return Comparison(agreement, flags, {"cosine": mean, "cosine_worst": worst}, details)


def _by_neighbours(a: NDArray[np.float64], b: NDArray[np.float64], k: int) -> Comparison:
    n = len(a)
    if n < MIN_INPUTS:
        raise NotComparableError(
            f"the two models have different vector spaces, and {n} input(s) are too few to compare neighbours (at "
            f"least {MIN_INPUTS} are needed); if both sides serve the same model, set "
            "scoring.embeddings.same_space: true"
        )
    k = max(1, min(k, (n - 1) // 3))  # if most inputs were neighbours of each other, both sides would always agree
    shared = [len(set(x) & set(y)) / k for x, y in zip(_nearest(a, k), _nearest(b, k), strict=True)]
    chance = k / (n - 1)
    overlap = max(0.0, (float(np.mean(shared)) - chance) / (1 - chance))
    correlation = _similarity_correlation(a, b)
    agreement = max(0.0, 0.5 * overlap + 0.5 * max(0.0, correlation))
    flags = ("neighbours",) if overlap < 0.5 else ()
    details = (
        {"neighbours": f"{overlap:.0%} of the {k} nearest inputs are the same, beyond chance"} if overlap < 1 else {}
    )
    return Comparison(
        min(1.0, agreement), flags, {"neighbours": 1 - overlap, "similarity_correlation": correlation}, details
    )


def _nearest(rows: NDArray[np.float64], k: int) -> list[list[int]]:
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -np.inf)
    order: list[list[int]] = np.argsort(-cosines, axis=1, kind="stable")[:, :k].tolist()
    return order


def _similarity_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return Pearson's correlation between the left cosines and the right cosines of all pairs of inputs.

    The correlation is undefined if a side has the same cosine for all pairs of inputs. In this case, return 1 if both
    sides have this property, else 0.
    """
    upper = np.triu_indices(len(a), k=1)
    x, y = (a @ a.T)[upper], (b @ b.T)[upper]
    flat = x.std() < 1e-9, y.std() < 1e-9
    if any(flat):
        return 1.0 if all(flat) else 0.0
    return float(np.corrcoef(x, y)[0, 1])

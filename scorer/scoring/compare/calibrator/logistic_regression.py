"""Penalised logistic regression with a prior and with signs that the weights must have.

The loss is convex, so the result depends only on the data. It is minimised by a projected Newton method (Bertsekas
1982): weights that are held at a bound are left out of the Newton step, and the step is shortened until the loss falls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_ROUNDS = 100  # a fit of the shipped weights takes 8
_SMALL = 1e-9  # per row; a smaller decrease of the loss ends the search


@dataclass(frozen=True, slots=True)
class Penalty:
    """The penalty ½ · ``strength`` · (weight − ``prior``)² for each weight, and its range [``low``, ``high``].

    Each field has one number for each column.
    """

    prior: Floats
    strength: Floats
    low: Floats
    high: Floats


def fit_logistic(rows: Floats, same: Floats, counts: Floats, penalty: Penalty) -> Floats:
    """Return the weights that minimise the log loss plus the penalty, one for each column of ``rows``.

    ``rows`` has the shape [pairs, columns]; a constant is a column of ones. ``same``: 1 or 0 for each pair. ``counts``:
    how many pairs each row stands for.
    """
    weights = np.clip(penalty.prior, penalty.low, penalty.high)
    for _ in range(_ROUNDS):
        share = probability(rows @ weights)
        gradient = rows.T @ (counts * (share - same)) + penalty.strength * (weights - penalty.prior)
        held = ((weights <= penalty.low) & (gradient > 0)) | ((weights >= penalty.high) & (gradient < 0))
        free = np.flatnonzero(~held)
        if not len(free):
            break
        curvature = (rows.T * (counts * share * (1 - share))) @ rows + np.diag(penalty.strength + 1e-12)
        step = np.zeros_like(weights)
        step[free] = np.linalg.solve(curvature[np.ix_(free, free)], gradient[free])
        found = _shortened(rows, same, counts, penalty, weights, step)
        if found is None:
            break
        weights = found
    return weights


def probability(log_odds: Floats) -> Floats:
    """Return 1 / (1 + exp(−x)), where x is ``log_odds``, limited to [−30, 30]."""
    return 1 / (1 + np.exp(-np.clip(log_odds, -30, 30)))


def _shortened(
    rows: Floats, same: Floats, counts: Floats, penalty: Penalty, weights: Floats, step: Floats
) -> Floats | None:
    """Return the weights after the longest tried part of ``step`` that lowers the loss; None if no part lowers it."""
    before = _loss(rows, same, counts, penalty, weights)
    size = 1.0
    while size > 1e-8:
        moved = np.clip(weights - size * step, penalty.low, penalty.high)
        if _loss(rows, same, counts, penalty, moved) < before - _SMALL * len(rows):
            return moved
        size /= 2
    return None


def _loss(rows: Floats, same: Floats, counts: Floats, penalty: Penalty, weights: Floats) -> float:
    log_odds = rows @ weights
    errors = np.logaddexp(0, log_odds) - same * log_odds
    return float(counts @ errors + 0.5 * (penalty.strength * (weights - penalty.prior) ** 2).sum())

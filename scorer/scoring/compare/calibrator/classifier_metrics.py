"""Measures of how well scores separate pairs with the same meaning from pairs with different meanings."""

from __future__ import annotations

import numpy as np

from scorer.scoring.compare.calibrator.logistic_regression import Floats


def auc(scores: Floats, same: Floats) -> float:
    """Return the probability that a random pair with ``same`` = 1 scores above one with 0. A tie counts as one half."""
    _, where, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[where]
    ones = float(same.sum())
    return float((ranks[same == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(same) - ones)))


def caught(scores: Floats, same: Floats, false_alarms: float) -> float:
    """Return the share of the pairs with different meanings that score below a threshold, and so are detected.

    At most the share ``false_alarms`` of the pairs with the same meaning scores below this threshold. Scores equal to
    the threshold are not below it.
    """
    right = np.sort(scores[same == 1])
    return float((scores[same == 0] < right[int(false_alarms * len(right))]).mean())


def calibration_error(probabilities: Floats, same: Floats, bins: int = 10) -> float:
    """Return the expected calibration error: the mean distance between the predicted and the true share in a bin.

    The bins have equal width. Each bin counts by its number of pairs.
    """
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    groups = [place == k for k in range(bins) if (place == k).any()]
    return float(sum(abs(probabilities[g].mean() - same[g].mean()) * g.mean() for g in groups))

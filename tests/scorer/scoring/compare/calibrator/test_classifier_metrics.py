"""AUC, detected share and calibration error, against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.compare.calibrator.classifier_metrics import auc, calibration_error, caught


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_the_auc_is_the_share_of_pairs_in_the_right_order(found: list[tuple[int, bool]]) -> None:
    ones = [score for score, same in found if same]
    zeros = [score for score, same in found if not same]
    if not ones or not zeros:
        return
    wins = sum((a > b) + 0.5 * (a == b) for a in ones for b in zeros)
    scores, same = np.array([float(s) for s, _ in found]), np.array([float(y) for _, y in found])
    assert auc(scores, same) == pytest.approx(wins / (len(ones) * len(zeros)))


def test_caught_counts_the_scores_below_the_threshold_of_the_false_alarms() -> None:
    same = np.array([1.0] * 100 + [0.0] * 4)
    scores = np.array([i / 100 for i in range(100)] + [0.0, 0.01, 0.03, 0.5])
    assert caught(scores, same, 0.02) == 0.5  # the threshold is 0.02
    assert caught(scores, same, 0.05) == 0.75


def test_the_calibration_error_is_zero_if_the_shares_are_as_stated() -> None:
    assert calibration_error(np.array([0.25] * 4), np.array([1.0, 0.0, 0.0, 0.0])) == pytest.approx(0)
    assert calibration_error(np.array([0.95] * 4), np.zeros(4)) == pytest.approx(0.95)

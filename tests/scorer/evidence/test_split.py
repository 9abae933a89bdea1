"""The sample-ratio guard."""

from __future__ import annotations

import numpy as np

from bench import evidence_cases as cases
from scorer.evidence.split import SplitGuard


def test_a_split_as_set_raises_no_alarm() -> None:
    runs = 100
    assert cases.split(runs, 1, 0.1, 0.1, n=1500).fail_rate <= cases.upper_limit(runs)


def test_a_split_of_half_as_much_again_is_seen() -> None:
    assert np.median(cases.split(20, 2, 0.15, 0.1).fail) < 3000


def test_a_split_as_set_is_proven_in_time() -> None:
    guard = SplitGuard(0.1)
    for _ in range(400):
        guard.update(1, 9)
    assert guard.log_pass > cases.AT

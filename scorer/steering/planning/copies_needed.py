"""Find how many pairs of copies a gate needs to pass. A pair has both sides' answers to one request (ADR 0260)."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from scorer.steering.evidence.dense_histogram import SIZE, slot_of
from scorer.steering.evidence.paired_increase_test import PairedIncreaseTest
from scorer.steering.evidence.paired_quantile_test import PairedQuantileTest

MOST_COPIES = 20_000
_SHARED = 0.5  # the part of the variance of ln(latency) that both answers to a request share
_LOOK = 1.05  # the growth of the number of pairs between two evaluations
_LOOK_ERRORS = 25


@lru_cache(maxsize=4096)  # the steps of a ramp need the same numbers
def latency_copies(q: float, max_ratio: float, pass_at: float, sigma: float, seed: int) -> int | None:
    """Return how many pairs of copies the latency gate needs to pass a candidate that equals the baseline.

    Return None if MOST_COPIES are too few.

    Latencies are lognormal. ``sigma``: the standard deviation of ln(latency); ``pass_at``: ln of the needed e-value.
    """
    rng, test = np.random.default_rng(seed), PairedQuantileTest(q, max_ratio)
    request, own = rng.normal(0, sigma * math.sqrt(_SHARED), MOST_COPIES), sigma * math.sqrt(1 - _SHARED)
    slots = np.rint((request + rng.normal(0, own, (2, MOST_COPIES))) / math.log(2) * 64).astype(np.int64)
    candidate, baseline = np.clip(slots + slot_of(300.0), 1, SIZE - 1).tolist()
    look = 20.0
    for n, (c, b) in enumerate(zip(candidate, baseline, strict=True), start=1):
        test.add(c, b)
        if n >= look:
            test.look(everything=True)
            look = n * _LOOK
            if test.log_pass >= pass_at:
                return n
    return None


@lru_cache(maxsize=4096)
def error_copies(limit: float, pass_at: float, rate: float, seed: int) -> int | None:
    """Return how many pairs of copies the errors gate needs to pass, if both sides fail at the rate ``rate``.

    Return None if MOST_COPIES are too few.
    """
    test = PairedIncreaseTest(limit)
    failed = (np.random.default_rng(seed).random((MOST_COPIES, 2)) < rate).tolist()
    for n, (c, b) in enumerate(failed, start=1):
        test.update(candidate=c, baseline=b)
        if n % _LOOK_ERRORS == 0 and test.log_pass >= pass_at:
            return n
    return None

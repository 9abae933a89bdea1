"""The signal ``confidence``: the models were not equally sure of their tokens."""

from __future__ import annotations

import math
from statistics import fmean

from scorer.scoring.compare.result import Signal, ramp
from scorer.scoring.compare.signals.document_pair import DocumentPair


def confidence(pair: DocumentPair) -> Signal | None:
    """Return a signal that measures how much the mean log-probabilities of the tokens in two answers differ.

    Return None if an answer has no log-probabilities.
    """
    if not pair.left.logprobs or not pair.right.logprobs:
        return None
    means = fmean(pair.left.logprobs), fmean(pair.right.logprobs)
    degree = ramp(abs(means[0] - means[1]), 0.2, 1.5)
    reason = f"{math.exp(means[0]):.0%} → {math.exp(means[1]):.0%} a token" if degree else ""
    return Signal("confidence", degree, reason=reason, baseline_at_fault=means[0] < means[1])

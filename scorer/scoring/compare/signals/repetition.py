"""The signal ``repetition``: one text repeats itself more than the other."""

from __future__ import annotations

from scorer.scoring.compare.defects.repeated_passages import repeated_passages
from scorer.scoring.compare.result import Signal, clamp, ramp
from scorer.scoring.compare.signals.document_pair import DocumentPair


def repetition(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether one text repeats itself more than the other text.

    If the texts are otherwise equal, the divergence reaches 1 at eight additional repeated words.
    """
    left, right, alignment = repeated_passages(pair.left), repeated_passages(pair.right), pair.alignment
    worse, better = (right, left) if right.count >= left.count else (left, right)
    extra = worse.count - better.count
    by_share = ramp(worse.share - better.share, 0.08, 0.3) if extra >= 8 else 0.0
    by_run = ramp(worse.run - better.run, 2, 6)
    by_copy = ramp(extra, 3, 8) * max(alignment.closeness, alignment.contained_share)
    degree = clamp(max(by_share, by_run, by_copy))
    reason = f"repeated: “{worse.where}” ({extra} words)" if degree else ""
    return Signal("repetition", degree, reason=reason, baseline_at_fault=worse is left)

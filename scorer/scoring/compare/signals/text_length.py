"""The signal ``length``: how much the lengths of two texts differ."""

from __future__ import annotations

import math

from scorer.scoring.compare.result import Signal, ramp
from scorer.scoring.compare.signals.document_pair import DocumentPair


def length(pair: DocumentPair) -> Signal:
    """Return a signal that measures how much the lengths of two texts in words differ.

    Three words are added to both lengths, which lowers the ratio of short texts. The divergence is 0 up to a ratio of
    1.5, and 1 from a ratio of 8.
    """
    a, b = len(pair.left.tokens) + 3, len(pair.right.tokens) + 3
    divergence = ramp(abs(math.log(b / a)), math.log(1.5), math.log(8))
    return Signal("length", divergence, reason=f"{a - 3} → {b - 3} words" if divergence else "")

"""The signal ``off_topic``: a passage of one text resembles no passage of the other (ADR 0103)."""

from __future__ import annotations

from scorer.scoring.compare.result import Signal, ramp
from scorer.scoring.compare.signals.document_pair import DocumentPair


def off_topic(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether a passage of one text resembles no passage of the other text.

    If the text with this passage has no other passage, the divergence is 0, because the low similarity of the two whole
    texts already shows the difference.
    """
    similarity = pair.similarity
    degree = ramp(-similarity.worst, -0.32, -0.18) if similarity.parts > 1 else 0.0
    reason = f"part {similarity.part} of {similarity.parts} resembles nothing in the other answer" if degree else ""
    relevance = 1 - ramp(pair.alignment.word_overlap, 0.7, 0.95)
    return Signal("off_topic", degree, relevance, reason=reason, baseline_at_fault=similarity.in_left)

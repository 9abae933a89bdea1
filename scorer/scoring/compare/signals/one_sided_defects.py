"""Signals for a defect that one of two texts has: a refusal, no text at all, leaked tokens."""

from __future__ import annotations

from scorer.scoring.compare.defects.defect import Defect
from scorer.scoring.compare.defects.leaked_tokens import leaked_tokens
from scorer.scoring.compare.result import Signal, excerpt
from scorer.scoring.compare.signals.document_pair import DocumentPair


def one_sided(name: str, left: Defect, right: Defect) -> Signal:
    """Return the signal ``name``, whose divergence is the difference in severity between the texts' defects.

    If one text has no defect, its severity is 0.
    """
    worse = right if right.severity >= left.severity else left
    degree = abs(right.severity - left.severity)
    return Signal(name, degree, reason=worse.where if degree else "", baseline_at_fault=left.severity > right.severity)


def one_sided_refusal(pair: DocumentPair) -> Signal:
    return one_sided("refusal", *pair.refusals)


def one_sided_leak(pair: DocumentPair) -> Signal:
    return one_sided("leaked_tokens", leaked_tokens(pair.left), leaked_tokens(pair.right))


def one_sided_emptiness(pair: DocumentPair) -> Signal:
    """Return a signal whose divergence is 1 if exactly one of two texts is empty, else 0."""
    nothing = (not pair.left.canonical, not pair.right.canonical)
    if nothing[0] == nothing[1]:
        return Signal("empty", 0.0)
    other = pair.right if nothing[0] else pair.left
    return Signal("empty", 1.0, reason=f"empty, against “{excerpt(other.text)}”", baseline_at_fault=nothing[0])

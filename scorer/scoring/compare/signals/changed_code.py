"""The signal ``code``: a code block parses on one side only, or differs in meaning (ADR 0122)."""

from __future__ import annotations

from scorer.scoring.compare.code.broken_code import broken_code
from scorer.scoring.compare.result import Signal
from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.signals.one_sided_defects import one_sided


def changed_code(pair: DocumentPair) -> Signal:
    """Return the stronger of two signals: one for code that does not parse, and one for a difference in the code."""
    difference = pair.code
    broken = one_sided("code", broken_code(pair.left), broken_code(pair.right))
    if broken.effect >= difference.divergence * difference.relevance:
        return broken
    return Signal("code", difference.divergence, difference.relevance, difference.reason)

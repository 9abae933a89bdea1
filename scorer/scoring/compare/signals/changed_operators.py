"""The signal ``operators``: short texts with the same words differ in an operator sign: "> 5" and "5"."""

from __future__ import annotations

from scorer.scoring.compare.alignment.word_alignment import Edit
from scorer.scoring.compare.result import Signal, excerpt, ramp
from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.text.operator_signs import changed_operators


def operators(pair: DocumentPair) -> Signal:
    """Return a signal that measures how much of two short texts are operator signs that differ.

    If words differ too, it is 0: other signals measure that difference.
    """
    if pair.code.cosmetic or not all(_is_added_sign(edit) for edit in pair.alignment.edits):
        return Signal("operators", 0.0)
    changed = changed_operators(pair.left.text, pair.right.text)
    if not changed:
        return Signal("operators", 0.0)
    share = len(changed) / (len(changed) + max(len(pair.left.tokens), len(pair.right.tokens)))
    a, b = changed[0]
    return Signal("operators", ramp(share, 0.02, 0.3), reason=f"“{excerpt(a)}” → “{excerpt(b)}”")


def _is_added_sign(edit: Edit) -> bool:
    """Return whether only one of the texts has something here, and that is signs."""
    return not (edit.left and edit.right) and all(token.symbol for token in (*edit.left, *edit.right))

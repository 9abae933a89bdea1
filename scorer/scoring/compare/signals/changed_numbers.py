"""The signal ``numbers``: a number, date, unit or order of magnitude differs (ADR 0121)."""

from __future__ import annotations

from collections import Counter

from scorer.scoring.compare.alignment.word_alignment import Alignment, Edit
from scorer.scoring.compare.result import Signal
from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.signals.word_edits import at_edge, exchanged, greatest_change
from scorer.scoring.compare.text.multiset_distance import multiset_distance
from scorer.scoring.compare.vocabulary.word_relations import both_quantities


def numbers(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether the numbers, dates, units and orders of magnitude of two texts differ."""
    return greatest_change("numbers", pair, _number_changed, multiset_distance(pair.left.numbers, pair.right.numbers))


def _number_changed(edit: Edit, alignment: Alignment) -> float:
    left = Counter(t.key for t in edit.left if t.number)
    right = Counter(t.key for t in edit.right if t.number)
    if left and right and left != right:
        return 1.0
    if any(both_quantities(a.key, b.key, alignment.lexicon) for a, b in exchanged(edit)):
        return 1.0
    if left != right:  # numbers were only added or only removed
        return 0.25 if at_edge(edit, alignment) else 0.45
    return 0.0

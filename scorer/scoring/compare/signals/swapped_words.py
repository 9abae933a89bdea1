"""The signal ``swapped_words``: a word became its opposite or another word of its class (ADR 0123)."""

from __future__ import annotations

from scorer.scoring.compare.alignment.moved_steps_and_cells import moved_cell, moved_step
from scorer.scoring.compare.alignment.word_alignment import Alignment, Edit
from scorer.scoring.compare.result import Signal
from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.signals.word_edits import exchanged, greatest_change
from scorer.scoring.compare.vocabulary.word_relations import both_quantities, excludes


def swapped_words(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether a word became its opposite (more/less) or a word that excludes it.

    Words of one class exclude each other (first/second, red/blue). A reordered list whose order matters counts as
    swapped words, too, and so does a step that got another number,
    and a cell that moved to another row or column of a table.
    """
    if moved := moved_step(pair.left, pair.right) or moved_cell(pair.left, pair.right):
        return Signal("swapped_words", 1.0, reason=moved)
    if pair.alignment.misordered_lists:
        reason = f"another order: {pair.alignment.misordered_lists[0]}"
        return Signal("swapped_words", 1.0, pair.alignment.closeness, reason)
    return greatest_change("swapped_words", pair, _swapped)


def _swapped(edit: Edit, alignment: Alignment) -> float:
    words = alignment.lexicon
    if any(excludes(a.key, b.key, words) and not both_quantities(a.key, b.key, words) for a, b in exchanged(edit)):
        return 1.0
    return 0.0

"""The signal ``swapped_words``: a word became its opposite or another word of its class (ADR 0123)."""

from __future__ import annotations

from collections import Counter

from scorer.scoring.compare.alignment.exchanged_roles import exchanged_roles
from scorer.scoring.compare.alignment.moved_steps_and_cells import moved_cell, moved_step
from scorer.scoring.compare.alignment.word_alignment import Alignment, Edit
from scorer.scoring.compare.result import Signal, ramp
from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.signals.equal_denials import denies_alike
from scorer.scoring.compare.signals.word_edits import exchanged, greatest_change
from scorer.scoring.compare.text.multiset_distance import multiset_distance
from scorer.scoring.compare.vocabulary.word_relations import both_quantities, excludes


def swapped_words(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether a word became its opposite (more/less) or a word that excludes it.

    Words of one class exclude each other (first/second, red/blue). These count as swapped words, too: a reordered list
    whose order matters, a step that got another number, a cell that moved to another row or column of a table, and two
    words that exchanged their places in a statement.
    """
    if moved := moved_step(pair.left, pair.right) or moved_cell(pair.left, pair.right):
        return Signal("swapped_words", 1.0, reason=moved)
    if pair.alignment.misordered_lists:
        reason = f"another order: {pair.alignment.misordered_lists[0]}"
        return Signal("swapped_words", 1.0, pair.alignment.closeness, reason)
    if roles := exchanged_roles(pair.alignment):
        return Signal("swapped_words", 1.0, _common_words(pair), f"exchanged places: {roles}")
    return greatest_change("swapped_words", pair, _swapped)


def _common_words(pair: DocumentPair) -> float:
    """The closeness of the wording, where a word that moved counts as common to both texts."""
    left, right = (Counter(t.key for t in side.tokens) for side in (pair.left, pair.right))
    return ramp(1 - multiset_distance(left, right), 0.6, 0.85)


def _swapped(edit: Edit, alignment: Alignment) -> float:
    words = alignment.lexicon
    if denies_alike(edit, words):
        return 0.0
    if any(excludes(a.key, b.key, words) and not both_quantities(a.key, b.key, words) for a, b in exchanged(edit)):
        return 1.0
    return 0.0

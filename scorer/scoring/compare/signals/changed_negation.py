"""The signal ``negation``: one text affirms what the other text denies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from scorer.scoring.compare.alignment.word_alignment import Alignment, Edit
from scorer.scoring.compare.result import Signal
from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.signals.word_edits import FEW, at_edge, exchanged, greatest_change, is_long
from scorer.scoring.compare.text.multiset_distance import multiset_distance
from scorer.scoring.compare.text.tokenizer import Token
from scorer.scoring.compare.vocabulary.opposites_and_synonyms import differs_by_negating_prefix
from scorer.scoring.compare.vocabulary.word_lists import AVOIDANCE, NEGATIONS


def negation(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether one text affirms a statement that the other text denies."""
    counts = [Counter(t.key for t in side.tokens if t.key in NEGATIONS) for side in (pair.left, pair.right)]
    return greatest_change("negation", pair, _negated, multiset_distance(*counts))


def _negated(edit: Edit, alignment: Alignment) -> float:
    if _odd_negations(edit.left) != _odd_negations(edit.right):
        return 0.4 if at_edge(edit, alignment) and not (edit.left and edit.right) and is_long(edit, 3 * FEW) else 1.0
    return 1.0 if any(differs_by_negating_prefix(a.key, b.key) for a, b in exchanged(edit)) else 0.0


def _odd_negations(tokens: Iterable[Token]) -> int:
    """Return 1 if the tokens contain an odd number of negations, else 0, because two negations cancel each other."""
    return sum(t.key in NEGATIONS or t.key in AVOIDANCE for t in tokens) % 2

"""The signal ``negation``: one text affirms what the other text denies."""

from __future__ import annotations

from collections import Counter
from itertools import takewhile

from scorer.scoring.compare.alignment.word_alignment import Alignment, Edit
from scorer.scoring.compare.result import Signal
from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.signals.equal_denials import denies_alike, is_negated
from scorer.scoring.compare.signals.word_edits import FEW, at_edge, exchanged, greatest_change, is_long
from scorer.scoring.compare.text.multiset_distance import multiset_distance
from scorer.scoring.compare.vocabulary.opposites_and_synonyms import differs_by_negating_prefix


def negation(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether one text affirms a statement that the other text denies."""
    negates = pair.lexicon.negates
    counts = [Counter(t.key for t in side.tokens if negates(t.key)) for side in (pair.left, pair.right)]
    for edit in pair.alignment.edits:
        if denies_alike(edit, pair.lexicon):
            for count, tokens in zip(counts, (edit.left, edit.right), strict=True):
                count.subtract(t.key for t in tokens if negates(t.key))
    return greatest_change("negation", pair, _negated, multiset_distance(*counts))


def _negated(edit: Edit, alignment: Alignment) -> float:
    words = alignment.lexicon
    if denies_alike(edit, words) or _is_no_before_a_denial(edit, alignment):
        return 0.0
    if is_negated(edit.left, words) != is_negated(edit.right, words):
        return 0.4 if at_edge(edit, alignment) and not (edit.left and edit.right) and is_long(edit, 3 * FEW) else 1.0
    return 1.0 if any(differs_by_negating_prefix(a.key, b.key, words) for a, b in exchanged(edit)) else 0.0


def _is_no_before_a_denial(edit: Edit, alignment: Alignment) -> bool:
    """Return whether the edit adds or removes only the "No" of a sentence such as "No, it is not supported"."""
    long, end = (alignment.left, edit.left_end) if edit.left else (alignment.right, edit.right_end)
    added = edit.left or edit.right
    if (edit.left and edit.right) or len(added) != 1 or added[0].key != "no" or not added[0].opens:
        return False
    clause = list(takewhile(lambda token: not token.opens, long[end:]))
    return bool(clause) and clause[0].comma and is_negated(clause, alignment.lexicon)

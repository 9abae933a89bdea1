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
from scorer.scoring.compare.vocabulary.lexicon import Lexicon
from scorer.scoring.compare.vocabulary.opposites_and_synonyms import differs_by_negating_prefix


def negation(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether one text affirms a statement that the other text denies."""
    negates = pair.lexicon.negates
    counts = [Counter(t.key for t in side.tokens if negates(t.key)) for side in (pair.left, pair.right)]
    return greatest_change("negation", pair, _negated, multiset_distance(*counts))


def _negated(edit: Edit, alignment: Alignment) -> float:
    words = alignment.lexicon
    if _is_negated(edit.left, words) != _is_negated(edit.right, words):
        return 0.4 if at_edge(edit, alignment) and not (edit.left and edit.right) and is_long(edit, 3 * FEW) else 1.0
    return 1.0 if any(differs_by_negating_prefix(a.key, b.key, words) for a, b in exchanged(edit)) else 0.0


def _is_negated(tokens: Iterable[Token], words: Lexicon) -> bool:
    """Return whether the tokens negate something. In some languages, two negations cancel each other."""
    return words.negated(sum(words.negates(t.key) or t.key in words.avoidance for t in tokens))

"""The signal ``wording``: a content word differs in an otherwise equal passage."""

from __future__ import annotations

from collections.abc import Sequence

from scorer.scoring.compare.alignment.word_alignment import Alignment, Edit, joined
from scorer.scoring.compare.result import Signal
from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.signals.equal_denials import denies_alike
from scorer.scoring.compare.signals.word_edits import REORDERED, at_edge, greatest_change, is_long
from scorer.scoring.compare.text.tokenizer import Token
from scorer.scoring.compare.vocabulary.lexicon import Lexicon
from scorer.scoring.compare.vocabulary.word_relations import excludes, same_word, synonymous


def wording(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether a content word differs in an otherwise equal passage.

    A synonym counts only a little. A reordered list whose order does not matter is a small difference in wording, too.
    """
    found = greatest_change("wording", pair, _reworded, moved=True)
    alignment = pair.alignment
    if alignment.reordered_lists and found.divergence < REORDERED:
        return Signal("wording", REORDERED, alignment.closeness, f"another order: {alignment.reordered_lists[0]}")
    return found


def _reworded(edit: Edit, alignment: Alignment) -> float:
    words = alignment.lexicon
    left = [t for t in edit.left if t.key not in words.stop_words and not t.marker]
    right = [t for t in edit.right if t.key not in words.stop_words and not t.marker]
    if not is_long(edit) and _hedged(edit.left, words) != _hedged(edit.right, words):
        return 0.6
    if denies_alike(edit, words):
        return 0.1
    if _connects(edit.left, words) and _connects(edit.right, words):
        return 0.1
    if not left and not right:
        return 0.3 if edit.left and edit.right else 0.1
    if left and right:
        pairs = zip(left, right, strict=False)
        return 0.1 if len(left) == len(right) and all(_alike(a, b, words) for a, b in pairs) else 1.0
    if joined(edit.left or edit.right) in alignment.moved_passages:
        return REORDERED
    if at_edge(edit, alignment):
        return 0.2
    return 0.45 if not is_long(edit) else 0.7


def _alike(a: Token, b: Token, words: Lexicon) -> bool:
    if a.key == b.key or same_word(a.key, b.key):
        return True
    return synonymous(a.key, b.key, words) and not excludes(a.key, b.key, words)


def _hedged(tokens: Sequence[Token], words: Lexicon) -> bool:
    return any(t.key in words.hedges for t in tokens)


def _connects(tokens: Sequence[Token], words: Lexicon) -> bool:
    return bool(tokens) and tokens[0].opens and all(t.key in words.connectives for t in tokens)

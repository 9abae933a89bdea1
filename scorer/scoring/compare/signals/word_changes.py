"""Signals about words that changed in an aligned passage: numbers, negations, opposites, other wording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import takewhile

from scorer.scoring.compare.alignment.exchanged_places import exchanged_roles, moved_cell, moved_step
from scorer.scoring.compare.alignment.word_alignment import FEW, Alignment, Edit, joined
from scorer.scoring.compare.result import Signal, ramp
from scorer.scoring.compare.signals.document_pair import DocumentPair, greatest_change
from scorer.scoring.compare.similarity.character_similarity import multiset_distance
from scorer.scoring.compare.text.tokens import Token
from scorer.scoring.compare.vocabulary.lexicon import Lexicon
from scorer.scoring.compare.vocabulary.word_relations import (
    both_quantities,
    contrary,
    differs_by_negating_prefix,
    excludes,
    numbered_differently,
    same_word,
    synonymous,
)

_REORDERED = 0.3  # divergence of a reordered list


def numbers(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether the numbers, dates, units and orders of magnitude of two texts differ."""
    return greatest_change("numbers", pair, _number_changed, multiset_distance(pair.left.numbers, pair.right.numbers))


def _number_changed(edit: Edit, alignment: Alignment) -> float:
    left = Counter(t.key for t in edit.left if t.number)
    right = Counter(t.key for t in edit.right if t.number)
    if left and right and left != right:
        return 1.0
    for a, b in edit.exchanged():
        if both_quantities(a.key, b.key, alignment.lexicon):
            return 1.0
        if a.number != b.number and not alignment.lexicon.ones.isdisjoint((a.key, b.key)):
            return float("1" not in (a.key, b.key))
    if left != right:  # numbers were only added or only removed
        return 0.25 if alignment.at_edge(edit) else 0.45
    return 0.0


def negation(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether one text affirms a statement that the other text denies."""
    negating = pair.lexicon.negating
    counts = [Counter({word: side.words[word] for word in negating(side.words)}) for side in (pair.left, pair.right)]
    for edit in pair.alignment.edits:
        if denies_alike(edit, pair.lexicon):
            for count, tokens in zip(counts, (edit.left, edit.right), strict=True):
                count.subtract(negating(t.key for t in tokens))
    return greatest_change("negation", pair, _negated, multiset_distance(*counts))


def _negated(edit: Edit, alignment: Alignment) -> float:
    words = alignment.lexicon
    if denies_alike(edit, words) or _is_no_before_a_denial(edit, alignment):
        return 0.0
    if is_negated(edit.left, words) != is_negated(edit.right, words):
        return 0.4 if alignment.at_edge(edit) and not (edit.left and edit.right) and edit.is_long(3 * FEW) else 1.0
    return 1.0 if any(differs_by_negating_prefix(a.key, b.key, words) for a, b in edit.exchanged()) else 0.0


def _is_no_before_a_denial(edit: Edit, alignment: Alignment) -> bool:
    """Return whether the edit adds or removes only the "No" of a sentence such as "No, it is not supported"."""
    long, end = (alignment.left, edit.left_end) if edit.left else (alignment.right, edit.right_end)
    added = edit.left or edit.right
    if (edit.left and edit.right) or len(added) != 1 or added[0].key != "no" or not added[0].opens:
        return False
    clause = list(takewhile(lambda token: not token.opens, long[end:]))
    return bool(clause) and clause[0].comma and is_negated(clause, alignment.lexicon)


def swapped_words(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether a word became its opposite (more/less) or a word that excludes it.

    Words of one class exclude each other (first/second, red/blue). These count as swapped words, too: a reordered list
    whose order matters, a step that got another number, a cell that moved to another row or column of a table, and two
    words that exchanged their places in a statement.
    """
    if moved := moved_step(pair.left.prose, pair.right.prose) or moved_cell(
        pair.left.table_rows, pair.right.table_rows
    ):
        return Signal("swapped_words", 1.0, reason=moved)
    if pair.alignment.misordered_lists:
        reason = f"another order: {pair.alignment.misordered_lists[0]}"
        return Signal("swapped_words", 1.0, pair.alignment.closeness, reason)
    if roles := exchanged_roles(pair.alignment):
        return Signal("swapped_words", 1.0, _common_words(pair), f"exchanged places: {roles}")
    return greatest_change("swapped_words", pair, _swapped)


def _common_words(pair: DocumentPair) -> float:
    """Return the closeness of the wording if a moved word counts as common to both texts."""
    left, right = (Counter(t.key for t in side.tokens) for side in (pair.left, pair.right))
    return ramp(1 - multiset_distance(left, right), 0.6, 0.85)


def _swapped(edit: Edit, alignment: Alignment) -> float:
    words = alignment.lexicon
    if denies_alike(edit, words):
        return 0.0
    for a, b in edit.exchanged():
        if numbered_differently(a.key, b.key):
            return 1.0
        if excludes(a.key, b.key, words) and not both_quantities(a.key, b.key, words):
            return 1.0
    return 0.0


def wording(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether a content word differs in an otherwise equal passage.

    A synonym counts only a little. A reordered list whose order does not matter is a small difference in wording, too.
    """
    found = greatest_change("wording", pair, _reworded, moved=True)
    alignment = pair.alignment
    if alignment.reordered_lists and found.divergence < _REORDERED:
        return Signal("wording", _REORDERED, alignment.closeness, f"another order: {alignment.reordered_lists[0]}")
    return found


def _reworded(edit: Edit, alignment: Alignment) -> float:
    words = alignment.lexicon
    left = [t for t in edit.left if t.key not in words.stop_words and not t.marker]
    right = [t for t in edit.right if t.key not in words.stop_words and not t.marker]
    if not edit.is_long() and _hedged(edit.left, words) != _hedged(edit.right, words):
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
        return _REORDERED
    if alignment.at_edge(edit):
        return 0.2
    return 0.45 if not edit.is_long() else 0.7


def _alike(a: Token, b: Token, words: Lexicon) -> bool:
    if a.number or b.number:
        return a.key == b.key  # -5 is not a spelling of 5
    if a.key == b.key or same_word(a.key, b.key):
        return True
    return synonymous(a.key, b.key, words) and not excludes(a.key, b.key, words)


def _hedged(tokens: Sequence[Token], words: Lexicon) -> bool:
    return any(t.key in words.hedges for t in tokens)


def _connects(tokens: Sequence[Token], words: Lexicon) -> bool:
    return bool(tokens) and tokens[0].opens and all(t.key in words.connectives for t in tokens)


# At the beginning of a sentence these deny nothing.
_COURTESIES = frozenset({("no", "problem"), ("no", "worries"), ("no", "doubt"), ("no", "wonder")})


def denies_alike(edit: Edit, words: Lexicon) -> bool:
    """Return whether both sides of an edit deny the same thing in different words: "not possible" and "impossible"."""
    opposites = words.opposites
    for a, b in edit.exchanged():
        one, other = a.key, b.key
        if one[-1:] != other[-1:] and (one, other) not in opposites:
            continue  # far cheaper, and true of most words
        if differs_by_negating_prefix(one, other, words) or (
            contrary(one, other, words) and not (_negates(a, words) or _negates(b, words))
        ):
            left, right = ([t for t in side if t not in (a, b)] for side in (edit.left, edit.right))
            return is_negated(left, words) != is_negated(right, words)
    return False


def is_negated(tokens: Sequence[Token], words: Lexicon) -> bool:
    """Return whether the tokens negate something. In some languages, two negations cancel each other."""
    count = 0
    for at, token in enumerate(tokens):
        courtesy = token.opens and at + 1 < len(tokens) and (token.key, tokens[at + 1].key) in _COURTESIES
        count += not courtesy and _negates(token, words)
    return words.negated(count)


def _negates(token: Token, words: Lexicon) -> bool:
    return words.negates(token.key) or token.key in words.avoidance

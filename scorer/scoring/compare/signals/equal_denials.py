"""Recognise that both sides of an edit deny the same, as "not possible" and "impossible" do."""

from __future__ import annotations

from collections.abc import Sequence

from scorer.scoring.compare.alignment.word_alignment import Edit
from scorer.scoring.compare.signals.word_edits import exchanged
from scorer.scoring.compare.text.tokenizer import Token
from scorer.scoring.compare.vocabulary.lexicon import Lexicon
from scorer.scoring.compare.vocabulary.opposites_and_synonyms import differs_by_negating_prefix
from scorer.scoring.compare.vocabulary.word_relations import contrary

# At the beginning of a sentence these deny nothing.
_COURTESIES = frozenset({("no", "problem"), ("no", "worries"), ("no", "doubt"), ("no", "wonder")})


def denies_alike(edit: Edit, words: Lexicon) -> bool:
    """Return whether one side negates the contrary of what the other side says: "not possible" and "impossible"."""
    for a, b in exchanged(edit):
        if differs_by_negating_prefix(a.key, b.key, words) or (
            contrary(a.key, b.key, words) and not (_negates(a, words) or _negates(b, words))
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

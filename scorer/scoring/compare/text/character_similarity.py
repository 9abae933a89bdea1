"""Texts in a script that the embedding model cannot read: their characters stand in for their meaning.

A text that the engine cannot read has no vectors (embed/text_vectors.py). A cosine of such texts is high whatever they
say, so it must not count for anybody; to leave the pair out would keep the pairs that are the same, and call a
candidate good for them. Shared characters are a strict judge: a paraphrase scores low, and the flag says why.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import replace
from functools import lru_cache

from scorer.scoring.compare.result import Comparison
from scorer.scoring.compare.text.canonical_text import MAX_CHARS
from scorer.scoring.compare.text.embedding_similarity import Meaning
from scorer.scoring.embed.vocabulary_coverage import script_of

FLAG = "unread"
_GRAM = 4  # characters: of unrelated English answers 10 % of these are shared, of two answers to one question 46 %
_SYLLABLES = frozenset({"CJK", "KANA", "HANGUL", "ETHIOPIC", "YI", "CHEROKEE", "VAI", "CANADIAN"})
_SYLLABLE_GRAM = 2  # where a character is a syllable or a word


def by_characters(left: str, right: str) -> Meaning:
    """The share of character sequences that both texts hold (Dice), blanks and punctuation apart."""
    if left == right:
        return Meaning(1.0, 1.0)
    a, b = _letters(left), _letters(right)
    size = _SYLLABLE_GRAM if _syllabic(a + b) else _GRAM
    size = max(1, min(size, len(a), len(b)))
    x, y = (Counter(text[i : i + size] for i in range(len(text) - size + 1)) for text in (a, b))
    shared = 2 * (x & y).total() / max(x.total() + y.total(), 1)
    return Meaning(shared, shared)


def as_unread(comparison: Comparison, said: Meaning, flag_below: float) -> Comparison:
    """The comparison, with what its meaning was taken from; whether the meaning diverged is then not known."""
    measures = {name: value for name, value in comparison.signals.items() if not name.startswith("cosine")}
    flags = tuple(flag for flag in comparison.flags if flag != "meaning")
    doubtful = said.likeness < flag_below and "meaning" in comparison.flags
    return replace(
        comparison,
        flags=(FLAG, *flags) if doubtful else flags,
        signals={**measures, "characters": round(said.mean, 4), FLAG: 1.0},
        details={**comparison.details, FLAG: "the embedding model does not read this script; characters are compared"},
    )


def _letters(text: str) -> str:
    return "".join(filter(_kept, text[:MAX_CHARS].casefold()))


def _syllabic(text: str) -> bool:
    found = Counter(text)
    total = sum(n for char, n in found.items() if char.isalpha())
    return 2 * sum(n for char, n in found.items() if char.isalpha() and script_of(char) in _SYLLABLES) > total


@lru_cache(maxsize=20_000)
def _kept(char: str) -> bool:
    """Letters, marks (vowels of many scripts) and digits."""
    return unicodedata.category(char)[0] in "LMN"

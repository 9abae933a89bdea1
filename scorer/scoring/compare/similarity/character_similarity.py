"""Compare texts by their shared characters if the embedding model does not cover their script (ADR 0124).

Such a text has no vectors (embed/text_vectors.py), because its cosine with any other text in the script would be high.
If pairs of such texts were left unscored, only pairs with equal texts would count, which would favour the candidate.
Shared characters are a strict measure. A paraphrase therefore gets a low similarity, and a flag gives the reason.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import replace
from functools import lru_cache

from scorer.scoring.compare.result import Comparison
from scorer.scoring.compare.similarity.embedding_similarity import Similarity
from scorer.scoring.compare.text.canonical_text import MAX_CHARS
from scorer.scoring.embed.vocabulary_coverage import script_of

FLAG = "unknown_script"
_REASON = "the embedding model does not cover this script; the shared characters are compared"
_GRAM = 4  # characters: unrelated English answers share 10 % of their 4-grams, two answers to one question 46 %
_SYLLABLES = frozenset({"CJK", "KANA", "HANGUL", "ETHIOPIC", "YI", "CHEROKEE", "VAI", "CANADIAN"})
_SYLLABLE_GRAM = 2  # for scripts in which a character is a syllable or a word


def character_similarity(left: str, right: str) -> Similarity:
    """Return a Similarity whose mean and minimum are the share of character sequences that two texts have in common.

    The share is the Dice coefficient. Spaces and punctuation are ignored. A sequence has four characters, or two
    characters in scripts in which a character is a syllable or a word.
    """
    if left == right:
        return Similarity(1.0, 1.0, by_characters=True)
    a, b = _letters(left), _letters(right)
    size = _SYLLABLE_GRAM if _syllabic(a + b) else _GRAM
    size = max(1, min(size, len(a), len(b)))
    x, y = (Counter(text[i : i + size] for i in range(len(text) - size + 1)) for text in (a, b))
    shared = 1 - multiset_distance(x, y) if x or y else 0.0
    return Similarity(shared, shared, by_characters=True)


def multiset_distance(a: Counter[str], b: Counter[str]) -> float:
    """Return 1 − the Dice coefficient of two multisets without negative counts, or 0 if both are empty."""
    total = a.total() + b.total()
    shared = sum([min(count, b[key]) for key, count in a.items() if key in b])
    return 1 - 2 * shared / total if total else 0.0


def mark_unknown_script(comparison: Comparison, similarity: Similarity, flag_below: float) -> Comparison:
    """Return the comparison with a mark that the embedding model does not cover the script of the texts.

    ``similarity`` is the result of ``character_similarity`` for the two texts. The measure ``shared_characters``
    replaces the cosine. The flag "meaning" is removed. If the comparison had this flag, and the score of ``similarity``
    is below ``flag_below``, the flag "unknown_script" replaces it.
    """
    measures = {name: value for name, value in comparison.signals.items() if not name.startswith("cosine")}
    flags = tuple(flag for flag in comparison.flags if flag != "meaning")
    doubtful = similarity.score < flag_below and "meaning" in comparison.flags
    return replace(
        comparison,
        flags=(FLAG, *flags) if doubtful else flags,
        signals={**measures, "shared_characters": round(similarity.mean, 4), FLAG: 1.0},
        details={**comparison.details, FLAG: _REASON},
    )


def _letters(text: str) -> str:
    return "".join(filter(_is_compared, text[:MAX_CHARS].casefold()))


def _syllabic(text: str) -> bool:
    found = Counter(text)
    total = sum(n for char, n in found.items() if char.isalpha())
    return 2 * sum(n for char, n in found.items() if char.isalpha() and script_of(char) in _SYLLABLES) > total


@lru_cache(maxsize=20_000)
def _is_compared(char: str) -> bool:
    """Return whether the character is a letter, a combining mark (a vowel in many scripts) or a digit."""
    return unicodedata.category(char)[0] in "LMN"

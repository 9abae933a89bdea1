"""The features of two free texts on which the calibrator works: at most twelve, each a function of a ComparedTexts.

No feature uses another feature's result. Their names and signs are ``FEATURE_SIGNS`` in glidepath/agreement_weights.py.
Cost: a few µs, because the signals and the alignment have already been computed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from scorer.scoring.compare.alignment.word_alignment import Alignment, Edit, joined
from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.signals.missing_passages import is_filler
from scorer.scoring.compare.similarity.character_similarity import multiset_distance
from scorer.scoring.compare.text.addresses import exchanged_addresses
from scorer.scoring.compare.text.parsed_document import ends_alike
from scorer.scoring.compare.vocabulary.lexicon import words
from scorer.scoring.compare.vocabulary.word_relations import same_word

_FEW_WORDS = 20  # a shorter text may look truncated although it is complete
_ONE_SENTENCE = 40  # below this length, a paraphrase may leave out a passage or a name without a change in meaning
_FEW_WORDS_OF_A_SYNONYM = 14
_ONE_EDIT = 1
_FEW_WORDS_OF_AN_ANSWER = 3
_LINKS = words("is are was were be as it's")
_BARE_ANSWER = 0.88  # the mean cosine of the pairs that the weights were learned from


@dataclass(frozen=True, slots=True)
class ComparedTexts:
    """Two texts and their differences.

    ``effects``: for each signal about content, divergence × relevance × configured weight. A signal that could not be
    measured is absent.
    """

    pair: DocumentPair
    effects: Mapping[str, float]

    def effect(self, signal: str) -> float:
        return self.effects.get(signal, 0.0)

    def substance(self, words: int = _FEW_WORDS) -> float:
        """The length of the longer text in words, as a share of ``words``, at most 1."""
        return min(1.0, max(len(self.pair.left.tokens), len(self.pair.right.tokens)) / words)


def _cosine(texts: ComparedTexts) -> float:
    """Return the cosine of the texts, or a higher value.

    If only spelling differs, the higher value is the share of common letters. If one text is a bare answer and the
    other states it, the value is ``_BARE_ANSWER``.
    """
    alone = texts.pair.similarity.mean
    if _only_spelling(texts):
        return max(alone, _shared_letters(texts.pair.alignment))
    return max(alone, _BARE_ANSWER) if _states_bare_answer(texts.pair) else alone


def _states_bare_answer(pair: DocumentPair) -> bool:
    """Return whether one text is a bare answer ("red") and the other text states it in a sentence ("It is red.")."""
    short, long = sorted((pair.left.tokens, pair.right.tokens), key=len)
    before, stated = long[: -len(short)], long[-len(short) :]
    if not 0 < len(short) <= _FEW_WORDS_OF_AN_ANSWER or not 2 <= len(before) <= _FEW_WORDS:
        return False
    affirmed = not any(token.opens for token in long[1:]) and not any(pair.lexicon.negates(t.key) for t in before)
    same = all(a.key == b.key for a, b in zip(short, stated, strict=True))
    return same and affirmed and before[-1].key in _LINKS and not pair.right.text.rstrip().endswith("?")


def _only_spelling(texts: ComparedTexts) -> bool:
    """Return whether the texts differ only in spelling and in passages without content."""
    others = any(value for name, value in texts.effects.items() if name != "wording")
    others = others or not ends_alike(texts.pair.left, texts.pair.right)
    return not others and all(_spelled(edit) or is_filler(edit, texts.pair) for edit in texts.pair.alignment.edits)


def _spelled(edit: Edit) -> bool:
    """Return whether an edit leaves all words the same, apart from their spelling."""
    return len(edit.left) == len(edit.right) and all(
        same_word(a.key, b.key) for a, b in zip(edit.left, edit.right, strict=True)
    )


def _shared_letters(alignment: Alignment) -> float:
    """Return the share of letters that the texts have in common. Passages that only one text has are left out."""
    edits = [e for e in alignment.edits if e.left and e.right]
    changed = sum(Levenshtein.distance(joined(e.left), joined(e.right)) for e in edits)
    letters = sum(len(t.key) for t in (*alignment.left, *alignment.right))
    return 1 - changed / max(1, letters)


def _code(texts: ComparedTexts) -> float:
    """Return 1 for equivalent code, down to −1 for different code, and 0 without code.

    Renamed variables lower the value a little.
    """
    return float(texts.pair.code.cosmetic) - texts.effect("code")


def _numbers(texts: ComparedTexts) -> float:
    """Return the effect of changed numbers in otherwise equal passages. A changed address counts like a number."""
    exchanged = exchanged_addresses(texts.pair.left.addresses, texts.pair.right.addresses)
    return max(texts.effect("numbers"), texts.pair.alignment.closeness if exchanged else 0.0)


def _numbers_elsewhere(texts: ComparedTexts) -> float:
    """Return the share of numbers that only one text has, weighted by how much the wording differs."""
    return multiset_distance(texts.pair.left.numbers, texts.pair.right.numbers) * (1 - texts.pair.alignment.closeness)


def _other_words(texts: ComparedTexts) -> float:
    """Return the share of words that only one text has, weighted by how much the wording differs.

    Left out are passages that the candidate adds, sentences without content, and the sentence around a bare answer.
    """
    pair = texts.pair
    apart = 1 - pair.alignment.closeness
    if not apart or _states_bare_answer(pair):
        return 0.0
    edits = (e for e in pair.alignment.edits if not e.left or is_filler(e, pair))
    added = Counter([t.key for e in edits for t in e.left + e.right])
    return apart * multiset_distance(_without(added, pair.left.words), _without(added, pair.right.words))


def _without(removed: Counter[str], words: Counter[str]) -> Counter[str]:
    """Return the words without the removed ones. This is several times as fast as ``words - removed``."""
    rest = words.copy()
    for word, count in removed.items():
        if word in rest:
            rest[word] = max(0, rest[word] - count)
    return rest


def _negation(texts: ComparedTexts) -> float:
    return texts.effect("negation")


def _swapped_words(texts: ComparedTexts) -> float:
    return texts.effect("swapped_words")


def _one_word(texts: ComparedTexts) -> float:
    """Return the effect of a replaced word that is not a synonym, if it is the only edit.

    Words, cells or items that swapped places also count as one edit. The value is 0 for several edits, which count as a
    rewording.
    """
    swapped, edits = texts.effect("swapped_words"), len(texts.pair.alignment.edits)
    if edits > _ONE_EDIT + (swapped > 0):
        return 0.0
    return max(texts.effect("wording"), swapped) * texts.substance(_FEW_WORDS_OF_A_SYNONYM)


def _omission(texts: ComparedTexts) -> float:
    return texts.effect("omission") * texts.substance(_ONE_SENTENCE)


def _names(texts: ComparedTexts) -> float:
    """Return the effect of a changed name if nearly all other words are equal, else 0.

    A text that is worded differently may leave out names.
    """
    return texts.effect("names") * texts.substance(_ONE_SENTENCE) if texts.pair.alignment.closeness >= 1 else 0.0


def _final_answer(texts: ComparedTexts) -> float:
    """Return 1 if both texts declare the same final answer, −1 if they differ, 0 if one declares none."""
    return 1 - 2 * texts.effect("final_answer") if "final_answer" in texts.effects else 0.0


def _length(texts: ComparedTexts) -> float:
    """Return the absolute logarithm of the ratio of the lengths.

    Its shipped weight is 0. Only a fit to people's labels can give it another weight.
    """
    return abs(math.log((len(texts.pair.left.tokens) + 3) / (len(texts.pair.right.tokens) + 3)))


FEATURES: dict[str, Callable[[ComparedTexts], float]] = {
    "cosine": _cosine,
    "code": _code,
    "numbers": _numbers,
    "numbers_elsewhere": _numbers_elsewhere,
    "other_words": _other_words,
    "negation": _negation,
    "swapped_words": _swapped_words,
    "one_word": _one_word,
    "omission": _omission,
    "names": _names,
    "final_answer": _final_answer,
    "length": _length,
}


def feature_values(texts: ComparedTexts) -> dict[str, float]:
    return {name: value(texts) for name, value in FEATURES.items()}

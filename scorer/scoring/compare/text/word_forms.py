"""Normalise words: contractions are expanded (don't becomes do not), and spellings unified. The results are cached."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from scorer.scoring.compare.quantities.measurement_units import MONTHS
from scorer.scoring.compare.text.token_pattern import CURRENCY_MARKS
from scorer.scoring.compare.vocabulary.lexicon import Lexicon

_SPECIAL = frozenset({"minus", *MONTHS})
_KNOWN = 20_000  # words of a language whose normal forms are kept
_LONGEST = 40  # characters of a word that is kept


class WordForm(NamedTuple):
    """The normal forms of a word, and further properties.

    - ``keys``, ``special``: the result of ``keys_of``
    - ``plain``: it has one normal form and cannot begin a longer token. A number or a sign is not plain
    - ``not_name``: it is capitalised, but never a name
    """

    keys: tuple[str, ...]
    special: bool = False
    plain: bool = False
    not_name: bool = False


class WordForms(dict[str, WordForm]):
    """The form of each word of one language. A dict is three times as fast as a function with a cache."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon

    def __missing__(self, surface: str) -> WordForm:
        found = self._read(surface)
        if len(surface) <= _LONGEST:
            if len(self) >= _KNOWN:
                self.clear()
            self[surface] = found
        return found

    def _read(self, surface: str) -> WordForm:
        if not surface[0].isalpha():
            return WordForm((surface,))
        keys, special = keys_of(self._lexicon, surface)
        not_name = surface[0].isupper() and keys[0] in self._lexicon.not_names
        return WordForm(keys, special, not special and len(keys) == 1, not_name)


@cache
def word_forms(lexicon: Lexicon) -> WordForms:
    return WordForms(lexicon)


def keys_of(lexicon: Lexicon, surface: str) -> tuple[tuple[str, ...], bool]:
    """Return the normal forms of a word, and whether the word may begin a number, date, amount, address or phrase.

    An English contraction has two normal forms, one for each of its words. A word with a possessive 's has two, too.
    All other words have one normal form. ``lexicon`` has the words of the text's language.
    """
    if surface in ("US", "U.S", "USA", "U.S.A"):
        return ("usa",), False
    word = surface.casefold()
    special = word in _SPECIAL or word in lexicon.numbers or word in lexicon.abbreviations or surface in CURRENCY_MARKS
    special = special or "://" in word or word.startswith("www.") or (lexicon.is_english and word == "no")
    special = special or word[0].isnumeric()  # a numeral of Chinese characters
    parts = _expand(word, lexicon) if lexicon.is_english else (word,)
    return tuple(lexicon.spellings.get(part, part) for part in parts), special


def _expand(word: str, lexicon: Lexicon) -> tuple[str, ...]:
    if word in lexicon.contractions:
        return lexicon.contractions[word]
    if "'" not in word:
        return (word,)
    if word.endswith("n't"):
        return (word[:-3], "not")
    for ending, full in lexicon.contracted_endings.items():
        if word.endswith(ending):
            return (word[: -len(ending)], full)
    return (word.removesuffix("'s"), "'s") if word.endswith("'s") else (word,)

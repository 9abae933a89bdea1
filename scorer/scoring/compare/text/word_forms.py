"""Normalise words: contractions are expanded (don't becomes do not), and spellings unified. The results are cached."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache, partial

from scorer.scoring.compare.quantities.measurement_units import MONTHS
from scorer.scoring.compare.text.token_pattern import CURRENCY_MARKS
from scorer.scoring.compare.vocabulary.lexicon import Lexicon

TIMES = {"once": "1 times", "twice": "2 times", "thrice": "3 times", "noon": "12:00", "midnight": "00:00"}
_SPECIAL = frozenset({"minus", *MONTHS})
_ENGLISH_SPECIAL = frozenset({"a", "half", "no", "w", *TIMES})
_KNOWN = 20_000  # words of a language whose normal forms are kept
_LONGEST = 40  # characters of a word that is kept
_NUMBER = re.compile(r"\. ?\d")


@cache
def key_reader(lexicon: Lexicon) -> Callable[[str], tuple[tuple[str, ...], bool]]:
    """Return ``keys_of`` for the words of one language, with a cache of its own."""
    return lru_cache(maxsize=_KNOWN)(partial(keys_of, lexicon))


class PlainWords(dict[str, tuple[str, bool] | None]):
    """For each word that begins nothing longer: its normal form, and whether its capital letter makes it no name.

    None for a number, a sign, and a word with several normal forms. A dict is three times as fast as a function with a
    cache, which matters for every word.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon

    def __missing__(self, surface: str) -> tuple[str, bool] | None:
        found = self._read(surface)
        if len(surface) <= _LONGEST:
            if len(self) >= _KNOWN:
                self.clear()
            self[surface] = found
        return found

    def _read(self, surface: str) -> tuple[str, bool] | None:
        keys, special = keys_of(self._lexicon, surface) if surface[0].isalpha() else ((), True)
        if special or len(keys) > 1:
            return None
        return keys[0], surface[0].isupper() and keys[0] in self._lexicon.not_names


@cache
def plain_words(lexicon: Lexicon) -> PlainWords:
    return PlainWords(lexicon)


def keys_of(lexicon: Lexicon, surface: str) -> tuple[tuple[str, ...], bool]:
    """Return the normal forms of a word, and whether the word may begin a number, date, amount, address or phrase.

    An English contraction has two normal forms, one for each of its words. A word with a possessive 's has two, too.
    All other words have one normal form. ``lexicon`` has the words of the text's language.
    """
    if surface in ("US", "U.S", "USA", "U.S.A"):
        return ("usa",), False
    word = surface.casefold()
    special = word in _SPECIAL or word in lexicon.numbers or word in lexicon.abbreviations or surface in CURRENCY_MARKS
    special = special or "://" in word or word.startswith("www.") or (lexicon.is_english and word in _ENGLISH_SPECIAL)
    special = special or (word[0] == "v" and word[1:2].isdecimal() and "." in word)
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


def short_form(word: str, text: str, start: int) -> str:
    """Return the full word for the abbreviation that begins at ``text[start]`` with ``word``, which is in lower case.

    "No." before a number becomes "number", "w/o" becomes "without", and "w/" becomes "with". Return "" if the word is
    not one of these abbreviations.
    """
    if word == "no":
        inside = start > 1 and text[start - 1] in " (" and (text[start - 2].isalnum() or text[start - 1] == "(")
        return "number" if inside and text[start] == "N" and _NUMBER.match(text, start + 2) else ""
    if word != "w" or text[start + 1 : start + 2] != "/":
        return ""
    if text[start + 2 : start + 3].lower() == "o" and not text[start + 3 : start + 4].isalnum():
        return "without"
    return "with" if text[start + 2 : start + 3] == " " else ""

"""Normalise words: expand contractions (don't becomes do not) and unify spellings. The results are cached."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from scorer.scoring.compare.quantities.measurement_units import MONTHS
from scorer.scoring.compare.text.token_pattern import CURRENCY_MARKS, token_pattern
from scorer.scoring.compare.vocabulary.lexicon import Lexicon

_SPECIAL = frozenset({"minus", *MONTHS})
_KNOWN = 20_000  # words of a language whose normal forms are kept
# Letters and punctuation only, without a hyphen at an edge: the tokens of such a chunk are the same in every text.
_LETTERS_ONLY = re.compile(r"(?!-)[^\W\d_]*(?:[\"'.,;:!?()\[\]-]+[^\W\d_]+)*[\"'.,;:!?()\[\]-]*(?<!-)")
_LONGEST = 40  # characters of a word that is kept


class WordForm(NamedTuple):
    """The normal forms of a word, and further properties.

    - ``keys``, ``special``: the result of ``keys_of``.
    - ``plain``: the word has one normal form and cannot begin a longer token. A number or a sign is not plain.
    - ``phrases``: the abbreviations' long forms that the word may begin. Empty if the word is not plain for another
      reason.
    - ``not_name``: the word is capitalised, but never a name.
    """

    keys: tuple[str, ...]
    special: bool = False
    plain: bool = False
    not_name: bool = False
    phrases: tuple[str, ...] = ()


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
        alone = not special and len(keys) == 1
        return WordForm(keys, special, alone, not_name, () if alone else self._phrases(surface, keys))

    def _phrases(self, surface: str, keys: tuple[str, ...]) -> tuple[str, ...]:
        word = surface.casefold()
        if len(keys) > 1 or _begins_other(self._lexicon, surface, word):
            return ()
        return tuple(phrase for phrase, _ in self._lexicon.abbreviations.get(word, ()))


@cache
def word_forms(lexicon: Lexicon) -> WordForms:
    return WordForms(lexicon)


class ChunkWord(NamedTuple):
    """A token in a chunk of a text, with its place ``at`` in the chunk.

    ``key`` is the normal form of a word that is plain or has ``phrases`` (see WordForm), else None.
    """

    at: int
    surface: str
    key: str | None
    not_name: bool
    phrases: tuple[str, ...]


class WordsOfChunks(dict[str, tuple[ChunkWord, ...] | None]):
    """The tokens of each chunk (the characters between two spaces), or None if they depend on the chunks around it.

    Most of every text consists of the same few thousand chunks, so the cache saves the search for their tokens.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon

    def __missing__(self, chunk: str) -> tuple[ChunkWord, ...] | None:
        word = chunk.rstrip(".,:;!?")
        if len(chunk) <= _LONGEST and word.isascii() and word.isalpha():
            found: tuple[ChunkWord, ...] = (chunk_word(self._lexicon, word, 0),)  # far cheaper than to search
        elif len(chunk) <= _LONGEST and _LETTERS_ONLY.fullmatch(chunk):
            tokens = token_pattern(self._lexicon.unspaced).finditer(f" {chunk} ")
            found = tuple(chunk_word(self._lexicon, token[1], token.start(1) - 1) for token in tokens)
        else:
            return None
        if len(self) >= _KNOWN:
            self.clear()
        self[chunk] = found
        return found


@cache
def words_of_chunks(lexicon: Lexicon) -> WordsOfChunks:
    return WordsOfChunks(lexicon)


def chunk_word(lexicon: Lexicon, surface: str, at: int) -> ChunkWord:
    form = word_forms(lexicon)[surface]
    key = form.keys[0] if form.plain or form.phrases else None
    return ChunkWord(at, surface, key, form.not_name, form.phrases)


def keys_of(lexicon: Lexicon, surface: str) -> tuple[tuple[str, ...], bool]:
    """Return the normal forms of a word, and whether the word may begin a number, date, amount, address or phrase.

    An English contraction has two normal forms, one for each of its words. A word with a possessive 's has two, too.
    All other words have one normal form. ``lexicon`` has the words of the text's language.
    """
    if surface in ("US", "U.S", "USA", "U.S.A"):
        return ("usa",), False
    word = surface.casefold()
    special = word in lexicon.abbreviations or _begins_other(lexicon, surface, word)
    parts = _expand(word, lexicon) if lexicon.is_english else (word,)
    return tuple(lexicon.spellings.get(part, part) for part in parts), special


def _begins_other(lexicon: Lexicon, surface: str, word: str) -> bool:
    """Return whether a word may begin a number, date, amount or address. ``word`` is ``surface`` in lower case."""
    special = word in _SPECIAL or word in lexicon.numbers or surface in CURRENCY_MARKS
    special = special or "://" in word or word.startswith("www.") or (lexicon.is_english and word == "no")
    return special or word[0].isnumeric()  # a numeral of Chinese characters


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

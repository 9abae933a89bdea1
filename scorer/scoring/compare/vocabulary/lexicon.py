"""The words of a language that the comparison knows: negations, stop words, opposites, number words and others.

Each language has a file ``languages/CODE.toml``, named after its ISO 639 code. A value is a text of words separated by
white space; ``+`` stands for a blank inside an entry, ``/`` separates two opposites, and ``=`` a number word from its
value. The words of ``any.toml`` belong to every language. For a language without a file, only these words are known
(ADR 0235).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from itertools import permutations
from typing import Any

_FOLDER = "scorer.scoring.compare.vocabulary"
ENGLISH = "en"
UNKNOWN = ""


@dataclass(frozen=True, eq=False)
class Lexicon:
    """What is known about the words of one language. All words are casefolded, as the keys of tokens are.

    - ``language``: the ISO 639 code, or "" for an unknown language.
    - ``negations``, ``negated_form``: a word negates a statement if it is listed, or if the whole word matches the
      pattern and is not in ``not_negated``. Inserting or removing such a word reverses the statement.
    - ``concord``: several negations in a statement are one, as in Spanish; otherwise two negations cancel each other.
    - ``unspaced``: character sequences that are one token, in a language without spaces between words; the longest
      sequence comes first. Those in ``negations`` negate.
    - ``negating_prefixes``: possible/impossible.
    - ``avoidance``: words that negate the words after them.
    - ``not_names``: words that may be capitalised inside a sentence although they are not names.
    - ``connectives``: words at the beginning of a sentence whose exchange does not change the statement.
    - ``hedges``: words that weaken a statement. ``connectors``: words between the items of a list.
    - ``restrictions``: words that begin a restriction. A text without the restriction makes a stronger statement.
    - ``titles``: words after which a capitalised noun is a name.
    - ``numbers``: number words with their values.
    - ``decimal_comma``: 3,5 is a number. ``capital_nouns``: all nouns are capitalised.
    - ``opposites``: pairs of words whose exchange reverses a statement, each in both orders.
    - ``synonyms``: pairs of words whose exchange does not change a statement, each in both orders.

    The opposites and synonyms of English are in opposites_and_synonyms.py.
    """

    language: str
    negations: frozenset[str]
    not_negated: frozenset[str]
    negated_form: re.Pattern[str] | None
    concord: bool
    unspaced: tuple[str, ...]
    negating_prefixes: frozenset[str]
    avoidance: frozenset[str]
    stop_words: frozenset[str]
    not_names: frozenset[str]
    connectives: frozenset[str]
    hedges: frozenset[str]
    connectors: frozenset[str]
    restrictions: frozenset[str]
    titles: frozenset[str]
    numbers: Mapping[str, int]
    decimal_comma: bool
    capital_nouns: bool
    opposites: frozenset[tuple[str, str]]
    synonyms: frozenset[tuple[str, str]]

    @property
    def is_english(self) -> bool:
        return self.language == ENGLISH

    def negates(self, word: str) -> bool:
        """Return whether the word negates a statement. ``word`` is the key of a token."""
        if word in self.negations:
            return True
        if self.negated_form is None or word in self.not_negated:
            return False
        return self.negated_form.fullmatch(word) is not None

    def negated(self, negations: int) -> bool:
        """Return whether a passage with this number of negations is negated."""
        return negations > 0 if self.concord else negations % 2 == 1

    @cached_property
    def sentence_openers(self) -> frozenset[str]:
        """The words that may open a sentence, and are then capitalised without being a name."""
        return self.stop_words | self.connectives


@cache
def lexicon_of(language: str) -> Lexicon:
    """Return the lexicon of a language (ISO 639 code). It has the common words only if the language has no file."""
    own = _read(language) if language in known_languages() else {}
    return _lexicon(language if own else UNKNOWN, own, _read("any"))


@cache
def known_languages() -> frozenset[str]:
    """Return the languages that have a file of words."""
    names = (entry.name for entry in files(_FOLDER).joinpath("languages").iterdir())
    return frozenset(name.removesuffix(".toml") for name in names if name.endswith(".toml")) - {"any"}


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files(_FOLDER).joinpath(f"languages/{name}.toml").read_text(encoding="utf-8"))


def _lexicon(language: str, own: dict[str, Any], common: dict[str, Any]) -> Lexicon:
    def words(key: str) -> frozenset[str]:
        both = f"{common.get(key, '')} {own.get(key, '')}".casefold().split()
        return frozenset(word.replace("+", " ") for word in both)

    form = own.get("negated_form")
    unspaced = words("unspaced_negations") | words("unspaced_words")
    return Lexicon(
        language=language,
        negations=words("negations") | words("unspaced_negations"),
        not_negated=words("not_negated"),
        negated_form=re.compile(form) if form else None,
        concord=bool(own.get("concord", False)),
        unspaced=tuple(sorted(unspaced, key=lambda word: (-len(word), word))),
        negating_prefixes=words("negating_prefixes"),
        avoidance=words("avoidance"),
        stop_words=words("stop_words"),
        not_names=words("not_names"),
        connectives=words("connectives"),
        hedges=words("hedges"),
        connectors=words("connectors"),
        restrictions=words("restrictions"),
        titles=words("titles"),
        numbers={
            word: int(value) for word, _, value in (e.partition("=") for e in own.get("numbers", "").casefold().split())
        },
        decimal_comma=bool(own.get("decimal_comma", False)),
        capital_nouns=bool(own.get("capital_nouns", False)),
        opposites=_pairs(own.get("opposites", "")),
        synonyms=_pairs(own.get("synonyms", "")),
    )


def _pairs(text: str) -> frozenset[tuple[str, str]]:
    entries = (entry.replace("+", " ").split("/") for entry in text.casefold().split())
    return frozenset(pair for words in entries for pair in permutations(words, 2))

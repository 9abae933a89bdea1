"""The lexicon of a language: its negations, stop words, opposites, number words and other words.

Each language has a file ``languages/CODE.toml``, named after its ISO 639 code. Each value in it is a text that consists
of entries separated by white space. In an entry, ``+`` stands for a space, ``/`` separates opposites or synonyms, and
``=`` separates a word from its value. Lines that begin with ``#`` are comments. The words of ``any.toml`` belong to
every language. A language without a file has only these words (ADR 0235).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from itertools import permutations
from typing import Any, TypeVar

_FOLDER = "scorer.scoring.compare.vocabulary"
_Name = TypeVar("_Name", int, str)
ENGLISH = "en"
UNKNOWN = ""


def words(text: str) -> frozenset[str]:
    """Return the set of the words in a text. White space separates the words."""
    return frozenset(text.split())


@cache
def word_data(name: str) -> dict[str, Any]:
    """Return the content of a data file of this folder: ``notation``, ``quantities`` or ``languages/CODE``."""
    return tomllib.loads(files(_FOLDER).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def by_entry(table: Mapping[str, str]) -> dict[str, str]:
    """Return a dict from each entry to its key in ``table``, whose values are entries separated by white space."""
    return {entry: key for key, entries in table.items() for entry in entries.split()}


def one_of(entries: Iterable[str]) -> str:
    """Return a pattern that matches one of the entries, and prefers the longest."""
    return "|".join(re.escape(entry) for entry in sorted(entries, key=lambda entry: (-len(entry), entry)))


CODE_LABELS = words(word_data("languages/any")["code_labels"])


@dataclass(frozen=True, eq=False)
class Lexicon:
    """The known words of one language. All words are casefolded, like the keys of tokens.

    - ``language``: the ISO 639 code, or "" for an unknown language.
    - ``negations``, ``negated_form``: a word negates a statement if it is listed, or if the whole word matches the
      pattern and is not in ``not_negated``. Inserting or removing such a word reverses the statement.
    - ``concord``: several negations in a statement count as one, as in Spanish. Otherwise two negations cancel out.
    - ``unspaced``: character sequences that are one token, in a language without spaces between words; the longest
      sequence comes first. Those in ``negations`` negate.
    - ``negating_prefixes``: possible/impossible. Those in ``negating_long_words`` negate a long word only, and no
      prefix negates a word in ``not_negated_by_prefix``.
    - ``avoidance``: words that negate the words after them.
    - ``not_names``: words that may be capitalised inside a sentence although they are not names.
    - ``connectives``: words at the beginning of a sentence whose exchange does not change the statement.
    - ``hedges``: words that weaken a statement. ``connectors``: words between the items of a list.
    - ``copulas``, ``definite_articles``: "X is the Y" says the same as "the Y is X".
    - ``restrictions``: words that begin a restriction. A text without the restriction makes a stronger statement.
    - ``filler``: words of sentences that say nothing, such as "I hope this helps".
    - ``titles``: words after which a capitalised noun is a name.
    - ``ones``: words for the number 1 that are also articles or pronouns. They count as numbers only if they replace
      one.
    - ``numbers``: number words with their values.
    - ``decimal_comma``: 3,5 is a number. ``capital_nouns``: all nouns are capitalised.
    - ``opposites``: pairs of words whose exchange reverses a statement, each in both orders.
    - ``synonyms``: for each word, the groups of synonyms that have it. Exchanging two words of a group changes nothing.
    - ``endings``: endings that are removed to look up opposites and synonyms of a word's base form, too.
    - ``classes``: for each word, its classes. Two words of a class exclude each other.
    - ``spellings``, ``contractions``, ``contracted_endings``: the normal form of a word. A contraction has several.
    - ``abbreviations``: for the first word of each long form, the (long form, normal form) tuples, longest form first.
    - ``version_words``: a number after one of these is a version.
    """

    language: str
    negations: frozenset[str]
    not_negated: frozenset[str]
    negated_form: re.Pattern[str] | None
    concord: bool
    unspaced: tuple[str, ...]
    negating_prefixes: frozenset[str]
    negating_long_words: frozenset[str]
    not_negated_by_prefix: frozenset[str]
    avoidance: frozenset[str]
    stop_words: frozenset[str]
    not_names: frozenset[str]
    connectives: frozenset[str]
    hedges: frozenset[str]
    connectors: frozenset[str]
    copulas: frozenset[str]
    definite_articles: frozenset[str]
    restrictions: frozenset[str]
    filler: frozenset[str]
    titles: frozenset[str]
    ones: frozenset[str]
    numbers: Mapping[str, int]
    decimal_comma: bool
    capital_nouns: bool
    opposites: frozenset[tuple[str, str]]
    synonyms: Mapping[str, frozenset[int]]
    endings: tuple[str, ...]
    classes: Mapping[str, frozenset[str]]
    spellings: Mapping[str, str]
    contractions: Mapping[str, tuple[str, ...]]
    contracted_endings: Mapping[str, str]
    abbreviations: Mapping[str, tuple[tuple[str, str], ...]]
    version_words: frozenset[str]

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

    def negating(self, words: Iterable[str]) -> list[str]:
        """Return the words that negate a statement."""
        if self.negated_form is None:
            return [word for word in words if word in self.negations]  # far cheaper
        return [word for word in words if self.negates(word)]

    def negated(self, negations: int) -> bool:
        """Return whether a passage with this number of negations is negated."""
        return negations > 0 if self.concord else negations % 2 == 1

    @cached_property
    def sentence_openers(self) -> frozenset[str]:
        """The words that may open a sentence, and are then capitalised without being a name."""
        return self.stop_words | self.connectives


@cache
def lexicon_of(language: str) -> Lexicon:
    """Return the lexicon of a language (ISO 639 code). If the language has no file, it has only the common words."""
    own = word_data(f"languages/{language}") if language in known_languages() else {}
    return _lexicon(language if own else UNKNOWN, own, word_data("languages/any"))


@cache
def known_languages() -> frozenset[str]:
    """Return the languages that have a file of words."""
    names = (entry.name for entry in files(_FOLDER).joinpath("languages").iterdir())
    return frozenset(name.removesuffix(".toml") for name in names if name.endswith(".toml")) - {"any"}


def _lexicon(language: str, own: dict[str, Any], common: dict[str, Any]) -> Lexicon:
    def listed(key: str) -> frozenset[str]:
        return frozenset(_entries(f"{common.get(key, '')}\n{own.get(key, '')}"))

    def table(key: str) -> dict[str, str]:
        return dict(entry.split("=") for entry in _entries(own.get(key, "")))

    form, classes = own.get("negated_form"), {**common["classes"], **own.get("classes", {})}
    unspaced = listed("unspaced_negations") | listed("unspaced_words")
    return Lexicon(
        language=language,
        negations=listed("negations") | listed("unspaced_negations"),
        negated_form=re.compile(form) if form else None,
        concord=bool(own.get("concord", False)),
        unspaced=tuple(sorted(unspaced, key=lambda word: (-len(word), word))),
        numbers={word: int(value) for word, value in table("numbers").items()},
        decimal_comma=bool(own.get("decimal_comma", False)),
        capital_nouns=bool(own.get("capital_nouns", False)),
        opposites=frozenset(pair for group in _groups(own, "opposites") for pair in permutations(group, 2)),
        synonyms=_by_member(enumerate(_groups(own, "synonyms"))),
        endings=tuple(own.get("endings", "").split()),
        classes=_by_member((name, members.split()) for name, members in classes.items()),
        spellings=table("spellings"),
        contractions={word: tuple(full.split(" ")) for word, full in table("contractions").items()},
        contracted_endings=table("contracted_endings"),
        abbreviations=_by_first_word(table("abbreviations")),
        **{key: listed(key) for key in _LISTS},
    )


_LISTS = words(
    """
    not_negated negating_prefixes negating_long_words not_negated_by_prefix avoidance stop_words not_names connectives
    hedges connectors copulas definite_articles restrictions filler titles ones version_words
    """
)


def _entries(text: str) -> list[str]:
    lines = (line for line in text.casefold().splitlines() if not line.startswith("#"))
    return [entry.replace("+", " ") for line in lines for entry in line.split()]


def _groups(own: dict[str, Any], key: str) -> list[list[str]]:
    return [entry.split("/") for entry in _entries(own.get(key, ""))]


def _by_member(groups: Iterable[tuple[_Name, Iterable[str]]]) -> dict[str, frozenset[_Name]]:
    found: dict[str, set[_Name]] = {}
    for name, members in groups:
        for word in members:
            found.setdefault(word, set()).add(name)
    return {word: frozenset(names) for word, names in found.items()}


def _by_first_word(forms: Mapping[str, str]) -> dict[str, tuple[tuple[str, str], ...]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for item in sorted(forms.items(), key=lambda item: -len(item[0])):
        found.setdefault(re.split("[ /]", item[0])[0], []).append(item)
    return {first: tuple(items) for first, items in found.items()}

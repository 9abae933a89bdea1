"""Relations between two words: whether one word excludes the other, misspells it, or is another spelling of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache
from itertools import product

from scorer.scoring.compare.text.token_pattern import is_pictograph
from scorer.scoring.compare.vocabulary.lexicon import Lexicon
from scorer.scoring.compare.vocabulary.opposites_and_synonyms import (
    differs_by_negating_prefix,
    opposite,
    synonym_groups,
    synonyms,
)

# Two members of the same class exclude each other, so replacing one with the other changes the statement.
_SIGNS = {
    "comparison": "< > <= >= = != ≈",
    "operator": "+ - × / ^ ±",
    "logic": "∧ ∨ ∈ ∉ ∪ ∩ ⊂ ⊃ ⊆ ⊇",
    "quantifier sign": "∀ ∃",
    "trend": "↑ ↓",
    "mark": "✓ ✗",
    "thumb": "👍 👎",
}
_ENGLISH_WORDS = {
    "scale": "hundred thousand million billion trillion hundreds thousands millions billions trillions",
    "month": "january february march april may june july august september october november december",
    "weekday": "monday tuesday wednesday thursday friday saturday sunday",
    "ordinal": "first second third fourth fifth sixth seventh eighth ninth tenth last",
    "unit": "kilometer meter centimeter millimeter mile foot inch yard kilogram gram milligram lb ounce ton tonne "
    "second_unit minute hour day week month year decade century liter milliliter gallon celsius fahrenheit kelvin "
    "degree percent byte kilobyte megabyte gigabyte terabyte bit watt kilowatt megawatt volt ampere millisecond "
    "microsecond nanosecond teaspoon tablespoon cup mph kph microgram",
    "currency": "dollar euro pound yen rupee cents franc yuan",
    "season": "spring summer autumn winter",
    "direction": "north south east west northern southern eastern western",
    "quantifier": "all most many some few none several every",
    "frequency": "always usually often sometimes rarely never occasionally",
    "color": "red blue green yellow orange purple black white brown pink gray violet",
    "modal": "must should may might",
    "half": "am pm",
    "period": "daily weekly monthly yearly annually hourly quarterly",
    "continent": "europe asia africa america australia antarctica",
    "multiple": "double triple quadruple half quarter",
}
_QUANTITIES = frozenset({"scale", "month", "weekday", "unit", "currency", "half", "times", "period", "multiple"})


def _classes(*tables: dict[str, str]) -> dict[str, frozenset[str]]:
    """Return the classes of each word in the tables."""
    found: dict[str, set[str]] = {}
    for table in tables:
        for name, members in table.items():
            for word in members.split():
                found.setdefault(word, set()).add(name)
    return {word: frozenset(names) for word, names in found.items()}


_SIGN_CLASSES, _ENGLISH_CLASSES = _classes(_SIGNS), _classes(_SIGNS, _ENGLISH_WORDS)
_NONE: frozenset[str] = frozenset()


def _class_of(word: str, lexicon: Lexicon) -> frozenset[str]:
    return (_ENGLISH_CLASSES if lexicon.is_english else _SIGN_CLASSES).get(word, _NONE)


@lru_cache(maxsize=50_000)
def excludes(left: str, right: str, lexicon: Lexicon) -> bool:
    """Return whether two words exclude each other, so that replacing one with the other changes the statement."""
    if left == right:
        return False
    if _class_of(left, lexicon) & _class_of(right, lexicon):
        return True
    if contrary(left, right, lexicon):
        return True
    if is_pictograph(left) and is_pictograph(right):
        return True  # ☀ and ☂; those that mean the same have one key
    letters = len(left) == len(right) == 1 and (left + right).isascii() and (left + right).isalpha()  # (A), (B)
    return letters or both_quantities(left, right, lexicon)


def contrary(left: str, right: str, lexicon: Lexicon) -> bool:
    """Return whether one word denies the other: they are listed as opposites, or differ by a negating prefix."""
    listed = opposite(left, right) if lexicon.is_english else (left, right) in lexicon.opposites
    return listed or differs_by_negating_prefix(left, right, lexicon)


def both_quantities(left: str, right: str, lexicon: Lexicon) -> bool:
    """Return whether two words differ, and each of them names a date, a unit, a currency or an order of magnitude."""
    both = _class_of(left, lexicon) & _QUANTITIES, _class_of(right, lexicon) & _QUANTITIES
    return left != right and all(both)


def synonymous(left: str, right: str, lexicon: Lexicon) -> bool:
    """Return whether two words are listed as synonyms."""
    return synonyms(left, right) if lexicon.is_english else (left, right) in lexicon.synonyms


@lru_cache(maxsize=50_000)
def misspelled(left: str, right: str, lexicon: Lexicon) -> bool:
    """Return whether one word has the letters of the other in another order. British -re for -er is no misspelling."""
    if min(len(left), len(right)) < 4 or left == right or sorted(left) != sorted(right):
        return False
    if excludes(left, right, lexicon):
        return False
    return left[:-2] != right[:-2]


@lru_cache(maxsize=50_000)
def same_word(left: str, right: str) -> bool:
    """Return whether two words differ only in spelling (colour/color), in a hyphen, or in number (singular/plural)."""
    if left == right or _spelling(left) == _spelling(right):
        return True
    short, long = sorted((left, right), key=len)
    return len(short) > 3 and long in (short + "s", short + "es")


def any_same_word_or_synonym(left: Collection[str], right: Collection[str], lexicon: Lexicon) -> bool:
    """Return whether any left word and any right word are the same word or synonyms (``same_word``, ``synonymous``).

    The cost grows with the number of words and not with the number of pairs.
    """
    if not {_spelling(word) for word in left}.isdisjoint(_spelling(word) for word in right):
        return True
    if _has_plural_in(left, right) or _has_plural_in(right, left):
        return True
    if not lexicon.is_english:
        return not lexicon.synonyms.isdisjoint(product(left, right))
    groups = {group for word in left for group in synonym_groups(word)}
    return any(not groups.isdisjoint(synonym_groups(word)) for word in right)


def _has_plural_in(words: Iterable[str], others: Collection[str]) -> bool:
    plurals = (word + ending for word in words if len(word) > 3 for ending in ("s", "es"))
    return not frozenset(others).isdisjoint(plurals)


def _spelling(word: str) -> str:
    word = word.replace("-", "").replace("'", "").replace(".", "").translate(_UMLAUTS)
    if len(word) > 4:
        for british, american in _BRITISH:
            word = word.replace(british, american)
    return word


_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_BRITISH = (
    ("isation", "ization"), ("ise", "ize"), ("ising", "izing"), ("ised", "ized"), ("yse", "yze"), ("our", "or"),
    ("tre", "ter"), ("ogue", "og"), ("lled", "led"), ("lling", "ling"),
)  # fmt: skip

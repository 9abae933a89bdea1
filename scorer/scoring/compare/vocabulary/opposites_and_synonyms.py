"""Opposites and synonyms: two lists of English words, and negating prefixes (ADR 0123, 0223).

The lists opposites.txt and synonyms.txt are written by hand, because no maintained package contains antonyms. The
packages for WordNet download it at run time, which a scorer must not do. The first call reads the lists in 3 ms.
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.resources import files
from itertools import product

from scorer.scoring.compare.vocabulary.lexicon import Lexicon


def _words(text: str) -> list[str]:
    return text.split()


_SHORT_PREFIXES = frozenset({"a", "ab", "de", "mal"})  # only before a long word: moral/amoral is a pair, go/ago is not
_ENDINGS = ("s", "d", "ed", "ing", "ly", "er", "est")
_NOT_NEGATED = frozenset(
    _words("flammable habitable valuable loosen ravel thaw bone part press form cline crease side deed")
)


def _read_entries(name: str) -> list[list[str]]:
    lines = files("scorer.scoring.compare.vocabulary").joinpath(name).read_text(encoding="utf-8").splitlines()
    return [entry.replace("+", " ").split("/") for line in lines if not line.startswith("#") for entry in line.split()]


@cache
def opposites() -> frozenset[tuple[str, str]]:
    """Return the pairs of words that are listed as opposites, each in both orders."""
    return frozenset(pair for left, right in _read_entries("opposites.txt") for pair in ((left, right), (right, left)))


@cache
def _groups() -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for number, group in enumerate(_read_entries("synonyms.txt")):
        for word in group:
            found.setdefault(word, set()).add(number)
    return {word: frozenset(groups) for word, groups in found.items()}


@lru_cache(maxsize=50_000)
def synonyms(left: str, right: str) -> bool:
    """Return whether two words are listed as synonyms, such as begins/starts and large/big."""
    groups = _groups()
    nothing: frozenset[int] = frozenset()
    return any(groups.get(a, nothing) & groups.get(b, nothing) for a, b in ((left, right), *_bases(left, right)))


@lru_cache(maxsize=50_000)
def synonym_groups(word: str) -> frozenset[tuple[str, int]]:
    """Return the groups of synonyms of a word and of its base forms, each with the ending that was removed.

    Two words are ``synonyms`` if and only if they have a common element.
    """
    groups = _groups()
    nothing: frozenset[int] = frozenset()
    found = {("", group) for group in groups.get(word, nothing)}
    for ending in _ENDINGS:
        if word.endswith(ending):
            found |= {(ending, group) for stem in _stems(word, ending) for group in groups.get(stem, nothing)}
    return frozenset(found)


@lru_cache(maxsize=50_000)
def opposite(left: str, right: str) -> bool:
    """Return whether two words, or their base forms, are listed as opposites."""
    listed = opposites()
    return (left, right) in listed or any(pair in listed for pair in _bases(left, right))


def _bases(left: str, right: str) -> set[tuple[str, str]]:
    """Return the pairs of possible base forms of two words with the same ending: grant/revoke for grants/revokes."""
    found: set[tuple[str, str]] = set()
    for ending in _ENDINGS:
        if left.endswith(ending) and right.endswith(ending):
            found |= set(product(_stems(left, ending), _stems(right, ending)))
    return found


def _stems(word: str, ending: str) -> tuple[str, ...]:
    stem = word[: -len(ending)]
    if len(stem) < 3:
        return ()
    forms = [stem]
    if ending in ("ing", "er", "est", "ed"):
        forms.append(stem + "e")
        if stem[-1] == stem[-2]:
            forms.append(stem[:-1])
    if ending == "s" and stem.endswith("e"):
        forms.append(stem[:-1])
    if stem.endswith(("ie", "i")):
        forms.append(stem.removesuffix("e")[:-1] + "y")
    return tuple(forms)


def differs_by_negating_prefix(left: str, right: str, lexicon: Lexicon) -> bool:
    """Return whether one word is the other word with a negating prefix, such as possible and impossible."""
    if not lexicon.negating_prefixes:
        return False
    short, long = sorted((left, right), key=len)
    if len(short) <= 3 or short in _NOT_NEGATED or not long.endswith(short):
        return False
    prefix = long[: -len(short)].rstrip("-")
    return prefix in lexicon.negating_prefixes and (prefix not in _SHORT_PREFIXES or len(short) >= 6)

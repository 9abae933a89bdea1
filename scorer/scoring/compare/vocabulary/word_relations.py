"""Relations between two words: whether they exclude each other, are synonyms, or differ only in spelling.

Opposites and synonyms are lists in languages/CODE.toml. They are written by hand, because no maintained package
contains antonyms. The packages for WordNet download WordNet at run time, which a scorer must not do.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import product

from scorer.scoring.compare.text.token_pattern import is_pictograph
from scorer.scoring.compare.vocabulary.lexicon import Lexicon, word_data

_QUANTITIES = frozenset({"scale", "month", "weekday", "unit", "currency", "half", "times", "period", "multiple"})
_NUMBERED = re.compile(r"([^\W\d](?:.*\D)?)(\d{1,9})")
_NO_GROUPS: frozenset[int] = frozenset()


@lru_cache(maxsize=50_000)
def excludes(left: str, right: str, lexicon: Lexicon) -> bool:
    """Return whether two words exclude each other, so that replacing one with the other changes the statement."""
    if left == right:
        return False
    ours, theirs = lexicon.classes.get(left), lexicon.classes.get(right)
    if ours and theirs and (ours & theirs or (ours & _QUANTITIES and theirs & _QUANTITIES)):
        return True
    if contrary(left, right, lexicon):
        return True
    if left.isascii() or right.isascii():
        return len(left) == len(right) == 1 and (left + right).isascii() and (left + right).isalpha()  # (A), (B)
    return is_pictograph(left) and is_pictograph(right)  # ☀ and ☂; pictures with the same meaning have the same key


@lru_cache(maxsize=50_000)
def contrary(left: str, right: str, lexicon: Lexicon) -> bool:
    """Return whether one word denies the other: they are listed as opposites, or differ by a negating prefix.

    Words with the same ending are opposites if their base forms are opposites: grant/revoke, and so grants/revokes.
    """
    if (left, right) in lexicon.opposites or differs_by_negating_prefix(left, right, lexicon):
        return True
    if left[-1:] != right[-1:]:
        return False
    endings = (ending for ending in lexicon.endings if left.endswith(ending) and right.endswith(ending))
    return any(
        pair in lexicon.opposites for ending in endings for pair in product(_stems(left, ending), _stems(right, ending))
    )


def both_quantities(left: str, right: str, lexicon: Lexicon) -> bool:
    """Return whether two words differ, and each of them names a date, a unit, a currency or an order of magnitude."""
    ours, theirs = lexicon.classes.get(left), lexicon.classes.get(right)
    return bool(ours and theirs and left != right and ours & _QUANTITIES and theirs & _QUANTITIES)


def numbered_differently(left: str, right: str) -> bool:
    """Return whether two names differ only in the number at their end: x1 and x2, server3 and server4."""
    if not (left[-1:].isdecimal() and right[-1:].isdecimal()):
        return False  # far cheaper
    one, other = _NUMBERED.fullmatch(left), _NUMBERED.fullmatch(right)
    return one is not None and other is not None and one[1] == other[1] and int(one[2]) != int(other[2])


def differs_by_negating_prefix(left: str, right: str, lexicon: Lexicon) -> bool:
    """Return whether one word is the other word with a negating prefix, such as possible and impossible."""
    if left[-1:] != right[-1:]:
        return False  # far cheaper, and true of most words
    short, long = sorted((left, right), key=len)
    if len(short) <= 3 or not long.endswith(short) or short in lexicon.not_negated_by_prefix:
        return False
    prefix = long[: -len(short)].rstrip("-")
    return prefix in lexicon.negating_prefixes and (len(short) >= 6 or prefix not in lexicon.negating_long_words)


def synonymous(left: str, right: str, lexicon: Lexicon) -> bool:
    """Return whether two words, or their base forms, are listed as synonyms, such as begins/starts and large/big."""
    return not _synonym_groups(left, lexicon).isdisjoint(_synonym_groups(right, lexicon))


@lru_cache(maxsize=50_000)
def _synonym_groups(word: str, lexicon: Lexicon) -> frozenset[tuple[str, int]]:
    """Return the groups of synonyms of a word and of its base forms, each with the ending that was removed."""
    forms = [("", word), *((e, stem) for e in lexicon.endings if word.endswith(e) for stem in _stems(word, e))]
    return frozenset((ending, group) for ending, form in forms for group in lexicon.synonyms.get(form, _NO_GROUPS))


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


@lru_cache(maxsize=50_000)
def same_word(left: str, right: str) -> bool:
    """Return whether two words differ only in spelling (colour/color), in a hyphen, or in number (singular/plural)."""
    if left == right or _spelling(left) == _spelling(right):
        return True
    short, long = (left, right) if len(left) < len(right) else (right, left)
    return 3 < len(short) >= len(long) - 2 and long in (short + "s", short + "es")


@lru_cache(maxsize=50_000)
def _spelling(word: str) -> str:
    word = word.replace("-", "").replace("'", "").replace(".", "").translate(_UMLAUTS)
    if len(word) > 4:
        for british, american in _BRITISH:
            word = word.replace(british, american)
    return word


_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_BRITISH = [tuple(pair.split("=")) for pair in word_data("languages/any")["british_spellings"].split()]

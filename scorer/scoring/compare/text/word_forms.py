"""Normalise words: expand contractions (don't becomes do not) and use one of several spellings. Results are cached."""

from __future__ import annotations

import re
from functools import lru_cache

from scorer.scoring.compare.quantities.number_parser import MONTHS
from scorer.scoring.compare.vocabulary.spellings import (
    CONTRACTED,
    CURRENCY_MARKS,
    PHRASES,
    SAME,
    SPELLED_NUMBERS,
    SUFFIXES,
)

TIMES = {"once": "1 times", "twice": "2 times", "thrice": "3 times", "noon": "12:00", "midnight": "00:00"}
_NUMBER = re.compile(r"\. ?\d")


@lru_cache(maxsize=20_000)
def keys_of(surface: str) -> tuple[tuple[str, ...], bool]:
    """Return the lookup keys (normal forms) of a word, and whether it may begin a number, date, amount or phrase."""
    if surface in ("US", "U.S", "USA", "U.S.A"):
        return ("usa",), False
    word = surface.casefold()
    special = word in _SPECIAL or surface in CURRENCY_MARKS or "://" in word or word.startswith("www.")
    special = special or (word[0] == "v" and word[1:2].isdecimal() and "." in word)
    return tuple(SAME.get(part, part) for part in _expand(word)), special


_SPECIAL = frozenset({"a", "half", "minus", "no", "w", *TIMES, *SPELLED_NUMBERS, *MONTHS, *PHRASES})


def _expand(word: str) -> tuple[str, ...]:
    if word in CONTRACTED:
        return CONTRACTED[word]
    if "'" not in word:
        return (word,)
    if word.endswith("n't"):
        return (word[:-3], "not")
    for suffix, full in SUFFIXES.items():
        if word.endswith(suffix):
            return (word[: -len(suffix)], full)
    return (word.removesuffix("'s"), "'s") if word.endswith("'s") else (word,)


def short_form(word: str, text: str, start: int) -> str:
    """Return the meaning of the abbreviation at ``start``: "No." before a number, "w/o" or "w/".

    Return "" for other uses of the word.
    """
    if word == "no":
        inside = start > 1 and text[start - 1] in " (" and (text[start - 2].isalnum() or text[start - 1] == "(")
        return "number" if inside and text[start] == "N" and _NUMBER.match(text, start + 2) else ""
    if word != "w" or text[start + 1 : start + 2] != "/":
        return ""
    if text[start + 2 : start + 3].lower() == "o" and not text[start + 3 : start + 4].isalnum():
        return "without"
    return "with" if text[start + 2 : start + 3] == " " else ""

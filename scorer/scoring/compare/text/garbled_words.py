"""Whether words look like words, by their letter pairs. Latin script without accents only; the rest is never odd.

English has its own pairs; those of 21 other European languages (from the words of their program messages) are many
more, so they count only where both texts are known not to be English. Cost: 40 µs for 100 words.
"""

from __future__ import annotations

import re
from collections.abc import Container
from functools import lru_cache
from itertools import pairwise

# Letter pairs that English and its borrowings write; first letter: second letters.
_PAIRS = frozenset(
    row[0] + second
    for row in [
        "a:abcdefghijklmnopqrstuvwxyz",
        "b:abdeijlorstuy",
        "c:acehikloqrstuy",
        "d:acdefghijlmnorsuvwy",
        "e:abcdefghijklmnopqrstuvwxyz",
        "f:aefilorstuy",
        "g:aeghilmnorstuy",
        "h:abdeilmnorstuwy",
        "i:abcdefgijklmnopqrstuvxz",
        "j:aeiou",
        "k:aehilmnorstuwy",
        "l:abcdefghiklmnopqrstuvwyz",
        "m:abcefilmnopstuy",
        "n:abcdefghijklmnopqrstuvwxyz",
        "o:abcdefghijklmnopqrstuvwxyz",
        "p:aefhilmoprstuy",
        "q:u",
        "r:abcdefghijklmnopqrstuvwyz",
        "s:abcdefghiklmnopqrstuvwyz",
        "t:abcefghilmnoprstuvwyz",
        "u:abcdefghiklmnopqrstvxyz",
        "v:aeiouy",
        "w:abdefhiklnorstu",
        "x:abcefhiloprstuy",
        "y:abcdegilmnoprstuwxz",
        "z:aehiloyz",
    ]
    for second in row[2:]
)
# What those languages write beside the English pairs: in one word of a thousand at least, of one of them.
_EUROPEAN = _PAIRS | frozenset(
    row[0] + second
    for row in [
        "b:cfghkmnpvwz", "c:jnz", "d:bkptz", "f:bdghjkmvwz", "g:bdfjkpvwz", "h:cfhjkvz", "i:hwy", "j:bdfgjklmnprstvwz",
        "k:bcdfgjkpvz", "l:j", "m:dghjkrvwz", "p:bcdgjknvwz", "q:q", "r:x", "s:j", "t:djkx", "u:juw",
        "v:bcdfghjklmnprstvz", "w:cpyz", "x:k", "y:fhjkvy", "z:bcdgjkmnprstuvw",
    ]
    for second in row[2:]
)  # fmt: skip
_WORD = re.compile(r"[^\s]{4,40}")
_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_TRIM = "\"'()[]{}<>.,;:!?*_`~-—–…“”‘’/|"
_INSIDE = re.compile(r"[A-Za-z][0-9@#$%^&*=+~\\|]+[A-Za-z]")
_CASE = re.compile(r"[a-z][A-Z]")


def implausible_share(text: str, known: Container[str] = frozenset(), *, european: bool = False) -> tuple[float, str]:
    """The share of words of four letters and more that look like no word, and one of them.

    Code blocks are not read; ``known``: words (in small letters) that are words, however they look.
    """
    total = odd = 0
    example = ""
    for match in _WORD.finditer(_FENCED.sub(" ", text)):
        word = match[0].strip(_TRIM)
        if len(word) < 4 or not word.isascii() or "/" in word or word.isdigit():
            continue
        total += 1
        if word.lower() not in known and _odd(word, european):
            odd += 1
            example = example or word
    return (odd / total if total >= 4 and odd > 1 else 0.0), example  # one strange word is a name, or a loan


def words_of(text: str) -> frozenset[str]:
    return frozenset(match[0].strip(_TRIM).lower() for match in _WORD.finditer(text))


@lru_cache(maxsize=20_000)
def _odd(word: str, european: bool) -> bool:
    if len(_INSIDE.findall(word)) and not word.isupper():
        return True
    if len(_CASE.findall(word)) >= 2:
        return True
    if not word.isalpha() or word.isupper():
        return False
    lower = word.lower()
    pairs = _EUROPEAN if european else _PAIRS
    strange = sum(a + b not in pairs for a, b in pairwise(lower))
    return strange >= 1 + len(lower) // 8 and (strange >= 2 or len(lower) <= 7)


_VARIANTS = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        ("ae|oe", "e"), ("our", "or"), ("ys(?=e|i)", "yz"), ("is(?=e|i|a)", "iz"), ("re(?=s?$)", "er"), ("ll", "l"),
        ("gue(?=s?$)", "g"), ("c(?=es?$|ed$|ing$)", "s"), ("sc(?=e)", "sk"), ("dgem", "dgm"), ("mme(?=s?$)", "m"),
        ("y", "i"), ("ough", "ow"), ("que(?=s?$)", "ck"), ("ph", "f"), ("lery", "lry"), ("leri", "lri"), ("ey", "ay"),
        ("ium", "um"),
    )
)  # fmt: skip


def spelt_otherwise(one: str, other: str) -> bool:
    """Whether two words are one in two spellings (licence/license, tyre/tire, theatre/theater), or with two endings."""
    shorter = min(len(one), len(other))
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), shorter)
    if start >= 0.6 * shorter and sorted(one) != sorted(other):
        return True
    return _plainly(one) == _plainly(other)


def _plainly(word: str) -> str:
    for pattern, plain in _VARIANTS:
        word = pattern.sub(plain, word)
    return word

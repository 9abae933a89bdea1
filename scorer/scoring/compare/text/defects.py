"""Faults that one text shows by itself: each function gives how faulty one text is, in [0, 1], and where it shows.

A fault on one side only is a divergence. Cost for 100 words: refusal 10 µs, repetition 60 µs,
garbling 60 µs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scorer.scoring.compare.result import excerpt, ramp
from scorer.scoring.compare.text.canonical_text import plain, strip_courtesies
from scorer.scoring.compare.text.document import Reading
from scorer.scoring.compare.text.garbled_words import implausible_share, words_of
from scorer.scoring.compare.text.language import is_foreign
from scorer.scoring.compare.text.lean_imports import badness
from scorer.scoring.compare.text.refusals import ANSWERS_THEN, ENGLISH, OTHERS, SORRY
from scorer.scoring.compare.text.tokens import Token


@dataclass(frozen=True, slots=True)
class Fault:
    degree: float = 0.0
    where: str = ""


NO_FAULT = Fault()


def refusal(reading: Reading) -> Fault:
    """1.0: the text refuses at its beginning. Provider-declared refusals count whatever they say."""
    if reading.refused:
        return Fault(1.0, "the provider marks it as a refusal")
    head = strip_courtesies(plain(reading.text[:900])).replace("\n", " ")
    match = ENGLISH.search(head[:400]) or OTHERS.search(head[:160])
    if match is None:
        return NO_FAULT
    if ANSWERS_THEN.match(head, match.end()):
        return Fault(0.2, excerpt(head[match.start() : match.end() + 40]))
    early = match.start() < 120
    short = len(reading.tokens) < 90
    if early and (short or SORRY.match(head)):
        return Fault(1.0, excerpt(head[match.start() : match.end() + 40]))
    return Fault(0.7 if early else 0.35, excerpt(head[match.start() : match.end() + 40]))


_GRAM = 6
_BREATH = 24  # words after which a sentence without an end is taken for one
_WHOLE = 0.9


@dataclass(frozen=True, slots=True)
class Repeats:
    """``count``: words of passages that stood before; ``run``: words of the longest loop.

    ``share``: of all words, those of sentences that stood before as a whole. Lists of alike items (products, recipes
    for two kinds of meat) say the same passages in new sentences; a model that has lost its way says the sentences.
    """

    count: int
    share: float
    run: int
    where: str


def repeats(reading: Reading) -> Repeats:
    """How much of a text is said again word for word: passages of six words and more, and short loops."""
    tokens = [t for t in reading.tokens if not t.marker]
    if len(tokens) < 4:
        return Repeats(0, 0.0, 0, "")
    ids: dict[str, int] = {}
    array = np.array([ids.setdefault(t.key, len(ids)) for t in tokens])
    again = _said_before(array)
    run, at = _longest_loop(array)
    count = max(int(again.sum()), run)
    first = at if run >= _GRAM or not again.any() else int(again.argmax())
    where = " ".join(t.surface for t in tokens[first : first + 8])
    whole = max(_whole_sentences(tokens, again), run)
    return Repeats(count, whole / len(tokens), run, excerpt(where) if count else "")


def _whole_sentences(tokens: Sequence[Token], again: np.ndarray) -> int:
    """Words of sentences (of six words and more) of which nearly every word is in ``again``."""
    words = start = 0
    for end in range(1, len(tokens) + 1):
        if end == len(tokens) or tokens[end].opens or end - start >= _BREATH:
            said = int(again[start:end].sum())
            words += said if end - start >= _GRAM and said >= _WHOLE * (end - start) else 0
            start = end
    return words


def _said_before(array: np.ndarray) -> np.ndarray:
    """Marks the words of every six-word passage that stood before."""
    seen: set[bytes] = set()
    marked = np.zeros(len(array), dtype=bool)
    for i in range(len(array) - _GRAM + 1):
        gram = array[i : i + _GRAM].tobytes()
        if gram in seen:
            marked[i : i + _GRAM] = True
        seen.add(gram)
    return marked


def _longest_loop(array: np.ndarray) -> tuple[int, int]:
    """Words that the longest immediate repetition (of 1 to 12 words, three times at least) says again, and where."""
    best, at = 0, 0
    for period in range(1, min(12, len(array) // 3) + 1):
        equal = np.concatenate(([0], (array[period:] == array[:-period]).astype(np.int8), [0]))
        edges = np.flatnonzero(np.diff(equal))
        lengths = edges[1::2] - edges[::2]
        if len(lengths) and lengths.max() >= max(2 * period, 3) and lengths.max() > best:
            best, at = int(lengths.max()), int(edges[::2][lengths.argmax()])
    return best, at


_READ = 8000  # characters in which garbling is looked for


def garbling(left: Reading, right: Reading) -> tuple[Fault, Fault]:
    """Mojibake (ftfy's badness), replacement characters, and words no language would write, on either side.

    A word that both sides write is a word; and a side is odd only as far as it is odder than the other.
    """
    texts = left.text[:_READ], right.text[:_READ]
    shared = words_of(texts[0]) & words_of(texts[1])
    odd = [implausible_share(text, shared) for text in texts]
    if max(share for share, _ in odd) > _ODD and is_foreign(left.text) and is_foreign(right.text):
        odd = [implausible_share(text, shared, european=True) for text in texts]
    (a, example_a), (b, example_b) = odd
    return _garbled(left, a - b, example_a), _garbled(right, b - a, example_b)


_ODD = 0.06


def _garbled(reading: Reading, odd: float, example: str) -> Fault:
    text = reading.text[:_READ]
    if not text:
        return NO_FAULT
    broken = text.count("\ufffd") + sum(c < " " and c not in "\n\r\t" for c in text)
    marks = broken + badness()(text)
    degree = max(ramp(marks / max(len(reading.tokens), 1), 0.01, 0.1), ramp(odd, _ODD, 0.2))
    return Fault(degree, example if odd > _ODD else "broken characters") if degree else NO_FAULT


_UNFINISHED = re.compile(
    r"(?:[,;(\[{/&+=-]|\b(?:and|or|the|a|an|of|to|in|for|with|by|is|are|was|that|which|as|from|because|but|if|your"
    r"|their|its|can|will))$",
    re.IGNORECASE,
)
_ENDED = re.compile(r"[.!?:…。！？；;)\]}\"'`*_>|~%][\s\"')\]*_`]*$|[^\w\s]$")


def unfinished(reading: Reading) -> Fault:
    """How much the form says that the text was cut: an open code fence, a last sentence without an end."""
    text = reading.text.rstrip()
    if not text:
        return NO_FAULT
    if sum(line.lstrip().startswith("```") for line in text.split("\n")) % 2:
        return Fault(1.0, "a code block is not closed")
    last = plain(text[-2000:]).rstrip().rsplit("\n", 1)[-1].strip()
    if _UNFINISHED.search(last):
        return Fault(1.0, f"ends with “{excerpt(last[-40:])}”")
    if not _ENDED.search(text[-60:]) and len(re.split(r"[.:!?] ", last)[-1].split()) >= 6:
        return Fault(0.8, f"ends with “{excerpt(last[-40:])}”")
    return NO_FAULT

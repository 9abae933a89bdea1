"""Find passages that a text repeats word for word, and loops of a few words. Cost: 60 µs for 100 words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import eq

import numpy as np

from scorer.scoring.compare.result import excerpt
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.compare.text.tokens import Token

_GRAM = 6  # words of the shortest passage that counts as repeated
_LONGEST_SENTENCE = 24  # number of words after which a long sentence is split
_WHOLE = 0.9  # the share of a sentence's words that must be repeated


@dataclass(frozen=True, slots=True)
class Repetition:
    """The amount of repetition in one text.

    - ``count``: the number of words in repeated passages.
    - ``share``: the share of the text's words that are repeated in whole sentences or in the longest loop, whichever
      share is greater. A model that loops repeats whole sentences. A list of similar items (products, recipes for two
      kinds of meat) repeats passages only within new sentences (ADR 0103).
    - ``run``: the number of repeated words in the longest loop.
    - ``where``: the beginning of a repeated passage.
    """

    count: int
    share: float
    run: int
    where: str


def repeated_passages(document: Document) -> Repetition:
    """Measure how much of a text is repeated word for word, in passages of at least six words and in short loops."""
    tokens = [t for t in document.tokens if not t.marker]
    if len(tokens) < 4:
        return Repetition(0, 0.0, 0, "")
    words = [t.key for t in tokens]
    repeated = _repeated_words(words)
    run, at = _longest_loop(words) if any(repeated) or _may_loop(words) else (0, 0)
    count = max(sum(repeated), run)
    first = at if run >= _GRAM or not any(repeated) else repeated.index(True)
    where = " ".join(t.surface for t in tokens[first : first + 8]) if count else ""
    whole = max(_words_in_repeated_sentences(tokens, repeated), run)
    return Repetition(count, whole / len(tokens), run, excerpt(where))


def _words_in_repeated_sentences(tokens: Sequence[Token], repeated: Sequence[bool]) -> int:
    """Count the repeated words in sentences that are almost completely repeated and have at least six words."""
    if not any(repeated):
        return 0
    words = start = 0
    for end in range(1, len(tokens) + 1):
        if end == len(tokens) or tokens[end].opens or end - start >= _LONGEST_SENTENCE:
            marked = sum(repeated[start:end])
            words += marked if end - start >= _GRAM and marked >= _WHOLE * (end - start) else 0
            start = end
    return words


def _repeated_words(words: Sequence[str]) -> list[bool]:
    """Return a list that is True for the words of every six-word passage that occurred earlier in the text."""
    marked = [False] * len(words)
    passages = list(zip(*(words[i:] for i in range(_GRAM)), strict=False))
    first = dict(zip(reversed(passages), range(len(passages) - 1, -1, -1), strict=True))
    if len(first) < len(passages):
        for start, passage in enumerate(passages):
            if first[passage] < start:
                marked[start : start + _GRAM] = [True] * _GRAM
    return marked


def _may_loop(words: Sequence[str]) -> bool:
    """Return whether a text without repeated passages may have a loop.

    Such a loop can only consist of one word or two words.
    """
    return any(sum(map(eq, words, words[period:])) >= max(2 * period, 3) for period in (1, 2))


def _longest_loop(words: Sequence[str]) -> tuple[int, int]:
    """Return the number of repeated words in the longest loop, and the index of the loop's first word.

    A loop is a passage of 1 to 12 words that occurs at least three times in a row. A single word must occur four times.
    """
    ids: dict[str, int] = {}
    array = np.array([ids.setdefault(word, len(ids)) for word in words])
    best, at = 0, 0
    for period in range(1, min(12, len(array) // 3) + 1):
        again = array[period:] == array[:-period]
        least = max(2 * period, 3, best + 1)
        if np.count_nonzero(again) < least:
            continue
        edges = np.flatnonzero(np.diff(np.concatenate(([0], again.astype(np.int8), [0]))))
        lengths = edges[1::2] - edges[::2]
        if lengths.max() >= least:
            best, at = int(lengths.max()), int(edges[::2][lengths.argmax()])
    return best, at

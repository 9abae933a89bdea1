"""Detect a side that answers different prompts with the same text: a constant answer, or a broken cache.

One constant text can win most comparisons by a strong judge (Zheng et al., "Cheating Automatic LLM Benchmarks: Null
Models Achieve High Win Rates", 2024). A real answer depends on its prompt, so a constant text is detected without
patterns. A text counts as repeated once it has answered PROMPTS prompts that have little in common. So the usual answer
to a frequent question does not count, even if users word the question differently. Short texts, such as greetings and
labels, are left out. The memory is bounded.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable

PROMPTS = 5
LEAST_CHARS = 120
MOST_TEXTS = 500  # remembered texts of all workloads and sides; the least recently seen text is forgotten first
_LIKE = 0.3  # prompts that share at least this part of their character trigrams are alike (Jaccard index)
_SKETCH = 32  # the smallest hashes of a prompt's trigrams, from which the index is estimated (Broder 1997)
_MOST_CHARS = 2000

Sketch = tuple[int, ...]


class RepeatedAnswers:
    """The texts that each side has recently given as answers, with the prompts that they answered."""

    def __init__(self) -> None:
        self._prompts: OrderedDict[Hashable, tuple[Sketch, ...]] = OrderedDict()

    def note(self, answerer: Hashable, prompt: str, text: str) -> bool:
        """Record an answer. Return whether the same text has answered at least PROMPTS prompts that are not alike.

        ``answerer``: identifies the answering side, for example by its workload and side.
        """
        if len(text.strip()) < LEAST_CHARS:
            return False
        key = (answerer, hashlib.blake2b(text.strip().encode("utf-8", "replace"), digest_size=16).digest())
        prompts = self._prompts.pop(key, ())
        sketch = sketch_of(prompt)
        if len(prompts) < PROMPTS and not any(alike(sketch, other) for other in prompts):
            prompts = (*prompts, sketch)
        self._prompts[key] = prompts
        if len(self._prompts) > MOST_TEXTS:
            self._prompts.popitem(last=False)
        return len(prompts) >= PROMPTS


def sketch_of(text: str) -> Sketch:
    """Return a sketch of the text: the smallest hashes of its character trigrams, without spaces and punctuation."""
    letters = "".join(char for char in text[:_MOST_CHARS].casefold() if char.isalnum())
    pieces = {letters[at : at + 3] for at in range(max(1, len(letters) - 2))}
    return tuple(sorted(_hash(piece) for piece in pieces)[:_SKETCH])


def _hash(piece: str) -> int:
    return int.from_bytes(hashlib.blake2b(piece.encode("utf-8", "replace"), digest_size=8).digest())


def alike(one: Sketch, other: Sketch) -> bool:
    """Return whether two prompts share at least the fraction _LIKE of their trigrams, estimated from their sketches."""
    union = sorted({*one, *other})[:_SKETCH]
    shared = set(one).intersection(other)
    return sum(value in shared for value in union) >= _LIKE * len(union)

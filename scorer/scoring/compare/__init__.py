"""Compare two answers to one request: one agreement, the flags that name what diverged, and the signals. Pure.

The comparison has two steps, so that the embedding between them can be batched over many pairs::

    texts = texts_to_embed(task, expectation, left, right)                   # () or two texts
    vectors = dict(zip(texts, embed_texts(embedder, texts)))                 # text → [chunks, dimensions]
    comparison = compare(task, settings, expectation, left, right, vectors)  # Comparison | Unscorable

``left`` is the baseline's answer and ``right`` the candidate's. In a NOISE pair both come from the same side:
``left`` is the first answer and ``right`` the repeated one.
"""

from scorer.scoring.compare.confusion_matrix import ClassFigures, Confusion
from scorer.scoring.compare.noise_floor import UNKNOWN, NoiseFloor
from scorer.scoring.compare.result import Comparison
from scorer.scoring.compare.task_dispatch import Unscorable, compare, resolve_task, texts_to_embed

__all__ = [
    "UNKNOWN",
    "ClassFigures",
    "Comparison",
    "Confusion",
    "NoiseFloor",
    "Unscorable",
    "compare",
    "resolve_task",
    "texts_to_embed",
]

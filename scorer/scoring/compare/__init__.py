"""Two answers → one agreement, the flags that name what diverged, and the signals behind it. Pure.

In two steps, so that the embedding between them can be batched over many pairs::

    texts = texts_to_embed(task, settings, expectation, left, right)      # () or two texts
    vectors = dict(zip(texts, embed_texts(embedder, texts)))              # text → [chunks, dimensions]
    compared = compare(task, settings, expectation, left, right, vectors) # Comparison | Unscorable

``left`` is the baseline's answer, ``right`` the candidate's (of a NOISE pair, the first and the repeated one).
"""

from scorer.scoring.compare.by_task import Unscorable, compare, resolve_task, texts_to_embed
from scorer.scoring.compare.confusion_matrix import ClassFigures, Confusion
from scorer.scoring.compare.noise_floor import UNKNOWN, NoiseFloor
from scorer.scoring.compare.result import Comparison

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

"""Compare two answers to one request.

The result contains the agreement of the answers, flags that name their clear divergences, and the measured signals.

All functions are pure. Embedding is a separate step, so that the texts of many pairs can be embedded in one batch::

    texts = texts_to_embed(task, expectation, left, right)                   # may be empty
    vectors = dict(zip(texts, embed_texts(embedder, texts)))                 # text → [chunks, dimensions]
    comparison = compare(task, settings, expectation, left, right, vectors)  # Comparison | Unscorable

An engine whose cosines have another scale needs ``LearnedParameters(cosine_map=traits_of(embedder).cosine_map)``.

``left`` is the baseline's answer and ``right`` is the candidate's answer. In a NOISE pair, both answers come from the
same side: ``left`` is the answer to the request, and ``right`` is the answer to its copy.
"""

from scorer.scoring.compare.confusion_matrix import ClassFigures, Confusion
from scorer.scoring.compare.learned_parameters import LearnedParameters
from scorer.scoring.compare.noise_floor import UNKNOWN, NoiseFloor
from scorer.scoring.compare.result import Comparison
from scorer.scoring.compare.task_dispatch import Unscorable, compare, resolve_task, texts_to_embed

__all__ = [
    "UNKNOWN",
    "ClassFigures",
    "Comparison",
    "Confusion",
    "LearnedParameters",
    "NoiseFloor",
    "Unscorable",
    "compare",
    "resolve_task",
    "texts_to_embed",
]

"""Embedding of texts: the engines with their common protocol, the cutting of long texts into chunks, and caches.

No engine may report its use to its authors. Every engine is a module of this package, so ``no_telemetry`` is imported
before any engine.
"""

import scorer.scoring.embed.no_telemetry  # noqa: F401 - it has an effect
from scorer.scoring.embed.engine_protocol import Embedder, Span, Vectors
from scorer.scoring.embed.load_engine import load_embedder
from scorer.scoring.embed.model_traits import SAME_SCALE, CosineMap, traits_of
from scorer.scoring.embed.text_vectors import embed_texts, split_text
from scorer.scoring.embed.vector_cache import VectorCache

__all__ = [
    "SAME_SCALE",
    "CosineMap",
    "Embedder",
    "Span",
    "VectorCache",
    "Vectors",
    "embed_texts",
    "load_embedder",
    "split_text",
    "traits_of",
]

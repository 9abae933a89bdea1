"""Embedding of texts: the engines with their common protocol, the cutting of long texts into chunks, and caches.

No engine may report its use to its authors. ONNX Runtime does so by default from version 1.32 on, unless a variable is
set when it is imported. Every engine is a module of this package, so the variables are set before any engine is
imported.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

from scorer.scoring.embed.engine_protocol import Embedder, Span, Vectors
from scorer.scoring.embed.load_engine import load_embedder
from scorer.scoring.embed.text_vectors import embed_texts, split_text
from scorer.scoring.embed.vector_cache import VectorCache

__all__ = ["Embedder", "Span", "VectorCache", "Vectors", "embed_texts", "load_embedder", "split_text"]

"""Vectors for texts: engines behind one Protocol, chunking, and a memory of texts seen."""

from scorer.embed.cache import VectorCache
from scorer.embed.load import load_embedder
from scorer.embed.protocol import Embedder, Span, Vectors
from scorer.embed.texts import embed_texts, split_text

__all__ = ["Embedder", "Span", "VectorCache", "Vectors", "embed_texts", "load_embedder", "split_text"]

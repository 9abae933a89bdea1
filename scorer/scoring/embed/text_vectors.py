"""From whole texts to vectors: chunked, each different text once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scorer.scoring.embed.chunking import chunk_spans
from scorer.scoring.embed.engine_protocol import Embedder, Vectors, VocabularyAwareEmbedder
from scorer.scoring.embed.vector_cache import VectorCache, text_key


def embed_texts(embedder: Embedder, texts: Sequence[str], cache: VectorCache | None = None) -> list[Vectors]:
    """For each text an array [chunks, dimensions], chunks in the text's order; no rows for a text that it cannot read.

    Equal texts share one array (treat it as read-only). All new chunks go to the engine in one call, so that it can
    sort them by length. Raises what the engine raises; the cache then holds nothing new.
    """
    memory = cache if cache is not None else VectorCache()
    keys = [text_key(text) for text in texts]
    known: dict[bytes, Vectors] = {}
    fresh: dict[bytes, str] = {}
    for key, text in zip(keys, texts, strict=True):
        if key in known or key in fresh:
            continue
        vectors = memory.get(key)
        if vectors is None:
            fresh[key] = text
        else:
            known[key] = vectors
    known.update(_embed_fresh(embedder, fresh))
    for key in fresh:
        memory.put(key, known[key])
    return [known[key] for key in keys]


def split_text(embedder: Embedder, text: str) -> list[str]:
    """The chunks of ``text``; a short text is its own only chunk."""
    return [text[start:end] for start, end in chunk_spans(text, embedder.spans(text), embedder.max_tokens)]


def _embed_fresh(embedder: Embedder, texts: dict[bytes, str]) -> dict[bytes, Vectors]:
    if not texts:
        return {}
    covers = embedder.covers if isinstance(embedder, VocabularyAwareEmbedder) else _covers_all
    chunks = {key: split_text(embedder, text) if covers(text) else [] for key, text in texts.items()}
    different = list(dict.fromkeys(chunk for parts in chunks.values() for chunk in parts))  # a loop repeats itself
    rows = dict(zip(different, embedder.embed(different), strict=True)) if different else {}
    nothing = np.empty((0, embedder.dimensions), np.float32)
    # Copies, not views: a cached row must not keep its whole batch.
    return {key: np.stack([rows[part] for part in parts]) if parts else nothing for key, parts in chunks.items()}


def _covers_all(_: str) -> bool:
    return True

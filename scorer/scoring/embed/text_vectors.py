"""Embed whole texts: cut them into chunks, and embed each distinct chunk once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scorer.scoring.embed.chunking import chunk_spans, sampled_indices
from scorer.scoring.embed.engine_protocol import Embedder, Vectors, VocabularyAwareEmbedder
from scorer.scoring.embed.model_traits import traits_of
from scorer.scoring.embed.vector_cache import VectorCache, text_key


def embed_texts(embedder: Embedder, texts: Sequence[str], cache: VectorCache | None = None) -> list[Vectors]:
    """Return one array [chunks, dimensions] for each text, in order. Each row is the vector of one chunk of the text.

    If a text has more than MOST_CHUNKS chunks, only MOST_CHUNKS of them are embedded (``sampled_indices``). An array
    has no rows if the engine's vocabulary does not cover the text. Equal texts share one array, so the caller must not
    change the arrays. The chunks of all texts that are not in the cache are embedded in one call, so that the engine
    can sort them by length. If the engine raises an error, the cache is unchanged.
    """
    vectors_by_text = cache if cache is not None else VectorCache()
    keys = [text_key(text) for text in texts]
    known: dict[bytes, Vectors] = {}
    fresh: dict[bytes, str] = {}
    for key, text in zip(keys, texts, strict=True):
        if key in known or key in fresh:
            continue
        vectors = vectors_by_text.get(key)
        if vectors is None:
            fresh[key] = text
        else:
            known[key] = vectors
    known.update(_embed_fresh(embedder, fresh))
    for key in fresh:
        vectors_by_text.put(key, known[key])
    return [known[key] for key in keys]


def split_text(embedder: Embedder, text: str) -> list[str]:
    """Return the chunks of ``text``, in order. A text within the engine's token limit is a single chunk."""
    limit = embedder.max_tokens - traits_of(embedder).prefix_tokens
    return [text[start:end] for start, end in chunk_spans(text, embedder.spans(text), limit)]


def _embed_fresh(embedder: Embedder, texts: dict[bytes, str]) -> dict[bytes, Vectors]:
    if not texts:
        return {}
    covers = embedder.covers if isinstance(embedder, VocabularyAwareEmbedder) else _covers_all
    chunks = {key: _sampled(split_text(embedder, text)) if covers(text) else [] for key, text in texts.items()}
    distinct = list(
        dict.fromkeys(chunk for parts in chunks.values() for chunk in parts)
    )  # repetitive answers have equal chunks
    prefix = traits_of(embedder).prefix
    rows = dict(zip(distinct, embedder.embed([prefix + part for part in distinct]), strict=True)) if distinct else {}
    no_rows = np.empty((0, embedder.dimensions), np.float32)
    # np.stack copies the vectors. A cached view would keep the vectors of its whole batch in memory.
    return {key: np.stack([rows[part] for part in parts]) if parts else no_rows for key, parts in chunks.items()}


def _sampled(chunks: list[str]) -> list[str]:
    return [chunks[i] for i in sampled_indices(len(chunks))]


def _covers_all(_: str) -> bool:
    return True

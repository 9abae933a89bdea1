"""The reference engine: sentence-transformers on torch (extra ``scorer``). It runs any sentence-transformers model.

The tests compare the other engines with this engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glidepath.config.processes import EmbedderSection
from glidepath.errors import ConfigError, DependencyError, error_text
from scorer.scoring.embed.engine_protocol import Span, Vectors
from scorer.scoring.embed.model_files import find_model
from scorer.scoring.embed.token_estimate import approximate_spans
from scorer.scoring.embed.valid_unicode import well_formed
from scorer.scoring.embed.vocabulary_coverage import VocabularyCoverage

_DEFAULT_TOKENS = 256  # if the model has no limit of tokens in its configuration


class ReferenceEmbedder:
    """Embeds texts with the class SentenceTransformer of the package sentence-transformers."""

    def __init__(self, section: EmbedderSection) -> None:
        """Load the model.

        Raises DependencyError if sentence-transformers is not installed, and ConfigError if the model cannot be loaded.
        """
        try:
            import torch
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise DependencyError(
                "scorer.embedder.engine: sentence-transformers is not installed (pip install 'glidepath[scorer]')"
            ) from error
        torch.set_num_threads(section.threads)
        folder = find_model(section.model)
        try:
            self._model: Any = SentenceTransformer(str(folder or section.model))
        except (OSError, ValueError) as error:
            reason = error_text(error)
            raise ConfigError(f"scorer.embedder.model: {section.model!r} cannot be loaded: {reason}") from error
        self.name = f"sentence-transformers:{section.model}"
        self.dimensions = int(self._model.get_embedding_dimension() or 0)
        self.max_tokens = int(self._model.max_seq_length or _DEFAULT_TOKENS) - 2
        self._batch = section.batch
        fast = getattr(self._model.tokenizer, "backend_tokenizer", None)
        self._coverage = VocabularyCoverage(fast) if fast is not None else None

    def covers(self, text: str) -> bool:
        """Return whether the vocabulary covers the scripts of the text, or True if the vocabulary is unknown."""
        return self._coverage is None or self._coverage.covers(text)

    def spans(self, text: str) -> Sequence[Span]:
        tokenizer = self._model.tokenizer
        if not getattr(tokenizer, "is_fast", False):
            return approximate_spans(text)
        options = {"add_special_tokens": False, "truncation": False, "verbose": False}
        spans: Sequence[Span] = tokenizer(well_formed(text), return_offsets_mapping=True, **options)["offset_mapping"]
        return spans

    def embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        options = {"batch_size": self._batch, "normalize_embeddings": True, "show_progress_bar": False}
        return np.asarray(self._model.encode([well_formed(text) for text in texts], **options), np.float32)

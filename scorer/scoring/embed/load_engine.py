"""Load the configured embedding engine.

Only the module of the configured engine is imported, because the import of torch, which one engine needs, takes three
seconds.
"""

from __future__ import annotations

from glidepath.config.processes import EmbedderSection
from scorer.scoring.embed.engine_protocol import Embedder


def load_embedder(section: EmbedderSection) -> Embedder:
    """Return the configured engine. Raises ConfigError for an unknown model and DependencyError for a missing extra."""
    match section.engine:
        case "onnxruntime":
            from scorer.scoring.embed.onnx_engine import OnnxEmbedder

            return OnnxEmbedder(section)
        case "openvino":
            from scorer.scoring.embed.openvino_engine import OpenVinoEmbedder

            return OpenVinoEmbedder(section)
        case "sentence-transformers":
            from scorer.scoring.embed.sentence_transformers_engine import ReferenceEmbedder

            return ReferenceEmbedder(section)
        case "remote":
            from scorer.scoring.embed.remote_engine import RemoteEmbedder

            return RemoteEmbedder(section)

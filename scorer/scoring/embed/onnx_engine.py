"""The default embedding engine: ONNX Runtime. It loads in 0.2 s and needs a third of the memory of torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glidepath.config.processes import EmbedderSection
from scorer.scoring.embed.bert_to_onnx import GRAPH_FILE, OUTPUT
from scorer.scoring.embed.engine_protocol import Span, Vectors
from scorer.scoring.embed.model_directory import model_directory
from scorer.scoring.embed.model_files import read_shape
from scorer.scoring.embed.prebuilt_graph import graph_directory
from scorer.scoring.embed.tokenize_and_batch import Ids, WordPieces, run_batches


class OnnxEmbedder:
    """Embeds texts by running the model's ONNX graph on ONNX Runtime."""

    def __init__(self, section: EmbedderSection, cache: Path | None = None) -> None:
        """Load the model.

        ``cache`` is the directory of the graph cache; None means the user's cache directory. Raises ConfigError for an
        unknown or unsupported model, and DependencyError if the package of the model is not installed.
        """
        self.name = f"onnxruntime:{section.model}"
        self._batch = section.batch
        with model_directory(section.model, cache) as folder:
            shape = read_shape(folder)
            self.dimensions = shape.hidden
            self._pieces = WordPieces(folder, shape.max_tokens)
            self.max_tokens = shape.max_tokens
            with graph_directory(folder, shape, cache) as place:
                self._session = _session(place / GRAPH_FILE, section.threads)

    def spans(self, text: str) -> Sequence[Span]:
        return self._pieces.spans(text)

    def covers(self, text: str) -> bool:
        return self._pieces.covers(text)

    def embed(self, texts: Sequence[str]) -> Vectors:
        return run_batches(self._run, [self._pieces.ids(text) for text in texts], self._batch, self.dimensions)

    def _run(self, ids: Ids, mask: Ids) -> Vectors:
        vectors: Vectors = self._session.run([OUTPUT], {"input_ids": ids, "attention_mask": mask})[0]
        return vectors


def _session(graph: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A memory arena would never free its largest block for each shape, and batches have many shapes.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])

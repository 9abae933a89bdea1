"""Lines of a file of answer pairs, and an embedder without a model."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from scorer.scoring.embed import Span, Vectors

SSE = (
    'data: {"choices":[{"index":0,"delta":{"content":"It is "}}]}\n\n'
    'data: {"choices":[{"index":0,"delta":{"content":"5."},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


class LetterCounts:
    """An embedder that counts letters. It records the texts that it is asked to embed."""

    name, dimensions, max_tokens = "letters", 26, 1000

    def __init__(self) -> None:
        self.asked: list[str] = []

    def spans(self, text: str) -> Sequence[Span]:
        return [(0, len(text))]

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        rows = np.array([[1e-6 + t.lower().count(chr(97 + i)) for i in range(26)] for t in texts], dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def chat(text: str) -> dict[str, object]:
    """The body of a chat completion."""
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}


def line(pair_id: object, baseline: object, candidate: object, **more: object) -> bytes:
    """One line of the file."""
    pair = {"id": pair_id, "request": {"messages": []}, "baseline": baseline, "candidate": candidate, **more}
    return json.dumps(pair).encode() + b"\n"

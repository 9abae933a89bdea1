"""Build the lines of a file of answer pairs."""

from __future__ import annotations

import json

SSE = (
    'data: {"choices":[{"index":0,"delta":{"content":"It is "}}]}\n\n'
    'data: {"choices":[{"index":0,"delta":{"content":"5."},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


def chat(text: str) -> dict[str, object]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}


def line(pair_id: object, baseline: object, candidate: object, **more: object) -> bytes:
    pair = {"id": pair_id, "request": {"messages": []}, "baseline": baseline, "candidate": candidate, **more}
    return json.dumps(pair).encode() + b"\n"

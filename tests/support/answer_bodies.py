"""Build bodies in the formats of servers, and extract the answer from a body."""

from __future__ import annotations

import json
from typing import Any

from scorer.scoring.answers import Extracted, Unusable, extract

ASK = b'{"messages": [{"role": "user", "content": "hi"}]}'


def answer(
    body: object,
    request: bytes = ASK,
    content_type: str = "application/json",
    path: str = "/v1/chat/completions",
    **more: Any,
) -> Any:
    """Return the extracted answer. ``body`` is bytes, text, or a value that is sent as JSON."""
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    found: Extracted | Unusable = extract(
        path=path, content_type=content_type, status=200, request_body=request, response_body=raw, **more
    )
    return found


def chat(message: dict[str, Any], finish: object = "stop", **more: Any) -> dict[str, Any]:
    return {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": finish}], **more}


def stream(*deltas: dict[str, Any], finish: str = "stop", done: bool = True, ending: str = "\n\n") -> str:
    """Return a stream of OpenAI chat completions. ``done``: append ``[DONE]``. ``ending``: the end of each event."""
    docs: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    docs.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return ending.join([f"data: {json.dumps(doc)}" for doc in docs] + (["data: [DONE]"] if done else [])) + ending


def call(
    name: str | None = None, arguments: str | None = None, index: int | None = None, call_id: str | None = None
) -> dict[str, Any]:
    """Return a tool call in OpenAI's format, or a piece of one."""
    return {"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}

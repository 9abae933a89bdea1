"""Finds the texts in a request and in its answer that the model's tokenizer reads.

The usual formats of inference APIs are supported. The few tokens that a chat template adds to each message are not
counted, because the bodies do not contain them. Images and audio are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

MOST_BYTES = 256 * 1024  # of a body; the tokens of a longer one are not counted
_DEPTH = 12
_OF_REQUEST = (
    "messages",
    "prompt",
    "input",
    "inputs",
    "system",
    "instructions",
    "contents",
    "systemInstruction",
    "query",
)
_TEXTS = (
    "content",
    "text",
    "refusal",
    "reasoning_content",
    "reasoning",
    "thinking",
    "arguments",
    "generated_text",
    "parts",
)
_OF_ANSWER = ("choices", "message", "delta", "output", "candidates", "function", "tool_calls", "response", *_TEXTS)


def request_text(body: bytes) -> str | None:
    """Return the texts of a request and the schemas of its tools.

    Return None if the body is not a JSON object or is too long.
    """
    document = _parsed(body) if len(body) <= MOST_BYTES else None
    if not isinstance(document, dict):
        return None
    texts = [text for key in _OF_REQUEST for text in _strings(document.get(key), None, _DEPTH)]
    if document.get("tools"):
        texts.append(json.dumps(document["tools"], ensure_ascii=False))
    return "\n".join(texts)


def answer_text(body: bytes) -> str | None:
    """Return the texts of an answer or of all events of a stream. Return None if it is unreadable or too long."""
    if len(body) > MOST_BYTES:
        return None
    document = _parsed(body)
    if isinstance(document, dict | list):
        return "".join(_strings(document, _OF_ANSWER, _DEPTH))
    events = [_parsed(line.partition(b":")[2]) for line in body.splitlines() if line.startswith(b"data:")]
    documents = [event for event in events if isinstance(event, dict)]
    return "".join(t for event in documents for t in _strings(event, _OF_ANSWER, _DEPTH)) if documents else None


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _strings(value: Any, keys: tuple[str, ...] | None, depth: int) -> Iterator[str]:
    """Yield the texts inside a value, at most ``depth`` levels deep.

    ``keys``: the members of an object that are read; None: those that contain texts.
    """
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, list):
        for item in value:
            if not isinstance(item, int | float):
                yield from _strings(item, keys, depth - 1)
    elif depth and isinstance(value, dict):
        for key in keys if keys is not None else (*_TEXTS, "tool_calls", "function"):
            if key in value:
                yield from _strings(value[key], keys, depth - 1)

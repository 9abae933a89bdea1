"""Finds the first content of a streamed answer: the first piece of text, of reasoning or of a tool call.

Before the first content, a server may send events without content: a keep-alive comment, a ping, the role of the
message, or the new response object. The time of these events says nothing about the model.

The work is bounded: at most EVENTS events are parsed. An event that cannot be read counts as content. Such events are
in compressed streams, in Amazon's binary event streams, and in unknown formats.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from glidepath.latency import is_streamed

EVENTS = 64  # events that are parsed; the next one counts as content
LONGEST = 64 * 1024  # bytes of an incomplete event that are kept; a longer event counts as content
_UNREADABLE = "application/vnd.amazon.eventstream"
_DELTAS = (  # of OpenAI's chat completions, and of servers that are compatible with it
    "content", "reasoning", "reasoning_content", "reasoning_details", "thinking", "refusal", "tool_calls",
    "function_call", "audio",
)  # fmt: skip
_CALLS = ("function_call", "custom_tool_call", "tool_use", "server_tool_use", "mcp_call")


class FirstContent:
    """Reads the pieces of one answer in order, and finds the piece with the first content."""

    __slots__ = ("_parsed", "_readable", "_rest")

    def __init__(self, content_type: str, content_encoding: str = "") -> None:
        kind = content_type.partition(";")[0].strip().lower()
        plain = content_encoding.strip().lower() in ("", "identity")
        self._readable = is_streamed(content_type) and plain and kind != _UNREADABLE
        self._rest, self._parsed = b"", 0

    def is_in(self, piece: bytes) -> bool:
        """Return whether this piece contains, or may contain, the first content."""
        if not self._readable:
            return bool(piece)
        lines = (self._rest + piece).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LONGEST:
            return True
        return any(self._is_content(line) for line in lines)

    def _is_content(self, line: bytes) -> bool:
        line = line.strip()
        if not line or line.startswith((b":", b"event:", b"id:", b"retry:")):
            return False
        self._parsed += 1
        return self._parsed > EVENTS or has_content(line.removeprefix(b"data:"))


def has_content(data: bytes) -> bool:
    """Return whether the data of an event has content. Data of an unknown form counts as content."""
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return bool(data.strip())  # text counts, and "[DONE]" too, because no content follows it
    if not isinstance(event, dict):
        return True
    for key, reads in _FORMS:
        if key in event:
            return reads(event)
    return True


def _in_choices(event: Mapping[str, Any]) -> bool:
    choices = event["choices"]
    if not isinstance(choices, list):
        return True
    return any(_in_choice(choice) for choice in choices)


def _in_choice(choice: object) -> bool:
    if not isinstance(choice, dict):
        return True
    delta = choice.get("delta", choice.get("message"))
    if isinstance(delta, dict):
        return any(delta.get(name) for name in _DELTAS)
    return bool(choice.get("text")) or ("text" not in choice and "delta" not in choice)


def _in_typed_event(event: Mapping[str, Any]) -> bool:
    """Return whether an event of Anthropic's Messages API, OpenAI's Responses API or Cohere has content."""
    kind = str(event["type"])
    if kind in ("content_block_start", "response.output_item.added"):
        block = event.get("content_block", event.get("item"))
        return isinstance(block, dict) and block.get("type") in _CALLS
    if kind == "content_block_delta":
        delta = event.get("delta")
        return isinstance(delta, dict) and any(value for name, value in delta.items() if name != "type")
    if kind in ("tool-call-start", "content-delta", "tool-plan-delta"):
        return True
    if kind.endswith(".delta"):
        return bool(event.get("delta"))
    return kind not in _WITHOUT_CONTENT and not kind.startswith("response.")


_WITHOUT_CONTENT = (
    "message_start", "ping", "content_block_stop", "message_delta", "message_stop", "message-start", "content-start",
)  # fmt: skip


def _in_candidates(event: Mapping[str, Any]) -> bool:
    candidates = event["candidates"]
    if not isinstance(candidates, list):
        return True
    return any(isinstance(one, dict) and _has_parts(one.get("content")) for one in candidates)


def _has_parts(content: object) -> bool:
    return isinstance(content, dict) and bool(content.get("parts"))


def _in_message(event: Mapping[str, Any]) -> bool:
    message = event["message"]
    if not isinstance(message, dict):
        return True
    return any(message.get(name) for name in ("content", "thinking", "tool_calls", "images"))


def _in_cohere_event(event: Mapping[str, Any]) -> bool:
    return event["event_type"] not in ("stream-start", "search-queries-generation")


# The function that reads an event, by a member that shows its form. The first member present decides.
_FORMS: tuple[tuple[str, Callable[[Mapping[str, Any]], bool]], ...] = (
    ("choices", _in_choices),
    ("event_type", _in_cohere_event),
    ("type", _in_typed_event),
    ("candidates", _in_candidates),
    ("message", _in_message),  # Ollama's chat
    ("response", lambda event: bool(event["response"]) or bool(event.get("thinking"))),  # Ollama's generate
    ("meta_info", lambda event: bool(event.get("text")) or bool(event.get("output_ids"))),  # SGLang's generate
)

"""Reads the last events of a stream of server-sent events."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass

from glidepath.answer_content import TAIL

DOCUMENT = 256 * 1024  # bytes of the largest JSON document that is parsed
EVENTS = 8  # events at the end of a stream that are read
# Types of the event that ends an answer without a fault, in the APIs of Anthropic, OpenAI and Cohere.
ENDS = ("message_stop", "response.completed", "response.incomplete", "message-end", "stream-end")
BLANK = b" \t\r\n\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """A data line of a stream, without white space at its ends. ``doc`` is {} if the line is not a JSON object."""

    name: str
    data: bytes
    doc: dict[str, object]

    @classmethod
    def of(cls, name: str, data: bytes) -> StreamEvent:
        return cls(name, data.strip(), json_object(data))


def last_events(body: bytes) -> list[StreamEvent]:
    """Return the last data lines of a stream of server-sent events, in order. The rest of the stream is not read."""
    lines = body[-TAIL:].replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    if len(body) > TAIL:
        lines = lines[1:]
        if not any(line.startswith(b"data:") for line in lines):  # one large event
            last = body.rstrip(BLANK)
            return [StreamEvent.of("", last[last.rfind(b"\ndata:") + 6 :])]
    name, found = "", deque(maxlen=EVENTS)  # type: str, deque[tuple[str, bytes]]
    for line in lines:
        if line.startswith(b"event:"):
            name = shown_text(line[6:].strip())
        elif line.startswith(b"data:"):
            found.append((name, line[5:]))
        elif not line:
            name = ""
    return [StreamEvent.of(*event) for event in found]


def json_object(data: bytes) -> dict[str, object]:
    """Return a JSON object of at most ``DOCUMENT`` bytes, or {} for any other data."""
    data = data.strip()
    if not data.startswith(b"{") or len(data) > DOCUMENT:
        return {}
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def shown_text(data: bytes) -> str:
    """Return the text of any bytes; U+FFFD stands for what is not UTF-8."""
    return data.decode("utf-8", "replace")

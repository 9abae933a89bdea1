"""Finds the last event of a streamed answer. After it, the answer is complete, although its connection may stay open.

Many clients leave when they have read this event. What a server sends after it, no client reads. Streams in which no
event is certainly the last one (Gemini, Bedrock, TGI) end with their connection; ``failed_answers.has_ended`` decides
about these once the connection has ended.

A piece takes little work: one search for the beginning of its last event, and one comparison.
"""

from __future__ import annotations

import json
from itertools import product

from glidepath.last_events import ENDS

_BEGINNING, _ENDING = 64, 3  # bytes of an incomplete event that are kept, so that its kind and its end are found
_TYPES = (*ENDS, "response.failed", "error")  # an answer that failed has ended, too
_SPACES = ("", " ")
_NAMES = (f"event:{space}{kind}{line_end}" for kind, space, line_end in product(_TYPES, _SPACES, "\r\n"))
_MEMBERS = (f'data:{one}{{"type":{other}"{kind}"' for kind, one, other in product(_TYPES, _SPACES, _SPACES))
_LAST = tuple(text.encode() for text in ("data:[DONE]", "data: [DONE]", *_NAMES, *_MEMBERS))
_MAYBE_LAST = (b"data: [", b"data:[", b"event:", b'data: {"type"', b'data:{"type"')  # quick to exclude
_LF, _CRLF = b"\n\n", b"\r\n\r\n"
_DONE = (b'"done":true', b'"done": true')  # Ollama
_LINES = ("application/x-ndjson", "application/ndjson")


class AnswerEnd:
    """Reads the pieces of one answer in order, and finds the piece with the end of its last event."""

    __slots__ = ("_begun", "_is_lines", "_separator")

    def __init__(self, *, is_lines: bool) -> None:
        self._begun, self._is_lines, self._separator = b"", is_lines, _LF

    @classmethod
    def of(cls, content_type: str, content_encoding: str = "") -> AnswerEnd | None:
        """Return an object for an answer whose last event can be found, or None. A compressed answer is not read."""
        kind = content_type.partition(";")[0].strip().lower()
        if content_encoding.strip().lower() not in ("", "identity"):
            return None
        return cls(is_lines=kind in _LINES) if kind in ("text/event-stream", *_LINES) else None

    def is_in(self, piece: bytes) -> bool:
        """Return whether the last event of the answer ends with this piece.

        An event that is divided at an unusual place may be missed. Then the answer ends with its connection.
        """
        if self._is_lines:
            return any(mark in piece for mark in _DONE) and _is_last_line(piece)
        if self._begun:
            piece = self._begun + piece
        if not piece.endswith(self._separator) and piece.endswith(_CRLF):
            self._separator = _CRLF
        separator = self._separator
        start = piece.rfind(separator, 0, -len(separator))
        start = 0 if start < 0 else start + len(separator)
        if piece.endswith(separator):
            self._begun = b""
            return piece.startswith(_MAYBE_LAST, start) and piece.startswith(_LAST, start)
        event = piece[start:]
        long = len(event) > _BEGINNING + _ENDING
        self._begun = event[:_BEGINNING] + b"\0" + event[-_ENDING:] if long else event
        return False


def _is_last_line(piece: bytes) -> bool:
    """Return whether the last line of a piece is whole and is the last one of an answer of Ollama."""
    if not piece.endswith(b"\n"):
        return False
    try:
        line = json.loads(piece[piece.rfind(b"\n", 0, -1) + 1 :])
    except (ValueError, RecursionError):
        return False
    return isinstance(line, dict) and line.get("done") is True

"""Applies a rewrite to the text in a body, not to the body: what is JSON stays JSON.

Bodies are JSON, SSE or NDJSON far more often than prose. In the raw bytes a pattern would take the ``n`` of ``\\n`` for
a letter of the address behind it, leave a broken escape, or find nothing at all: an address that a stream delivers
arrives as ``jo``, ``hn@exa``, ``mple.com``. So strings are parsed, those at the same place of successive events
(``choices/0/delta/content``) joined, rewritten, and where that changed anything, put back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_LINES = 200_000
MAX_ESCAPES = 50_000
MAX_DEPTH = 100
STREAMS = frozenset({"text/event-stream", "application/x-ndjson", "application/jsonl", "application/json-lines"})
Apply = Callable[[str], str]
Place = tuple[str | int, ...]
_ESCAPE = re.compile(r"(\\(?:u[0-9a-fA-F]{4}|.))", re.DOTALL)


class TooMuchError(Exception):
    """A body has more parts than can be looked through in time."""


def rewrite(text: str, content_type: str, apply: Apply) -> str:
    """``text`` with ``apply`` done to every string in it. Raises TooMuchError, and whatever ``apply`` raises."""
    if content_type.partition(";")[0].strip().lower() in STREAMS:
        return _rewrite_stream(text, apply)
    return _rewrite_document(text, apply)


def _rewrite_document(text: str, apply: Apply) -> str:
    value = _parse(text)
    if value is None:
        return _rewrite_raw(text, apply)
    return _rewrite_json(text, value, apply)


def _rewrite_json(text: str, value: Any, apply: Apply) -> str:
    rewritten = _rewrite_value(value, apply, 0)
    return text if rewritten == value else _dump(rewritten)


def _rewrite_raw(text: str, apply: Apply) -> str:
    """Prose, or JSON that was cut: no match may begin within an escape."""
    parts = _ESCAPE.split(text, MAX_ESCAPES + 1)
    if len(parts) > 2 * MAX_ESCAPES:
        raise TooMuchError
    parts[::2] = [apply(part) if part else "" for part in parts[::2]]
    return "".join(parts)


def _rewrite_value(value: Any, apply: Apply, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise TooMuchError
    if isinstance(value, str):
        return apply(value)
    if isinstance(value, dict):
        return {apply(key): _rewrite_value(inner, apply, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rewrite_value(inner, apply, depth + 1) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**6:
        return value if apply(str(value)) == str(value) else 0  # a number stays a number
    return value


def _parse(text: str) -> Any:
    """The JSON object or array in ``text``, or None."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))  # ASCII: a lone surrogate has no other form


@dataclass(slots=True)
class _Line:
    """One line of a stream; ``value`` is its JSON, when it has some."""

    prefix: str
    text: str
    value: Any = None
    changed: bool = False


@dataclass(frozen=True, slots=True)
class _Piece:
    """Where one string stands: ``container[key]`` in ``line``."""

    line: _Line
    container: Any
    key: str | int

    @property
    def text(self) -> str:
        return str(self.container[self.key])

    def put(self, text: str) -> None:
        self.container[self.key] = text
        self.line.changed = True


def _rewrite_stream(text: str, apply: Apply) -> str:
    if text.count("\n") > MAX_LINES:
        raise TooMuchError
    lines = [_parse_line(line) for line in text.split("\n")]
    places: dict[Place, list[_Piece]] = {}
    for line in lines:
        if line.value is not None:
            _collect(line, line.value, (), places)
    for pieces in places.values():
        if len(pieces) > 1:
            _rewrite_joined(pieces, apply)
    return "\n".join(_rewrite_line(line, apply) for line in lines)


def _rewrite_joined(pieces: list[_Piece], apply: Apply) -> None:
    joined = "".join(piece.text for piece in pieces)
    rewritten = apply(joined)
    # What each piece shows by itself needs no joining (a name repeated in every event, say).
    if rewritten == joined or rewritten == "".join(apply(piece.text) for piece in pieces):
        return
    pieces[0].put(rewritten)
    for piece in pieces[1:]:
        piece.put("")


def _rewrite_line(line: _Line, apply: Apply) -> str:
    if line.value is None:
        return _rewrite_raw(line.text, apply)
    value = _rewrite_value(line.value, apply, 0)
    return line.prefix + _dump(value) if line.changed or value != line.value else line.text


def _parse_line(line: str) -> _Line:
    bare = line.rstrip("\r")
    prefix = ""
    if bare.startswith("data:"):
        prefix, bare = "data: ", bare[5:].lstrip()
    return _Line(prefix, line, _parse(bare))


def _collect(line: _Line, value: Any, place: Place, places: dict[Place, list[_Piece]]) -> None:
    """Every string below ``value`` by its place; ``index`` fields tell parallel choices and blocks apart."""
    if len(place) > 2 * MAX_DEPTH:
        raise TooMuchError
    items: Any = ()
    if isinstance(value, dict):
        index = value.get("index")
        place = (*place, f"#{index}") if isinstance(index, int) else place
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        here = (*place, key)
        if isinstance(inner, str):
            places.setdefault(here, []).append(_Piece(line, value, key))
        else:
            _collect(line, inner, here, places)

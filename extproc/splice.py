"""Text that a stream delivers in pieces, put together for a rewrite and taken apart again.

An e-mail address in an SSE answer arrives as ``jo``, ``hn@exa``, ``mple.com``: no pattern finds it in the raw body.
So the strings at the same place of successive events (``choices/0/delta/content``) are joined, rewritten, and where
that changed anything, put back whole into the first of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_LINES = 200_000
MAX_DEPTH = 32
STREAMS = frozenset({"text/event-stream", "application/x-ndjson", "application/jsonl", "application/json-lines"})
Place = tuple[str | int, ...]


@dataclass(slots=True)
class _Line:
    """One line; ``value`` is its JSON, when it has some."""

    prefix: str
    text: str
    value: Any = None
    changed: bool = False

    def __str__(self) -> str:
        if not self.changed:
            return self.text
        return self.prefix + json.dumps(self.value, ensure_ascii=False, separators=(",", ":"))


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


def splice_streamed(text: str, content_type: str, rewrite: Callable[[str], str]) -> str:
    """``text`` with ``rewrite`` applied across its events, if it is SSE or NDJSON; else unchanged.

    Raises TimeoutError for a stream with more lines than can be looked through.
    """
    if content_type.partition(";")[0].strip().lower() not in STREAMS:
        return text
    if text.count("\n") > MAX_LINES:
        raise TimeoutError("more lines than can be looked through")
    lines = [_parse(line) for line in text.split("\n")]
    places: dict[Place, list[_Piece]] = {}
    for line in lines:
        if line.value is not None:
            _collect(line, line.value, (), places)
    for pieces in places.values():
        if len(pieces) > 1:
            _rewrite(pieces, rewrite)
    return "\n".join(str(line) for line in lines)


def _rewrite(pieces: list[_Piece], rewrite: Callable[[str], str]) -> None:
    joined = "".join(piece.text for piece in pieces)
    rewritten = rewrite(joined)
    # What each piece shows by itself needs no joining (a name repeated in every event, say).
    if rewritten == joined or rewritten == "".join(rewrite(piece.text) for piece in pieces):
        return
    pieces[0].put(rewritten)
    for piece in pieces[1:]:
        piece.put("")


def _parse(line: str) -> _Line:
    bare = line.rstrip("\r")
    prefix = ""
    if bare.startswith("data:"):
        prefix, bare = "data: ", bare[5:].lstrip()
    if not bare.startswith("{"):
        return _Line(prefix, line)
    try:
        return _Line(prefix, line, json.loads(bare))
    except (ValueError, RecursionError):
        return _Line(prefix, line)


def _collect(line: _Line, value: Any, place: Place, places: dict[Place, list[_Piece]]) -> None:
    """Every string below ``value`` by its place; ``index`` fields tell parallel choices and blocks apart."""
    if len(place) >= MAX_DEPTH:
        return
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

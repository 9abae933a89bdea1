"""Rewrites the strings inside a JSON, SSE or NDJSON body and keeps the body valid.

A pattern for e-mail addresses shows why the raw bytes cannot be rewritten. The pattern would treat the ``n`` of
``\\n`` as a letter of the address that follows, it could leave a broken escape, and it would miss an address that a
stream delivers in pieces such as ``jo``, ``hn@exa``, ``mple.com``. This module therefore parses the JSON. In a stream,
it joins the strings that have the same path in all events (example: ``choices/0/delta/content``) and rewrites the
joined text. If the text changes, the new text replaces the first of the strings, and the other strings become empty.
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
StringPath = tuple[str | int, ...]
_ESCAPE = re.compile(r"(\\(?:u[0-9a-fA-F]{4}|.))", re.DOTALL)


class BodyTooComplexError(Exception):
    """A body cannot be rewritten in time, because it has too many lines, escapes or nested levels."""


def rewrite(text: str, content_type: str, apply: Apply) -> str:
    """Return the body ``text`` with every string in it, including object keys, replaced by ``apply`` of the string.

    An integer of seven or more digits is passed to ``apply`` as text, and becomes 0 if ``apply`` changes it. Raises
    BodyTooComplexError, and the errors of ``apply``.
    """
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
    """Rewrite a body that is plain text or incomplete JSON.

    ``apply`` gets only the text between two JSON escapes, so that no match includes a part of an escape.
    """
    parts = _ESCAPE.split(text, MAX_ESCAPES + 1)
    if len(parts) > 2 * MAX_ESCAPES:
        raise BodyTooComplexError
    parts[::2] = [apply(part) if part else "" for part in parts[::2]]
    return "".join(parts)


def _rewrite_value(value: Any, apply: Apply, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise BodyTooComplexError
    if isinstance(value, str):
        return apply(value)
    if isinstance(value, dict):
        return {apply(key): _rewrite_value(inner, apply, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rewrite_value(inner, apply, depth + 1) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**6:
        return value if apply(str(value)) == str(value) else 0  # 0, so that the JSON type is still a number
    return value


def _parse(text: str) -> Any:
    """Return the JSON object or array in ``text``, or None if ``text`` is anything else."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))  # ASCII output, because a lone surrogate needs an escape


@dataclass(slots=True)
class _Line:
    """One line of a stream. ``value`` is the JSON object or array in the line, parsed, or None if there is none."""

    prefix: str
    text: str
    value: Any = None
    changed: bool = False


@dataclass(frozen=True, slots=True)
class _StringSlot:
    """The location of one string: ``container[key]`` in ``line``."""

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
        raise BodyTooComplexError
    lines = [_parse_line(line) for line in text.split("\n")]
    slots_by_path: dict[StringPath, list[_StringSlot]] = {}
    for line in lines:
        if line.value is not None:
            _collect(line, line.value, (), slots_by_path)
    for slots in slots_by_path.values():
        if len(slots) > 1:
            _rewrite_joined(slots, apply)
    return "\n".join(_rewrite_line(line, apply) for line in lines)


def _rewrite_joined(slots: list[_StringSlot], apply: Apply) -> None:
    joined = "".join(slot.text for slot in slots)
    rewritten = apply(joined)
    # If no match spans several strings, each string is rewritten on its own later (example: a name in every event).
    if rewritten == joined or rewritten == "".join(apply(slot.text) for slot in slots):
        return
    slots[0].put(rewritten)
    for slot in slots[1:]:
        slot.put("")


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


def _collect(line: _Line, value: Any, path: StringPath, slots_by_path: dict[StringPath, list[_StringSlot]]) -> None:
    """Add every string inside ``value`` to ``slots_by_path``.

    If an object has the field ``index``, its number becomes a part of the path. The strings of two choices or content
    blocks with different numbers are therefore not joined.
    """
    if len(path) > 2 * MAX_DEPTH:
        raise BodyTooComplexError
    items: Any = ()
    if isinstance(value, dict):
        index = value.get("index")
        path = (*path, f"#{index}") if isinstance(index, int) else path
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        here = (*path, key)
        if isinstance(inner, str):
            slots_by_path.setdefault(here, []).append(_StringSlot(line, value, key))
        else:
            _collect(line, inner, here, slots_by_path)

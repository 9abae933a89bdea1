"""Divides the text of a body into parts: JSON values, the data of server-sent events, and other text.

The content type is ignored, because a wrong one would hide strings from a redaction pattern. The form is recognised
from the text itself:

1. JSON values one after another: a document, NDJSON, JSON text sequences (RFC 7464), values without separators.
2. Lines: server-sent events (WHATWG HTML, 9.2), JSON values on some of the lines.
3. Anything else: one text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from extproc.json_tree import BodyTooComplexError, parse, parse_structure

MAX_PARTS = 200_000
_BETWEEN = re.compile(r"[ \t\r\n,\x1e\ufeff]*")  # what may be between two JSON values
_LINE = re.compile(r"([^\r\n]*)(\r\n|\n|\r|\Z)")
_DATA = re.compile(r"\ufeff?data(?:: ?|$)")


def _as_it_is(text: str) -> str:
    return text


@dataclass(slots=True)
class Part:
    """A part of a body. The concatenated ``text`` of all parts is the body.

    ``value``: the JSON object or array of the part as a tree, or None.
    ``data``: the content of the part without its framing, such as the data of an event.
    ``wrap``: returns the text of the part for a new JSON text or new data.
    ``joins``: whether a string may begin in this part and continue in the next ones.
    """

    text: str
    value: Any = None
    data: str = ""
    wrap: Callable[[str], str] = field(default=_as_it_is)
    joins: bool = False


def read_parts(text: str) -> list[Part]:
    """Return the parts of a body. Raises BodyTooComplexError if there are too many."""
    parts = _json_values(text)
    if parts is None:
        parts = _lines(text)
    if not any(part.joins for part in parts):
        return [Part(text)]
    return parts


def _limited(parts: list[Part]) -> list[Part]:
    if len(parts) > MAX_PARTS:
        raise BodyTooComplexError
    return parts


def _json_values(text: str) -> list[Part] | None:
    """Return the parts of a body that consists of JSON objects and arrays, or None if it does not."""
    parts: list[Part] = []
    at = 0
    while True:
        found = _BETWEEN.match(text, at)
        start = found.end() if found else at
        if start > at:
            parts.append(Part(text[at:start]))
        if start == len(text):
            return _limited(parts)
        if text[start] not in "{[":
            return None
        try:
            value, at = parse(text, start)
        except ValueError:
            return None
        parts.append(Part(text[start:at], value, joins=True))
        _limited(parts)


def _lines(text: str) -> list[Part]:
    parts: list[Part] = []
    event: list[Part] = []  # the parts of the data lines of the current event
    other: list[str] = []  # the lines before the next part

    def take_other_lines() -> None:
        if other:
            parts.append(Part("".join(other)))
            other.clear()

    for line, end in _divided(text):
        value = _value_of_line(line)
        if data := _DATA.match(line):
            take_other_lines()
            event.append(Part(line + end, data=line[data.end() :], joins=True))
            parts.append(event[-1])
        elif value is not None:
            take_other_lines()
            parts.append(Part(line, value, joins=True))
            other.append(end)
        else:
            other.append(line + end)
        if not line:
            _complete(event)
            event = []
        _limited(parts)
    _complete(event)
    take_other_lines()
    return parts


def _value_of_line(line: str) -> Any:
    bare = line.strip("\ufeff\x1e \t")
    return parse_structure(bare) if bare[:1] in ("{", "[") else None


def _divided(text: str) -> Iterator[tuple[str, str]]:
    """Yield each line of the text together with its line break."""
    for found in _LINE.finditer(text):
        if found[0]:
            yield found[1], found[2]


def _complete(event: list[Part]) -> None:
    """Store the data of all lines of an event, joined by line breaks, in the event's first part. Set its ``wrap``."""
    if not event:
        return
    first, others = event[0], event[1:]
    end = re.sub(r"[^\r\n]", "", event[-1].text) or "\n"
    first.data = "\n".join(line.data for line in event)
    first.value = parse_structure(first.data)
    for line in others:
        line.joins = False

    def wrap(text: str) -> str:
        for line in others:
            line.text = ""
        return "".join(f"data: {line}{end}" for line in text.split("\n"))

    first.wrap = wrap

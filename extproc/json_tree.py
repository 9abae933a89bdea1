"""Parses JSON into a tree that keeps everything: repeated member names, and numbers exactly as they are written.

``json.loads`` keeps only the last of two members with the same name. A redaction pattern would then never be applied to
the first member, which stays in the stored text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from json.encoder import encode_basestring_ascii
from typing import Any

MAX_DEPTH = 100


class BodyTooComplexError(Exception):
    """A body cannot be rewritten within the time limit: it has too many lines, escapes or nested levels."""


class Number(str):
    """A JSON number in its original spelling."""

    __slots__ = ()


class Members(list[list[Any]]):
    """The members of a JSON object in their original order. Each is a list: its name and its value."""

    __slots__ = ()


def _members(pairs: list[tuple[str, Any]]) -> Members:
    return Members([name, value] for name, value in pairs)


# Not strict: a string may contain control characters. Some clients accept them, so they must not hide a match.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_float=Number, parse_int=Number, parse_constant=Number, strict=False
)


def parse(text: str, start: int) -> tuple[Any, int]:
    """Return the JSON value that begins at position ``start``, and the position after it.

    Raises ValueError if no JSON value begins there, and BodyTooComplexError if it is nested too deeply.
    """
    try:
        return _DECODER.raw_decode(text, start)
    except RecursionError:
        raise BodyTooComplexError from None


def parse_structure(text: str) -> Any:
    """Return the JSON object or array that makes up ``text``, or None if ``text`` is anything else."""
    stripped = text.strip(" \t\r\n")
    if stripped[:1] not in ("{", "["):
        return None
    try:
        value, end = parse(stripped, 0)
    except ValueError:
        return None
    return value if end == len(stripped) else None


def dump(value: Any) -> str:
    """Return a value as JSON in ASCII. (A lone surrogate can only be written as an escape.)"""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if isinstance(value, Members):
        return "{" + ",".join(f"{encode_basestring_ascii(name)}:{dump(inner)}" for name, inner in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]"
    return {True: "true", False: "false", None: "null"}[value]


def mapped(value: Any, text: Callable[[str], str], number: Callable[[Number], Number], depth: int = 0) -> Any:
    """Return the tree after applying ``text`` to every string and member name, and ``number`` to every number.

    Raises BodyTooComplexError if the tree is deeper than MAX_DEPTH.
    """
    if depth > MAX_DEPTH:
        raise BodyTooComplexError
    if isinstance(value, Number):
        return number(value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Members):
        return Members([text(name), mapped(inner, text, number, depth + 1)] for name, inner in value)
    if isinstance(value, list):
        return [mapped(inner, text, number, depth + 1) for inner in value]
    return value


def children(value: Any) -> Iterator[tuple[str | int, Any]]:
    """Yield each child of an object or array: its name or position, and its value."""
    if isinstance(value, Members):
        yield from ((name, inner) for name, inner in value)
    elif isinstance(value, list):
        yield from enumerate(value)

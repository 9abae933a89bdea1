"""Join the arguments of a tool call that Gemini streams in pieces, each with a JSONPath.

Source: docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling ("Streaming function call
arguments"): a piece has ``jsonPath`` and one value. A string continues in the next piece with the same path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from scorer.scoring.answers.strict_json import MAX_DEPTH, MAX_ITEMS, malformed, string, too_large, unsupported

Path = tuple[str | int, ...]

_STEP = re.compile(r"""\.([^.\[\]'"*]+)|\[(\d{1,6})\]|\['([^'\\]*)'\]|\["([^"\\]*)"\]""")
_VALUES = ("stringValue", "numberValue", "boolValue")


@dataclass(slots=True)
class PartialArguments:
    """The pieces of one call's arguments, by path. ``build`` returns the arguments as an object."""

    _strings: dict[Path, list[str]] = field(default_factory=dict)
    _others: dict[Path, object] = field(default_factory=dict)

    def add(self, piece: dict[str, object]) -> None:
        path = _path(string(piece.get("jsonPath"), "jsonPath"))
        name = next((name for name in _VALUES if name in piece), "")
        if name == "stringValue":
            self._strings.setdefault(path, []).append(string(piece[name], name))
        elif name or "nullValue" in piece:
            self._others[path] = piece[name] if name else None
        if len(self._strings) + len(self._others) > MAX_ITEMS:
            raise too_large(f"arguments with more than {MAX_ITEMS} values")

    def build(self) -> dict[str, object]:
        root: dict[str | int, object] = {}
        leaves = {path: "".join(pieces) for path, pieces in self._strings.items()}
        for path, value in (leaves | self._others).items():
            place = root
            for step in path[:-1]:
                inner = place.setdefault(step, {})
                if not isinstance(inner, dict):
                    raise malformed("two partial arguments contradict each other")
                place = inner
            place[path[-1]] = value
        built = _with_arrays(root)
        if not isinstance(built, dict):
            raise malformed("the arguments are not an object")
        return built


def _path(text: str) -> Path:
    """Return the steps of a JSONPath such as ``$.orders[0].name``: names as str, positions as int."""
    steps: list[str | int] = []
    at = 1
    while text.startswith("$") and at < len(text) and len(steps) <= MAX_DEPTH and (match := _STEP.match(text, at)):
        index = match[2]
        steps.append(int(index) if index is not None else next(g for g in match.group(1, 3, 4) if g is not None))
        at = match.end()
    if not steps or at < len(text):
        raise unsupported(f"partial arguments at the path {text[:80]}")
    return tuple(steps)


def _with_arrays(value: object) -> object:
    """Replace each dict whose keys are positions with the list of its values, ordered by position."""
    if not isinstance(value, dict) or not value:
        return value
    numbered = [key for key in value if isinstance(key, int)]
    if not numbered:
        return {key: _with_arrays(inner) for key, inner in value.items()}
    if len(numbered) < len(value):
        raise malformed("partial arguments have names and positions at one place")
    return [_with_arrays(value[key]) for key in sorted(numbered)]

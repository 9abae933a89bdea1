"""The names of all flags that a pair's result can have (docs/reference/scoring.md)."""

from __future__ import annotations

from glidepath.config.comparison import DEFAULT_WEIGHTS

_TEXTS = (*DEFAULT_WEIGHTS, "meaning", "unknown_script")
_JSON = ("json", "json_in_prose", "schema", "fields_missing", "fields_added", "field_types", "field_values")
_OTHERS = ("fields_limit", "choices", "label", "tool", "arguments", "top_document", "documents", "vectors")
_VECTORS = ("vector_count", "dimensions", "neighbours")

FLAG_NAMES: tuple[str, ...] = (*_TEXTS, *_JSON, *_OTHERS, *_VECTORS)


def is_flag(name: str) -> bool:
    """Return whether a result can have this flag. A defect of the baseline's answer has the prefix ``baseline_``."""
    return name.removeprefix("baseline_") in FLAG_NAMES

"""Extraction and JSON mode: is it JSON, does it keep the schema, do the keys agree."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from glidepath.config.scoring import ScoringSection
from scorer.compare.result import Comparison, excerpt
from scorer.compare.structure import match_trees

_INVALID_SCHEMA = 0.5  # what is left of the agreement when only one side keeps the schema
_SHOWN = 5
MISSING = object()


def compare_json(left: object, right: object, schema: object, settings: ScoringSection) -> Comparison:
    """Compare two parsed JSON values, ``MISSING`` for a side that wrote none.

    Agreement is the share of leaves that agree, halved when only one side keeps the schema; 0 when only one side is
    JSON.
    Where neither is, there is text to compare, and this function is not asked.
    """
    if left is MISSING or right is MISSING:
        return _without_json(left, right)
    tree = match_trees(left, right, settings.extraction)
    schema = settings.extraction.schema_ if settings.extraction.schema_ is not None else schema
    broken = tuple(schema_error(value, schema) for value in (left, right))
    agreement = tree.share * (_INVALID_SCHEMA if bool(broken[0]) != bool(broken[1]) else 1.0)
    flags = [flag for flag, error in zip(("baseline_schema", "schema"), broken, strict=True) if error]
    flags += sorted({_FLAGS[d.kind] for d in tree.differences})
    details = {"fields": "; ".join(str(d) for d in tree.differences[:_SHOWN])} if tree.differences else {}
    if any(broken):
        details["schema"] = broken[1] or broken[0]
    signals = {"fields": round(1 - tree.share, 4), "schema": float(any(broken)), "leaves": float(tree.leaves)}
    return Comparison(agreement, tuple(flags), signals, details)


_FLAGS = {"missing": "fields_missing", "added": "fields_added", "type": "field_types", "value": "field_values"}


def _without_json(left: object, right: object) -> Comparison:
    flag = "json" if right is MISSING else "baseline_json"
    return Comparison(0.0, (flag,), {"json": 1.0}, {"json": "only one side is JSON"})


def parse_json(text: str) -> object:
    """The JSON that ``text`` is, in a code fence or not; MISSING when it is none. Nothing is repaired."""
    body = text.strip()
    if body.startswith("```") and body.endswith("```"):
        body = body[3:-3].partition("\n")[2].strip()
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return MISSING
    return value


def schema_error(value: object, schema: object) -> str:
    """The first way in which ``value`` breaks the schema, in words; empty when it keeps it, or when there is none."""
    if not isinstance(schema, dict) or not schema:
        return ""
    validator = _validator(json.dumps(schema, sort_keys=True, default=str))
    if validator is None:
        return ""
    from referencing.exceptions import Unresolvable  # slow to import, and few need it

    try:
        error = next(iter(validator.iter_errors(value)), None)
    except (RecursionError, Unresolvable):
        return ""
    return f"{error.json_path}: {excerpt(error.message, 100)}" if error is not None else ""


@lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for

    raw = json.loads(schema)
    kind = validator_for(raw)
    try:
        kind.check_schema(raw)
    except SchemaError:
        return None  # the request's own schema is broken: nothing to hold an answer against
    return kind(raw)

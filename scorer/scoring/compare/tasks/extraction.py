"""Compare the JSON in two answers: whether it is valid, follows the schema, and agrees key by key."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from glidepath.config.comparison import ScoringSection
from scorer.scoring.answers.strict_json import json_at, try_json
from scorer.scoring.compare.result import Comparison
from scorer.scoring.compare.structured.json_diff import match_trees
from scorer.scoring.compare.structured.json_schema import schema_error

_INVALID_SCHEMA = 0.5  # the factor of the agreement if only one side follows the schema
_SHOWN = 5
_MOST_STARTS = 64  # brackets at which no valid JSON begins; the parser may read the rest of the text at each of them
_SEARCHED = 200_000  # characters of a text in which JSON is searched
_START = re.compile(r"[{\[]")
MISSING = object()


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """The JSON of an answer, or MISSING. ``in_prose``: the answer has other text around it."""

    value: object
    in_prose: bool = False


def compare_json(left: object, right: object, schema: object, settings: ScoringSection) -> Comparison:
    """Compare two parsed JSON values. An answer that is not JSON has the value ``MISSING``.

    The agreement is the share of leaves that are equal. A leaf is a value that contains no other values. The agreement
    is halved if only one answer follows the schema, and it is 0 if only one answer is JSON. If neither answer is JSON,
    the caller compares the texts instead of calling this function.
    """
    if left is MISSING or right is MISSING:
        return _one_sided_json(right)
    tree = match_trees(left, right, settings.extraction)
    schema = settings.extraction.schema_ if settings.extraction.schema_ is not None else schema
    broken = tuple(schema_error(value, schema) for value in (left, right))
    agreement = tree.share * (_INVALID_SCHEMA if bool(broken[0]) != bool(broken[1]) else 1.0)
    flags = [flag for flag, error in zip(("baseline_schema", "schema"), broken, strict=True) if error]
    flags += sorted({_FLAGS[d.kind] for d in tree.differences})
    flags += ["fields_limit"] if tree.bound else []
    shown = [str(d) for d in tree.differences[:_SHOWN]]
    details = {"fields": "; ".join([tree.bound, *shown] if tree.bound else shown)} if tree.bound or shown else {}
    if any(broken):
        details["schema"] = broken[1] or broken[0]
    signals = {"fields": round(1 - tree.share, 4), "schema": float(any(broken)), "fields_compared": float(tree.leaves)}
    return Comparison(agreement, tuple(flags), signals, details)


_FLAGS = {"missing": "fields_missing", "added": "fields_added", "type": "field_types", "value": "field_values"}


def compare_json_answers(left: JsonAnswer, right: JsonAnswer, schema: object, settings: ScoringSection) -> Comparison:
    """Compare the JSON of two answers like ``compare_json``.

    If only one answer has text around its JSON, the result has the flag ``json_in_prose`` (for the baseline,
    ``baseline_json_in_prose``). The agreement does not change, because a client that uses no JSON mode must expect text
    around the JSON.
    """
    result = compare_json(left.value, right.value, schema, settings)
    if left.in_prose == right.in_prose or MISSING in (left.value, right.value):
        return result
    flag = "json_in_prose" if right.in_prose else "baseline_json_in_prose"
    return replace(
        result, flags=(*result.flags, flag), details={**result.details, flag: "there is text around the JSON"}
    )


def _one_sided_json(right: object) -> Comparison:
    flag = "json" if right is MISSING else "baseline_json"
    return Comparison(0.0, (flag,), {"json": 1.0}, {"json": "only one side is JSON"})


def parse_json(text: str) -> object:
    """Parse JSON that may be enclosed in a code fence. Return MISSING if the text is not valid JSON."""
    body = text.strip()
    if body.startswith("```") and body.endswith("```"):
        body = body[3:-3].partition("\n")[2].strip()
    value, error = try_json(body, "the text")
    return MISSING if error else value


def find_json(text: str) -> JsonAnswer:
    """Return the JSON of a text: the whole text, or else the largest object or array inside the prose.

    An array of numbers in the prose does not count, because [1] may be a footnote. Invalid JSON is not repaired.
    """
    whole = parse_json(text)
    if whole is not MISSING:
        return JsonAnswer(whole)
    best, size, at = MISSING, 0, 0
    text = text[:_SEARCHED]
    failed = 0
    while failed < _MOST_STARTS and (start := _START.search(text, at)):
        found = json_at(text, start.start())
        if found is None:
            failed, at = failed + 1, start.end()
            continue
        value, at = found
        if at - start.start() > size and _has_content(value):
            best, size = value, at - start.start()
    return JsonAnswer(best, in_prose=best is not MISSING)


def _has_content(value: object) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(item, dict | list | str) for item in value)
    )

"""Whether a value keeps a JSON schema. Both come from outside: neither may cost more than a bound, nor raise.

A request's schema that is broken, or that asks for more than the bounds, holds nobody to anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from scorer.scoring.compare.result import excerpt

MAX_REFERENCES = 5_000  # followed for one value; references that branch cost 2 to the power of their depth
PATTERN_S = 0.1
_SHOWN = 2_000  # characters of a message that are looked at: it quotes the whole value
Errors = Iterator[Any]


class _UndecidedError(Exception):
    """It would take too long to know."""


@dataclass(slots=True)
class _Checker:
    """``left``: references that may still be followed for the value at hand."""

    validator: Any
    left: int = MAX_REFERENCES

    def follow(self, original: Callable[..., Errors]) -> Callable[..., Errors]:
        def reference(validator: Any, target: Any, instance: Any, schema: Any) -> Errors:
            self.left -= 1
            if self.left < 0:
                raise _UndecidedError
            yield from original(validator, target, instance, schema) or ()

        return reference


def schema_error(value: object, schema: object) -> str:
    """The first way in which ``value`` breaks the schema, in words; empty when it keeps it, or when there is none."""
    if not isinstance(schema, dict) or not schema:
        return ""
    checker = _checker(json.dumps(schema, sort_keys=True, default=str))
    if checker is None:
        return ""
    from referencing.exceptions import Unresolvable  # slow to import, and few need it

    checker.left = MAX_REFERENCES
    try:
        error = next(iter(checker.validator.iter_errors(value)), None)
    except (RecursionError, Unresolvable, _UndecidedError):
        return ""
    return f"{error.json_path}: {excerpt(error.message[:_SHOWN], 100)}" if error is not None else ""


@lru_cache(maxsize=64)
def _checker(schema: str) -> _Checker | None:
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import extend, validator_for

    raw = json.loads(schema)
    if not isinstance(raw.get("$schema", ""), str):
        return None
    kind: Any = validator_for(raw)
    extended: Any = extend
    try:
        kind.check_schema(raw)
    except SchemaError:
        return None
    checker = _Checker(None)
    known = kind.VALIDATORS
    mine: dict[str, Any] = {"pattern": _pattern, "patternProperties": _pattern_properties, "multipleOf": _multiple_of}
    mine |= {key: checker.follow(known[key]) for key in ("$ref", "$dynamicRef", "$recursiveRef") if key in known}
    mine |= {
        key: _unless_patterns(known[key]) for key in ("additionalProperties", "unevaluatedProperties") if key in known
    }
    checker.validator = extended(kind, mine)(raw)
    return checker


def _matches(pattern: str, text: str) -> bool:
    """As ``re.search``, with a time limit; a pattern that ``regex`` cannot read matches everything."""
    import regex  # slow to import, and few need it

    try:
        return regex.search(pattern, text, timeout=PATTERN_S) is not None
    except TimeoutError:
        raise _UndecidedError from None
    except regex.error:
        return True


def _pattern(validator: Any, pattern: str, instance: Any, _: Any) -> Errors:
    from jsonschema.exceptions import ValidationError

    if validator.is_type(instance, "string") and not _matches(pattern, instance):
        yield ValidationError(f"{instance[:_SHOWN]!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: dict[str, Any], instance: Any, _: Any) -> Errors:
    if not validator.is_type(instance, "object"):
        return
    for pattern, schema in patterns.items():
        for key, value in instance.items():
            if _matches(pattern, key):
                yield from validator.descend(value, schema, path=key, schema_path=pattern)


def _multiple_of(validator: Any, step: Any, instance: Any, _: Any) -> Errors:
    """Exact where both are whole; else by their decimals, since 0.3 is a multiple of 0.1."""
    from jsonschema.exceptions import ValidationError

    if not validator.is_type(instance, "number"):
        return
    if (Fraction(str(instance)) / Fraction(str(step))).denominator != 1:
        yield ValidationError(f"{instance!r} is not a multiple of {step}")


def _unless_patterns(original: Callable[..., Errors]) -> Callable[..., Errors]:
    """These keywords search with the patterns of the same schema, without a time limit; then they are left out."""

    def check(validator: Any, keyword: Any, instance: Any, schema: Any) -> Errors:
        if not schema.get("patternProperties"):
            yield from original(validator, keyword, instance, schema) or ()

    return check

"""Validate a value against a JSON schema.

The value and the schema come from untrusted sources, so the cost is limited, and invalid input raises no error. If the
schema is invalid, or if the validation exceeds a limit, the value counts as valid.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from scorer.scoring.compare.result import excerpt

MAX_REFERENCES = 5_000  # maximum for one value, because nested references can have exponential cost
PATTERN_S = 0.1  # seconds for one pattern
_SHOWN = 2_000  # maximum length of an error message, which quotes the whole value
Errors = Iterator[Any]


class _UndecidedError(Exception):
    """The validation of a value against a schema would exceed a limit."""


@dataclass(slots=True)
class _Checker:
    """A validator for one JSON schema.

    ``left`` is the number of ``$ref`` references that the validator may still follow for the current value. It is reset
    to MAX_REFERENCES for each value.
    """

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
    """Return the first violation of the schema as text, or "" if the value is valid or if there is no schema."""
    if not isinstance(schema, dict) or not schema:
        return ""
    checker = _checker(json.dumps(schema, sort_keys=True, default=str))
    if checker is None:
        return ""
    from referencing.exceptions import Unresolvable  # slow to import and seldom needed

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
    overrides: dict[str, Any] = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "multipleOf": _multiple_of,
    }
    overrides |= {key: checker.follow(known[key]) for key in ("$ref", "$dynamicRef", "$recursiveRef") if key in known}
    overrides |= {
        key: _unless_patterns(known[key]) for key in ("additionalProperties", "unevaluatedProperties") if key in known
    }
    checker.validator = extended(kind, overrides)(raw)
    return checker


def _matches(pattern: str, text: str) -> bool:
    """Return whether the pattern occurs in the text, or True if the library regex cannot compile the pattern.

    Raises _UndecidedError if the search takes longer than PATTERN_S seconds.
    """
    import regex  # slow to import and seldom needed

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
    """Yield an error if ``instance`` is not a multiple of ``step``, in decimal numbers: 0.3 is a multiple of 0.1."""
    from jsonschema.exceptions import ValidationError

    if not validator.is_type(instance, "number"):
        return
    if (Fraction(str(instance)) / Fraction(str(step))).denominator != 1:
        yield ValidationError(f"{instance!r} is not a multiple of {step}")


def _unless_patterns(original: Callable[..., Errors]) -> Callable[..., Errors]:
    """Return the check ``original`` of a schema keyword, changed so that schemas with ``patternProperties`` skip it.

    For these schemas, the original check would search the patterns without a time limit.
    """

    def check(validator: Any, keyword: Any, instance: Any, schema: Any) -> Errors:
        if not schema.get("patternProperties"):
            yield from original(validator, keyword, instance, schema) or ()

    return check

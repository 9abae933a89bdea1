"""Convert the schema in a request to a JSON schema.

Gemini has its own key ``nullable``. It writes types in capitals, and some counts as text. vLLM and SGLang also accept a
schema as text.
"""

from __future__ import annotations

from scorer.scoring.answers.strict_json import UnusableBodyError, read_json

_MAX_DEPTH = 50  # deeper parts of a schema are kept as they are
_COUNTS = frozenset(("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"))
_UNSPECIFIED = "TYPE_UNSPECIFIED"


def as_json_schema(schema: object) -> object:
    """Return the schema as a JSON schema.

    Text that is not JSON becomes None. Any other value that is not a JSON object is returned unchanged. As a schema,
    such a result accepts every value.
    """
    if isinstance(schema, str):
        try:
            schema = read_json(schema, "schema")
        except UnusableBodyError:
            return None
    return _converted(schema, _MAX_DEPTH)


def _converted(schema: object, depth: int) -> object:
    if not isinstance(schema, dict) or not depth:
        return schema
    found = {key: _count(value) if key in _COUNTS else value for key, value in schema.items()}
    kind, choices = schema.get("type"), schema.get("enum")
    if isinstance(kind, str) and kind.isupper():
        found["type"] = kind = kind.lower()
        if kind == _UNSPECIFIED.lower():
            del found["type"]
    if schema.get("nullable") is True and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
        if isinstance(choices, list):
            found["enum"] = [*choices, None]
    if isinstance(properties := schema.get("properties"), dict):
        found["properties"] = {name: _converted(one, depth - 1) for name, one in properties.items()}
    if isinstance(options := schema.get("anyOf"), list):
        found["anyOf"] = [_converted(one, depth - 1) for one in options]
    if "items" in schema:
        found["items"] = _converted(schema["items"], depth - 1)
    return found


def _count(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 10 else value

"""Turns the errors that pydantic finds into messages for people, one line for each key.

A message has the form ``FILE:LINE: KEY.PATH: what is wrong (got VALUE)``. It uses the words of YAML, not of Python.
"""

from __future__ import annotations

import math
import re
from typing import Any

from pydantic_core import ErrorDetails

from glidepath.config.section_fields import as_quantity, field_at, keys_at, sections_with
from glidepath.config.yaml_source import KeyPath, YamlSource, dotted
from glidepath.name_suggestions import allowed_names, did_you_mean

# Under these keys, a user may have written a secret instead of its name. Error messages end up in logs and tickets, so
# they never quote these values.
SECRET_KEYS = frozenset(
    {"credential", "password", "routing_key", "url_from", "sticky_key", "fingerprint_key", "headers"}
)
_USERINFO = re.compile(r"//[^/@\s]*@")
_SHOWN_CHARS = 100

# The name in YAML for each type of value. Several of pydantic's errors share one name, which suffices for readers.
_MUST_BE = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "model": "a mapping of keys to values",
    "dict": "a mapping of keys to values",
    "tuple": "a list, such as [a, b]",
    "list": "a list, such as [a, b]",
    "date": "a date, such as 2027-03-31",
}
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("above", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("below", "lt"),
}
# The patterns of the sections, in words.
PATTERNS = {
    r"^(metadata\.)?[A-Za-z0-9_-]{1,40}$": "must be a key of the body, or metadata. and a key of its metadata",
    r"^/": "must begin with /",
    r'^/[!"$->@-~]*$': "must begin with /, without a query (? or #) and white space; other characters as %XX",
    r"^(/.*)?$": "must begin with /",
    r"^[!-~]+$": "must be text without spaces",
    r"^[A-Za-z0-9-]+$": "must be the name of a header: letters, digits and hyphens",
    r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$": "must be the name of a cookie, without spaces, quotes, commas and semicolons",
    r"^[A-Za-z0-9_-]{0,48}$": "must be at most 48 letters, digits, hyphens and underscores",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "must be the name of an environment variable: letters, digits and underscores",
    r"^[A-Z]{3}$": "must be the three letters of a currency, such as EUR",
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": "must be the name of a namespace: lower-case letters, digits and hyphens",
    r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$": "must be a name in Kubernetes: lower-case letters, digits, hyphens and dots",
    r"^$|^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$": "must be an API group: lower-case letters, digits, hyphens and dots",
    r"^[A-Za-z]([-A-Za-z0-9]*[A-Za-z0-9])?$": "must be a kind of object in Kubernetes: letters, digits and hyphens",
    r"^[a-z][a-z0-9_-]{0,47}$": "must match [a-z][a-z0-9_-]*, at most 48 characters",
}


def messages(details: list[ErrorDetails], source: YamlSource) -> dict[KeyPath, str]:
    """Return a message for each invalid key, without the file and line.

    A value that may have several types has several errors, which become one message. If one of the types is a list,
    only the errors in this list are kept.
    """
    found: dict[KeyPath, list[ErrorDetails]] = {}
    for detail in details:
        found.setdefault(path_in_file(detail, source.data), []).append(detail)
    inner = [path for path in found if not any(path == other[: len(path)] for other in found if other != path)]
    return {path: _message(path, found[path], source) for path in inner}


def _message(path: KeyPath, details: list[ErrorDetails], source: YamlSource) -> str:
    kind = details[0]["type"]
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "missing":
        return f"{dotted(path)}: is missing"
    if path and path[-1] == "[key]":
        return f"{dotted(path[:-1])}: the name {PATTERNS[r'^[a-z][a-z0-9_-]{0,47}$']}"
    texts = list(dict.fromkeys(_message_of(detail, path) for detail in details))
    first, *others = texts
    text = " or ".join((first, *(other.removeprefix("must be ") for other in others)))
    return f"{dotted(path)}: {text}{_got(path, details[0], source)}"


def _unknown_key(path: KeyPath) -> str:
    key, section = str(path[-1]), path[:-1]
    allowed = keys_at(section)
    elsewhere = sections_with(key, section)
    if elsewhere and not did_you_mean(key, allowed):
        return f"{dotted(path)}: unknown key here (it belongs in {' or '.join(elsewhere[:3])})"
    return f"{dotted(path)}: unknown key {allowed_names(allowed, key)}"


def _message_of(detail: ErrorDetails, path: KeyPath) -> str:
    """Return the message about an invalid value, in the words of YAML."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "literal_error":
        return f"must be {context['expected']}{_meant(detail, context['expected'])}"
    if kind == "string_pattern_mismatch":
        pattern = context["pattern"]
        return PATTERNS.get(pattern, f"must match the regular expression {pattern}")
    if kind in _BOUNDS:
        word, key = _BOUNDS[kind]
        return f"must be {word} {as_quantity(field_at(path), context[key])}"
    if kind in ("too_short", "string_too_short"):
        return _length("needs at least", context["min_length"], kind)
    if kind in ("too_long", "string_too_long"):
        return _length("must have at most", context["max_length"], kind)
    plain = _MUST_BE.get(kind.partition("_")[0])
    if plain is not None and kind != "string_unicode":
        return f"must be {plain}"
    return detail["msg"].removeprefix("Value error, ").replace("Input should", "must")


def _length(words: str, count: int, kind: str) -> str:
    what = "character" if kind.startswith("string") else "entry" if count == 1 else "entries"
    return f"{words} {count} {what}{'s' if what == 'character' and count != 1 else ''}"


def _meant(detail: ErrorDetails, expected: str) -> str:
    hint = did_you_mean(str(detail["input"]), re.findall(r"'([^']*)'", expected))
    return f"; {hint.strip()}" if hint else ""


def _got(path: KeyPath, detail: ErrorDetails, source: YamlSource) -> str:
    try:
        value = source.value(path)
    except KeyError:
        value = detail["input"]
    return "" if isinstance(value, dict | list) else f" (got {_shown(value, path)})"


def _shown(value: Any, path: KeyPath) -> str:
    """Return ``value`` as YAML for an error message, or only its type if it may be a secret."""
    if not SECRET_KEYS.isdisjoint(path) or (path[:1] == ("notify",) and "events" not in path):
        return "a value that is not shown, since it may be a secret"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    text = _USERINFO.sub("//***@", repr(value))
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def path_in_file(detail: ErrorDetails, data: Any) -> KeyPath:
    """Return the path, in the file, of the key that a pydantic error is about.

    The location in the error also contains the names of union members, which are left out. Numeric keys are spelt as in
    the file.
    """
    path: list[str | int] = []
    here = data
    for part in detail["loc"]:
        key = _number_key(here, part)
        try:
            here = here[part if key is None else key]
            path.append(part if key is None else str(key))
        except (KeyError, IndexError, TypeError):  # a union member, or the missing key
            if part == "[key]":
                path.append(part)
    return (*path, detail["loc"][-1]) if detail["type"] == "missing" else tuple(path)


def _number_key(here: Any, part: int | str) -> Any:
    """Return the key of the mapping ``here`` that equals the number ``part``, or None.

    The spellings can differ: a key that is 50 in the file is 50.0 in the location of pydantic's error.
    """
    if not isinstance(here, dict) or part in here:
        return None
    try:
        number = float(part)
    except ValueError:
        return None
    return next((key for key in here if isinstance(key, int | float) and key == number), None)

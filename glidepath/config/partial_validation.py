"""Validates the correct parts of an invalid configuration, so that one error does not hide others.

pydantic checks the rules of a section only if every value in it is valid, and the rules across sections need the whole
configuration. So each wrong value is replaced by ``FAULTY``, which means: the key is given, but its value is unknown. A
rule that needs the value stops with FaultyValueError and reports nothing. Every other rule works as usual.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, SchemaValidator, core_schema

from glidepath.config.error_messages import path_in_file
from glidepath.config.root import Config
from glidepath.config.section_fields import keys_at
from glidepath.config.yaml_source import KeyPath, spelling
from glidepath.name_suggestions import most_similar

MAX_ROUNDS = 20


class FaultyValueError(ValueError):
    """A rule needs a value that is invalid. This is not reported, because the value itself is reported."""


class _Faulty:
    """Stands for an invalid value. It is not None, and nothing else is known about it."""

    __slots__ = ()

    def _unknown(self, *_: object) -> NoReturn:
        raise FaultyValueError

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # copy and pydantic read such attributes of any object
            raise AttributeError(name)
        raise FaultyValueError

    def __deepcopy__(self, _: object) -> _Faulty:
        return self

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _unknown
    __bool__ = __len__ = __iter__ = __contains__ = __getitem__ = __hash__ = _unknown
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __str__ = __format__ = __fspath__ = _unknown


FAULTY: Any = _Faulty()


def has_faults(value: Any) -> bool:
    """Return whether a value is FAULTY, or a section, list or mapping that contains FAULTY."""
    if value is FAULTY:
        return True
    inside = vars(value).values() if isinstance(value, BaseModel) else value.values() if isinstance(value, dict) else ()
    return any(map(has_faults, value if isinstance(value, tuple) else inside))


def validate_the_rest(
    data: dict[str, Any], details: list[ErrorDetails]
) -> tuple[Config | None, list[list[ErrorDetails]]]:
    """Return the configuration with FAULTY for each invalid value, and the errors that pydantic finds in each round.

    ``details``: the errors of the first round, in ``data``. Before each further round, the values with errors are
    replaced by FAULTY. The configuration is None if no valid part is left, or after MAX_ROUNDS rounds.
    """
    rest, rounds, faults = copy.deepcopy(data), [details], details
    for _ in range(MAX_ROUNDS):
        marked = [_mark(rest, path_in_file(fault, data), fault["type"]) for fault in faults]
        if not all(marked):
            return None, rounds
        try:
            config: Config = _validator().validate_python(rest)
        except ValidationError as error:
            faults = error.errors()
            rounds.append([fault for fault in faults if not _follows(fault)])
        else:
            return config, rounds
    return None, rounds


def _follows(fault: ErrorDetails) -> bool:
    """Return whether an error is only the consequence of another error."""
    return fault["input"] is FAULTY or isinstance(fault.get("ctx", {}).get("error"), FaultyValueError)


def _mark(rest: dict[str, Any], path: KeyPath, kind: str) -> bool:
    """Replace the value at a path by FAULTY, and return whether this was possible.

    If the value is FAULTY already, replace the nearest container around it that is not FAULTY.
    """
    if path and path[-1] == "[key]":
        return _remove_name(rest, path[:-1])
    for end in range(len(path) - 1, -1, -1):
        container, key = _at(rest, path[:end]), path[end]
        if isinstance(container, dict):
            key = spelling(container, key)
            if kind == "extra_forbidden":
                _remove_key(container, key, path[:end])
                return True
            if container.get(key) is not FAULTY:
                container[key] = FAULTY
                return True
        elif isinstance(container, list) and isinstance(key, int) and container[key] is not FAULTY:
            container[key] = FAULTY
            return True
    return False


def _at(rest: dict[str, Any], path: KeyPath) -> Any:
    here: Any = rest
    for part in path:
        if not isinstance(here, dict | list):
            return None
        try:
            here = here[spelling(here, part)]
        except (LookupError, TypeError):
            return None
    return here


def _remove_key(section: dict[Any, Any], key: Any, path: KeyPath) -> None:
    """Remove an unknown key from the section at ``path``.

    If the section allows a similar key and does not have it, add that key with the value FAULTY: the user probably
    meant it.
    """
    section.pop(key, None)
    meant = most_similar(str(key), keys_at(path))
    if meant:
        section.setdefault(meant, FAULTY)


def _remove_name(rest: dict[str, Any], path: KeyPath) -> bool:
    """Remove the entry that has an invalid name. If it is the only entry, replace the mapping by FAULTY instead."""
    container = _at(rest, path[:-1])
    if not isinstance(container, dict) or len(container) < 2:
        return _mark(rest, path[:-1], "")
    container.pop(spelling(container, path[-1]), None)
    return True


@cache
def _validator() -> SchemaValidator:
    """Return a validator of Config that also accepts FAULTY for every key, and for every entry of a list or a mapping.

    By default, pydantic uses the prebuilt validators of the sections, which do not accept FAULTY. A version of pydantic
    without the option ``_use_prebuilt`` finds the errors in several rounds.
    """
    schema = _with_faulty_values(Config.__pydantic_core_schema__)
    try:
        return SchemaValidator(schema, _use_prebuilt=False)
    except TypeError:
        return SchemaValidator(schema)


def _with_faulty_values(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_faulty_values(one) for one in node]
    if not isinstance(node, dict):
        return node
    changed = {key: _with_faulty_values(value) for key, value in node.items()}
    if changed.get("type") == "model-field":
        inner = changed["schema"]
        if inner.get("type") == "default":
            inner["schema"] = _or_faulty(inner["schema"])
        else:
            changed["schema"] = _or_faulty(inner)
    elif changed.get("type") == "dict" and "values_schema" in changed:
        changed["values_schema"] = _or_faulty(changed["values_schema"])
    elif changed.get("type") in ("tuple", "list") and isinstance(changed.get("items_schema"), list):
        changed["items_schema"] = [_or_faulty(one) for one in changed["items_schema"]]
    return changed


def _or_faulty(schema: Any) -> Any:
    return core_schema.no_info_wrap_validator_function(_validated, schema)


def _validated(value: Any, validate: Callable[[Any], Any]) -> Any:
    return value if value is FAULTY else validate(value)

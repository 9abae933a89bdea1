"""Read stored JSON objects strictly: the schema of a state fixes its fields, so no field may be missing or unknown."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

from glidepath.errors import InputError


def exact_fields(raw: object, names: Collection[str], place: str) -> Mapping[str, Any]:
    """Return ``raw`` if it is an object with exactly the fields ``names``; else raise InputError.

    ``place``: the name of the object in the error.
    """
    if not isinstance(raw, dict):
        raise InputError(f"{place} must be an object (got {type(raw).__name__})")
    for name in names:
        if name not in raw:
            raise InputError(f"{place} has no field {name}")
    for name in raw:
        if name not in names:
            raise InputError(f"{place} has the unknown field {name}")
    return raw


def dataclass_fields(kind: Any, raw: object, place: str) -> dict[str, Any]:
    """Return ``raw`` if it is an object with exactly the fields of the dataclass ``kind``; else raise InputError.

    ``place``: the name of the object in the error.
    """
    return dict(exact_fields(raw, [field.name for field in fields(kind)], place))

"""Looks up the fields of the configuration's sections: the allowed keys at a path, and the type of a key."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from glidepath.config import units
from glidepath.config.root import Config
from glidepath.config.yaml_source import KeyPath

# The types with a unit: the name in the reference, the type, and the function that formats a number of this type.
_QUANTITIES: dict[str, tuple[Any, Callable[[Any], str]]] = {
    "duration": (units.Duration, units.format_duration),
    "size": (units.Size, units.format_size),
    "share": (units.Share, units.format_share),
    "percent": (units.Percent, "{:g}".format),
    "fraction": (units.Fraction, "{:g}".format),
}


def keys_at(path: KeyPath) -> list[str]:
    """Return the keys that are allowed in the section at ``path``, or [] if there is no such section."""
    section = section_in(_annotation_at(path))
    return sorted(field.alias or name for name, field in section.model_fields.items()) if section else []


def section_in(annotation: Any) -> type[BaseModel] | None:
    """Return the section class X in a type annotation: ``X``, ``X | None``, ``tuple[X, ...]`` or ``dict[str, X]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (section_in(argument) for argument in reversed(typing.get_args(annotation)))
    return next((section for section in found if section), None)


def field_at(path: KeyPath) -> FieldInfo | None:
    """Return the field of the key at ``path``, or None if no section allows this key.

    For an entry of a list, return the field of the list.
    """
    names = path[:-1] if path and isinstance(path[-1], int) else path
    section = section_in(_annotation_at(names[:-1])) if names else None
    return section.model_fields.get(str(names[-1])) if section else None


def quantity(field: FieldInfo) -> str:
    """Return the name of the field's quantity type, such as ``duration``, or "" if its type has no unit."""
    kinds = {id(item) for item in (*field.metadata, *_inner_metadata(field.annotation))}
    return next((name for name, (kind, _) in _QUANTITIES.items() if id(typing.get_args(kind)[1]) in kinds), "")


def as_quantity(field: FieldInfo | None, number: Any) -> str:
    """Return a number in the notation of the field's quantity, such as ``1s`` for a duration, or else as plain text."""
    name = quantity(field) if field is not None else ""
    if name:
        return _QUANTITIES[name][1](number)
    return f"{number:g}" if isinstance(number, float) else str(number)


def sections_with(key: str, path: KeyPath) -> list[str]:
    """Return the paths of the sections below ``path`` that have the key ``key``, relative to ``path``."""
    section = section_in(_annotation_at(path))
    return [] if section is None else list(_sections_with(key, section, ""))


def _sections_with(key: str, section: type[BaseModel], path: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        inner = section_in(field.annotation)
        if inner is None or "NAME" in _container(field.annotation):
            continue
        here = f"{path}.{name}".lstrip(".")
        if key in inner.model_fields:
            yield here
        yield from _sections_with(key, inner, here)


def _container(annotation: Any) -> str:
    return "NAME" if typing.get_origin(annotation) is dict else ""


def _annotation_at(path: KeyPath) -> Any:
    annotation: Any = Config
    for part in path:
        section = section_in(annotation)
        in_container = isinstance(part, int) or typing.get_origin(annotation) is dict
        if section is not None and not in_container:
            field = section.model_fields.get(str(part))
            annotation = field.annotation if field else None
        else:
            annotation = section
    return annotation


def _inner_metadata(annotation: Any) -> Iterator[Any]:
    """Yield the metadata of a type annotation and of its union members, but not of types inside containers."""
    yield from getattr(annotation, "__metadata__", ())
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for argument in typing.get_args(annotation):
            yield from _inner_metadata(argument)

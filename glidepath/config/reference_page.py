"""Generates the reference of the configuration from the section classes.

``python -m glidepath.config.reference_page`` prints docs/reference/configuration.md. The description of a key is the
comment behind its field in the source code. So a key and its description are changed together.
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
import typing
from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from glidepath.config.root import Config
from glidepath.config.section_fields import as_quantity, quantity

_WIDTH = 118  # characters of a line
_FIELD = re.compile(r"^    (\w+):.*?  # (?!noqa|type:)(.*)$", re.MULTILINE)
_INTRO = """\
# Configuration reference

Generated from the models by `make reference`; a test fails when it is out of date. Durations are written `250ms`,
`30s`, `48h`, `30d`; sizes `64KiB`, `4MiB`, `512B`; shares `0.5%`. A number without its unit is an error; only 0 needs
none. A percent is written `50` or `50%`; below 1 it needs the sign, as in `0.5%`. A
fraction, such as an agreement or a weight, is a number from 0 to 1 or a percent: `0.75` or `75%`. All errors are shown
at once, each with the file and the line. Secrets are never in the file: it names an environment variable or a path.
"""


def reference() -> str:
    """Return the whole configuration reference as Markdown."""
    parts = [_INTRO]
    for title, model in _sections():
        parts.append(f"## `{title}`\n\n{inspect.cleandoc(model.__doc__ or '')}\n\n{_keys(model)}\n")
    return "\n".join(parts)


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the path and the class of every section, depth first.

    A class that is used at several paths is yielded once, with the first of these paths.
    """
    queue: list[tuple[str, Any]] = [("", Config)]
    seen: set[type[BaseModel]] = set()
    while queue:
        path, model = queue.pop(0)
        if model in seen:
            continue
        seen.add(model)
        yield path or "glidepath.yaml", model
        nested = [
            (f"{path}.{name}".lstrip(".") + suffix, section)
            for name, field in model.model_fields.items()
            for suffix, section in _nested(field.annotation)
        ]
        queue = nested + queue


def _nested(annotation: Any, suffix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield suffix, annotation
        return
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    key = "PERCENT" if arguments[:1] == (float,) else "NAME"
    more = f".{key}" if origin is dict else "[]" if origin is tuple else ""
    for argument in arguments:
        yield from _nested(argument, suffix + more)


def _keys(model: type[BaseModel]) -> str:
    """Return a Markdown list of a section's keys, each with its type, its default and its comment in the source."""
    comments = dict(_FIELD.findall(inspect.getsource(model)))
    for base in model.__mro__[1:]:
        if issubclass(base, BaseModel) and base is not BaseModel:
            comments = dict(_FIELD.findall(inspect.getsource(base))) | comments
    return "\n".join(
        textwrap.fill(
            f"- `{field.alias or name}` ({_type(field)}{_default(field)}){_comment(comments.get(name, ''))}",
            width=_WIDTH,
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for name, field in model.model_fields.items()
    )


def _comment(text: str) -> str:
    return f": {text}" if text else ""


def _type(field: FieldInfo) -> str:
    text = _type_name(field.annotation, field)
    bounds = [item for item in field.metadata if type(item).__name__ in ("Ge", "Gt", "Le", "Lt")]
    limits = ", ".join(f"{_SIGNS[type(item).__name__]} {_limit(field, item)}" for item in bounds)
    return f"{text} {limits}" if limits else text


def _limit(field: FieldInfo, bound: Any) -> str:
    number = next(getattr(bound, name) for name in ("ge", "gt", "le", "lt") if hasattr(bound, name))
    return as_quantity(field, number) if number else "0"


_SIGNS = {"Ge": "≥", "Gt": ">", "Le": "≤", "Lt": "<"}
_PLAIN = {
    Any: "any value",
    str: "text",
    int: "integer",
    float: "number",
    bool: "true/false",
    type(None): "none",
    date: "date",
}


def _type_name(annotation: Any, field: FieldInfo | None = None) -> str:
    if field is not None and quantity(field):
        return quantity(field)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return " or ".join(f"`{member.value}`" for member in annotation)
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin is typing.Annotated:
        return _type_name(arguments[0])
    if origin is tuple:
        return f"list of {_type_name(arguments[0])}"
    if origin is dict:
        return f"mapping of {'percent' if arguments[0] is float else 'name'} to {_type_name(arguments[1])}"
    return " or ".join(_type_name(a) for a in arguments if a is not type(None))


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is PydanticUndefined:
        return ", **required**"
    if default is None or default in ((), {}, "") or isinstance(default, BaseModel):
        return ""
    if isinstance(default, tuple) and isinstance(default[0], BaseModel):
        return ", default below"
    if isinstance(default, bool):
        return f", default `{str(default).lower()}`"
    if quantity(field):
        return f", default `{as_quantity(field, default) if default else 0}`"
    return f", default `{list(default) if isinstance(default, tuple) else default}`"


if __name__ == "__main__":
    sys.stdout.write(reference())

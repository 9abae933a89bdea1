"""The base class of every section of the configuration, and the types that several sections use."""

from __future__ import annotations

import typing
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator


class Section(BaseModel):
    """An immutable section of the configuration. Unknown keys, infinity and NaN are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false where a number is expected. YAML reads yes as true, and Python takes true for 1."""
        kinds = _kinds(cls.model_fields[info.field_name or ""].annotation)
        if not kinds.isdisjoint((int, float)) and bool not in kinds and _contains_boolean(value):
            raise ValueError("must be a number, not true or false")
        return value


def _kinds(annotation: Any) -> set[Any]:
    """Return the types inside the containers and unions of a type annotation: for dict[str, int], str and int."""
    arguments = typing.get_args(annotation)
    return {annotation} if not arguments else set().union(*(_kinds(a) for a in arguments))


def _contains_boolean(value: Any) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else (value,)
    return any(isinstance(item, bool) for item in inside)


def one_or_many(value: object) -> object:
    """Return ``[value]`` if ``value`` is a string, and otherwise ``value`` unchanged.

    Configuration keys that accept a string or a list use this function as a validator.
    """
    return [value] if isinstance(value, str) else value


# Names become part of runtime keys, cluster names, Redis keys and metric labels.
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,47}$")]
# Upper limit of every count. A larger count is a typing error, and Envoy, Redis and floats have limits of their own.
MOST = 10**9

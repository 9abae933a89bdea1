"""What every section of the configuration has in common."""

from __future__ import annotations

import typing
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator


class Section(BaseModel):
    """Frozen, and strict about names: an unknown key is an error, never ignored. No number is infinite or none."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML reads yes and on as true, which would count as 1."""
        kinds = _kinds(cls.model_fields[info.field_name or ""].annotation)
        if not kinds.isdisjoint((int, float)) and bool not in kinds and _holds_truth(value):
            raise ValueError("must be a number, neither true nor false")
        return value


def _kinds(annotation: Any) -> set[Any]:
    """The plain types that an annotation is made of."""
    arguments = typing.get_args(annotation)
    return {annotation} if not arguments else set().union(*(_kinds(a) for a in arguments))


def _holds_truth(value: Any) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else (value,)
    return any(isinstance(item, bool) for item in inside)


# Names end up in runtime keys, cluster names, Redis keys and metric labels.
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,47}$")]
MOST = 10**9  # of anything that is counted: more is a slip, and Envoy, Redis and floats have limits of their own
Percent = Annotated[float, Field(ge=0, le=100)]

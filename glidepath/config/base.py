"""What every section of the configuration has in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """Frozen, and strict about names: an unknown key is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


# Names end up in runtime keys, cluster names, Redis keys and metric labels.
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,47}$")]
Percent = Annotated[float, Field(ge=0, le=100)]

"""The ramp: how far, how slowly, and who must agree."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter
from pydantic import Field, field_validator, model_validator

from glidepath.config.base import Percent, Section
from glidepath.config.units import Duration


class Freeze(Section):
    """No promotion for ``duration`` from each time that matches ``cron`` (five fields) in ``timezone``."""

    cron: str
    duration: Duration = Field(gt=0)
    timezone: str = "UTC"
    reason: str = ""

    @field_validator("cron")
    @classmethod
    def _cron(cls, value: str) -> str:
        if not croniter.is_valid(value):
            raise ValueError("must be five cron fields such as '0 17 * * FRI'")
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("must be an IANA time zone such as Europe/Berlin") from error
        return value


Step = Annotated[float, Field(gt=0, le=100)]


class RampSection(Section):
    """``steps`` are the candidate's percent. The last one is where the workload stays, 100 or not."""

    steps: tuple[Step, ...] = (1, 5, 10, 25, 50, 75, 100)
    hold: Duration = Field(default=48 * 3600, ge=0)
    min_samples: int = Field(default=200, ge=1)
    shadow_hold: Duration | None = None  # at 0 %, before the first step; absent: hold
    approval: bool | tuple[Percent, ...] = False  # true: before every step; or before these
    freeze: tuple[Freeze, ...] = ()
    cool_down: Duration = Field(default=3600, ge=0)
    retry: Literal["manual", "auto"] = "manual"
    max_retries: int = Field(default=3, ge=0)
    require_drill: bool = False
    validation: Duration = Field(default=30 * 86400, ge=0)  # still compared after the last step

    @field_validator("steps")
    @classmethod
    def _rising(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value:
            raise ValueError("needs at least one step")
        if any(b <= a for a, b in pairwise(value)):
            raise ValueError("must rise from step to step, e.g. [1, 5, 10, 25, 50, 75, 100]")
        if any(abs(s * 100 - round(s * 100)) > 1e-9 for s in value):
            raise ValueError("are percent with at most two decimals (Envoy's weights are basis points)")
        return value

    @model_validator(mode="after")
    def _approval_steps(self) -> RampSection:
        if isinstance(self.approval, tuple):
            strangers = [p for p in self.approval if p not in self.steps]
            if strangers:
                raise ValueError(f"approval names {strangers[0]:g}, which is no step (allowed: {list(self.steps)})")
        return self

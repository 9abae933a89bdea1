"""The ramp: how far, how slowly, and who must agree."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from glidepath.config.base import MOST, Percent, Section
from glidepath.config.cron import parse_cron, parse_zone
from glidepath.config.units import Duration

LONGEST_FREEZE = 366 * 86400


def _cron(value: str) -> str:
    parse_cron(value)
    return value


class Freeze(Section):
    """No promotion for ``duration`` from each time that matches ``cron`` (five fields) in ``timezone``.

    Read as Debian's cron does: a time of day that the clock skips happens right after the gap, one that it repeats
    happens once, the first time; a line with ``*`` as minute or hour follows the clock.
    """

    cron: Annotated[str, AfterValidator(_cron)]
    duration: Duration = Field(gt=0, le=LONGEST_FREEZE)  # of real time; at most 366 days
    timezone: Annotated[str, AfterValidator(parse_zone)] = "UTC"
    reason: str = ""


Step = Annotated[float, Field(gt=0, le=100)]


class RampSection(Section):
    """``steps`` are the candidate's percent. The last one is where the workload stays, 100 or not."""

    steps: tuple[Step, ...] = (1, 5, 10, 25, 50, 75, 100)
    hold: Duration = Field(default=48 * 3600, ge=0)
    min_samples: int = Field(default=200, ge=1, le=MOST)
    shadow_hold: Duration | None = None  # at 0 %, before the first step; absent: hold
    approval: bool | tuple[Percent, ...] = False  # true: before every step; or before these
    freeze: tuple[Freeze, ...] = ()
    cool_down: Duration = Field(default=3600, ge=0)
    retry: Literal["manual", "auto"] = "manual"
    max_retries: int = Field(default=3, ge=0, le=MOST)
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

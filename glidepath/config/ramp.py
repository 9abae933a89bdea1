"""The ``ramp`` section: the steps, the minimum time of each step, and the steps that a person must approve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from glidepath.config.cron_line import parse_cron, parse_zone
from glidepath.config.section import MOST, Section
from glidepath.config.units import Duration, Percent
from glidepath.duration_text import duration_text

LONGEST_FREEZE = 366 * 86400
MOST_WARM_UP = 50  # without ramp.warm_up
MOST_WARM_UP_TIME = 600  # seconds, without ramp.warm_up_time
IDLE_AFTER = 3600  # seconds, the least without ramp.idle_after


def _cron(value: str) -> str:
    parse_cron(value)
    return value


class Freeze(Section):
    """A freeze window: no step is taken for ``duration`` after each match of ``cron`` (five fields) in ``timezone``.

    The rules for daylight saving time are those of Debian's cron. A line with a fixed time of day matches once a day.
    If the clock skips that time, the line matches right after the gap. If the clock repeats that time, the line matches
    the first time only. A line whose minute or hour begins with ``*`` follows the clock.
    """

    cron: Annotated[str, AfterValidator(_cron)]
    duration: Duration = Field(gt=0, le=LONGEST_FREEZE)  # elapsed time, not clock time; at most 366 days
    timezone: Annotated[str, AfterValidator(parse_zone)] = "UTC"
    reason: str = ""


Step = Annotated[Percent, Field(gt=0)]


class StepRules(Section):
    """Rules that replace the ramp's ``hold`` or ``min_samples`` at one step. Step 0 is the shadow phase, at 0 %."""

    hold: Duration | None = Field(default=None, ge=0)  # not allowed at the last step, where validation applies
    min_samples: int | None = Field(default=None, ge=1, le=MOST)

    @model_validator(mode="after")
    def _some(self) -> StepRules:
        if self.hold is None and self.min_samples is None:
            raise ValueError("needs hold, min_samples, or both")
        return self


_NO_RULES = StepRules.model_construct(hold=None, min_samples=None)


def _percent(key: Any) -> float:
    if isinstance(key, bool) or not isinstance(key, int | float | str):
        raise ValueError(f"must be a percent of the ramp's steps (got {key!r})")  # noqa: TRY004 - pydantic's error
    try:
        percent = float(str(key).removesuffix("%"))
    except (ValueError, OverflowError):
        percent = math.nan
    if not math.isfinite(percent):
        raise ValueError(f"must be a percent of the ramp's steps (got {str(key)[:40]!r})")
    return percent


@dataclass(frozen=True, slots=True)
class EffectiveRules:
    """The conditions for the next step.

    The present step must last at least ``hold`` seconds, and the candidate must serve at least ``min_samples``
    requests in this step.
    """

    hold: float
    min_samples: int


def step_at(steps: Sequence[float], percent: float) -> float:
    """Return the step whose rules apply at the share ``percent``, which a person may have set between two steps.

    This is the largest step that is not above ``percent``. For a share below the first step it is the first step,
    and for 0 % it is 0.
    """
    if percent <= 0:
        return 0.0
    return max((step for step in steps if step <= percent), default=steps[0])


class RampSection(Section):
    """The ramp of a workload: ``steps`` are the candidate's successive shares in percent.

    The workload stays at the last step, which need not be 100. ``hold`` and ``min_samples`` are the minimum time and
    the minimum number of the candidate's requests before the next step.

    The latency gates ignore the candidate's first ``warm_up`` answers of each step, because the candidate may be cold.
    By default, ``warm_up`` is a quarter of ``min_samples``, but at most 50. Before the ramp takes a step by itself,
    copies raise the candidate's load for ``warm_up_time`` to the load of the next step. So no client waits for new
    replicas or cold caches. This needs a ``shadow.sample`` between 0 and 100 %: with 100 %, the candidate already has
    this load.

    After ``idle_after`` without a request, a copy or a probe, the candidate counts as cold again. The next step then
    waits until requests have come for ``warm_up_time``. In the ten minutes after the idle time, the latency gates
    ignore the first ``warm_up`` answers, but never more answers than they judge. Clients' requests go to the candidate
    as before, so that no conversation changes its side. ``probes`` keep an idle candidate warm.
    """

    steps: tuple[Step, ...] = (1, 5, 10, 25, 50, 75, 100)
    hold: Duration = Field(default=48 * 3600, ge=0)
    min_samples: int = Field(default=200, ge=1, le=MOST)
    at: dict[float, StepRules] = Field(default_factory=dict)  # other rules at some steps: {50: {hold: 7d}}
    shadow_hold: Duration | None = None  # the hold at 0 %, before the first step; absent: hold
    approval: bool | tuple[Percent, ...] = False  # true: a person approves every step; a list: only these steps
    unjudged_limit: Percent = 10  # without a gate on answers, a person approves each step above this
    freeze: tuple[Freeze, ...] = ()
    cool_down: Duration = Field(default=3600, ge=0)
    retry: Literal["manual", "auto"] = "manual"
    max_retries: int = Field(default=3, ge=0, le=MOST)
    require_drill: bool = False
    warm_up: int | None = Field(default=None, ge=0, le=MOST)  # answers of the candidate; absent: see above
    warm_up_time: Duration | None = Field(default=None, ge=0)  # 0: none; absent: a tenth of hold, at most 10m
    idle_after: Duration | None = Field(default=None, ge=0)  # 0: never; absent: the longer of 1h, 2 × warm_up_time
    validation: Duration = Field(default=30 * 86400, ge=0)  # time at the last step before the workload is completed

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

    @field_validator("at", mode="before")
    @classmethod
    def _percents(cls, value: Any) -> Any:
        """Return the rules in ``at``, sorted by step.

        Raises ValueError for a repeated step (such as 1 and 1.0), and for YAML's ``yes``, which Python would
        read as 1 %.
        """
        if not isinstance(value, dict):
            return value
        found: dict[float, Any] = {}
        for key, rules in value.items():
            percent = _percent(key)
            if percent in found:
                raise ValueError(f"{percent:g} is given twice")
            found[percent] = rules
        return dict(sorted(found.items()))

    @model_validator(mode="after")
    def _rules_of_steps(self) -> RampSection:
        steps = f"{', '.join(f'{step:g}' for step in self.steps)}; 0 for the shadow"
        for percent, rules in self.at.items():
            if percent and percent not in self.steps:
                raise ValueError(f"at names {percent:g}, which is not a step (allowed: {steps})")
            if percent == self.steps[-1] and rules.hold is not None:
                raise ValueError(f"at {percent:g}, the last step, hold does not apply: set validation instead")
        if self.shadow_hold is not None and 0 in self.at and self.at[0].hold is not None:
            raise ValueError("shadow_hold and at 0 both set the hold of the shadow: keep one of them")
        return self

    def rules_at(self, percent: float) -> EffectiveRules:
        """Return the conditions for the next step at a share of 0 to 100 percent. See ``step_at`` and ADR 0127."""
        step = step_at(self.steps, percent)
        own = self.at.get(step, _NO_RULES)
        hold = self.hold if step or self.shadow_hold is None else self.shadow_hold
        return EffectiveRules(
            hold if own.hold is None else own.hold, self.min_samples if own.min_samples is None else own.min_samples
        )

    def warm_up_at(self, percent: float) -> int:
        """Return how many of the candidate's first answers the latency gates ignore at the share ``percent``.

        See ADR 0272.
        """
        return min(MOST_WARM_UP, self.rules_at(percent).min_samples // 4) if self.warm_up is None else self.warm_up

    def warm_up_time_at(self, percent: float) -> float:
        """Return the seconds for which copies warm up the candidate before the step after ``percent``. See ADR 0425."""
        unset = min(MOST_WARM_UP_TIME, self.rules_at(percent).hold / 10)
        return unset if self.warm_up_time is None else self.warm_up_time

    @property
    def idle_ms(self) -> int:
        """The milliseconds without a request after which the candidate counts as idle; 0: never. See ADR 0491."""
        unset = max(IDLE_AFTER, 2 * self._longest_warm_up)
        return round(1000 * (unset if self.idle_after is None else self.idle_after))

    @property
    def _longest_warm_up(self) -> float:
        return max(self.warm_up_time_at(percent) for percent in (0.0, *self.steps))

    @model_validator(mode="after")
    def _idle_time_after_a_warm_up(self) -> RampSection:
        """Refuse an idle time in which no warm-up could end, because then no step would be taken."""
        if self.idle_after and self.idle_after <= self._longest_warm_up:
            raise ValueError(f"idle_after must be longer than the warm-up ({duration_text(self._longest_warm_up)})")
        return self

    @model_validator(mode="after")
    def _approval_steps(self) -> RampSection:
        if isinstance(self.approval, tuple):
            unknown = [p for p in self.approval if p not in self.steps]
            if unknown:
                raise ValueError(f"approval names {unknown[0]:g}, which is not a step (allowed: {list(self.steps)})")
        return self

"""The ``shadow`` section: how many requests are copied to the other backend, and the daily budget for copies."""

from __future__ import annotations

from pydantic import Field

from glidepath.config.section import MOST, Percent, Section
from glidepath.config.units import Duration


class DayBudget(Section):
    """The limit on copies to paid backends in one day (UTC)."""

    requests: int | None = Field(default=None, ge=0, le=MOST)
    cost: float | None = Field(default=None, ge=0)  # in the currency of the prices


class ShadowSection(Section):
    """How many requests are copied to the other backend or, to measure the noise floor, to the baseline again.

    ``reverse`` is a percentage of the candidate's captured requests, ``same_side`` of the baseline's.
    """

    sample: Percent = 100  # percent of the workload's requests that are captured
    reverse: Percent = 100  # percent of the candidate's requests that are copied to the baseline
    same_side: Percent = 0  # percent of the baseline's requests that are copied to it again, for the noise floor
    max_in_flight: int = Field(default=32, ge=1, le=10_000)  # most copies at once, per worker
    timeout: Duration = Field(default=60, gt=0, le=3600)  # time limit of a copy
    budget: DayBudget = DayBudget()

"""The ``shadow`` section: how many requests are copied to the other backend, and the daily budget for copies."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from glidepath.config.section import MOST, Section
from glidepath.config.units import Duration, Percent

DEFAULT_SAME_SIDE = 10.0  # of free text, see ADR 0270


class DayBudget(Section):
    """The limits on copies to paid backends in one UTC day: their number, and their cost."""

    requests: int | None = Field(default=None, ge=0, le=MOST)
    cost: float | None = Field(default=None, ge=0)  # in the currency of the prices


class OptOut(Section):
    """Requests that must not be copied: those with a certain header, or with one of its values.

    ``to`` restricts the rule to copies to one side, for example to a cloud. Without ``to``, no part of such a request
    is captured or stored.
    """

    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$"), AfterValidator(str.lower)]
    values: tuple[str, ...] = ()  # absent: any value
    to: Literal["baseline", "candidate"] | None = None


class ShadowSection(Section):
    """The share of requests that are captured and copied, and the limits on the copies.

    Captured requests of the baseline are copied to the candidate. Of the candidate's captured requests, ``reverse``
    percent are copied to the baseline. Of the baseline's captured requests, ``same_side`` percent are also copied to
    the baseline itself, to measure the noise floor. By default, ``same_side`` is 10 % for the tasks ``chat``,
    ``generation`` and ``auto``, whose answers are compared with the noise floor, and 0 for all others.
    """

    sample: Percent = 100  # percent of the workload's requests that are captured
    reverse: Percent = 100  # percent of the candidate's captured requests
    same_side: Percent = 0  # percent of the baseline's captured requests; absent: by task, see above
    max_in_flight: int = Field(default=32, ge=1, le=10_000)  # maximum copies at once, per worker
    timeout: Duration = Field(default=60, gt=0, le=3600)  # time limit of a copy
    budget: DayBudget = DayBudget()
    opt_out: tuple[OptOut, ...] = (OptOut(header="x-no-store"),)  # requests that are not copied
